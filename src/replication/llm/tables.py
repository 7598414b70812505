"""What is kept of a response: an id, and rewards that follow from what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replication.llm.settings import Prompt

__all__ = ["REWARDS", "has_reward", "response_ids", "rewards"]

Table = Mapping[str, NDArray[Any]]

REWARDS = ("log_likelihood", "negative_length", "judge", "verifier")
"""By name, as tables have them; the first two are the paper's."""


def response_ids(responses: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """A 64-bit hash of the tokens of each response.

    Examples:
        >>> a, b, c = response_ids([[1, 2], [1, 2], [1, 2, 3]]).tolist()
        >>> a == b, a == c
        (True, False)
    """
    digests = (blake2b(np.array(x, dtype="<i4").tobytes(), digest_size=8) for x in responses)
    return np.frombuffer(b"".join(x.digest() for x in digests), dtype="<i8").astype(np.int64)


def has_reward(prompt: Prompt, name: str) -> bool:
    """Whether the reward makes sense for the prompt: some have no verifier."""
    return name != "verifier" or bool(prompt.verifier)


def rewards(table: Table, name: str) -> NDArray[np.float64]:
    """One reward of each row of a table of candidates or of listed responses.

    Args:
        table: with the columns log_prob, length, judge and verifier.
        name: one of `REWARDS`.

    Examples:
        >>> rewards({"length": np.array([3, 5])}, "negative_length").tolist()
        [-3.0, -5.0]
    """
    if name == "log_likelihood":
        return table["log_prob"].astype(np.float64)
    if name == "negative_length":
        return -table["length"].astype(np.float64)
    return table[name].astype(np.float64)
