"""Policies given by parameters, not arrays: 10^15 or infinitely many outcomes at the cost of 10^3.

The exact quantities are sums over outcomes of terms smooth in the rank. The ranks are cut into
panels of N, and on each the m-point Gauss rule of the discrete uniform measure (that of the Gram
polynomials) stands for the sum. It is exact for polynomials of degree 2m - 1 and its weights are
positive, so its error is at most 2N times the distance of the term from those polynomials, hence at
most 4 N M rho^(1-2m)/(rho - 1): M is the largest modulus of the term in an ellipse around the panel
whose half axes sum to rho half lengths (Bernstein). Panels double in length away from both ends of
the ranks, where terms are singular or F^n falls, and are short against the decay of the masses, so
that terms are analytic for rho < 3.4: with m = 20 points the error is of order 1e-20 N M.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.numerics.kernels import log_one_minus_exp
from bonmeter.numerics.validation import FloatArray, as_real_array, reject_entries
from bonmeter.policies.listed import Term

__all__ = ["GeometricPolicy", "UniformPolicy"]

# Points of the Gauss rule of a panel.
POINTS = 20
# Outcomes at each end that are added one by one.
FIRST = 128
# On one panel the masses fall at most by e^-DECAY.
DECAY = 2.0
# Masses below e^-NEGLIGIBLE times the largest are left out: even 1e12 draws do not see them.
NEGLIGIBLE = 90.0
# Larger ranks are not whole numbers in float64.
LARGEST_SIZE = 2.0**53
LOG_HALF = -math.log(2)


class _Points(NamedTuple):
    """What stands for the outcomes: points in order of likelihood.

    Attributes:
        weight: number of outcomes a point stands for.
        likelier: number of outcomes before it.
        rarer: number of outcomes after it. Of the two the smaller is exact.
    """

    weight: FloatArray
    likelier: FloatArray
    rarer: FloatArray


class _ImplicitPolicy:
    """Masses e^(-decay k) of `size` outcomes, k = 0, 1, ...; `decay` > 0 if `size` is infinite."""

    def __init__(self, size: float, decay: float, ascending: bool) -> None:
        def log_sum(count: FloatArray) -> FloatArray:
            """Log of the mass of so many successive outcomes, relative to that of the first."""
            if decay:
                return log_one_minus_exp(-decay * count) - log_one_minus_exp(np.asarray(-decay))
            with np.errstate(divide="ignore"):
                return np.log(count)

        points = _points(size, decay)
        likelier, rarer, total = points.likelier, points.rarer, log_sum(np.asarray(size))
        # log of the mass before the outcome, with it, after the outcome and with it
        before, before_and = log_sum(likelier) - total, log_sum(likelier + 1) - total
        after = log_sum(rarer) - total - decay * (likelier + 1)
        after_and = log_sum(rarer + 1) - total - decay * likelier
        below, cdf, above = (after, after_and, before) if ascending else (before, before_and, after)
        self._weight = points.weight
        self._log_mass = -total - decay * likelier
        self._log_cdf = np.where(
            above < LOG_HALF, np.log1p(-np.exp(np.minimum(above, LOG_HALF))), cdf
        )
        self._step = np.logaddexp(0.0, self._log_mass - below)

    def sum_over_outcomes(self, term: Term, n: float, symmetric: bool = False) -> float:
        """Sum of `term` over the outcomes, at one n > 1 (see `ReferencePolicy`)."""
        return float(np.sum(self._weight * term(n, self._log_mass, self._log_cdf, self._step)))


class UniformPolicy(_ImplicitPolicy):
    """The uniform policy over any number of outcomes (paper, Figure 2), at the same cost.

    `exact_kl`, `kl_gap`, `exact_win_rate`, `win_rate_gap`, `expected_kl_estimator` and
    `expected_kl_estimator_gap` take it in place of a `bonmeter.policies.listed.Policy`; relative
    error below 1e-12.

    Args:
        size: number of outcomes, a whole number from 1 to 2^53.

    Raises:
        ValueError: if `size` is anything else.

    Examples:
        >>> from bonmeter.exact.values import exact_kl, kl_gap
        >>> round(float(exact_kl(UniformPolicy(4), 1e12)), 12)  # log 4
        1.38629436112
        >>> f"{float(kl_gap(UniformPolicy(10**15), 4)):.12g}"  # n (n-1)^2/(24 (n-2)) size^-2
        '7.5e-31'
    """

    def __init__(self, size: int) -> None:
        self.size = _as_size(size, infinite=False)
        super().__init__(self.size, 0.0, ascending=True)

    def __repr__(self) -> str:
        """As it is made."""
        return f"UniformPolicy({self.size:.0f})"


class GeometricPolicy(_ImplicitPolicy):
    """Masses in geometric progression, over finitely or infinitely many outcomes.

    `exact_kl`, `kl_gap`, `exact_win_rate`, `win_rate_gap`, `expected_kl_estimator` and
    `expected_kl_estimator_gap` take it in place of a `bonmeter.policies.listed.Policy`; relative
    error below 1e-12.

    Args:
        ratio: of successive masses, a real number strictly between 0 and 1.
        size: number of outcomes, a whole number from 1 to 2^53, or infinity.
        order: "ascending" if the likeliest outcome has the highest reward, "descending" if the
            lowest.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> from bonmeter.exact.values import exact_kl, exact_win_rate
        >>> endless = GeometricPolicy(0.5, math.inf, "ascending")
        >>> round(float(exact_kl(endless, 2)), 12)  # log(3/2) - (log 2)/3
        0.174416047922
        >>> round(float(exact_win_rate(endless, 2)), 12)  # 9/14
        0.642857142857
    """

    def __init__(self, ratio: float, size: float, order: str) -> None:
        self.ratio, self.size = _as_ratio(ratio), _as_size(size, infinite=True)
        if order not in ("ascending", "descending"):
            raise ValueError(f"order = {order!r}: expected 'ascending' or 'descending'")
        self.order = order
        super().__init__(self.size, -math.log(self.ratio), order == "ascending")

    def __repr__(self) -> str:
        """As it is made."""
        return f"GeometricPolicy({self.ratio}, {self.size:.0f}, {self.order!r})"


def _as_scalar(name: str, value: ArrayLike) -> FloatArray:
    array = as_real_array(name, value)
    if array.ndim:
        raise ValueError(f"{name} must be a number, got shape {array.shape}")
    return array


def _as_size(size: ArrayLike, infinite: bool) -> float:
    array = _as_scalar("size", size)
    whole = (array >= 1) & (array <= LARGEST_SIZE) & (array == np.floor(array))
    expected = "a whole number from 1 to 2^53" + infinite * " or infinity"
    reject_entries("size", array, ~(whole | (infinite & (array == np.inf))), expected)
    return float(array)


def _as_ratio(ratio: ArrayLike) -> float:
    array = _as_scalar("ratio", ratio)
    expected = "a real number strictly between 0 and 1"
    reject_entries("ratio", array, ~((array > 0) & (array < 1)), expected)
    return float(array)


def _points(size: float, decay: float) -> _Points:
    """Points from both ends; only from the likely one if the other is out of sight."""
    longest = max(int(DECAY / decay), 1) if decay else math.inf
    visible = math.ceil(NEGLIGIBLE / decay) + 3 if decay else math.inf
    if size > 2 * visible:
        weight, likelier = _panels(int(visible), longest)
        return _Points(weight, likelier, size - 1 - likelier)
    weight, likelier = _panels(int(size - size // 2), longest)
    weight_of_rare, rarer = _panels(int(size // 2), longest)
    return _Points(
        np.concatenate([weight, weight_of_rare]),
        np.concatenate([likelier, size - 1 - rarer]),
        np.concatenate([size - 1 - likelier, rarer]),
    )


def _panels(count: int, longest: float) -> tuple[FloatArray, FloatArray]:
    """Weights and positions that stand for 0, 1, ..., count - 1."""
    start = min(FIRST, count)
    rules = [(np.ones(start), np.arange(float(start)))]
    while start < count:
        length = int(min(start, longest, count - start))
        weight, position = _gauss_rule(length)
        rules.append((weight, start + position))
        start += length
    weights, positions = zip(*rules, strict=True)
    return np.concatenate(weights), np.concatenate(positions)


def _gauss_rule(length: int) -> tuple[FloatArray, FloatArray]:
    """Weights and positions of the Gauss rule for the sum over 0, 1, ..., length - 1."""
    if length <= POINTS:
        return np.ones(length), np.arange(float(length))
    j = np.arange(1.0, POINTS)
    # Golub and Welsch (1969), with the recurrence of the Gram polynomials scaled to unit length
    off_diagonal = np.sqrt(j**2 * (1 - (j / length) ** 2) / (4 * (4 * j**2 - 1)))
    position, vectors = np.linalg.eigh(np.diag(off_diagonal, -1))
    return length * vectors[0] ** 2, (length - 1) / 2 + length * position
