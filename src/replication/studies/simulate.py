"""Best-of-n by simulation: selections, draws of responses, and the estimator's errors."""

from __future__ import annotations

import reprlib
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonmeter.exact.estimator import expected_kl_estimator, kl_estimator
from bonmeter.exact.values import best_of_n_log_pmf, exact_kl
from bonmeter.numerics.validation import (
    FloatArray,
    as_integer_n,
    as_n,
    as_number,
    as_real_vector,
    reject_entries,
)
from bonmeter.policies.listed import Policy

__all__ = [
    "LITERAL_BUDGET",
    "EstimatorErrors",
    "draw_responses",
    "draw_selections",
    "draw_selections_literally",
    "simulate_failures",
    "simulate_kl_estimator",
    "stream",
]

LITERAL_BUDGET = 1 << 20
"""Up to this many draws, best-of-n selections are made by really drawing n outcomes each."""

IndexArray = NDArray[np.intp]
Size = int | tuple[int, ...]


class EstimatorErrors(NamedTuple):
    """Errors of an estimator over repeats, in nats; arrays of the shape of `n`."""

    mean: FloatArray
    bias: FloatArray
    standard_error: FloatArray
    rmse: FloatArray


def stream(seed: int, *key: str | float) -> np.random.Generator:
    """The random stream of one piece of work, independent of the streams of all other keys (ours).

    The key is hashed into a `SeedSequence`, so adding or reordering policies or values of n changes
    no other result. Equal numbers are equal keys, whatever their type.

    Args:
        seed: the seed of the whole study, >= 0.
        key: what the stream is for, such as the policy's name and n.

    Raises:
        ValueError: if `seed` is no whole number or negative, or a key is neither text nor number.

    Examples:
        >>> [int(stream(1, "uniform", n).integers(1000)) for n in (10, 10.0, 11)]
        [648, 648, 188]
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed = {reprlib.repr(seed)}: expected a whole number >= 0")
    text = repr([part if isinstance(part, str) else as_number("key", part) for part in key])
    words = np.frombuffer(sha256(text.encode()).digest(), dtype="<u4").tolist()
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))


def draw_selections_literally(
    policy: Policy, n: int, size: Size, rng: np.random.Generator
) -> IndexArray:
    """Best-of-n as defined (paper, Section 2): draw n outcomes, keep the one of highest reward.

    Args:
        policy: the reference policy, L outcomes.
        n: a whole number from 1 to 1e12; the cost is n draws per selection.
        size: number of selections, or their shape.
        rng: source of randomness.

    Returns:
        Shape `size`: the index of each selected outcome, from 0 (lowest reward) to L - 1.

    Raises:
        ValueError: if n is not one whole number from 1 to 1e12.

    Examples:
        >>> policy = Policy.from_probabilities([0.5, 0.5])
        >>> rng = np.random.default_rng(0)
        >>> round(float(draw_selections_literally(policy, 2, 100_000, rng).mean()), 2)  # 3/4
        0.75
    """
    draws = int(as_integer_n(_scalar(n), 10**12))
    # log U is minus an exponential draw: the least of them draws the outcome of highest reward
    lowest = np.full(size, np.inf)
    chunk = max(1, LITERAL_BUDGET // lowest.size) if lowest.size else draws
    for start in range(0, draws, chunk):
        shape = (min(chunk, draws - start), *lowest.shape)
        np.minimum(lowest, rng.standard_exponential(shape).min(axis=0), out=lowest)
    return np.searchsorted(policy.log_cdf, -lowest)


def draw_selections(
    policy: Policy,
    n: float,
    size: Size,
    rng: np.random.Generator,
    *,
    literal_budget: int = LITERAL_BUDGET,
) -> IndexArray:
    """Best-of-n selections: literally where that is cheap, by inverting the CDF elsewhere.

    The CDF of best-of-n is F^n, inverted in log F, which is accurate at both ends: outcomes of mass
    1e-12 at the top are selected as often as they should be, up to n = 1e12.

    Args:
        policy: the reference policy, L outcomes.
        n: a real number from 1 to 1e12.
        size: number of selections, or their shape.
        rng: source of randomness.
        literal_budget: whole n up to this many draws in all use `draw_selections_literally`.

    Returns:
        Shape `size`: the index of each selected outcome, from 0 (lowest reward) to L - 1.

    Raises:
        ValueError: if n is not one real number from 1 to 1e12.

    Examples:
        >>> policy = Policy.from_probabilities([1 - 1e-12, 1e-12])
        >>> rng = np.random.default_rng(0)
        >>> round(float(draw_selections(policy, 1e12, 100_000, rng).mean()), 2)  # 1 - 1/e
        0.63
    """
    order = float(as_n(_scalar(n)))
    if order.is_integer() and order * np.prod(size) <= literal_budget:
        return draw_selections_literally(policy, int(order), size, rng)
    return _invert(policy, order, size, rng)


def _scalar(n: float) -> float:
    if np.ndim(n):
        raise ValueError(f"n must be one number, got shape {np.shape(n)}")
    return n


def _invert(policy: Policy, n: float, size: Size, rng: np.random.Generator) -> IndexArray:
    # log U^(1/n) = -E/n with E standard exponential
    return np.searchsorted(policy.log_cdf, rng.standard_exponential(size) / -n)


def draw_responses(log_prob: ArrayLike, size: Size, rng: np.random.Generator) -> IndexArray:
    """Independent draws from the policy, as the index of each response.

    Args:
        log_prob: natural log-probability of each response, shape (R,); they are normalised to sum
            to 1.
        size: number of draws, or their shape.
        rng: source of randomness.

    Raises:
        ValueError: if `log_prob` is empty, not one-dimensional or not real, or if an entry is nan
            or +inf, or all are -inf.

    Examples:
        >>> draw_responses(np.log([0.2, 0.8]), 5, np.random.default_rng(0)).tolist()
        [1, 1, 0, 0, 1]
    """
    log_prob = as_real_vector("log_prob", log_prob)
    reject_entries(
        "log_prob", log_prob, ~(log_prob < np.inf), "a natural log-probability in [-inf, inf)"
    )
    largest = log_prob.max()
    if largest == -np.inf:
        raise ValueError("log_prob is -inf everywhere: expected a response of probability > 0")
    mass = np.exp(log_prob - largest)
    return rng.choice(mass.size, size=size, p=mass / mass.sum())


def simulate_kl_estimator(
    policy: Policy,
    n: ArrayLike,
    *,
    selections: int,
    repeats: int,
    seed: int,
    name: str,
    literal_budget: int = LITERAL_BUDGET,
) -> EstimatorErrors:
    """Errors of the mean of the paper's estimator (Eq. 25) over simulated best-of-n selections.

    What it estimates, and how well: docs/theory.md#the-estimator.

    Args:
        policy: the reference policy, L outcomes.
        n: real numbers from 1 to 1e12, any shape.
        selections: number M of selections that one estimate averages over, at least 1.
        repeats: number R of independent estimates, at least 2.
        seed: seed of the study; every (`name`, n) has its own `stream`.
        name: name of the policy.
        literal_budget: as for `draw_selections`, over the R M selections of one n.

    Returns:
        Over the R estimates, for each n, in nats: their mean; the mean minus the exact KL (bias);
        their standard deviation, which is the standard error of one estimate; their root mean
        square error. The bias itself has standard error `standard_error / sqrt(R)`.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12, or there are too few selections or
            repeats.

    Examples:
        >>> policy = Policy.from_probabilities([1.0])  # one outcome: the estimator is exactly 0
        >>> study = {"selections": 5, "repeats": 2, "seed": 0, "name": "one"}
        >>> simulate_kl_estimator(policy, [1, 10], **study).rmse.tolist()
        [0.0, 0.0]
    """
    if selections < 1 or repeats < 2:
        raise ValueError(
            f"expected selections >= 1 and repeats >= 2, got {selections} and {repeats}"
        )
    n = as_n(n)
    size = (repeats, selections)
    estimates = np.array(
        [
            _estimates(policy, value, size, stream(seed, name, value), literal_budget)
            for value in n.ravel().tolist()
        ]
    ).reshape(*n.shape, repeats)
    error = estimates - exact_kl(policy, n)[..., None]
    return EstimatorErrors(
        mean=estimates.mean(axis=-1),
        bias=error.mean(axis=-1),
        standard_error=estimates.std(axis=-1, ddof=1),
        rmse=np.sqrt(np.mean(error**2, axis=-1)),
    )


def simulate_failures(
    policy: Policy,
    n: float,
    *,
    selections: int,
    accuracy: float,
    repeats: int,
    rng: np.random.Generator,
) -> int:
    """How often the mean of the paper's estimator is further off its expectation than allowed.

    Args:
        policy: the reference policy, L outcomes.
        n: a real number from 1 to 1e12.
        selections: number M of selections that one mean is taken over, at least 1. Where they are
            more than L, it is drawn how often each outcome is selected.
        accuracy: the error allowed, relative to the expectation.
        repeats: number R of independent means.
        rng: source of randomness.

    Returns:
        The number of means, of R, that are off by more.

    Raises:
        ValueError: if n is not one real number from 1 to 1e12.

    Examples:
        >>> policy, rng = Policy.from_probabilities([0.9, 0.1]), np.random.default_rng(0)
        >>> study = {"accuracy": 0.5, "repeats": 100, "rng": rng}
        >>> [simulate_failures(policy, 4, selections=m, **study) for m in (1, 1000)]
        [100, 0]
    """
    if selections > len(policy):
        pmf = np.exp(best_of_n_log_pmf(policy, n))
        counts = rng.multinomial(selections, pmf / pmf.sum(), size=repeats)
        means = np.sum(counts * kl_estimator(policy.log_mass, n), axis=-1) / selections
    else:
        means = _estimates(policy, n, (repeats, selections), rng, LITERAL_BUDGET)
    expected = float(expected_kl_estimator(policy, n))
    return int(np.count_nonzero(np.abs(means - expected) > accuracy * expected))


def _estimates(
    policy: Policy, n: float, size: Size, rng: np.random.Generator, literal_budget: int
) -> FloatArray:
    selected = draw_selections(policy, n, size, rng, literal_budget=literal_budget)
    # the estimator is evaluated once per outcome or once per selection, whichever are fewer
    if len(policy) < selected.size:
        values = kl_estimator(policy.log_mass, n)[selected]
    else:
        values = kl_estimator(policy.log_mass[selected], n)
    mean: FloatArray = np.mean(values, axis=-1)
    return mean
