"""Independent responses with their log-probabilities, in chunks with a random stream each.

A token is drawn by one uniform number: it is the first at which the cumulative probabilities, in
the order of the vocabulary, exceed it. So the numbers decide the responses: another device or
another batch size gives the same ones, unless rounding moves a boundary across a number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from replication.llm.model import LanguageModel

__all__ = ["CHUNK", "NO_TOKEN", "Draws", "draw"]

CHUNK = 256
"""Candidates that share a random stream and a file."""

NO_TOKEN = -1

CROWDED = 0.9
"""Rows are dropped from the cache once so few of them go on."""


class Draws(NamedTuple):
    """Responses of at most `limit` tokens, the end token among them."""

    tokens: NDArray[np.int32]
    """Shape (rows, limit); after the response `NO_TOKEN`."""
    log_prob: NDArray[np.float64]
    """In nats, of all its tokens; shape (rows,)."""
    ended: NDArray[np.bool_]
    """Whether it ends by itself rather than at the limit."""


@torch.inference_mode()
def draw(model: LanguageModel, prompt: torch.Tensor, uniform: NDArray[np.float64]) -> Draws:
    """One response for each row of uniform numbers.

    Args:
        model: at the temperature to draw at; nothing else truncates its distribution.
        prompt: tokens, shape (prompt tokens,).
        uniform: independent and uniform in [0, 1), shape (rows, limit); the token limit is part of
            the policy: a response that reaches it is cut, and has the probability of its tokens.

    Examples:
        >>> from replication.llm.tiny import tiny_model
        >>> model, prompt = tiny_model(), torch.tensor([1])
        >>> draws = draw(model, prompt, np.array([[0.5, 0.5, 0.5]]))
        >>> direct = model.score(prompt, torch.from_numpy(draws.tokens).long())
        >>> bool(abs(draws.log_prob[0] - direct[0]) < 1e-5)
        True
    """
    rows, limit = uniform.shape
    numbers = torch.from_numpy(uniform).to(model.device)
    tokens = torch.full((rows, limit), NO_TOKEN, device=model.device)
    log_prob = torch.zeros(rows, dtype=torch.float64, device=model.device)
    ended = torch.zeros(rows, dtype=torch.bool, device=model.device)
    cache = model.new_cache()
    following = model.extend(cache, prompt[None]).expand(rows, -1)
    cache.batch_repeat_interleave(rows)
    active = torch.arange(rows, device=model.device)
    for step in range(limit):
        token = _pick(following, numbers[active, step])
        tokens[active, step] = torch.where(ended[active], NO_TOKEN, token)
        gain = following.gather(1, token[:, None]).squeeze(1)
        log_prob[active] += torch.where(ended[active], 0.0, gain)
        ended[active] |= torch.isin(token, model.end)
        going = ~ended[active]
        count = int(going.sum())
        if count == 0 or step == limit - 1:
            break
        if count <= CROWDED * len(active):
            kept = going.nonzero().squeeze(1)
            cache.batch_select_indices(kept)
            active, token = active[kept], token[kept]
        following = model.extend(cache, token[:, None])
    return Draws(tokens.cpu().numpy().astype(np.int32), log_prob.cpu().numpy(), ended.cpu().numpy())


def _pick(log_prob: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
    """The first token at which the cumulative probability exceeds the number."""
    cdf = log_prob.exp().cumsum(dim=1)
    aim = (number * cdf[:, -1])[:, None]
    return torch.searchsorted(cdf, aim, right=True).squeeze(1).clamp(max=cdf.shape[1] - 1)
