"""Coverage where likelihoods say nothing: random policies of a few reward classes.

Every response is too rare to be drawn twice, so that a pool is a number of draws of each class, and
the masses of the classes are all that is estimated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.exact.values import exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import Interval
from bonmeter.pools.identity import as_log_probs, distinct_responses
from bonmeter.pools.intervals import interval_of
from bonmeter.pools.layout import Segments, segments_of
from replication.studies.compare import Errors, errors_of
from replication.studies.simulate import stream

__all__ = ["ClassCell", "coverage_of", "pools_of_classes", "random_cells", "study_classes"]

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


def _errors(mass: FloatArray, size: int, n: int, pools: int, rng: np.random.Generator) -> Errors:
    segments, often = pools_of_classes(mass, size, pools, rng)
    found = interval_of(segments, np.array([n]), 0.975)
    repeated = np.repeat(np.arange(segments.pools), often.astype(np.intp))
    kl = exact_kl(Policy.from_probabilities(mass), np.array([n]))
    return errors_of(Interval(*(column.T[repeated] for column in found)), kl)


def coverage_of(
    mass: FloatArray, size: int, n: int, *, pools: int, rng: np.random.Generator
) -> float:
    """Share of pools whose 95 % interval contains the KL (ours).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> 0.9 < coverage_of(np.array([0.2, 0.3, 0.5]), 64, 4, pools=500, rng=rng) < 1
        True
    """
    return float(_errors(mass, size, n, pools, rng).coverage[0])


def random_cells(count: int, seed: int) -> list[ClassCell]:
    """A seeded family of random policies, with N and n up to N/10 (ours).

    The number of classes is 2 to 11, N is 64, 128 or 256, and the masses are Dirichlet, from
    uneven to equal; only cells with 20 degrees of freedom in the median of 200 pools are kept.

    Args:
        count: how many.
        seed: of the family.

    Examples:
        >>> [cell.mass.size for cell in random_cells(3, 0)]
        [5, 5, 4]
    """
    rng, cells = stream(seed, "classes"), list[ClassCell]()
    while len(cells) < count:
        classes = int(rng.integers(CLASSES[0], CLASSES[1] + 1))
        mass = rng.dirichlet(np.full(classes, rng.choice(EVENNESS)))
        size = int(rng.choice(POOL_SIZES))
        n = int(rng.integers(2, size // 10 + 1))
        segments, often = pools_of_classes(mass, size, 200, rng)
        df = interval_of(segments, np.array([n]), 0.975)[-1][0]
        if np.median(np.repeat(df, often.astype(np.intp))) >= LEAST_DF:
            cells.append(ClassCell(mass, size, n))
    return cells


def study_classes(cells: int, pools: int, seed: int) -> dict[str, NDArray[np.generic]]:
    """Errors and coverage of the interval over the family of `random_cells` (ours).

    Args:
        cells: how many policies.
        pools: drawn for each.
        seed: of the study.

    Returns:
        A table with a row for each: `masses` (as text), `pool_size, n`, the fields of `Errors`, and
        `repeats`.

    Examples:
        >>> table = study_classes(2, 50, 0)
        >>> table["n"].size, bool(np.all(table["coverage"] > 0.8))
        (2, True)
    """
    family = random_cells(cells, seed)
    rows = [
        _errors(cell.mass, cell.pool_size, cell.n, pools, stream(seed, "pools of classes", i))
        for i, cell in enumerate(family)
    ]
    return {
        "masses": np.array([" ".join(f"{p:.4f}" for p in cell.mass) for cell in family]),
        "pool_size": np.array([cell.pool_size for cell in family]),
        "n": np.array([cell.n for cell in family]),
        **{name: np.concatenate([getattr(row, name) for row in rows]) for name in Errors._fields},
        "repeats": np.full(len(family), pools),
    }
