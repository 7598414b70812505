"""What best-of-n does to one outcome, in float64 and without cancellation.

In the quantile picture an outcome is the interval [a, b] of [0, 1], a the mass strictly below it in
reward and b = a + p. The best of n uniforms has density g(u) = n u^(n-1); its mean over the
interval is pi_n/p. An interval is given by b (as log b) and its *step* s = log(b/a), +inf for the
lowest outcome, so that neither end of [0, 1] costs digits. Every sum these functions enter has
terms of one sign, so its relative error is that of its terms. Derivations: docs/theory.md.
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np

from bonmeter.numerics.validation import FloatArray

__all__ = [
    "log_mean_density",
    "log_one_minus_exp",
    "normalised_gap",
    "normalised_win_rate_gap",
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


def relative_entropy_term(log_ratio: FloatArray) -> FloatArray:
    """t e^t - e^t + 1 >= 0 at t = log(pi/p): KL is the sum of p times it.

    Examples:
        >>> relative_entropy_term(np.array([0.0, 1.0, -1e-20])).tolist()
        [0.0, 1.0, 5e-41]
    """
    excess = np.expm1(log_ratio)
    term = np.asarray(log_ratio * excess + (log_ratio - excess))
    near = np.abs(log_ratio) < 0.1
    if near.any():
        t = log_ratio[near]
        term[near] = t * t * _polynomial(t, _ENTROPY_SERIES)
    return term


# t e^t - e^t + 1 = sum over j of t^(j+2) (j+1)/(j+2)!
_ENTROPY_SERIES = np.array([(j + 1) / factorial(j + 2) for j in range(10)])


def _polynomial(x: FloatArray, coefficients: FloatArray | list[float]) -> FloatArray:
    """Lowest power first."""
    return np.asarray(np.polynomial.polynomial.polyval(x, coefficients), dtype=np.float64)


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
    return square * _polynomial(square, _LOG_SINHC * _brackets(n))


@lru_cache(maxsize=1 << 12)
def _brackets(n: float) -> tuple[float, ...]:
    """B_k for each k; many pools share an n."""
    return tuple(
        ((n - 1) / n) ** 2 * sum(j * n ** (j + 1.0 - 2 * k) for j in range(1, 2 * k))
        for k in _ORDERS
    )


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
    terms = [
        4 * n / (n + 1) ** 2 * sum(r ** (2 * j) for j in range(k)) / factorial(2 * k + 1)
        for k in range(1, 12)
    ]
    square = z * z
    series = square * _polynomial(square, terms)
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
