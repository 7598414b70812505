"""The comparison of estimators of the KL from one pool of scored candidates: bias, RMSE, coverage.

Independent pools are drawn from a known policy, every method sees the same pools, and its estimates
and 95% intervals are compared with the exact KL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import Interval, kl_intervals
from replication.studies.chunks import Table
from replication.studies.errors import Tally, blocks_of, gather, of_block, tally_of
from replication.studies.simulate import draw_responses, stream

__all__ = [
    "FORMULA",
    "LEVEL",
    "Studied",
    "compare_block",
    "compare_methods",
    "studied",
]

FORMULA = "formula"
"""Name of the analytical formula among the methods: it uses no pool."""

LEVEL = 0.95
"""Nominal coverage of the intervals."""

CANDIDATES = 1 << 20
"""Candidates drawn at a time, which bounds the memory."""


class Studied(NamedTuple):
    """A policy that pools are drawn from, sorted once for all of its blocks."""

    name: str
    log_prob: FloatArray
    """Natural log-probability of each response, normalised."""
    reward: FloatArray
    policy: Policy


def studied(name: str, log_prob: FloatArray, reward: FloatArray) -> Studied:
    """A policy for `compare_block`.

    Args:
        name: of the policy.
        log_prob: natural log-probability of each of its responses.
        reward: reward of each.

    Examples:
        >>> studied("coin", np.log([1.0, 1.0]), np.array([0.0, 1.0])).log_prob.round(6).tolist()
        [-0.693147, -0.693147]
    """
    return Studied(name, log_prob - logsumexp(log_prob), reward, Policy(log_prob, reward))


def _pools(
    log_prob: FloatArray, pool_size: int, repeats: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Independent pools of one policy, in batches of bounded size.

    Args:
        log_prob: natural log-probability of each response of the policy.
        pool_size: number of candidates N of a pool.
        repeats: number of pools in all.
        rng: source of randomness.

    Yields:
        The responses of the candidates of a batch of pools, shape (pools, N).
    """
    batch = max(1, CANDIDATES // pool_size)
    for start in range(0, repeats, batch):
        yield draw_responses(log_prob, (min(batch, repeats - start), pool_size), rng)


def compare_methods(
    name: str,
    log_prob: FloatArray,
    reward: FloatArray,
    *,
    pool_size: int,
    n: Sequence[int],
    repeats: int,
    seed: int,
) -> Table:
    """Errors of every method on the same pools of one policy (ours).

    Args:
        name: name of the policy.
        log_prob: natural log-probability of each of its responses.
        reward: reward of each.
        pool_size: number of candidates N of a pool.
        n: whole numbers; those from 2 to N/2 are studied.
        repeats: number of independent pools.
        seed: seed of the study; every block of repeats of a (`name`, N) has its own stream.

    Returns:
        A table with a row for each method and n: `policy, pool_size, n, method, kl`, the fields of
        `replication.studies.errors.Errors`, and `repeats`.

    Examples:
        >>> table = compare_methods("coin", np.log([0.5, 0.5]), np.array([0.0, 1.0]),
        ...     pool_size=32, n=[2], repeats=10, seed=0)
        >>> dict(zip(table["method"].tolist(), (table["bias"].round(3) + 0.0).tolist()))
        {'rank-corrected': 0.0, 'paper': 0.048, 'rank-only': 0.0, 'formula': 0.062}
    """
    of = studied(name, log_prob, reward)
    return gather(
        [
            compare_block(0, block, of, pool_size=pool_size, n=n, repeats=size, seed=seed)
            for block, size in enumerate(blocks_of(repeats))
        ]
    )


def compare_block(
    cell: int,
    block: int,
    of: Studied,
    *,
    pool_size: int,
    n: Sequence[int],
    repeats: int,
    seed: int,
) -> Table:
    """One block of the repeats of `compare_methods` (ours).

    Args:
        cell: place of the policy and N in the study.
        block: which, from 0.
        of: the policy.
        pool_size: number of candidates N of a pool.
        n: whole numbers; those from 2 to N/2 are studied.
        repeats: of the block.
        seed: seed of the study.

    Returns:
        A table for `replication.studies.errors.gather`, with a row for each method and n.

    Examples:
        >>> coin = studied("coin", np.log([0.5, 0.5]), np.array([0.0, 1.0]))
        >>> table = compare_block(7, 1, coin, pool_size=32, n=[2], repeats=10, seed=0)
        >>> table["cell"].tolist(), table["block"].tolist(), table["repeats"].tolist()
        ([7, 7, 7, 7], [1, 1, 1, 1], [10, 10, 10, 10])
    """
    orders = np.array([k for k in n if 2 <= k <= pool_size // 2], dtype=np.int64)
    kl = exact_kl(of.policy, orders)
    rng = stream(seed, "pool", of.name, pool_size, block)
    batches = [
        _intervals(of.log_prob[pool], of.reward[pool], pool, orders)
        for pool in _pools(of.log_prob, pool_size, repeats, rng)
    ]
    tallies = []
    for method in batches[0]:
        parts = zip(*(batch[method] for batch in batches), strict=True)
        tallies.append(tally_of(Interval(*(np.concatenate(part) for part in parts)), kl))
    labels = {
        "policy": of.name,
        "pool_size": pool_size,
        "n": np.tile(orders, len(tallies)),
        "method": np.repeat(list(batches[0]), orders.size),
        "kl": np.tile(kl, len(tallies)),
    }
    tally = Tally(*(np.concatenate(columns) for columns in zip(*tallies, strict=True)))
    return of_block(cell, block, labels, tally)


def _intervals(
    log_prob: FloatArray, reward: FloatArray, response: NDArray[np.intp], n: NDArray[np.int64]
) -> dict[str, Interval]:
    formula = np.broadcast_to(analytical_kl(n), (len(reward), n.size))
    found = kl_intervals(log_prob, reward, n, level=LEVEL, response=response, precision=0.0)
    return found | {FORMULA: Interval(formula, formula, formula, np.full(formula.shape, np.inf))}
