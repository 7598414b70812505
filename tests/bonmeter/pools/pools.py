"""Pools drawn from policies, and the gap of an outcome as an integral."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.identity import Distinct, as_log_probs, distinct_responses
from bonmeter.pools.layout import Segments
from bonmeter.pools.subsets import IndexArray
from replication.studies.simulate import draw_responses


def distinct(
    log_prob: FloatArray, reward: FloatArray, response: IndexArray | None = None
) -> Distinct:
    """The distinct responses of pools with exact log-probabilities."""
    return distinct_responses(as_log_probs(log_prob, 0.0), reward, response)


def draw(responses: tuple[FloatArray, FloatArray], *size: int, seed: int = 0) -> tuple[Any, Any]:
    log_prob, reward = responses
    drawn = draw_responses(log_prob, size, np.random.default_rng(seed))
    return log_prob[drawn], reward[drawn]


def gap(n: int, lower: mpmath.mpf, upper: mpmath.mpf) -> mpmath.mpf:
    """The gap of an outcome, as an integral, in multiple precision."""
    mean = (upper**n - lower**n) / (upper - lower)

    def loss(u: mpmath.mpf) -> mpmath.mpf:
        return n * u ** (n - 1) * mpmath.log(n * u ** (n - 1) / mean)

    return mpmath.quad(loss, [lower, upper])


def one_segment(start: float, mass: float, piece: float) -> Segments:
    """A segment of unseen mass, made of pieces."""
    columns = {"start": start, "mass": mass, "unseen": mass, "piece": piece, "log_end": 0.0}
    pool = np.array([0], dtype=np.intp)
    no, one = np.array([False]), np.ones(1)
    rest = {name: columns.get(name, 1.0) * one for name in Segments._fields[6:]}
    return Segments(1, 9, one, one, one, pool, **(rest | {"tied": no, "bounded": no}))
