"""Values of the quantities in float64 with an a-priori error bound, and the bounds on the gaps."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.bounds.formulas import FORMULAS
from bonmeter.bounds.quantities import QUANTITIES, bounds_on, quantity
from bonmeter.numerics.validation import FloatArray, as_n
from bonmeter.policies.listed import Policy, require_outcomes

__all__ = [
    "RELATIVE_ERROR",
    "error_scale",
    "float_quantities",
    "kl_gap_bounds",
    "win_rate_gap_bounds",
]

RELATIVE_ERROR = 1e-12
"""Of every quantity, relative to its `error_scale`."""


def kl_gap_bounds(policy: Policy, n: ArrayLike) -> dict[str, FloatArray]:
    """Bounds on `kl_gap`, by name (paper, Theorems 3.4 and 3.6; the others ours).

    `theorem_3_6_finite` and `top_outcome_gap` are lower bounds, all others upper bounds. The
    meaning of each is in `bonmeter.bounds.quantities.QUANTITIES`.

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
    return float_quantities(policy, n, bounds_on("kl_gap"))


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
    return float_quantities(policy, n, bounds_on("win_rate_gap"))


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
    shared = cast(Policy, _SharedSums(require_outcomes(policy)))
    return {name: _on_domain(name, shared, n) for name in names}


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


class _SharedSums:
    """A policy that sums a term at an n once: many quantities rest on the win-rate gap."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.sum_over_outcomes = cache(policy.sum_over_outcomes)

    def __getattr__(self, name: str) -> object:
        return getattr(self._policy, name)


def _on_domain(name: str, policy: Policy, n: FloatArray) -> FloatArray:
    proved = quantity(name).domain.holds(n.ravel())
    values = np.full(proved.shape, np.nan)
    values[proved] = FORMULAS[name](policy, n.ravel()[proved])
    return values.reshape(n.shape)
