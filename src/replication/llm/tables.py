"""What is kept of a response: an id, and rewards that follow from what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.llm.settings import Prompt
from replication.pipeline.io import read_frame

__all__ = ["REWARDS", "has_reward", "read_pools", "response_ids", "rewards"]

Table = Mapping[str, NDArray[Any]] | pd.DataFrame

REWARDS = ("log_likelihood", "negative_length", "judge", "verifier")
"""By name, as tables have them; the first two are the paper's."""


def read_pools(path: str) -> pd.DataFrame:
    """The kept candidates; what is drawn again has the log-probability of its first draw.

    Draws of one response in different batches differ by rounding, less than the stated precision.

    Examples:
        >>> import tempfile
        >>> columns = {"prompt": "a", "temperature": 1.0, "response": [7, 7]}
        >>> with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        ...     pd.DataFrame(columns | {"log_prob": [-2.0, -2.00001]}).to_parquet(file.name)
        ...     read_pools(file.name).log_prob.tolist()
        [-2.0, -2.0]
    """
    table = read_frame(path)
    first = table.groupby(["prompt", "temperature", "response"]).log_prob.transform("first")
    return table.assign(log_prob=first)


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
    """Whether the reward makes sense for the prompt: some have no verifier.

    Examples:
        >>> open_question = Prompt(label="a", text="Write a haiku.", judge="Is it good?")
        >>> has_reward(open_question, "judge"), has_reward(open_question, "verifier")
        (True, False)
    """
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
    column = {"log_likelihood": "log_prob", "negative_length": "length"}.get(name, name)
    values = np.asarray(table[column], dtype=np.float64)
    return -values if name == "negative_length" else values
