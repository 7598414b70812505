"""The digits that results claim: in the others processors differ.

Logarithms, exponentials and sums differ between processors and libraries in the last of their 16
digits. Results are rounded when they are written, far above those, so that the same bytes come out
anywhere, unless a number lies within the difference of where rounding jumps (docs/same_bytes.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["DECIMALS", "DIGITS", "NEAREST", "claimed", "enclosure", "outward"]

DIGITS = 10
"""Significant digits of a result; the library computes 12."""

DECIMALS = 9
"""Of differences and of estimates, which are no more accurate where they are small."""


def claimed(
    table: Mapping[str, ArrayLike],
    *,
    differences: Collection[str] = (),
    exact: Collection[str] = (),
) -> dict[str, NDArray[Any]]:
    """The columns of a table, its floats rounded to the digits that they claim; 0, never -0.

    Rounding is monotone: what was at most something else in the same row still is.

    Args:
        table: columns by name.
        differences: names of those rounded to `DECIMALS`; others keep `DIGITS` significant digits.
        exact: names of those left alone: inputs, and what is certified.

    Examples:
        >>> table = {"kl": [2 / 3], "bias": [-1e-16], "log_prob": [2 / 3]}
        >>> rounded = claimed(table, differences={"bias"}, exact={"log_prob"})
        >>> {name: column.item() for name, column in rounded.items()}
        {'kl': 0.6666666667, 'bias': 0.0, 'log_prob': 0.6666666666666666}
    """
    columns = {name: np.asarray(column) for name, column in table.items()}
    return {
        name: column
        if name in exact or column.dtype.kind != "f"
        else (_decimals if name in differences else _significants)(column)
        for name, column in columns.items()
    }


def _decimals(column: NDArray[Any]) -> NDArray[np.float64]:
    return _at_once(_decimal, column.astype(np.float64), np.full(column.shape, -DECIMALS))


def _significants(column: NDArray[Any]) -> NDArray[np.float64]:
    size = np.abs(column, dtype=np.float64)
    logarithm = np.log10(size, out=np.zeros_like(size), where=np.isfinite(size) & (size > 0))
    exponent = np.floor(logarithm).astype(int)
    # next to a power of ten, which the logarithm may miss, one by one
    near = np.abs(logarithm - np.rint(logarithm)) < 1e-9
    place = np.where(near, POWERS.size, exponent - DIGITS + 1)
    return _at_once(_significant, column.astype(np.float64), place)


def _at_once(
    rounded: Callable[[float], float], column: NDArray[np.float64], place: NDArray[np.int_]
) -> NDArray[np.float64]:
    """What `rounded` says of each entry, the nearest multiple of 10^place.

    Floats tell which it is unless the entry lies next to a jump. It takes a tenth of the time.
    """
    known = np.abs(place) < POWERS.size
    power = POWERS[np.where(known, np.abs(place), 0)]
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = np.where(place < 0, column * power, column / power) + float(NEAREST)
        units = np.floor(shifted)
        known &= (np.abs(shifted - units - 0.5) < 0.4999) & (np.abs(units) < 1e11)
        found: NDArray[np.float64] = np.where(place < 0, units / power, units * power) + 0.0
    found[~known] = [rounded(value) for value in column[~known].tolist()]
    return found


def enclosure(value: float, error: float) -> tuple[float, float, float]:
    """A number of known error: rounded, and its ends rounded outward.

    They are multiples of a power of ten, 10 to 100 times the error, but fine enough that what is
    farther from 0 than the error stays so.

    Args:
        value: the number.
        error: bound on its error, >= 0.

    Examples:
        >>> enclosure(1 / 3, 2e-12)
        (0.3333333333, 0.3333333333, 0.3333333334)
        >>> enclosure(3e-12, 2e-12)
        (3e-12, 9e-13, 5.1e-12)
    """
    low, high = value - error, value + error
    if not 0 < error < high - low < math.inf:
        return value, low, high
    place = _exponent(error) + 2
    if distance := max(low, -high, 0.0):
        place = min(place, _exponent(distance) - 1)
    return _stepped(value, place), _stepped(low, place, DOWN), -_stepped(-high, place, DOWN) + 0.0


def outward(low: float, high: float) -> tuple[float, float]:
    """The ends of an enclosure to `DIGITS` significant digits, rounded outward.

    Examples:
        >>> outward(1 / 3, 2 / 3)
        (0.3333333333, 0.6666666667)
    """
    return _significant(low, DOWN), -_significant(-high, DOWN) + 0.0


POWERS = np.array([float(10**k) for k in range(23)])
"""Those of ten that floats hold exactly: so a whole number over or times one is rounded once."""

NEAREST, DOWN = Decimal("0.5618"), Decimal("-0.2618")
"""Added to units before the floor is taken. Results are often decimals of few digits, whose halves
and wholes are avoided: there the last bit of a float would decide."""


def _stepped(value: float, place: int, offset: Decimal = NEAREST) -> float:
    """A multiple of 10^place: about the nearest, or the one below."""
    if not math.isfinite(value):
        return value
    units = Decimal(value).scaleb(-place) + offset
    return float(units.to_integral_value(ROUND_FLOOR).scaleb(place)) + 0.0


def _decimal(value: float) -> float:
    return _stepped(value, -DECIMALS)


def _significant(value: float, offset: Decimal = NEAREST) -> float:
    return _stepped(value, _exponent(value) - DIGITS + 1, offset) if value else 0.0


def _exponent(value: float) -> int:
    return Decimal(value).adjusted()
