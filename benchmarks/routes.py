"""The computations that the benchmarks compare, and the policy they are compared on.

Times are CPU times of one process, so that other work on the machine hardly changes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bonmeter.exact.values import exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy

__all__ = ["GRID", "Responses", "bonmeter_kl", "cpu_seconds", "log_normal", "textbook_kl"]

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


def bonmeter_kl(responses: Responses, grid: FloatArray) -> FloatArray:
    return exact_kl(Policy(*responses), grid)


def cpu_seconds(repeats: int, function: Callable[..., object], *arguments: object) -> float:
    """Least CPU time of some calls."""
    return min(_once(function, *arguments) for _ in range(repeats))


def _once(function: Callable[..., object], *arguments: object) -> float:
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start
