"""Bounds on the gaps of KL and win rate in float64: the paper's and the sharper ones, by name.

The names, meanings and proven domains are those of `bonmeter.certified.certify.QUANTITIES`, which
evaluates the same quantities in ball arithmetic. Derivations: docs/theory.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.certified.certify import QUANTITIES, in_domain
from bonmeter.exact.divergences import (
    chi_squared,
    continuous_chi_squared,
    continuous_forward_kl,
    continuous_renyi,
    forward_kl,
    renyi,
)
from bonmeter.exact.estimator import (
    estimator_gap,
    expected_kl_estimator,
    expected_kl_estimator_gap,
    kl_estimator,
)
from bonmeter.exact.tradeoff import tilt_with_advantage, tilted_tradeoff
from bonmeter.exact.values import (
    analytical_kl,
    exact_kl,
    exact_win_rate,
    kl_gap,
    sum_over_outcomes,
    win_rate_gap,
)
from bonmeter.numerics.kernels import (
    log_mean_density,
    relative_entropy_term,
)
from bonmeter.numerics.validation import FloatArray, as_n
from bonmeter.policies.listed import Policy, listed

__all__ = [
    "RELATIVE_ERROR",
    "error_scale",
    "float_quantities",
    "kl_gap_bounds",
    "win_rate_gap_bounds",
]

RELATIVE_ERROR = 1e-12
"""Of every quantity, relative to its `error_scale`."""

KL_GAP_BOUNDS = (
    "theorem_3_4_renyi",
    "theorem_3_4_delta",
    "theorem_3_6_finite",
    "top_outcome_gap",
    "elementary_delta",
    "elementary_renyi",
    "sharp_kl_gap",
    "sharp_kl_gap_delta",
    "square_root",
    "square_root_delta",
    "square_root_renyi",
    "log_sobolev",
    "log_step",
)
WIN_RATE_GAP_BOUNDS = (
    "theorem_5_4_renyi",
    "theorem_5_4_delta",
    "sharp_win_rate_gap",
    "sharp_win_rate_gap_delta",
    "scaled_win_rate_gap",
)


def kl_gap_bounds(policy: Policy, n: ArrayLike) -> dict[str, FloatArray]:
    """Bounds on `kl_gap`, by name (paper, Theorems 3.4 and 3.6; the others ours).

    `theorem_3_6_finite` and `top_outcome_gap` are lower bounds, all others upper bounds. The
    meaning of each is in `bonmeter.certified.certify.QUANTITIES`.

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        name -> bound in nats, of the shape of `n`; nan where it is not proved for that n.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> bounds = kl_gap_bounds(Policy.from_probabilities([0.5, 0.5]), 3)
        >>> {name: round(float(bounds[name]), 4) for name in ("theorem_3_4_delta", "sharp_kl_gap")}
        {'theorem_3_4_delta': 6.0, 'sharp_kl_gap': 0.125}
    """
    return float_quantities(policy, n, KL_GAP_BOUNDS)


def win_rate_gap_bounds(policy: Policy, n: ArrayLike) -> dict[str, FloatArray]:
    """Upper bounds on `win_rate_gap`, by name (paper, Theorem 5.4; the sharp ones ours).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        name -> bound, a probability, of the shape of `n`; nan where it is not proved for that n.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12.

    Examples:
        >>> bounds = win_rate_gap_bounds(Policy.from_probabilities([0.5, 0.5]), 3)
        >>> {name: float(bound) for name, bound in bounds.items() if "delta" in name}
        {'theorem_5_4_delta': 0.5, 'sharp_win_rate_gap_delta': 0.0625}
    """
    return float_quantities(policy, n, WIN_RATE_GAP_BOUNDS)


def float_quantities(
    policy: Policy, n: ArrayLike, names: Iterable[str] = tuple(QUANTITIES)
) -> dict[str, FloatArray]:
    """Quantities in float64, by name, with an a-priori error bound (ours).

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.
        names: keys of `QUANTITIES`.

    Returns:
        name -> value of the shape of `n`, in nats where it is a KL or a bound on one; nan where a
        bound is not proved for that n. Relative error below `RELATIVE_ERROR`.

    Raises:
        ValueError: if a name is unknown or an n is not a real number from 1 to 1e12.

    Examples:
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> float_quantities(binary, [2, 2.5], ["sharp_win_rate_gap"])
        {'sharp_win_rate_gap': array([0.04166667,        nan])}
    """
    n = as_n(n)
    listed(policy)
    return {name: _on_domain(name, policy, n) for name in names}


def error_scale(name: str, values: FloatArray, policy: Policy, n: FloatArray) -> FloatArray:
    """What the error of a quantity is relative to: its size, or more where terms cancel.

    Args:
        name: a key of `QUANTITIES`.
        values: its values, of the shape of `n`.
        policy: the reference policy.
        n: real numbers from 1 to 1e12.

    Examples:
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> error_scale("theorem_3_6_finite", np.array([0.0]), binary, np.array([1.0])).round(3)
        array([0.693])
    """
    if name == "theorem_3_6_finite":
        return np.asarray(np.log(n) + 1 - 1 / n - policy.log_mass[-1])
    if name in ("continuous_curve_kl", "optimal_kl"):
        return np.abs(values) + 1e-3  # W - 1/2 has an absolute error of some 1e-16
    return np.abs(values)


def _on_domain(name: str, policy: Policy, n: FloatArray) -> FloatArray:
    proved = np.array([in_domain(name, value) for value in n.ravel().tolist()], dtype=bool)
    values = np.full(proved.shape, np.nan)
    values[proved] = _FORMULAS[name](policy, n.ravel()[proved])
    return values.reshape(n.shape)


def _curvature_bound(policy: Policy, n: FloatArray, constant: float) -> FloatArray:
    """Sum of constant p^2 g'^2/g; for n <= 2, where it diverges at 0, the first term is exact."""

    def term(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
        order, first = n - 2, np.isinf(step)
        width = np.where(first, 1.0, step)
        # integral of u^(n-3), relative to b^(n-2), and at its larger end if n < 2
        if order == 0:
            log_integral = np.log(width)
        else:
            at = order * (log_cdf if order > 0 else log_cdf - width)
            log_integral = at + np.log(-np.expm1(-abs(order) * width) / abs(order))
        curvature = constant * n * (n - 1) ** 2 * np.exp(2 * log_mass + log_integral)
        if order > 0:
            whole = constant * n * (n - 1) ** 2 / order * np.exp(2 * log_mass + order * log_cdf)
        else:
            whole = np.exp(n * log_mass) * analytical_kl(n)
        return np.where(first, whole, curvature)

    return sum_over_outcomes(term, policy, n, symmetric=True)


def _log_step(policy: Policy, n: FloatArray) -> FloatArray:
    """Summed outcome by outcome: the minimum is not smooth, as `sum_over_outcomes` wants it."""
    square = np.minimum(policy.log_step, 1e3) ** 2 / 24  # beyond, the formula is the minimum
    return np.array(
        [
            np.exp(policy.log_mass + log_mean_density(each - 1, policy.log_step, policy.log_cdf))
            @ np.minimum(analytical_kl(each), (each - 1) ** 2 * square)
            for each in n.tolist()
        ]
    )


def _sharp_win_rate_gap(policy: Policy, n: FloatArray) -> FloatArray:
    total = sum_over_outcomes(_sharp_win_rate_term, policy, n, symmetric=True)
    return np.asarray(n / 12 * total)


def _square_root_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    lag = np.expm1(-(n - 1) / 2 * step)
    return np.exp(log_mass + (n - 1) * log_cdf) * lag * lag


def _sharp_win_rate_term(
    n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray
) -> FloatArray:
    return np.exp(2 * log_mass + (n - 1) * log_cdf) * -np.expm1(-(n - 1) * step)


def _top_outcome_gap(policy: Policy, n: FloatArray) -> FloatArray:
    return np.array([estimator_gap(each, policy.log_mass[-1:])[0] for each in n.tolist()])


def _advantage(policy: Policy, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """W - 1/2 and 1 - W: the latter to full relative accuracy, the former to 1e-15."""
    gap = win_rate_gap(policy, n)
    return np.maximum((n - 1) / (2 * (n + 1)) - gap, 0.0), 1 / (n + 1) + gap


def _continuous_curve_kl(policy: Policy, n: FloatArray) -> FloatArray:
    advantage, shortfall = _advantage(policy, n)
    excess = 2 * advantage / shortfall
    return relative_entropy_term(np.log1p(excess)) / (1 + excess)


def _optimum(advantage: FloatArray, shortfall: FloatArray) -> FloatArray:
    return tilted_tradeoff(tilt_with_advantage(advantage, shortfall)).kl


Formula = Callable[[Policy, FloatArray], FloatArray]

_FORMULAS: Mapping[str, Formula] = {
    "zero": lambda policy, n: np.zeros_like(n),
    "analytical_kl": lambda policy, n: analytical_kl(n),
    "kl": exact_kl,
    "kl_gap": kl_gap,
    "win_rate": exact_win_rate,
    "continuous_win_rate": lambda policy, n: n / (n + 1),
    "continuous_curve_kl": _continuous_curve_kl,
    "optimal_kl": lambda policy, n: _optimum(*_advantage(policy, n)),
    "continuous_optimum": lambda policy, n: _optimum((n - 1) / (2 * (n + 1)), 1 / (n + 1)),
    "win_rate_gap": win_rate_gap,
    "chi_squared": chi_squared,
    "forward_kl": forward_kl,
    "renyi_half": lambda policy, n: renyi(policy, n, 0.5),
    "renyi_2": lambda policy, n: renyi(policy, n, 2),
    "continuous_chi_squared": lambda policy, n: continuous_chi_squared(n),
    "continuous_forward_kl": lambda policy, n: continuous_forward_kl(n),
    "continuous_renyi_half": lambda policy, n: continuous_renyi(n, 0.5),
    "continuous_renyi_2": lambda policy, n: continuous_renyi(n, 2),
    "expected_estimator": expected_kl_estimator,
    "expected_estimator_gap": expected_kl_estimator_gap,
    "estimator_at_top": lambda policy, n: kl_estimator(policy.log_mass[-1], n),
    "collision": lambda policy, n: np.full_like(n, policy.collision),
    "delta": lambda policy, n: np.full_like(n, policy.delta),
    "top_mass": lambda policy, n: np.full_like(n, policy.top_mass),
    "log_inverse_top_mass": lambda policy, n: np.full_like(n, -policy.log_mass[-1]),
    "theorem_3_4_renyi": lambda policy, n: 2 * n * (n - 1) * policy.collision,
    "theorem_3_4_delta": lambda policy, n: 2 * n * (n - 1) * policy.delta,
    "theorem_3_6_finite": lambda policy, n: analytical_kl(n) + policy.log_mass[-1],
    "top_outcome_gap": _top_outcome_gap,
    "elementary_delta": lambda policy, n: n * policy.delta,
    "elementary_renyi": lambda policy, n: n * (n - 1) * policy.collision,
    "sharp_kl_gap": lambda policy, n: _curvature_bound(policy, n, 1 / 24),
    "sharp_kl_gap_delta": lambda policy, n: n * ((n - 1) * policy.delta) ** 2 / (24 * (n - 2)),
    "square_root": lambda policy, n: (
        n / 6 * sum_over_outcomes(_square_root_term, policy, n, symmetric=True)
    ),
    "square_root_delta": lambda policy, n: n * policy.delta / 6,
    "square_root_renyi": lambda policy, n: n * (n - 1) * policy.collision / 6,
    "log_sobolev": lambda policy, n: _curvature_bound(policy, n, 1 / (2 * np.pi**2)),
    "log_step": _log_step,
    "theorem_5_4_renyi": lambda policy, n: (n - 1) / 2 * policy.collision,
    "theorem_5_4_delta": lambda policy, n: (n - 1) / 2 * policy.delta,
    "sharp_win_rate_gap": _sharp_win_rate_gap,
    "scaled_win_rate_gap": lambda policy, n: (
        6 * (n - 1) / (n * (n + 1)) * _sharp_win_rate_gap(policy, n)
    ),
    "sharp_win_rate_gap_delta": lambda policy, n: n * policy.delta**2 / 12,
}
