"""What best-of-n does to one outcome, in float64 and without cancellation.

In the quantile picture an outcome is the interval [a, b] of [0, 1], a the mass strictly below it in
reward and b = a + p. The best of n uniforms has density g(u) = n u^(n-1); its mean over the
interval is pi_n/p. An interval is given by b (as log b) and its *step* s = log(b/a), +inf for the
lowest outcome, so that neither end of [0, 1] costs digits. Every sum these functions enter has
terms of one sign, so its relative error is that of its terms. Derivations: docs/theory.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import factorial

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from bonmeter.numerics.validation import FloatArray

__all__ = [
    "economised",
    "excess_and_entropy",
    "exprel",
    "log_mean_density",
    "log_one_minus_exp",
    "normalised_gap",
    "normalised_win_rate_gap",
    "polynomial",
    "relative_entropy_term",
]

TINY_STEP = 1e-290
"""Below this step float64 is denormal or zero, and limits are used."""

_ORDERS = range(1, 19)
# log(sinh z / z) = sum_k c_k z^(2k), c_k = (-1)^(k+1) zeta(2k) / (k pi^(2k)); enough for |z| <= 1
_LOG_SINHC = np.array(
    [1 / 6, -1 / 180]
    + [
        (-1) ** (k + 1) * np.sum(np.arange(2000.0, 0, -1) ** (-2 * k)) / (k * np.pi ** (2 * k))
        for k in _ORDERS[2:]
    ]
)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)

NEAR_ZERO = 0.1
"""Below this |t|, e^t - 1 - t is summed as a series."""


def log_one_minus_exp(x: FloatArray) -> FloatArray:
    """log(1 - e^x) for x <= 0, to full relative accuracy; -inf at 0.

    Examples:
        >>> log_one_minus_exp(np.array([-np.log(2), -1e-20])).tolist()
        [-0.6931471805599453, -46.051701859880914]
    """
    with np.errstate(divide="ignore"):
        return np.where(x > -np.log(2), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def log_mean_density(kappa: float, step: FloatArray, log_b: FloatArray | float) -> FloatArray:
    """log(pi_n/p) = kappa log b + log(1 + (1 - e^(-kappa s))/(e^s - 1)), with kappa = n - 1.

    Examples:
        >>> log_mean_density(1.0, np.array([np.log(2)]), np.array([0.0])).tolist()  # log(3/2)
        [0.4054651081081644]
    """
    return kappa * log_b + np.log1p(_excess(kappa, step))


def exprel(x: FloatArray) -> FloatArray:
    """(e^x - 1)/x, and 1 at 0.

    As in scipy.special, whose import takes longer than most short computations here.

    Examples:
        >>> exprel(np.array([0.0, 1.0])).round(6).tolist()
        [1.0, 1.718282]
    """
    return np.divide(np.expm1(x), x, out=np.ones_like(x), where=x != 0)


def relative_entropy_term(log_ratio: FloatArray) -> FloatArray:
    """t e^t - e^t + 1 >= 0 at t = log(pi/p): KL is the sum of p times it.

    Examples:
        >>> relative_entropy_term(np.array([0.0, 1.0, -1e-20])).tolist()
        [0.0, 1.0, 5e-41]
    """
    return excess_and_entropy(log_ratio)[1]


def excess_and_entropy(t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """e^t - 1 and t e^t - e^t + 1, without cancellation.

    Examples:
        >>> [x.tolist() for x in excess_and_entropy(np.array([0.0, 1e-20]))]
        [[0.0, 1e-20], [0.0, 5e-41]]
    """
    near = np.abs(t) < NEAR_ZERO
    if near.all():
        return _series_excess_and_entropy(t)
    excess = np.expm1(t)
    entropy = t * excess + (t - excess)
    if near.any():
        _, series = _series_excess_and_entropy(np.where(near, t, 0.0))
        entropy = np.where(near, series, entropy)
    return excess, entropy


def _series_excess_and_entropy(t: FloatArray) -> tuple[FloatArray, FloatArray]:
    square = t * t
    curve = square * polynomial(t, _EXP_SERIES)  # e^t - 1 - t
    return t + curve, (square - curve) + t * curve


def economised(
    coefficients: Sequence[float], domain: tuple[float, float], size: int
) -> list[float]:
    """A polynomial of fewer coefficients, close to another on the domain and equal at 0.

    Examples:
        >>> [round(c, 4) for c in economised([1.0, 0.0, 0.0, 1.0], (-1.0, 1.0), 3)]  # x^3 ~ x/2
        [1.0, 0.5, 0.0]
    """
    first, *others = coefficients
    fitted = Chebyshev.interpolate(Polynomial(others), size - 2, domain)
    return [first, *(float(c) for c in fitted.convert(kind=Polynomial).coef)]


def polynomial(x: FloatArray, coefficients: Sequence[float]) -> FloatArray:
    """Coefficients from the lowest power; two or more.

    Examples:
        >>> polynomial(np.array([2.0]), [1.0, 0.0, 3.0]).tolist()  # 1 + 3 x^2
        [13.0]
    """
    first, *middle, last = coefficients
    value = x * last
    for coefficient in reversed(middle):
        value += coefficient
        value *= x
    value += first
    return value


_EXP_SERIES = economised([1 / factorial(j + 2) for j in range(12)], (-NEAR_ZERO, NEAR_ZERO), size=8)


def normalised_gap(n: float, step: FloatArray) -> FloatArray:
    """phi_n: the integral of g log(g/mean g) over the interval, divided by pi_n; 0 <= phi_n.

    The KL gap is the pi_n-mean of phi_n (ours). It increases with s to log n - (n-1)/n at s = inf,
    which makes the analytical formula the value for one outcome with a = 0.

    Examples:
        >>> normalised_gap(2.0, np.array([0.0, np.inf])).tolist()  # log 2 - 1/2
        [0.0, 0.1931471805599453]
    """
    step = np.asarray(step, dtype=np.float64)
    y = 0.5 * n * step
    near = y <= 1.0
    far = ~near
    phi = np.empty_like(step)
    phi[near] = _gap_series(n, y[near])
    phi[far] = _gap_integral(n, step[far]) if n < 2 else _gap_closed_form(n, step[far])
    return phi


def _gap_series(n: float, y: FloatArray) -> FloatArray:
    """phi_n = sum_k c_k B_k y^(2k), B_k = (kappa/n)^2 sum_{j<2k} j n^(j+1-2k), |y| <= 1."""
    square = y * y
    return square * polynomial(square, (_LOG_SINHC * _brackets(n)).tolist())


@lru_cache(maxsize=1 << 12)
def _brackets(n: float) -> tuple[float, ...]:
    """B_k for each k; many pools share an n."""
    sums = accumulate(
        _ORDERS[:-1], lambda total, k: total / n**2 + 2 * k / n + 2 * k + 1, initial=1.0
    )
    return tuple(((n - 1) / n) ** 2 * total for total in sums)


def _gap_closed_form(n: float, s: FloatArray) -> FloatArray:
    """phi_n for n >= 2 and n s > 2: the logarithms cancel by less than two digits."""
    s = np.minimum(s, 700.0)
    decay = np.minimum(n * s, 700.0)
    mean = np.expm1(-s) / np.expm1(-decay)
    return np.log(n * mean) - (n - 1) / n + (n - 1) * s / np.expm1(decay)


def _gap_integral(n: float, s: FloatArray) -> FloatArray:
    """phi_n for n < 2 and n s > 2, where the closed form would lose digits as n -> 1.

    phi_n = int_1^n (l-1)/l^2 (1 - (y/sinh y)^2) dl at y = l s/2: the cumulants of log u on [a, b].
    """
    s = np.minimum(s, 700.0)[:, None]
    order = 1.0 + 0.5 * (n - 1) * (_NODES + 1.0)
    y = 0.5 * order * s
    variance = 1.0 - (y / np.sinh(y)) ** 2
    weight = _WEIGHTS * (order - 1) / order**2
    return np.asarray(0.5 * (n - 1) * np.sum(weight * variance, axis=-1))


def _excess(kappa: float, step: FloatArray) -> FloatArray:
    """(1 - e^(-kappa s))/(e^s - 1), from kappa at s = 0 to 0 at s = inf."""
    s = np.clip(step, TINY_STEP, 700.0)
    return -np.expm1(-kappa * s) / np.expm1(s)


def normalised_win_rate_gap(n: float, step: FloatArray) -> FloatArray:
    """The win-rate gap of an interval, divided by b pi_n: E[u]/b - (a+b)/(2b) >= 0 under g.

    Examples:
        >>> normalised_win_rate_gap(2.0, np.array([0.0, np.inf])).tolist()  # 2/3 - 1/2
        [0.0, 0.16666666666666669]
    """
    step = np.asarray(step, dtype=np.float64)
    z = 0.5 * (n + 1) * step
    near = z <= 1.0
    gap = np.empty_like(step)
    gap[near] = _win_series(n, z[near])
    gap[~near] = _win_closed_form(n, step[~near])
    return gap


def _win_series(n: float, z: FloatArray) -> FloatArray:
    """kappa e^(-h) h sum_k z^(2k) (1 - r^(2k))/(2k+1)! / (2 sinh nh), h = z/(n+1), r = kappa/(n+1).

    All terms have one sign, and 1 - r^(2k) = 4n/(n+1)^2 sum_{j<k} r^(2j).
    """
    h = z / (n + 1)
    r = (n - 1) / (n + 1)
    sums = accumulate(r ** (2 * j) for j in range(11))
    terms = [
        4 * n / (n + 1) ** 2 * total / factorial(2 * k + 1) for k, total in enumerate(sums, start=1)
    ]
    square = z * z
    series = square * polynomial(square, terms)
    scaled = np.where(n * h > TINY_STEP, n * h / np.sinh(np.maximum(n * h, TINY_STEP)), 1.0)
    return (n - 1) / (2 * n) * np.exp(-h) * series * scaled


def _win_closed_form(n: float, s: FloatArray) -> FloatArray:
    """The same from its closed form, written so that no term cancels more than one digit."""
    s = np.minimum(s, 700.0)
    drop = np.expm1(-(n + 1) * s)
    if n < 2:
        numerator = np.exp(-s) * np.expm1(-(n - 1) * s) - (n - 1) / (n + 1) * drop
    else:
        numerator = (1 + np.exp(-n * s)) * -np.expm1(-s) + 2 / (n + 1) * drop
    return np.asarray(numerator / (-2 * np.expm1(-n * s)))
