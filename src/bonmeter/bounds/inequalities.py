"""The registry of inequalities: what is proved between quantities, each declared once.

Their margins may be far below the rounding of their sides. So each says how to see it without
subtraction: as the same inequality between gaps, and by a sum of terms of one sign.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from bonmeter.bounds.quantities import in_domain, quantity

__all__ = ["EXAMPLES", "INEQUALITIES", "PROVED", "Inequality", "Proved", "find_proved"]


@dataclass(frozen=True)
class Inequality:
    """The statement lhs <= factor * rhs about two named quantities (keys of `QUANTITIES`).

    Swapping the sides or shrinking the factor makes the negative controls.

    Raises:
        ValueError: if a side is not the name of a quantity, or the factor is not finite.
    """

    lhs: str
    rhs: str
    factor: Fraction | float = 1

    def __post_init__(self) -> None:
        """Reject unknown names early."""
        quantity(self.lhs), quantity(self.rhs)
        if not math.isfinite(self.factor):
            raise ValueError(f"factor = {self.factor!r}: expected a finite number")

    def in_domain(self, n: float) -> bool:
        """Whether both sides are in their proven domain at n."""
        return in_domain(self.lhs, n) and in_domain(self.rhs, n)


class Proved(NamedTuple):
    """An inequality that is proved, by the paper or in docs/theory.md: it may never fail.

    Attributes:
        lhs, rhs: its sides.
        as_gaps: name of the same inequality between gaps, which float64 holds to full accuracy.
        margin: names of the functions that add up to rhs - lhs without subtraction, of a size like
            (1 - top mass)^n; in `bonmeter.bounds.margins` and `bonmeter.certified.margins`.
        unit: sides of the inequality whose margin tells how close this one comes to failing, where
            the larger side would hide it or is the margin itself.
        unclaimed: why no claim states it, if none does.
    """

    lhs: str
    rhs: str
    as_gaps: str = ""
    margin: tuple[str, ...] = ()
    unit: tuple[str, str] | None = None
    unclaimed: str = ""

    @property
    def inequality(self) -> Inequality:
        """The statement alone."""
        return Inequality(self.lhs, self.rhs)

    @property
    def margin_terms(self) -> tuple[str, ...]:
        """`margin`, or that of the same inequality between gaps."""
        return self.margin or (PROVED[self.as_gaps].margin if self.as_gaps else ())


GAPS = "another claim states it, not as gaps"

PROVED: Mapping[str, Proved] = {
    "kl_nonnegative": Proved(
        "zero", "kl", unit=("zero", "analytical_kl"), unclaimed="Gibbs' inequality"
    ),
    "theorem_3_1": Proved("kl", "analytical_kl", as_gaps="theorem_3_1_as_gaps"),
    "theorem_3_1_as_gaps": Proved("zero", "kl_gap", unclaimed=GAPS),
    "estimator_nonnegative": Proved("zero", "expected_estimator", unit=("zero", "analytical_kl")),
    "conjecture_4_4": Proved(
        "kl",
        "expected_estimator",
        as_gaps="conjecture_4_4_as_gaps",
        unit=("kl", "estimator_at_top"),
    ),
    "conjecture_4_4_as_gaps": Proved(
        "expected_estimator_gap", "kl_gap", margin=("estimator_excess",), unclaimed=GAPS
    ),
    "estimator_below_formula": Proved(
        "expected_estimator", "analytical_kl", as_gaps="estimator_below_formula_as_gaps"
    ),
    "estimator_below_formula_as_gaps": Proved("zero", "expected_estimator_gap", unclaimed=GAPS),
    "estimator_floor": Proved("estimator_floor", "expected_estimator"),
    "estimator_at_top": Proved(
        "kl",
        "estimator_at_top",
        as_gaps="top_outcome_gap",
        unit=("zero", "kl_gap"),
        unclaimed="a claim states it as gaps",
    ),
    "estimator_at_top_saturates": Proved(
        "estimator_at_top",
        "log_inverse_top_mass",
        as_gaps="top_outcome_gap_saturates",
        unclaimed="the step from `estimator_at_top` to `saturation`",
    ),
    "saturation": Proved("kl", "log_inverse_top_mass", as_gaps="theorem_3_6"),
    "theorem_3_4": Proved("kl_gap", "theorem_3_4_renyi"),
    "theorem_3_4_delta": Proved("kl_gap", "theorem_3_4_delta"),
    "theorem_3_6": Proved(
        "theorem_3_6_finite", "kl_gap", margin=("gap_below_top", "top_saturation")
    ),
    "top_outcome_gap": Proved("top_outcome_gap", "kl_gap", margin=("gap_below_top",)),
    "top_outcome_gap_saturates": Proved(
        "theorem_3_6_finite", "top_outcome_gap", margin=("top_saturation",), unclaimed=GAPS
    ),
    "elementary_delta": Proved("kl_gap", "elementary_delta"),
    "elementary_renyi": Proved("kl_gap", "elementary_renyi"),
    "sharp_kl_gap": Proved("kl_gap", "sharp_kl_gap"),
    "sharp_kl_gap_delta": Proved("kl_gap", "sharp_kl_gap_delta"),
    "log_sobolev": Proved("kl_gap", "log_sobolev"),
    "log_step": Proved("kl_gap", "log_step"),
    "square_root": Proved("kl_gap", "square_root"),
    "square_root_delta": Proved("kl_gap", "square_root_delta"),
    "square_root_renyi": Proved("kl_gap", "square_root_renyi"),
    "tilted_frontier": Proved("optimal_kl", "kl"),
    "continuous_optimum": Proved("continuous_optimum", "analytical_kl"),
    "chi_squared": Proved("chi_squared", "continuous_chi_squared"),
    "forward_kl": Proved("forward_kl", "continuous_forward_kl"),
    "renyi_half": Proved("renyi_half", "continuous_renyi_half"),
    "renyi_2": Proved("renyi_2", "continuous_renyi_2"),
    "theorem_5_3": Proved("win_rate", "continuous_win_rate", as_gaps="theorem_5_3_as_gaps"),
    "theorem_5_3_as_gaps": Proved("zero", "win_rate_gap", unclaimed=GAPS),
    "theorem_5_4": Proved("win_rate_gap", "theorem_5_4_renyi"),
    "theorem_5_4_delta": Proved("win_rate_gap", "theorem_5_4_delta"),
    "sharp_win_rate_gap": Proved("win_rate_gap", "sharp_win_rate_gap"),
    "sharp_win_rate_gap_delta": Proved("win_rate_gap", "sharp_win_rate_gap_delta"),
    "scaled_win_rate_gap": Proved("win_rate_gap", "scaled_win_rate_gap"),
}
"""What holds for every policy and every n of its domain, by name."""

INEQUALITIES: tuple[Inequality, ...] = tuple(each.inequality for each in PROVED.values())
"""The statements of `PROVED`."""

EXAMPLES: Mapping[str, Inequality] = {
    "above_continuous_curve": Inequality("kl", "continuous_curve_kl"),
    "example_1": Inequality("kl", "example_1"),
}
"""What holds for some policies only: a claim that names one says for which."""

_BY_SIDES = {(each.lhs, each.rhs): each for each in PROVED.values()}


def find_proved(lhs: str, rhs: str) -> Proved | None:
    """The proved inequality lhs <= rhs, if there is one.

    Examples:
        >>> find_proved("kl", "log_inverse_top_mass").as_gaps
        'theorem_3_6'
        >>> find_proved("analytical_kl", "kl") is None
        True
    """
    return _BY_SIDES.get((lhs, rhs))
