"""Coverage where likelihoods say nothing: random policies of a few reward classes.

Every response is too rare to be drawn twice, so that a pool is a number of draws of each class, and
the masses of the classes are all that is estimated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bonmeter.exact.values import exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import Interval
from bonmeter.pools.identity import as_log_probs, distinct_responses
from bonmeter.pools.intervals import interval_of
from bonmeter.pools.layout import Segments, segments_of
from replication.studies.chunks import Table
from replication.studies.errors import Tally, errors_from, of_block, tally_of
from replication.studies.simulate import stream

__all__ = ["ClassCell", "coverage_of", "pools_of_classes", "random_cell", "study_block"]

CLASSES = (2, 11)
"""Fewest and most classes of a random policy."""
POOL_SIZES = (64, 128, 256)
EVENNESS = (1.0, 2.0, 5.0, 20.0, 1e6)
"""Concentrations of the Dirichlet distribution that masses are drawn from."""
LEAST_DF = 20.0
"""Cells with fewer degrees of freedom in the median pool are not studied."""
RARE = -300.0
"""Log-probability of every response."""


class ClassCell(NamedTuple):
    """A policy given by the masses of its classes, lowest reward first, with N and n."""

    mass: FloatArray
    pool_size: int
    n: int


def pools_of_classes(
    mass: FloatArray, size: int, pools: int, rng: np.random.Generator
) -> tuple[Segments, FloatArray]:
    """Different pools of responses none of which is drawn twice, and how often each occurs (ours).

    Args:
        mass: of each class, lowest reward first.
        size: number of candidates N.
        pools: how many are drawn.
        rng: source of randomness.

    Examples:
        >>> found, often = pools_of_classes(np.ones(2) / 2, 2, 100, np.random.default_rng(0))
        >>> found.pools, int(often.sum())  # 2 + 0, 1 + 1 and 0 + 2 draws
        (3, 100)
    """
    counts = rng.multinomial(size, mass, size=pools)
    different, often = np.unique(counts, axis=0, return_counts=True)
    reward = np.repeat(
        np.tile(np.arange(float(mass.size)), len(different)), different.ravel()
    ).reshape(len(different), size)
    log_probs = as_log_probs(np.full(reward.shape, RARE), 0.0)
    names = np.broadcast_to(np.arange(size), reward.shape)
    distinct = distinct_responses(log_probs, reward, names)
    return segments_of(distinct, identified=True), often.astype(np.float64)


def _tally(mass: FloatArray, size: int, n: int, pools: int, rng: np.random.Generator) -> Tally:
    segments, often = pools_of_classes(mass, size, pools, rng)
    found = interval_of(segments, np.array([n]), 0.975)
    repeated = np.repeat(np.arange(segments.pools), often.astype(np.intp))
    kl = exact_kl(Policy.from_probabilities(mass), np.array([n]))
    return tally_of(Interval(*(column.T[repeated] for column in found)), kl)


def coverage_of(
    mass: FloatArray, size: int, n: int, *, pools: int, rng: np.random.Generator
) -> float:
    """Share of pools whose 95 % interval contains the KL (ours).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> 0.9 < coverage_of(np.array([0.2, 0.3, 0.5]), 64, 4, pools=500, rng=rng) < 1
        True
    """
    return float(errors_from(_tally(mass, size, n, pools, rng)).coverage[0])


def random_cell(number: int, seed: int) -> ClassCell:
    """A random policy of a seeded family (ours).

    The number of classes is 2 to 11, N is 64, 128 or 256, n is up to N/10, and the masses are
    Dirichlet, from uneven to equal; the first such cell is taken that has 20 degrees of freedom in
    the median of 200 pools.

    Args:
        number: which of the family, from 0.
        seed: of the family.

    Examples:
        >>> [random_cell(number, 0).mass.size for number in range(3)]
        [5, 7, 8]
    """
    rng = stream(seed, "class", number)
    while True:
        classes = int(rng.integers(CLASSES[0], CLASSES[1] + 1))
        mass = rng.dirichlet(np.full(classes, rng.choice(EVENNESS)))
        size = int(rng.choice(POOL_SIZES))
        n = int(rng.integers(2, size // 10 + 1))
        segments, often = pools_of_classes(mass, size, 200, rng)
        df = interval_of(segments, np.array([n]), 0.975)[-1][0]
        if np.median(np.repeat(df, often.astype(np.intp))) >= LEAST_DF:
            return ClassCell(mass, size, n)


def study_block(number: int, block: int, pools: int, seed: int) -> Table:
    """Errors and coverage of the interval on pools of a `random_cell` (ours).

    Args:
        number: of the cell.
        block: which block of repeats, from 0.
        pools: drawn in it.
        seed: of the study.

    Returns:
        A table for `replication.studies.errors.gather` with one row, described by its `masses` (as
        text), `pool_size` and `n`.

    Examples:
        >>> table = study_block(0, 0, 50, seed=0)
        >>> table["repeats"].tolist(), bool(table["covered"][0] > 40)
        ([50], True)
    """
    mass, pool_size, n = random_cell(number, seed)
    labels = {"masses": " ".join(f"{p:.4f}" for p in mass), "pool_size": pool_size, "n": n}
    rng = stream(seed, "pools of classes", number, block)
    return of_block(number, block, labels, _tally(mass, pool_size, n, pools, rng))
