"""The computations that the benchmarks compare, and the policy they are compared on.

Times are CPU times, of this process and those it started, so that other work on the machine hardly
changes them.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable

import mpmath as mp
import numpy as np

from bonmeter.exact.values import exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy

__all__ = [
    "GRID",
    "Responses",
    "bonmeter_kl",
    "cpu_seconds",
    "log_normal",
    "textbook_kl",
    "textbook_kl_in_50_digits",
]

Responses = tuple[FloatArray, FloatArray]
"""Log-probabilities, normalised, and rewards in increasing order."""

GRID = np.geomspace(1, 1e6, 60)


def log_normal(size: int) -> Responses:
    log_prob = np.random.default_rng(0).standard_normal(size)
    log_prob -= np.log(np.sum(np.exp(log_prob)))
    return log_prob, np.arange(float(size))


def textbook_kl(p: FloatArray, grid: FloatArray) -> list[float]:
    """Sum of q log(q/p) for q = F^n - F_prev^n, as written."""
    cdf = np.cumsum(p)
    below = np.concatenate(([0.0], cdf[:-1]))
    kl = []
    for n in grid:
        q = cdf**n - below**n
        with np.errstate(divide="ignore", invalid="ignore"):
            kl.append(float(np.nansum(q * np.log(q / p))))
    return kl


def textbook_kl_in_50_digits(p: Iterable[float], n: float) -> float:
    """The same at one n, in 50 digits, which often are enough; nothing says whether they were."""
    with mp.workdps(50):
        below, kl = mp.mpf(0), mp.mpf(0)
        cdf = mp.mpf(0)
        for mass in map(mp.mpf, p):
            cdf += mass
            power = cdf**n
            q, below = power - below, power
            kl += q * mp.log(q / mass) if q else 0
        return float(kl)


def bonmeter_kl(responses: Responses, grid: FloatArray) -> FloatArray:
    return exact_kl(Policy(*responses), grid)


def cpu_seconds(repeats: int, function: Callable[..., object], *arguments: object) -> float:
    """Least CPU time of some calls."""
    return min(_once(function, *arguments) for _ in range(repeats))


def _once(function: Callable[..., object], *arguments: object) -> float:
    start = _spent()
    function(*arguments)
    return _spent() - start


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
