"""Values as they stand in logs, made into the numbers and texts of the canonical table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import fsum, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonmeter.logs.logprobs import ROUNDING, token_sum
from bonmeter.logs.problems import FieldProblem, Value, shown
from bonmeter.pools.identity import is_stand_in

__all__ = [
    "AGGREGATES",
    "CellProblem",
    "Numbers",
    "log_probs",
    "numbers",
    "rewards",
    "texts",
    "token_counts",
    "weights",
    "whole_or_float",
]

Numbers = NDArray[np.float64] | NDArray[np.int64]

AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "max": max,
    "mean": lambda scores: fsum(scores) / len(scores),
    "sum": fsum,
    "prod": prod,
}
"""Ways to make one reward of the scores of a response's steps."""

VERDICTS = {
    **dict.fromkeys(("c", "true", "yes", "correct", "pass", "passed"), 1),
    **dict.fromkeys(("i", "n", "false", "no", "incorrect", "fail", "failed"), 0),
    "p": 0.5,
}
"""Words and letters that a verifier writes -> reward."""

NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
MISSING = {"", "nan", "na", "none", "null", "<na>"}
TOKENS = "a number of tokens"
EXACT = 2**53
"""Integers up to this one are exact as floats."""


class CellProblem(ValueError):
    """What is wrong with the value at `index`."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def _number(value: Value) -> int | float | None:
    """A single value as a number, None if it is missing.

    Raises:
        ValueError: if it is no finite number; the message says what is expected.
    """
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        word = value.strip()
        if word.lower() in MISSING:
            return None
        if not NUMERAL.fullmatch(word):
            raise ValueError(f"expected a finite number, got {shown(value)}")
        value = float(word) if set(word) & set(".eE") else int(word)
    if isinstance(value, Decimal):
        value = float(value)
    if not isinstance(value, int | float) or abs(value) == float("inf"):
        raise ValueError(f"expected a finite number, got {shown(value)}")
    return None if value != value else value


def numbers(values: Sequence[Any], parse: Callable[[Any], Any] = _number) -> Numbers:
    """Values as float64 with nan for what is missing, or as int64 if all are whole.

    Args:
        values: as they stand in the log.
        parse: makes a number or None of one value, or raises a ValueError.

    Raises:
        CellProblem: for the first value that is no number, or that neither type holds exactly.

    Examples:
        >>> numbers([1, None, "2.5"]).tolist(), numbers([2**60 + 1, 2**60]).tolist()
        ([1.0, nan, 2.5], [1152921504606846977, 1152921504606846976])
    """
    kinds = set(map(type, values))
    if kinds <= {float}:
        array = np.array(values, dtype=np.float64)
        if not np.isinf(array).any():
            return array
    parsed: list[int | float | None] = []
    for index, value in enumerate(values):
        try:
            parsed.append(parse(value))
        except ValueError as error:
            raise CellProblem(index, str(error)) from None
    if parsed and all(isinstance(value, int) and abs(value) < 2**63 for value in parsed):
        return np.array(parsed, dtype=np.int64)
    for index, value in enumerate(parsed):
        if isinstance(value, int) and not _exact(value):
            raise CellProblem(
                index, f"expected a number that a float holds exactly, got {shown(values[index])}"
            )
    return np.array([np.nan if value is None else value for value in parsed], dtype=np.float64)


def _exact(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def rewards(values: Sequence[Any], aggregate: str | None) -> Numbers:
    """Rewards: numbers, verdicts (True, "C", "passed"), or lists of step scores to aggregate.

    Raises:
        CellProblem: for the first value that is none of these.

    Examples:
        >>> rewards([True, "I", [0.5]], None).tolist()
        [1.0, 0.0, 0.5]
    """

    def parse(value: Value) -> int | float | None:
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and value.strip().lower() in VERDICTS:
            return VERDICTS[value.strip().lower()]
        if not isinstance(value, list):
            if isinstance(value, dict):
                raise ValueError(
                    f"expected one reward, got several ({', '.join(map(str, value))}): choose one"
                )
            return _number(value)
        scores = [parse(score) for score in value]
        if len(scores) == 1:
            return scores[0]
        if aggregate is None:
            raise ValueError(
                f"expected one reward, got {len(scores)} scores of steps: choose how to aggregate "
                f"them ({', '.join(AGGREGATES)})"
            )
        known = [score for score in scores if score is not None]
        return AGGREGATES[aggregate](known) if known and len(known) == len(scores) else None

    return numbers(values, parse)


def log_probs(values: Sequence[Any]) -> NDArray[np.float64]:
    """Log-probabilities of responses; a list is that of their tokens, and is summed.

    Raises:
        CellProblem: for the first value that a drawn response cannot have.

    Examples:
        >>> log_probs([-1.5, None, [-0.5, -0.25], -9999.0, 1e-9]).tolist()
        [-1.5, nan, -0.75, nan, 0.0]
    """

    def parse(value: Value) -> int | float | None:
        if isinstance(value, bool):
            raise ValueError(f"expected a log-probability, got {value}")
        if isinstance(value, list):
            value = _sum_of(value)
        if value == -np.inf or (isinstance(value, str) and value.strip().lower() == "-inf"):
            raise ValueError("expected a finite log-probability, as what was drawn has, got -inf")
        return _number(value)

    array = numbers(values, parse).astype(np.float64, copy=False)
    _reject(values, array > ROUNDING, "a log-probability, at most 0")
    return np.where(is_stand_in(array), np.nan, np.minimum(array, 0.0))


def _reject(values: Sequence[Any], bad: NDArray[np.bool_], expected: str) -> None:
    if bad.any():
        index = int(np.argmax(bad))
        raise CellProblem(index, f"expected {expected}, got {shown(values[index])}")


def _sum_of(tokens: list[Value]) -> float | None:
    """The log-probability of a response from those of its tokens: numbers, or objects with one."""
    values = [token.get("logprob") if isinstance(token, dict) else token for token in tokens]
    try:
        return token_sum(values, "of tokens") if values else None
    except FieldProblem as error:
        raise ValueError(str(error).partition(": ")[2]) from None


def token_counts(values: Sequence[Any]) -> NDArray[np.float64]:
    """Numbers of tokens; of a list its length counts.

    Examples:
        >>> token_counts([3, [101, 7], None]).tolist()
        [3.0, 2.0, nan]
    """

    def parse(value: Value) -> int | float | None:
        if isinstance(value, bool):
            raise ValueError(f"expected a number of tokens, got {value}")
        return len(value) if isinstance(value, list) else _number(value)

    counts = numbers(values, parse).astype(np.float64, copy=False)
    _reject(values, (counts < 0) | (counts != np.floor(counts)) & ~np.isnan(counts), TOKENS)
    return counts


def weights(values: Sequence[Any]) -> NDArray[np.float64]:
    """Weights of prompts.

    Examples:
        >>> weights([0.5, "2"]).tolist()
        [0.5, 2.0]
    """
    array = numbers(values).astype(np.float64, copy=False)
    _reject(values, array <= 0, "a weight above 0")
    return array


def texts(values: Sequence[Any]) -> list[str | None]:
    """Texts; a chat message stands for its content, anything else for itself as JSON.

    Examples:
        >>> texts(["a", None, 3, [101, 7], [{"role": "assistant", "content": "b"}]])
        ['a', None, '3', '[101,7]', 'b']
    """
    if set(map(type, values)) <= {str}:
        return list(values)
    return [_text(value) for value in values]


def _text(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        content = value[0].get("content")
        if isinstance(content, str):
            return content
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def whole_or_float(parts: Sequence[Numbers]) -> Numbers:
    """Chunks of a column as one: float64, or int64 where a float would merge integers.

    Raises:
        ValueError: if integers beyond 2^53 stand beside fractions or missing values.

    Examples:
        >>> whole_or_float([np.array([1, 2]), np.array([0.5])]).tolist()
        [1.0, 2.0, 0.5]
    """
    large = any(part.dtype.kind == "i" and (np.abs(part) > EXACT).any() for part in parts)
    if large and len({part.dtype.kind for part in parts}) > 1:
        raise ValueError("integers beyond 2^53 stand beside fractions or missing values")
    if large:
        return np.concatenate([part.astype(np.int64, copy=False) for part in parts])
    return np.concatenate([part.astype(np.float64, copy=False) for part in parts])
