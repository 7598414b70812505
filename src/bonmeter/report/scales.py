"""Scales of a chart: data to pixels, and the ticks a reader expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Scale", "doublings", "linear", "logarithmic", "nice_ticks", "spread_out"]


class Scale(NamedTuple):
    """An axis: its domain, its pixels, its ticks."""

    low: float
    high: float
    start: float
    """Pixel of the low end."""
    end: float
    ticks: tuple[float, ...]
    transform: Callable[[float], float]

    def __call__(self, value: float) -> float:
        """Its pixel, to a tenth; nan for nan."""
        low, high, at = map(self.transform, (self.low, self.high, value))
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)


def linear(low: float, high: float, start: float, end: float, ticks: int) -> Scale:
    """A linear axis over a domain that is widened to whole ticks.

    Examples:
        >>> scale = linear(0.0, 3.3, 100.0, 0.0, 5)
        >>> scale.ticks, scale(2.0)
        ((0.0, 1.0, 2.0, 3.0, 4.0), 50.0)
    """
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        half = abs(low) * 0.5 or 0.5
        low, high = low - half, high + half
    at = nice_ticks(low, high, ticks)
    return Scale(at[0], at[-1], start, end, at, float)


def logarithmic(low: float, high: float, start: float, end: float, ticks: int) -> Scale:
    """An axis in powers of two.

    Examples:
        >>> scale = logarithmic(1, 64, 0.0, 60.0, 4)
        >>> scale.ticks, scale(8)
        ((1.0, 4.0, 16.0, 64.0), 30.0)
    """
    if low == high:
        low, high = low / 2, high * 2
    return Scale(low, high, start, end, doublings(low, high, ticks), math.log2)


def nice_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten that enclose a domain.

    Examples:
        >>> nice_ticks(0.07, 0.93, 6)
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most:
            break
    return tuple(float(f"{k * step:.12g}") for k in range(first, last + 1))


def doublings(low: float, high: float, most: int) -> tuple[float, ...]:
    """Powers of two within a domain, every second, third … if there are too many.

    Examples:
        >>> doublings(1, 1024, 6), doublings(3, 3.5, 4)
        ((1.0, 4.0, 16.0, 64.0, 256.0, 1024.0), (3.0, 3.5))
    """
    powers = range(math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9) + 1)
    if len(powers) < 2:
        return (float(low), float(high))
    stride = -(-len(powers) // most)
    return tuple(2.0**k for k in powers if (k - powers[0]) % stride == 0)


def spread_out(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least a gap apart, as near to the wanted ones as the order allows.

    Examples:
        >>> spread_out([10.0, 12.0, 40.0], 10.0, 0.0, 100.0)
        [6.0, 16.0, 40.0]
    """
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    groups: list[list[int]] = []
    for k in order:
        groups.append([k])
        while len(groups) > 1 and _top(groups[-1], wanted, gap) < _bottom(groups[-2], wanted, gap):
            groups[-2:] = [groups[-2] + groups[-1]]
    found = [0.0] * len(wanted)
    for group in groups:
        first = _top(group, wanted, gap) + gap / 2
        length = gap * (len(group) - 1)
        first = min(max(first, low), max(high - length, low))
        for place, k in enumerate(group):
            found[k] = first + place * gap
    return found


def _top(group: Sequence[int], wanted: Sequence[float], gap: float) -> float:
    return sum(wanted[k] for k in group) / len(group) - gap * len(group) / 2


def _bottom(group: Sequence[int], wanted: Sequence[float], gap: float) -> float:
    return sum(wanted[k] for k in group) / len(group) + gap * len(group) / 2
