"""The reference policy as best-of-n sees it: outcomes ordered by reward, ties merged."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from bestofn._validation import FloatArray, as_real_vector, reject_entries

__all__ = ["Policy", "ReferencePolicy", "Term"]

Term = Callable[[float, FloatArray, FloatArray, FloatArray], FloatArray]
"""What an outcome adds to a sum: term(n, log_mass, log_cdf, step), elementwise in the arrays.

An outcome of mass p and cumulative mass F, counted from the lowest reward, has log_mass = log p,
log_cdf = log F and step = log(F/(F-p)), +inf for the lowest outcome; n > 1.
"""


class ReferencePolicy(Protocol):
    """What the exact quantities ask of a policy: sums over its outcomes."""

    def sum_over_outcomes(self, term: Term, n: float) -> float:
        """Sum of `term` over the outcomes, at one n > 1."""


# Below this mass float64 loses relative precision, so cumulative sums are kept in logarithms.
SMALLEST_ACCURATE = 1e-290
# Outcomes summed at a time: their temporaries stay in the processor's cache.
CHUNK = 1 << 15
# Rows of cumulative sums: partial sums of blocks keep the rounding error at sqrt(L) steps, not L.
BLOCK = 4096


class Policy:
    """A finite reference policy (paper, Section 2): one context, its outcomes and their rewards.

    Responses are sorted by reward and responses of equal reward are merged into one *outcome* (a
    tie class), whose mass is the sum of theirs: best-of-n with ties broken at random only depends
    on these masses (ours; the paper assumes distinct rewards). Masses are normalised to sum to 1.

    Args:
        log_prob: natural log-probability of each response, shape (R,), in [-inf, inf). Responses of
            probability 0 (-inf) are dropped.
        reward: finite reward of each response, shape (R,), in any order.

    Attributes:
        log_mass: log of the mass of each outcome, shape (L,), lowest reward first. It defines the
            policy: every other attribute derives from it.
        reward: reward of each outcome, shape (L,), strictly increasing.

    Raises:
        ValueError: if an array is empty, not one-dimensional or not real, if the lengths differ, if
            an entry is nan, +inf, or a reward -inf, or if every response has probability 0.

    Examples:
        >>> policy = Policy(np.log([0.5, 0.25, 0.25]), [1.0, 0.0, 1.0])
        >>> policy.mass.tolist(), policy.reward.tolist()
        ([0.25, 0.75], [0.0, 1.0])
    """

    log_mass: FloatArray
    reward: FloatArray

    def __init__(self, log_prob: ArrayLike, reward: ArrayLike) -> None:
        log_prob = as_real_vector("log_prob", log_prob)
        reward = as_real_vector("reward", reward)
        if log_prob.size != reward.size:
            raise ValueError(
                f"log_prob and reward must have equal lengths, got {log_prob.size} and {reward.size}"
            )
        reject_entries(
            "log_prob", log_prob, ~(log_prob < np.inf), "a natural log-probability in [-inf, inf)"
        )
        reject_entries("reward", reward, ~np.isfinite(reward), "a finite reward")
        log_prob, reward = _sort_by_reward(*_drop_impossible(log_prob, reward))
        # The largest is subtracted first: at -1e6 a later subtraction would cost ten digits.
        log_mass, reward = _merge_ties(log_prob - log_prob.max(), reward)
        self.log_mass, self.reward = _read_only(_normalise(log_mass)), _read_only(reward)

    @classmethod
    def from_probabilities(cls, probabilities: ArrayLike) -> Policy:
        """Policy with the given probabilities, listed in increasing reward order.

        Args:
            probabilities: shape (L,), nonnegative and finite; normalised to sum to 1.

        Raises:
            ValueError: as `Policy`, or if a probability is negative.

        Examples:
            >>> len(Policy.from_probabilities([0.5, 0.25, 0.25]))
            3
        """
        p = as_real_vector("probabilities", probabilities)
        reject_entries("probabilities", p, ~((p >= 0) & (p < np.inf)), "a finite probability >= 0")
        with np.errstate(divide="ignore"):
            return cls(np.log(p), np.arange(p.size))

    def __len__(self) -> int:
        """Number of outcomes L."""
        return self.log_mass.size

    def __repr__(self) -> str:
        """Size and the two masses that matter most."""
        return f"Policy({len(self)} outcomes, delta={self.delta:.4g}, top_mass={self.top_mass:.4g})"

    @cached_property
    def mass(self) -> FloatArray:
        """Mass p_i of each outcome, shape (L,)."""
        return _read_only(np.exp(self.log_mass))

    @cached_property
    def mass_below(self) -> FloatArray:
        """Mass strictly below each outcome in reward, accumulated from the bottom, shape (L,)."""
        return _read_only(_sum_before(self.mass))

    @cached_property
    def mass_above(self) -> FloatArray:
        """Mass strictly above each outcome in reward, accumulated from the top, shape (L,)."""
        return _read_only(_sum_before(self.mass[::-1])[::-1])

    @cached_property
    def log_cdf(self) -> FloatArray:
        """log F_i, F_i the mass at or below each outcome, from the tail that is accurate there."""
        below, above = self.mass_below, self.mass_above
        upper = above <= 0.5
        log_cdf = np.log1p(-above, where=upper, out=np.empty_like(above))
        with np.errstate(divide="ignore"):
            np.log(below + self.mass, where=~upper, out=log_cdf)
        tiny = int(np.searchsorted(below + self.mass, SMALLEST_ACCURATE))
        log_cdf[:tiny] = np.logaddexp.accumulate(self.log_mass[:tiny])
        return _read_only(log_cdf)

    @cached_property
    def log_step(self) -> FloatArray:
        """log(F_i / F_{i-1}) > 0, shape (L,); +inf for the lowest outcome."""
        below = self.mass_below
        tiny = int(np.searchsorted(below, SMALLEST_ACCURATE))
        step = np.full(len(self), np.inf)
        step[1:tiny] = np.logaddexp(0.0, self.log_mass[1:tiny] - self.log_cdf[: max(tiny - 1, 0)])
        step[tiny:] = np.log1p(self.mass[tiny:] / below[tiny:])
        return _read_only(step)

    def sum_over_outcomes(self, term: Term, n: float) -> float:
        """Sum of `term` over the outcomes, at one n > 1."""
        chunks = (slice(i, i + CHUNK) for i in range(0, len(self), CHUNK))
        return math.fsum(
            float(np.sum(term(n, self.log_mass[c], self.log_cdf[c], self.log_step[c])))
            for c in chunks
        )

    @property
    def delta(self) -> float:
        """Largest mass of an outcome: the policy is delta-bound (paper, Theorem 3.4)."""
        return float(np.exp(self.log_mass.max()))

    @property
    def top_mass(self) -> float:
        """Mass of the outcome of highest reward, epsilon_infinity in the paper's Theorem 3.6."""
        return float(np.exp(self.log_mass[-1]))

    @cached_property
    def collision(self) -> float:
        """Sum of squared masses, e^{-H_2} with H_2 the Renyi-2 entropy (paper, Theorem 3.4)."""
        return float(np.sum(self.mass**2))


def _read_only(array: FloatArray) -> FloatArray:
    array.flags.writeable = False
    return array


def _drop_impossible(log_prob: FloatArray, reward: FloatArray) -> tuple[FloatArray, FloatArray]:
    possible = log_prob > -np.inf
    if possible.all():
        return log_prob, reward
    if not possible.any():
        raise ValueError("log_prob is -inf everywhere: expected one response of positive probability")
    return log_prob[possible], reward[possible]


def _sort_by_reward(log_prob: FloatArray, reward: FloatArray) -> tuple[FloatArray, FloatArray]:
    if np.all(reward[1:] >= reward[:-1]):
        return log_prob, reward
    order = np.argsort(reward, kind="stable")
    return log_prob[order], reward[order]


def _merge_ties(log_prob: FloatArray, reward: FloatArray) -> tuple[FloatArray, FloatArray]:
    start = np.flatnonzero(np.concatenate(([True], reward[1:] != reward[:-1])))
    if start.size == reward.size:
        return log_prob, reward.copy()
    largest = np.maximum.reduceat(log_prob, start)
    scaled = np.exp(log_prob - np.repeat(largest, np.diff(start, append=reward.size)))
    return largest + np.log(np.add.reduceat(scaled, start)), reward[start]


def _normalise(log_mass: FloatArray) -> FloatArray:
    """Log-masses that sum to 1; a mass close to 1 by what it lacks, so that log(1-p) is right too."""
    mass = np.exp(log_mass)
    top = int(np.argmax(mass))
    largest, mass[top] = mass[top], 0.0
    rest = np.sum(mass)
    log_mass = log_mass - np.log(largest + rest)
    if rest < largest:
        log_mass[top] = np.log1p(-rest / (largest + rest))
    return log_mass


def _sum_before(values: FloatArray) -> FloatArray:
    """Sum of the entries before each entry, by blocks: relative error about sqrt(L) roundings."""
    before = np.zeros_like(values)
    if values.size <= BLOCK:
        np.cumsum(values[:-1], out=before[1:])
        return before
    whole = values.size // BLOCK * BLOCK
    starts = _sum_before(np.add.reduceat(values, np.arange(0, values.size, BLOCK)))
    blocks = before[:whole].reshape(-1, BLOCK)
    np.cumsum(values[:whole].reshape(-1, BLOCK)[:, :-1], axis=1, out=blocks[:, 1:])
    blocks += starts[: whole // BLOCK, None]
    if whole < values.size:
        before[whole + 1 :] = np.cumsum(values[whole:-1])
        before[whole:] += starts[-1]
    return before
