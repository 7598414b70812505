"""Margins that may be far below any precision, like (1 - top mass)^n, without subtraction.

A proved inequality names those that add up to its margin (`bonmeter.bounds.inequalities.Proved`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flint import arb

from bonmeter.certified.balls import ONE, BestOfN, dot
from bonmeter.certified.formulas import analytical_kl, estimator_at_top, estimators

__all__ = ["MARGINS"]


def gap_below_top(best: BestOfN) -> arb:
    """d_n(top mass) - KL: the gap of all outcomes but the top one, whose terms telescope."""
    log_rest = best.masses.log_rest[-1]
    rest_power = (best.n * log_rest).exp()
    kl_below = dot(best.pmf[:-1], best.log_ratio)
    return rest_power * (best.once(analytical_kl) + best.kappa * log_rest) - kl_below


def top_saturation(best: BestOfN) -> arb:
    """log(1/top mass) - d_n(top mass), of the order of (1 - top mass)^n."""
    log_rest = best.masses.log_rest[-1]
    rest_power = (best.n * log_rest).exp()
    below = best.masses.log_top + best.once(analytical_kl) + best.kappa * log_rest
    return -rest_power * below - (ONE - rest_power) * (-rest_power).log1p()


def estimator_excess(best: BestOfN) -> arb:
    """Mean of the estimator minus KL, without the top outcome's terms: they cancel."""
    top = best.once(estimator_at_top)
    excess = (each - top for each in best.once(estimators)[:-1])
    return dot(best.pmf, excess) + best.once(gap_below_top)


MARGINS: Mapping[str, Callable[[BestOfN], arb]] = {
    each.__name__: each for each in (gap_below_top, top_saturation, estimator_excess)
}
"""By name."""
