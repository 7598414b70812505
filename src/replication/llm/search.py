"""Every response of at least a given probability: a search of the tree of prefixes.

A response is at most as likely as each of its prefixes, so prefixes below the threshold are cut and
nothing at or above it is missed (as the model computes).
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from replication.llm.model import LanguageModel

__all__ = ["Found", "likely_responses"]


class Found(NamedTuple):
    """All responses at or above the threshold, likeliest first."""

    tokens: list[tuple[int, ...]]
    log_prob: NDArray[np.float64]
    ended: NDArray[np.bool_]
    """Whether a response ends by itself rather than at the limit."""
    nodes: int
    """Prefixes expanded: those of at least the threshold, the empty one among them."""


class _Prefixes(NamedTuple):
    """Prefixes of equal length, and the cache of all but their last tokens."""

    cache: DynamicCache
    new: torch.Tensor
    tokens: torch.Tensor
    log_prob: torch.Tensor


@torch.inference_mode()
def likely_responses(
    model: LanguageModel, prompt: torch.Tensor, log_threshold: float, limit: int, rows: int = 256
) -> Found:
    """All responses of log-probability at least `log_threshold`.

    Args:
        model: at the temperature of the policy.
        prompt: tokens, shape (prompt tokens,).
        log_threshold: in nats.
        limit: most tokens of a response, the end token among them; a longer one is cut there.
        rows: prefixes to expand at once.

    Examples:
        >>> from replication.llm.tiny import tiny_model
        >>> all_of_them = likely_responses(tiny_model(3), torch.tensor([1]), -1e9, limit=2)
        >>> len(all_of_them.tokens)  # the end at once, or after one of 2 tokens, or 2 tokens
        7
        >>> round(float(np.exp(all_of_them.log_prob).sum()), 5)
        1.0
    """
    device = model.device
    root = _Prefixes(
        model.new_cache(),
        prompt[None],
        torch.empty((1, 0), dtype=torch.int64, device=device),
        torch.zeros(1, dtype=torch.float64, device=device),
    )
    pending, found, nodes = [root], [], 0
    while pending:
        prefixes = pending.pop()
        nodes += len(prefixes.log_prob)
        log_prob = prefixes.log_prob[:, None] + model.extend(prefixes.cache, prefixes.new)
        parent, token = (log_prob >= log_threshold).nonzero(as_tuple=True)
        tokens = torch.cat([prefixes.tokens[parent], token[:, None]], dim=1)
        log_prob = log_prob[parent, token]
        ended = torch.isin(token, model.end)
        whole = ended | (tokens.shape[1] == limit)
        found.append((tokens[whole].tolist(), log_prob[whole].tolist(), ended[whole].tolist()))
        pending += _pieces(prefixes.cache, parent[~whole], tokens[~whole], log_prob[~whole], rows)
    return _sorted(found, nodes)


def _pieces(
    cache: DynamicCache,
    parent: torch.Tensor,
    tokens: torch.Tensor,
    log_prob: torch.Tensor,
    rows: int,
) -> list[_Prefixes]:
    """The prefixes in pieces of at most `rows`, each with a cache of its own."""
    pieces = []
    for start in reversed(range(0, len(parent), rows)):
        part = slice(start, start + rows)
        own = deepcopy(cache) if start else cache
        own.batch_select_indices(parent[part])
        pieces.append(_Prefixes(own, tokens[part, -1:], tokens[part], log_prob[part]))
    return pieces


def _sorted(found: list[tuple[list[list[int]], list[float], list[bool]]], nodes: int) -> Found:
    rows = [row for part in found for row in zip(*part, strict=True)]
    rows.sort(key=lambda row: (-row[1], row[0]))
    return Found(
        [tuple(tokens) for tokens, _, _ in rows],
        np.array([log_prob for _, log_prob, _ in rows]),
        np.array([ended for _, _, ended in rows], dtype=np.bool_),
        nodes,
    )
