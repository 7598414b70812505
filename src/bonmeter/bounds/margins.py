"""Margins in float64 that are smaller than the rounding of their sides, by (1 - top mass)^n.

A proved inequality names those that add up to its margin (`bonmeter.bounds.inequalities.Proved`);
`bonmeter.certified.margins` has the same in ball arithmetic. Each is divided by (1 - top mass)^n,
of which nothing may be left in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from bonmeter.bounds.formulas import top_outcome_gap
from bonmeter.exact.estimator import estimator_gap
from bonmeter.exact.values import analytical_kl, kl_gap, pmf, sum_over_outcomes
from bonmeter.numerics.kernels import log_one_minus_exp
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy

__all__ = ["MARGINS", "Margin"]


class Margin(NamedTuple):
    """A margin over (1 - top mass)^n, and the size of the terms it is summed from."""

    value: FloatArray
    size: FloatArray


def gap_below_top(policy: Policy, n: FloatArray) -> Margin:
    """d_n(top) - KL = (1 - top)^n times the gap of the rest (docs/theory.md)."""
    gap = kl_gap(_below_top(policy), n)
    return Margin(gap, gap)


def top_saturation(policy: Policy, n: FloatArray) -> Margin:
    """log(1/top) - d_n(top), divided by r = (1 - top)^n."""
    log_rest = log_one_minus_exp(policy.log_mass[-1:])
    r = np.exp(np.maximum(n * log_rest, -700.0))
    terms = (
        -policy.log_mass[-1] + 0 * n,
        -analytical_kl(n),
        -(n - 1) * log_rest,
        (1 - r) * -np.log1p(-r) / r,
    )
    return _summed(terms)


def estimator_excess(policy: Policy, n: FloatArray) -> Margin:
    """E[d_n] - KL over (1 - top)^n: the induction step of its proof (docs/theory.md)."""
    below, log_rest = _below_top(policy), log_one_minus_exp(policy.log_mass[-1:])

    def term(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
        return pmf(n, log_mass, log_cdf, step) * estimator_gap(log_mass + log_rest, n)

    top_gap = top_outcome_gap(policy, n)
    return _summed((kl_gap(below, n), -sum_over_outcomes(term, below, n), top_gap))


def _below_top(policy: Policy) -> Policy:
    """The policy without its top outcome, renormalised."""
    return Policy(policy.log_mass[:-1], policy.reward[:-1])


def _summed(terms: Iterable[FloatArray]) -> Margin:
    terms = list(terms)
    return Margin(np.sum(terms, axis=0), np.sum(np.abs(terms), axis=0))


MARGINS: Mapping[str, Callable[[Policy, FloatArray], Margin]] = {
    each.__name__: each for each in (gap_below_top, top_saturation, estimator_excess)
}
"""By name."""
