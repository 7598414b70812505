"""How far a response's log-probability depends on how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray

from replication.llm.model import LanguageModel

__all__ = ["log_probs_by_route"]

Route = Callable[[LanguageModel, torch.Tensor, torch.Tensor], torch.Tensor]

DTYPES = ("float64", "float16", "bfloat16")


def log_probs_by_route(
    model: LanguageModel, prompt: torch.Tensor, responses: torch.Tensor
) -> dict[str, NDArray[np.float64]]:
    """Log-probabilities of the same responses, computed in several ways.

    Args:
        model: in float32.
        prompt: tokens, shape (prompt tokens,).
        responses: shape (rows, tokens), negative where a response has ended.

    Returns:
        By route, shape (rows,): in float32 in one pass and token by token with a cache, alone or
        with others; and in other precisions, in which transformers still normalises layers in
        float32.

    Examples:
        >>> from replication.llm.tiny import tiny_model
        >>> routes = log_probs_by_route(tiny_model(), torch.tensor([1]), torch.tensor([[2, 0]]))
        >>> best = routes["float64, one pass"]
        >>> [
        ...     bool(abs(routes[name] - best) < 1e-4)
        ...     for name in ("float32, token by token", "bfloat16, one pass")
        ... ]
        [True, False]
    """
    found = {}
    for name, route in ROUTES.items():
        found[f"float32, {name}"] = route(model, prompt, responses)
    for dtype in DTYPES:
        network = deepcopy(model.network).to(getattr(torch, dtype))
        other = LanguageModel(network, model.end.tolist(), model.temperature)
        found[f"{dtype}, one pass"] = _in_one_pass(16)(other, prompt, responses)
    return {name: log_prob.cpu().numpy() for name, log_prob in found.items()}


def _in_one_pass(rows: int) -> Route:
    def route(model: LanguageModel, prompt: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
        return torch.cat([model.score(prompt, part) for part in responses.split(rows)])

    return route


def _alone(model: LanguageModel, prompt: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
    return torch.cat([model.score(prompt, row[row >= 0][None]) for row in responses])


@torch.inference_mode()
def _token_by_token(
    model: LanguageModel, prompt: torch.Tensor, responses: torch.Tensor
) -> torch.Tensor:
    cache, tokens = model.new_cache(), responses.clamp(min=0)
    following = model.extend(cache, prompt[None]).expand(len(tokens), -1)
    cache.batch_repeat_interleave(len(tokens))
    log_prob = torch.zeros(len(tokens), dtype=torch.float64, device=model.device)
    for step, token in enumerate(tokens.T[..., None]):
        gain = following.gather(1, token).squeeze(1)
        log_prob += gain.where(responses[:, step] >= 0, 0.0)
        if step < tokens.shape[1] - 1:
            following = model.extend(cache, token)
    return log_prob


ROUTES: dict[str, Route] = {
    "one pass, alone": _alone,
    "one pass, 16 rows": _in_one_pass(16),
    "one pass, 5 rows": _in_one_pass(5),
    "token by token": _token_by_token,
}
"""One pass pads the shorter responses of its rows; alone there is nothing to pad."""
