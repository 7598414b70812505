"""A table of candidates, checked and laid out as pools: one for each prompt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.identity import ALIKE, STAND_IN

__all__ = ["OPTIONAL", "REQUIRED", "Candidates", "Pools", "as_candidates"]

REQUIRED = ("prompt", "reward")
OPTIONAL = ("log_prob", "response", "gold_reward", "tokens", "weight")

LARGEST_WHOLE = 2**53
"""Beyond this whole numbers collapse in float64."""
IndexArray = NDArray[np.intp]


class Pools(NamedTuple):
    """Pools of equal size N with the same things recorded; arrays of shape (pools, N)."""

    at: IndexArray
    """Positions of their prompts among all."""
    reward: FloatArray
    log_prob: FloatArray | None
    response: IndexArray | None
    gold_reward: FloatArray | None
    tokens: FloatArray | None

    @property
    def size(self) -> int:
        """Candidates of each pool."""
        return int(self.reward.shape[-1])

    def restricted(self, kept: NDArray[np.bool_]) -> Pools:
        """Some of the pools."""
        columns: list[Any] = [x if x is None else x[kept] for x in self]
        return Pools(*columns)


class Candidates(NamedTuple):
    """All pools of a run, and what was left out."""

    prompt: pd.Index
    """Prompts in order of first appearance."""
    size: IndexArray
    """Candidates with a reward, for each prompt."""
    missing: IndexArray
    """Candidates without one, left out, for each prompt."""
    weight: FloatArray | None
    pools: tuple[Pools, ...]

    def has(self, column: str) -> NDArray[np.bool_]:
        """Whether something is recorded for each prompt."""
        found = np.zeros(len(self.prompt), dtype=np.bool_)
        for pools in self.pools:
            found[pools.at] = getattr(pools, column) is not None
        return found

    def restricted(self, kept: NDArray[np.bool_]) -> Candidates:
        """The candidates of some prompts only."""
        place = np.cumsum(kept) - 1
        pools = [p.restricted(kept[p.at])._replace(at=place[p.at[kept[p.at]]]) for p in self.pools]
        return Candidates(
            self.prompt[kept],
            self.size[kept],
            self.missing[kept],
            None if self.weight is None else self.weight[kept],
            tuple(p for p in pools if p.at.size),
        )

    def is_binary(self, column: str) -> bool:
        """Whether all that is recorded is 0 or 1, at least one of it."""
        columns = [getattr(p, column) for p in self.pools if getattr(p, column) is not None]
        return bool(columns) and all(np.isin(x, (0.0, 1.0)).all() for x in columns)


def as_candidates(frame: pd.DataFrame, missing_reward: float | None = None) -> Candidates:
    """Pools of a table of candidates (the columns of `bonmeter.runs`).

    Args:
        frame: one row for each candidate.
        missing_reward: reward of a candidate without one; if None it is left out.

    Raises:
        ValueError: naming column and row, if a column is absent or an entry is not what it is to
            be, or if no candidate has a reward.

    Examples:
        >>> found = as_candidates(pd.DataFrame({"prompt": ["a", "b", "a"], "reward": [1, 0, None]}))
        >>> found.prompt.tolist(), found.size.tolist(), found.missing.tolist()
        (['a', 'b'], [1, 1], [1, 0])
    """
    absent = [name for name in REQUIRED if name not in frame.columns]
    if absent:
        found = ", ".join(map(str, frame.columns))
        raise ValueError(f"candidates has no column {absent[0]!r}: expected one among {found}")
    reward = _numbers(frame, "reward", finite=True)
    if missing_reward is not None:
        reward = np.where(np.isnan(reward), float(missing_reward), reward)
    code, prompt = pd.factorize(frame["prompt"])
    _reject(frame, "prompt", code < 0, "a prompt")
    kept = ~np.isnan(reward)
    if not kept.any():
        raise ValueError("candidates: expected at least one row with a reward")
    size, all_rows = (np.bincount(x, minlength=len(prompt)) for x in (code[kept], code))
    columns = _columns(frame, code, reward)
    rows = np.flatnonzero(kept)[np.argsort(code[kept], kind="stable")]
    return Candidates(
        pd.Index(prompt),
        size,
        all_rows - size,
        _weights(frame, code, len(prompt)),
        tuple(_pools(columns, rows, size)),
    )


class _Columns(NamedTuple):
    """Checked columns; nan, or -1 for responses, where something is missing."""

    reward: FloatArray
    log_prob: FloatArray
    response: IndexArray
    gold_reward: FloatArray
    tokens: FloatArray


def _columns(frame: pd.DataFrame, code: IndexArray, reward: FloatArray) -> _Columns:
    log_prob = _numbers(frame, "log_prob", finite=False)
    bad = (log_prob > ALIKE) | np.isinf(log_prob) | (log_prob == STAND_IN)
    _reject(frame, "log_prob", bad, "a natural log-probability <= 0 of a response that was drawn")
    tokens = _numbers(frame, "tokens", finite=True)
    _reject(frame, "tokens", tokens < 0, "a number of tokens >= 0")
    response = np.full(len(frame), -1, dtype=np.intp)
    if "response" in frame.columns:
        response = pd.factorize(frame["response"])[0]
    gold = _numbers(frame, "gold_reward", finite=True)
    return _Columns(reward, np.minimum(log_prob, 0.0), response, gold, tokens)


def _pools(columns: _Columns, rows: IndexArray, size: IndexArray) -> list[Pools]:
    """Pools of equal size with the same things recorded, from rows ordered by prompt."""
    start = np.cumsum(size) - size
    full = np.flatnonzero(size)
    known = [
        np.logical_and.reduceat(mask[rows], start[full])
        for mask in (
            ~np.isnan(columns.log_prob),
            columns.response >= 0,
            ~np.isnan(columns.gold_reward),
            ~np.isnan(columns.tokens),
        )
    ]
    kinds, kind = np.unique(np.stack([size[full], *known]), axis=1, return_inverse=True)
    found = []
    for number, (width, *has) in enumerate(kinds.T.tolist()):
        at = full[kind.ravel() == number]  # a column in numpy 2.0
        of = rows[start[at][:, None] + np.arange(width)]
        recorded = zip(columns[1:], has, strict=True)
        log_prob, response, gold, tokens = (x[of] if there else None for x, there in recorded)
        found.append(Pools(at, columns.reward[of], log_prob, response, gold, tokens))
    return found


def _numbers(frame: pd.DataFrame, name: str, *, finite: bool) -> FloatArray:
    """A column as float64; nan where an entry is missing, or all if there is no such column."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    column = frame[name]
    whole = pd.api.types.is_integer_dtype(column.dtype)
    if whole:
        large = (column.abs() > LARGEST_WHOLE).fillna(False).to_numpy(dtype=np.bool_)
        _reject(frame, name, large, "a whole number up to 2^53, or its rank")
    if not pd.api.types.is_bool_dtype(column.dtype) and not pd.api.types.is_numeric_dtype(
        column.dtype
    ):
        number = pd.to_numeric(column, errors="coerce")
        _reject(frame, name, (number.isna() & column.notna()).to_numpy(), "a number")
        column = number
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if finite:
        _reject(frame, name, np.isinf(values), "a finite number")
    return values


def _weights(frame: pd.DataFrame, code: IndexArray, prompts: int) -> FloatArray | None:
    if "weight" not in frame.columns:
        return None
    weight = _numbers(frame, "weight", finite=True)
    _reject(frame, "weight", ~(weight > 0), "a weight above 0")
    first = np.unique(code, return_index=True)[1]
    _reject(frame, "weight", weight != weight[first][code], "one weight for all rows of a prompt")
    return np.asarray(weight[first][:prompts])


def _reject(frame: pd.DataFrame, column: str, bad: NDArray[np.bool_], expected: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        entry = frame[column].iloc[row]
        entry = entry.item() if isinstance(entry, np.generic) else entry
        raise ValueError(f"candidates[{column!r}], row {row}: {entry!r}, expected {expected}")
