"""Numbers as a page shows them: as many digits as their intervals bear, a true minus, units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

__all__ = [
    "UNKNOWN",
    "Value",
    "aligned",
    "count",
    "ends",
    "fixed",
    "places",
    "power_of_ten",
    "shown",
    "with_unit",
]

UNKNOWN = "–"
"""What a page shows for a number that nothing tells."""
MOST_PLACES = 4
EXACT_DIGITS = 4
"""Significant digits of a number without error."""
USUAL_PLACES = 3
"""Numbers from 0.1 on have no more; nor do columns, unless most of theirs need it."""
NARROW = 0.1
ROUNDING = 1e-13
"""A number without error below this is the rounding of 0."""
LARGEST = 1e7
"""From here on, powers of ten."""


class Value(NamedTuple):
    """An estimate with its interval; nan where nothing tells it."""

    estimate: float
    lower: float = math.nan
    upper: float = math.nan
    unit: str = ""
    """"%" for chances, which are shown times 100; else written after the number."""
    reliable: bool = True
    decimals: int | None = None
    """Places after the point; if None, what the interval bears."""

    @property
    def known(self) -> bool:
        """Whether there is an estimate."""
        return not math.isnan(self.estimate)

    @property
    def length(self) -> float:
        """Length of the interval; nan if there is none."""
        return self.upper - self.lower


def places(value: Value) -> int:
    """Decimal places that show two digits of the length of the interval.

    Examples:
        >>> places(Value(1.554, 1.42, 1.68)), places(Value(250.0, 180.0, 320.0)), places(Value(2.0))
        (2, 0, 3)
    """
    if value.decimals is not None:
        return value.decimals
    length, size = _scaled(value, value.length), abs(_scaled(value, value.estimate))
    return min(max(_wanted(value), 0), _most_places(value.unit, size, length))


def _wanted(value: Value) -> int:
    length, size = _scaled(value, value.length), abs(_scaled(value, value.estimate))
    return _digits(length, 2) if length > 0 else _digits(size, EXACT_DIGITS)


def _digits(size: float, digits: int) -> int:
    """Places that show so many significant digits."""
    return digits - 1 - math.floor(math.log10(size)) if 0 < size < math.inf else 0


def _most_places(unit: str, size: float, length: float) -> int:
    if unit == "%":
        return 2 if length < NARROW else 1
    return USUAL_PLACES if size >= NARROW else MOST_PLACES


def aligned(values: Sequence[Value]) -> list[Value]:
    """The values of a column, all with as many decimals: what half of them need, or three.

    Examples:
        >>> column = [Value(1.554, 1.42, 1.68), Value(0.1841, 0.1800, 0.1882), Value(3.7, 3.3, 4.1)]
        >>> [shown(value) for value in aligned(column)]
        ['1.554', '0.184', '3.700']
    """
    told = [v for v in values if v.length > 0] or [v for v in values if v.known and v.estimate]
    needed = [places(v) for v in told]
    if not needed or median(map(_wanted, told)) > MOST_PLACES:  # powers of ten, each its own
        return list(values)
    decimals = min(max(needed), max(math.floor(median(needed)), USUAL_PLACES))
    return [v._replace(decimals=decimals) for v in values]


def fixed(number: float, decimals: int) -> str:
    """A number with fixed decimals, grouped by thousands, or with a power of ten.

    Examples:
        >>> fixed(-1234.5, 1), fixed(2.5e-6, 4), fixed(-0.0001, 2), fixed(math.nan, 2)
        ('−1,234.5', '2.5\u00a0×\u00a010⁻⁶', '0.00', '–')
    """
    if math.isnan(number):
        return UNKNOWN
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    size = abs(number)
    if size >= LARGEST or (0 < size < 10.0**-decimals and decimals >= MOST_PLACES):
        return _power_of_ten(number)
    text = f"{size:,.{decimals}f}"
    negative = number < 0 and any(digit in "123456789" for digit in text)
    return f"−{text}" if negative else text


def shown(value: Value) -> str:
    r"""The estimate, without its unit (but times 100 for chances).

    Examples:
        >>> shown(Value(0.8943, 0.8705, 0.9181, "%")), shown(Value(1.554, 1.424, 1.684, "nats"))
        ('89.4', '1.55')
        >>> shown(Value(2e-4, 1e-4, 3e-4, decimals=3))
        '<\xa00.001'
        >>> shown(Value(0.5)), shown(Value(100.0)), shown(Value(0.0))
        ('0.5', '100', '0')
    """
    number, decimals = _scaled(value, value.estimate), places(value)
    if abs(number) < ROUNDING and not value.length > 0:
        return "0"
    if value.decimals and 0 < number < 0.5 * 10.0**-decimals:
        return f"<\u00a0{10.0**-decimals:.{decimals}f}"
    text = fixed(number, decimals)
    exact = value.decimals is None and not value.length > 0
    return text.rstrip("0").rstrip(".") if exact and "." in text else text


def ends(value: Value) -> str:
    """The interval with the digits of the estimate; "" if there is none, or it has no length.

    Examples:
        >>> ends(Value(1.554, 1.424, 1.684)), ends(Value(1.0, 1.0, 1.0))
        ('1.42 to 1.68', '')
    """
    if not value.length > 0:
        return ""
    decimals = places(value)
    low, high = (fixed(_scaled(value, end), decimals) for end in (value.lower, value.upper))
    return f"{low} to {high}"


def with_unit(value: Value) -> str:
    """The estimate and its unit, not to be broken over lines.

    Examples:
        >>> with_unit(Value(0.5, unit="%")), with_unit(Value(0.25, 0.2, 0.3, "nats"))
        ('50\u00a0%', '0.25\u00a0nats')
    """
    text = shown(value)
    return f"{text}\u00a0{value.unit}" if value.unit and value.known else text


def count(number: float) -> str:
    """A whole number, grouped by thousands.

    Examples:
        >>> count(10240)
        '10,240'
    """
    return f"{round(number):,}"


def power_of_ten(power: int) -> str:
    """A power of ten, raised.

    Examples:
        >>> power_of_ten(-12)
        '10⁻¹²'
    """
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _scaled(value: Value, number: float) -> float:
    return number * 100.0 if value.unit == "%" else number


def _power_of_ten(number: float) -> str:
    mantissa, power = f"{number:.1e}".split("e")
    return f"{mantissa.replace('-', '−')}\u00a0×\u00a0{power_of_ten(int(power))}"
