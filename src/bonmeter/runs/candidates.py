"""A table of candidates, checked and laid out as pools: one for each prompt."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bonmeter.logs.places import place_of
from bonmeter.numerics.validation import FloatArray, as_number
from bonmeter.pools.arguments import as_names
from bonmeter.pools.identity import ALIKE, Contradiction, is_stand_in

__all__ = ["OPTIONAL", "REQUIRED", "Candidates", "Facts", "Pools", "as_candidates"]

REQUIRED = ("prompt", "reward")
OPTIONAL = ("log_prob", "response", "gold_reward", "tokens", "weight")

LARGEST_WHOLE = 2**53
"""Beyond this whole numbers collapse in float64."""
WHOLE = "a whole number up to 2^53, or its rank"
GRADE = "a number (a grade as one, such as 1 or 0)"
IndexArray = NDArray[np.intp]


class Pools(NamedTuple):
    """Pools of equal size N with the same things recorded; arrays of shape (pools, N)."""

    at: IndexArray
    """Positions of their prompts among all."""
    reward: FloatArray
    log_prob: NDArray[np.floating] | None
    """In float16 where it came in that, else in float64."""
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


class Facts(Protocol):
    """What there is to know of the prompts of a run, besides their pools."""

    @property
    def prompt(self) -> pd.Index:
        """Prompts in order of first appearance."""

    @property
    def size(self) -> IndexArray:
        """Candidates with a reward, for each prompt."""

    @property
    def missing(self) -> IndexArray:
        """Candidates without one, left out, for each prompt."""

    @property
    def weight(self) -> FloatArray | None:
        """Weights of the prompts; alike if None."""

    def has(self, column: str) -> NDArray[np.bool_]:
        """Whether something is recorded for each prompt."""

    def is_binary(self, column: str) -> bool:
        """Whether all that is recorded is 0 or 1, at least one of it."""


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
    place: Callable[[int, int], str] = lambda prompt, candidate: ""
    """Where a candidate of a prompt, both by number, was read from; "" if that is not known."""

    def problem(self, prompt: int, error: ValueError) -> ValueError:
        """An error about the pool of a prompt, with where it was read from."""
        if isinstance(error, Contradiction):
            known = [self.place(prompt, candidate) for candidate in error.pair]
        else:
            known = [place and f"{place} on" for place in [self.place(prompt, 0)]]
        where = f" ({' and '.join(known)})" if all(known) else ""
        return ValueError(f"prompt {self.prompt[prompt]!r:.200}{where}: {error}")

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
            lambda prompt, candidate: self.place(int(np.flatnonzero(kept)[prompt]), candidate),
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
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"candidates = {frame!r:.60}: expected a DataFrame, a row for each")
    absent = [name for name in REQUIRED if name not in frame.columns]
    if absent:
        found = ", ".join(map(str, frame.columns))
        raise ValueError(f"candidates has no column {absent[0]!r}: expected one among {found}")
    for name in (*REQUIRED, *OPTIONAL):
        if list(frame.columns).count(name) > 1:
            raise ValueError(f"candidates has several columns {name!r}: expected one")
    reward = _numbers(frame, "reward", finite=True)
    if missing_reward is not None:
        worth = as_number("missing_reward", missing_reward)
        if not np.isfinite(worth):
            raise ValueError(f"missing_reward = {worth!r}: expected a finite number")
        reward = np.where(np.isnan(reward), worth, reward)
    code, prompt = _prompts(frame)
    kept = ~np.isnan(reward)
    if not kept.any():
        raise ValueError("candidates: expected at least one row with a reward")
    size, all_rows = (np.bincount(x, minlength=len(prompt)) for x in (code[kept], code))
    columns = _columns(frame, code, reward)
    rows = np.flatnonzero(kept)[np.argsort(code[kept], kind="stable")]
    start = np.cumsum(size) - size
    return Candidates(
        pd.Index(prompt),
        size,
        all_rows - size,
        _weights(frame, code, len(prompt)),
        tuple(_pools(columns, rows, size)),
        lambda prompt, candidate: place_of(frame, rows[start[prompt] + candidate]),
    )


def _prompts(frame: pd.DataFrame) -> tuple[IndexArray, pd.Index]:
    try:
        code, prompt = pd.factorize(frame["prompt"])
    except TypeError:  # lists, such as messages
        lists = frame["prompt"].map(lambda value: isinstance(value, list | dict | np.ndarray | set))
        _reject(frame, "prompt", lists.to_numpy(dtype=np.bool_), "a text or a number")
        raise
    _reject(frame, "prompt", code < 0, "a prompt")
    return code, prompt


def _responses(frame: pd.DataFrame) -> IndexArray:
    """Equal numbers for equal responses, -1 for missing ones."""
    if "response" not in frame.columns:
        return np.full(len(frame), -1, dtype=np.intp)
    column = frame["response"]
    try:
        return pd.factorize(column)[0]
    except TypeError:  # token ids
        unordered = column.map(lambda value: isinstance(value, dict | set))
        _reject(frame, "response", unordered.to_numpy(dtype=np.bool_), "text or token ids")
    known = [not (pd.api.types.is_scalar(value) and pd.isna(value)) for value in column]
    names = [value for value, there in zip(column, known, strict=True) if there]
    codes = np.full(len(frame), -1, dtype=np.intp)
    codes[known] = as_names("response", names, (len(names),))
    return codes


class _Columns(NamedTuple):
    """Checked columns; nan, or -1 for responses, where something is missing."""

    reward: FloatArray
    log_prob: NDArray[np.floating]
    response: IndexArray
    gold_reward: FloatArray
    tokens: FloatArray


def _columns(frame: pd.DataFrame, code: IndexArray, reward: FloatArray) -> _Columns:
    log_prob = _numbers(frame, "log_prob", finite=False)
    bad = (log_prob > ALIKE) | np.isinf(log_prob) | is_stand_in(log_prob)
    _reject(frame, "log_prob", bad, "a natural log-probability <= 0 of a response that was drawn")
    tokens = _numbers(frame, "tokens", finite=True)
    _reject(frame, "tokens", tokens < 0, "a number of tokens >= 0")
    gold = _numbers(frame, "gold_reward", finite=True)
    log_prob = np.minimum(log_prob, 0.0)
    if "log_prob" in frame.columns and frame["log_prob"].dtype == np.float16:
        log_prob = log_prob.astype(np.float16)  # tells of its precision
    return _Columns(reward, log_prob, _responses(frame), gold, tokens)


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
    if pd.api.types.is_bool_dtype(column.dtype) and name == "log_prob":
        _reject(frame, name, column.notna().to_numpy(), "a natural log-probability")
    if pd.api.types.is_integer_dtype(column.dtype):
        large = ~column.between(-LARGEST_WHOLE, LARGEST_WHOLE).fillna(True).to_numpy(np.bool_)
        _reject(frame, name, large, WHOLE)
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.dtype.kind == "c":
        column = _parsed(frame, name)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if finite:
        _reject(frame, name, np.isinf(values), "a finite number")
    return values


def _parsed(frame: pd.DataFrame, name: str) -> pd.Series[float]:
    """A column of objects or texts as numbers."""
    values = frame[name].astype(object).to_numpy()
    missing, texts = pd.isna(values), np.array([isinstance(value, str) for value in values])
    kinds = bool | int | float | np.number | Decimal
    numbers = texts | np.array([isinstance(value, kinds) for value in values])
    if name == "log_prob":
        numbers &= ~np.array([isinstance(value, bool) for value in values])
    numbers &= ~np.array([isinstance(value, complex | np.complexfloating) for value in values])
    _reject(frame, name, ~(numbers | missing), GRADE)
    number = pd.to_numeric(pd.Series(values, dtype=object).where(~missing), errors="coerce")
    _reject(frame, name, texts & ~missing & number.isna().to_numpy(), GRADE)
    whole = [isinstance(v, str) and v.strip().lstrip("+-").isdigit() for v in values]
    exact = [int(v) if w or isinstance(v, int) else 0 for v, w in zip(values, whole, strict=True)]
    _reject(frame, name, np.array([abs(v) > LARGEST_WHOLE for v in exact]), WHOLE)
    return number.astype(np.float64)


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
        place = place_of(frame, row, column) or f"candidates[{column!r}], row {row}"
        raise ValueError(f"{place}: {entry!r:.60}, expected {expected}")
