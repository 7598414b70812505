"""The reference policy as best-of-n sees it: outcomes ordered by reward, ties merged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.numerics.intervals import log_cdf_and_step, sum_before
from bonmeter.numerics.quadrature import Nodes, summarise
from bonmeter.numerics.validation import FloatArray, as_real_vector, reject_entries

__all__ = ["Policy", "ReferencePolicy", "Term", "as_responses", "require_outcomes"]

# Outcomes handled at a time: their temporaries stay in the processor's cache.
CHUNK = 1 << 14
# Lower log-masses are raised to this one, so that n times it is a number.
LOWEST = -1e290
# In float64 e^-x = 0 from x = 746 on.
VANISHED = 760.0

Term = Callable[[float, FloatArray, FloatArray, FloatArray], FloatArray]
"""What an outcome adds to a sum: term(n, log_mass, log_cdf, step), elementwise in the arrays.

An outcome of mass p and cumulative mass F, counted from the lowest reward, has log_mass = log p,
log_cdf = log F and step = log(F/(F-p)), +inf for the lowest outcome; n > 1.

`Policy` does not visit every outcome, and asks two things of a term. It is p times an analytic
function of p and F that varies no faster than F^n: it may double when F changes by F/n, and its
singularities in p are 2 pi F/n away or more, off the real axis. And outcomes whose F^(n-1) vanishes
in float64 may be merged into one. Where a term has a kink, as a minimum has, sum it over
`Policy.log_mass`, `Policy.log_cdf` and `Policy.log_step` instead.
"""


class ReferencePolicy(Protocol):
    """What the exact quantities ask of a policy: sums over its outcomes."""

    def sum_over_outcomes(self, term: Term, n: float, symmetric: bool = False) -> float:
        """Sum of `term` over the outcomes, at one n > 1.

        A symmetric term only changes its sign with p, at a fixed midpoint of [F-p, F]: so does any
        integral over the interval.
        """


class Policy:
    """A finite reference policy (paper, Section 2): one context, its outcomes and their rewards.

    Responses are sorted by reward and responses of equal reward are merged into one *outcome* (a
    tie class), whose mass is the sum of theirs: best-of-n with ties broken at random only depends
    on these masses (ours; Assumption 2.1 of the paper has finitely many outcomes and distinct
    rewards). Masses are normalised to sum to 1.

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
        responses = as_responses(log_prob, reward)
        log_mass, reward = _merge_ties(*_drop_impossible(*_sort_by_reward(*responses)))
        _normalise(log_mass)
        self.log_mass, self.reward = _read_only(log_mass), _read_only(reward)

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
        return _read_only(sum_before(self.mass))

    @cached_property
    def mass_above(self) -> FloatArray:
        """Mass strictly above each outcome in reward, accumulated from the top, shape (L,)."""
        return _read_only(sum_before(self.mass[::-1])[::-1])

    @property
    def log_cdf(self) -> FloatArray:
        """log F_i, F_i the mass at or below each outcome, shape (L,)."""
        return self._ends[0]

    @property
    def log_step(self) -> FloatArray:
        """log(F_i / F_{i-1}) > 0, shape (L,); +inf for the lowest outcome."""
        return self._ends[1]

    @cached_property
    def _ends(self) -> tuple[FloatArray, FloatArray]:
        log_cdf, step = log_cdf_and_step(self.log_mass, self.mass_below, self.mass_above)
        return _read_only(log_cdf), _read_only(step)

    def sum_over_outcomes(self, term: Term, n: float, symmetric: bool = False) -> float:
        """Sum of a `Term` over the outcomes, at one n > 1 (see `bonmeter.numerics.quadrature`)."""
        nodes = self._symmetric_nodes if symmetric else self._nodes
        first = int(np.searchsorted(nodes.group, _lowest_selected(n)))
        fields = nodes.log_mass, nodes.log_cdf, nodes.step
        sums = [
            float(np.sum(nodes.weight[c] * term(n, *(x[c] for x in fields))))
            for c in _chunks(first, nodes.weight.size)
        ]
        if nodes.before[first] > 0:
            merged = np.log(nodes.before[first]), nodes.group[first - 1], np.inf
            sums.append(float(term(n, *(np.array([x]) for x in merged))[0]))
        return math.fsum(sums)

    @cached_property
    def _symmetric_nodes(self) -> Nodes:
        return summarise(self.log_mass, symmetric=True)

    @cached_property
    def _nodes(self) -> Nodes:
        return summarise(self.log_mass, symmetric=False)

    def selected(self, n: float) -> slice:
        """The outcomes whose F^(n-1) does not vanish in float64: best-of-n selects no other.

        Args:
            n: a real number from 1 to 1e12.

        Examples:
            >>> Policy.from_probabilities([0.5, 0.5]).selected(1e4)
            slice(1, None, None)
        """
        return slice(int(np.searchsorted(self.log_cdf, _lowest_selected(n))), None)

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
        return _sum_exp(self.log_mass, 2.0)


def _lowest_selected(n: float) -> float:
    """The log F at which F^(n-1) vanishes."""
    return -VANISHED / (n - 1) if n > 1 else -np.inf


def as_responses(log_prob: ArrayLike, reward: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both as float64 vectors of equal length, of entries that a `Policy` accepts.

    Examples:
        >>> as_responses([0.0], [np.inf])
        Traceback (most recent call last):
        ValueError: reward[0] = inf: expected a finite reward
    """
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
    return log_prob, reward


def _chunks(start: int, stop: int) -> Iterator[slice]:
    return (slice(i, min(i + CHUNK, stop)) for i in range(start, stop, CHUNK))


def require_outcomes(policy: object) -> Policy:
    """`policy`, or a `ValueError` if it is not a `Policy`, with outcomes that can be listed.

    Examples:
        >>> require_outcomes([0.5, 0.5])
        Traceback (most recent call last):
        ValueError: policy is of type list: expected a Policy, outcome by outcome
    """
    if not isinstance(policy, Policy):
        raise ValueError(
            f"policy is of type {type(policy).__name__}: expected a Policy, outcome by outcome"
        )
    return policy


def _read_only(array: FloatArray) -> FloatArray:
    array.flags.writeable = False
    return array


# Below, arrays are changed in place or dropped as soon as possible, to hold few of them at a time.


def _sort_by_reward(log_prob: FloatArray, reward: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Copies in order of reward."""
    if np.all(reward[1:] >= reward[:-1]):
        return log_prob.copy(), reward.copy()
    return log_prob[np.argsort(reward, kind="stable")], np.sort(reward)


def _drop_impossible(log_mass: FloatArray, reward: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Without masses of 0; the others relative to the largest.

    It is subtracted before all else: at -1e6 a later subtraction would cost ten digits.
    """
    largest, smallest = log_mass.max(), log_mass.min()
    if largest == -np.inf:
        raise ValueError("log_prob is -inf everywhere: expected a response of positive probability")
    if smallest == -np.inf:
        possible = log_mass > -np.inf
        log_mass = log_mass[possible]
        reward = reward[possible]
    with np.errstate(over="ignore"):
        log_mass -= largest
        if smallest - largest < LOWEST:
            np.maximum(log_mass, LOWEST, out=log_mass)
    return log_mass, reward


def _merge_ties(log_mass: FloatArray, reward: FloatArray) -> tuple[FloatArray, FloatArray]:
    new = reward[1:] != reward[:-1]
    if new.all():
        return log_mass, reward
    start = np.flatnonzero(np.concatenate(([True], new)))
    size = start.size
    for c in _chunks(0, size):
        stop = int(start[c.stop]) if c.stop < size else reward.size
        ties, first = log_mass[start[c.start] : stop], start[c] - start[c.start]
        largest = np.maximum.reduceat(ties, first)
        ties -= np.repeat(largest, np.diff(first, append=ties.size))
        np.exp(ties, out=ties)
        log_mass[c] = largest + np.log(np.add.reduceat(ties, first))
        reward[c] = reward[start[c]]
    del start, new
    return log_mass[:size].copy(), reward[:size].copy()


def _normalise(log_mass: FloatArray) -> None:
    """Subtract the log of the total; a mass close to 1 by what it lacks: log(1-p) is right too."""
    top = int(np.argmax(log_mass))
    largest = float(np.exp(log_mass[top]))
    log_mass[top] = -np.inf
    rest = _sum_exp(log_mass)
    log_mass -= math.log(largest + rest)
    share = rest / (largest + rest)
    log_mass[top] = math.log1p(0.0 - share) if share < 0.5 else math.log(largest / (largest + rest))


def _sum_exp(values: FloatArray, factor: float = 1.0) -> float:
    return math.fsum(float(np.sum(np.exp(factor * values[c]))) for c in _chunks(0, values.size))
