"""The check of a claim about an inequality, without what reading claims takes to import."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

from bonmeter.bounds.inequalities import EXAMPLES, PROVED, Inequality
from bonmeter.bounds.quantities import quantity

__all__ = ["InequalityCheck"]

STATEMENTS = {**{name: each.inequality for name, each in PROVED.items()}, **EXAMPLES}
"""Inequalities that a check may name."""


@dataclass(frozen=True)
class InequalityCheck:
    """lhs <= factor * rhs, or both equal, decided on every cell (policy, n) where it applies.

    Types are checked where claims are read, in `replication.audit.claims`.

    Attributes:
        inequality: its name in `bonmeter.bounds.inequalities`, which says what the sides are.
        reversed: whether the sides are swapped.
        factor: a fraction such as "1/2".
        policies: names of the only policies it speaks of.
        n: the only values of n at which it is decided.
        extrapolate: decide it also at n for which it is not proved.
        equality: whether the sides are claimed to be equal, as enclosures of both must agree.

    Raises:
        ValueError: if the inequality is unknown, or the factor is no fraction.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - what pydantic asks of a dataclass

    inequality: str
    reversed: bool = False
    factor: str = "1"
    policies: tuple[str, ...] | None = None
    n: tuple[float, ...] | None = None
    extrapolate: bool = False
    equality: bool = False

    def __post_init__(self) -> None:
        """Reject what cannot be decided."""
        if self.inequality not in STATEMENTS:
            expected = ", ".join(STATEMENTS)
            raise ValueError(f"inequality = {self.inequality!r}: expected one of {expected}")
        try:
            Fraction(self.factor)
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"factor = {self.factor!r}: expected a fraction such as 1/2") from None

    @cached_property
    def statement(self) -> Inequality:
        """The inequality that is decided."""
        known = STATEMENTS[self.inequality]
        lhs, rhs = (known.rhs, known.lhs) if self.reversed else (known.lhs, known.rhs)
        return Inequality(lhs, rhs, Fraction(self.factor))

    def applies(self, policy: str, n: float) -> bool:
        """Whether the cell (policy, n) is one of this check's."""
        return (
            (self.policies is None or policy in self.policies)
            and (self.n is None or n in self.n)
            and (self.extrapolate or _is_proved(self.inequality, n))
        )


@cache
def _is_proved(inequality: str, n: float) -> bool:
    """Asked again for each policy, of n that are valid."""
    sides = STATEMENTS[inequality]
    return all(bool(quantity(side).domain.holds(n)) for side in (sides.lhs, sides.rhs))
