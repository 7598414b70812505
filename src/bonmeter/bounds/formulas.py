"""Quantities in float64: for each of `bonmeter.bounds.quantities`, a function of its name.

Derivations: docs/theory.md. Values and their error bound: `bonmeter.bounds.evaluate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bonmeter.bounds.quantities import QUANTITIES
from bonmeter.exact import divergences, estimator, values
from bonmeter.exact.tradeoff import tilt_with_advantage, tilted_tradeoff
from bonmeter.exact.values import sum_over_outcomes
from bonmeter.numerics.intervals import SMALLEST_ACCURATE
from bonmeter.numerics.kernels import relative_entropy_term
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy

__all__ = ["FORMULAS"]


def analytical_kl(policy: Policy, n: FloatArray) -> FloatArray:
    return values.analytical_kl(n)


def kl(policy: Policy, n: FloatArray) -> FloatArray:
    return values.exact_kl(policy, n)


def kl_gap(policy: Policy, n: FloatArray) -> FloatArray:
    return values.kl_gap(policy, n)


def win_rate(policy: Policy, n: FloatArray) -> FloatArray:
    return values.exact_win_rate(policy, n)


def win_rate_gap(policy: Policy, n: FloatArray) -> FloatArray:
    return values.win_rate_gap(policy, n)


def zero(policy: Policy, n: FloatArray) -> FloatArray:
    return np.zeros_like(n)


def continuous_win_rate(policy: Policy, n: FloatArray) -> FloatArray:
    return n / (n + 1)


def _advantage(policy: Policy, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """W - 1/2 and 1 - W: the latter to full relative accuracy, the former to 1e-15."""
    gap = values.win_rate_gap(policy, n)
    return np.maximum((n - 1) / (2 * (n + 1)) - gap, 0.0), 1 / (n + 1) + gap


def continuous_curve_kl(policy: Policy, n: FloatArray) -> FloatArray:
    advantage, shortfall = _advantage(policy, n)
    excess = 2 * advantage / shortfall
    return relative_entropy_term(np.log1p(excess)) / (1 + excess)


def optimal_kl(policy: Policy, n: FloatArray) -> FloatArray:
    return _optimum(*_advantage(policy, n))


def continuous_optimum(policy: Policy, n: FloatArray) -> FloatArray:
    return _optimum((n - 1) / (2 * (n + 1)), 1 / (n + 1))


def _optimum(advantage: FloatArray, shortfall: FloatArray) -> FloatArray:
    return tilted_tradeoff(tilt_with_advantage(advantage, shortfall)).kl


def chi_squared(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.chi_squared(policy, n)


def forward_kl(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.forward_kl(policy, n)


def renyi_half(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.renyi(policy, n, 0.5)


def renyi_2(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.renyi(policy, n, 2)


def continuous_chi_squared(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.continuous_chi_squared(n)


def continuous_forward_kl(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.continuous_forward_kl(n)


def continuous_renyi_half(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.continuous_renyi(n, 0.5)


def continuous_renyi_2(policy: Policy, n: FloatArray) -> FloatArray:
    return divergences.continuous_renyi(n, 2)


def expected_estimator(policy: Policy, n: FloatArray) -> FloatArray:
    return estimator.expected_kl_estimator(policy, n)


def expected_estimator_gap(policy: Policy, n: FloatArray) -> FloatArray:
    return estimator.expected_kl_estimator_gap(policy, n)


def estimator_at_top(policy: Policy, n: FloatArray) -> FloatArray:
    return estimator.kl_estimator(policy.log_mass[-1], n)


def estimator_floor(policy: Policy, n: FloatArray) -> FloatArray:
    rest = np.delete(policy.mass, policy.mass.argmax()).sum()
    return np.asarray(rest * np.minimum(1.0, values.analytical_kl(n)))


def example_1(policy: Policy, n: FloatArray) -> FloatArray:
    """As the divergence of (2^-n, 1 - 2^-n) from two halves, which cancels nothing at n = 1."""
    worse = (1 - n) * np.log(2)
    with np.errstate(divide="ignore"):
        better = np.log1p(-np.expm1(worse))
    return (relative_entropy_term(worse) + relative_entropy_term(better)) / 2


def collision(policy: Policy, n: FloatArray) -> FloatArray:
    return np.full_like(n, policy.collision)


def delta(policy: Policy, n: FloatArray) -> FloatArray:
    return np.full_like(n, policy.delta)


def top_mass(policy: Policy, n: FloatArray) -> FloatArray:
    return np.full_like(n, policy.top_mass)


def log_inverse_top_mass(policy: Policy, n: FloatArray) -> FloatArray:
    return np.full_like(n, -policy.log_mass[-1])


def theorem_3_4_renyi(policy: Policy, n: FloatArray) -> FloatArray:
    return 2 * n * (n - 1) * policy.collision


def theorem_3_4_delta(policy: Policy, n: FloatArray) -> FloatArray:
    return 2 * n * (n - 1) * policy.delta


def theorem_3_6_finite(policy: Policy, n: FloatArray) -> FloatArray:
    return np.asarray(values.analytical_kl(n) + policy.log_mass[-1])


def top_outcome_gap(policy: Policy, n: FloatArray) -> FloatArray:
    return np.array([estimator.estimator_gap(policy.log_mass[-1:], each)[0] for each in n.tolist()])


def elementary_delta(policy: Policy, n: FloatArray) -> FloatArray:
    return n * policy.delta


def elementary_renyi(policy: Policy, n: FloatArray) -> FloatArray:
    return n * (n - 1) * policy.collision


def sharp_kl_gap(policy: Policy, n: FloatArray) -> FloatArray:
    return _curvature_bound(policy, n, 1 / 24)


def sharp_kl_gap_delta(policy: Policy, n: FloatArray) -> FloatArray:
    return n * ((n - 1) * policy.delta) ** 2 / (24 * (n - 2))


def log_sobolev(policy: Policy, n: FloatArray) -> FloatArray:
    return _curvature_bound(policy, n, 1 / (2 * np.pi**2))


def _curvature_bound(policy: Policy, n: FloatArray, constant: float) -> FloatArray:
    """Sum of constant p^2 g'^2/g; for n <= 2, where it diverges at 0, the first term is exact."""

    def term(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
        order, first = n - 2, np.isinf(step)
        width = np.where(first, 1.0, step)
        # integral of u^(n-3), relative to b^(n-2), and at its larger end if n < 2
        if order == 0:
            log_integral = np.log(np.maximum(width, SMALLEST_ACCURATE))  # a step may underflow
        else:
            at = order * (log_cdf if order > 0 else log_cdf - width)
            log_integral = at + np.log(-np.expm1(-abs(order) * width) / abs(order))
        curvature = constant * n * (n - 1) ** 2 * np.exp(2 * log_mass + log_integral)
        if order > 0:
            whole = constant * n * (n - 1) ** 2 / order * np.exp(2 * log_mass + order * log_cdf)
        else:
            whole = np.exp(n * log_mass) * values.analytical_kl(n)
        return np.where(first, whole, curvature)

    return sum_over_outcomes(term, policy, n, symmetric=True)


def square_root(policy: Policy, n: FloatArray) -> FloatArray:
    return n / 6 * sum_over_outcomes(_square_root_term, policy, n, symmetric=True)


def square_root_delta(policy: Policy, n: FloatArray) -> FloatArray:
    return n * policy.delta / 6


def square_root_renyi(policy: Policy, n: FloatArray) -> FloatArray:
    return n * (n - 1) * policy.collision / 6


def _square_root_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    lag = np.expm1(-(n - 1) / 2 * step)
    return np.exp(log_mass + (n - 1) * log_cdf) * lag * lag


def log_step(policy: Policy, n: FloatArray) -> FloatArray:
    """Summed outcome by outcome: the minimum is not smooth, as `sum_over_outcomes` wants it."""
    square = np.minimum(policy.log_step, 1e3) ** 2 / 24  # beyond, the formula is the minimum

    def mean(n: float) -> float:
        at = policy.selected(n)
        pi = values.pmf(n, policy.log_mass[at], policy.log_cdf[at], policy.log_step[at])
        return float(pi @ np.minimum(values.analytical_kl(n), (n - 1) ** 2 * square[at]))

    return np.array([mean(each) for each in n.tolist()])


def theorem_5_4_renyi(policy: Policy, n: FloatArray) -> FloatArray:
    return (n - 1) / 2 * policy.collision


def theorem_5_4_delta(policy: Policy, n: FloatArray) -> FloatArray:
    return (n - 1) / 2 * policy.delta


def sharp_win_rate_gap(policy: Policy, n: FloatArray) -> FloatArray:
    total = sum_over_outcomes(_sharp_win_rate_term, policy, n, symmetric=True)
    return np.asarray(n / 12 * total)


def scaled_win_rate_gap(policy: Policy, n: FloatArray) -> FloatArray:
    return 6 * (n - 1) / (n * (n + 1)) * sharp_win_rate_gap(policy, n)


def sharp_win_rate_gap_delta(policy: Policy, n: FloatArray) -> FloatArray:
    return n * policy.delta**2 / 12


def _sharp_win_rate_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    return np.exp(2 * log_mass + (n - 1) * log_cdf) * -np.expm1(-(n - 1) * step)


FORMULAS: Mapping[str, Callable[[Policy, FloatArray], FloatArray]] = {
    name: globals()[name] for name in QUANTITIES
}
"""The function of each quantity."""
