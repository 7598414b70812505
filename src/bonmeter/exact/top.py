"""The KL of best-of-n from the likeliest responses alone: a bracket that holds for every n.

With the log-likelihood as reward, best-of-n hardly sees unlikely responses. Where every response of
probability tau or more is listed, the rest lies below them in reward and has no outcome above tau,
so its part of the KL gap is nearly 0. With other rewards the listed responses give a lower bound.
Derivations: docs/theory.md.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.kernels import normalised_gap
from bonmeter.numerics.validation import FloatArray, as_n, as_number, as_real_vector, reject_entries

__all__ = ["Block", "Bracket", "TopPolicy", "kl_bracket", "kl_lower_bound"]

SUM_TOLERANCE = 1e-9
"""Probabilities that sum to more than 1 by more than this are not those of a policy."""


class Bracket(NamedTuple):
    """Two ends that hold a value."""

    lower: FloatArray
    upper: FloatArray


class Block(NamedTuple):
    """Listed responses next to each other in reward, in an order that is not known."""

    log_prob: tuple[float, ...]
    known: bool
    """Whether it is one outcome, a response or a tie class, rather than possibly several."""


class TopPolicy:
    """The likeliest responses of a policy, whose reward is the log-likelihood (ours).

    Args:
        log_prob: natural log-probabilities of listed responses, shape (K,), any order.
        log_threshold: tau: every response of at least this log-probability is listed, and no other.
        log_largest_left_out: log-mass of the largest tie class left out, `log_threshold` if not
            given: responses of equal likelihood are tied, and those left out are taken to have
            different ones, or to be told apart by a fixed order.
        error: the log-probability of each response, listed or not, may be off by so much, in nats.

    Raises:
        ValueError: if a log-probability is below `log_threshold` or above 0, the probabilities sum
            to more than 1 whatever the errors, `log_threshold` is not below 0 or `error` is not a
            finite number >= 0.

    Examples:
        >>> top = TopPolicy(np.log([0.2, 0.1]), log_threshold=np.log(0.01))
        >>> round(top.mass, 12), top.log_largest_left_out == top.log_threshold
        (0.3, True)
    """

    def __init__(
        self,
        log_prob: ArrayLike,
        log_threshold: float,
        *,
        log_largest_left_out: float | None = None,
        error: float = 0.0,
    ) -> None:
        log_threshold = as_number("log_threshold", log_threshold)
        error = as_number("error", error)
        if log_largest_left_out is None:
            log_largest_left_out = log_threshold
        if not log_threshold <= 0:
            raise ValueError(f"log_threshold = {log_threshold!r}: expected a logarithm, at most 0")
        if not 0 <= error < np.inf:
            raise ValueError(f"error = {error!r}: expected a finite number >= 0")
        listed = _as_vector("log_prob", log_prob)
        expected = f"a log-probability from the threshold, {log_threshold!r}, to 0"
        reject_entries("log_prob", listed, ~((listed >= log_threshold) & (listed <= 0)), expected)
        self.mass = float(np.exp(listed).sum())
        if self.mass * np.exp(-error) > 1 + SUM_TOLERANCE:
            raise ValueError(
                f"log_prob: the probabilities sum to {self.mass!r}: expected at most 1"
            )
        self.log_prob = np.sort(listed)[::-1]
        self.log_threshold, self.error = log_threshold, error
        self.log_largest_left_out = as_number("log_largest_left_out", log_largest_left_out)

    @property
    def blocks(self) -> list[Block]:
        """The listed responses that surely lie above all others, likeliest first.

        Responses whose log-probabilities differ by at most twice the error may be in any order.
        Those so near to the threshold may lie below one that is left out: they count as such.
        """
        above = self.log_prob[self.log_prob >= self.log_threshold + 2 * self._slack].tolist()
        near = [x - y <= 2 * self._slack for x, y in pairwise(above)]
        starts = [i for i in range(len(above)) if i == 0 or not near[i - 1]]
        groups = [tuple(above[i:j]) for i, j in pairwise([*starts, len(above)])]
        return [Block(group, len(group) == 1 or self.error == 0) for group in groups]

    @property
    def log_largest_below(self) -> float:
        """Log-mass of the largest outcome below the blocks, at most."""
        return max(self.log_largest_left_out + self._slack, self.log_threshold + 3 * self._slack)

    @property
    def _slack(self) -> float:
        """The error, and the rounding of a difference of two log-probabilities."""
        return self.error * (1 + 1e-9)


def kl_bracket(top: TopPolicy, n: ArrayLike) -> Bracket:
    """KL divergence of best-of-n from the policy, in nats, between two proved ends (ours).

    The gap to the analytical formula is a sum over outcomes. The terms of the blocks are known up
    to the errors; the rest, of mass R and outcomes of at most tau, has a gap from 0 to the least of
    R^n times the formula, tau n R^(n-1)/6 (square-root bound) and (2 tau)^n times the formula plus
    tau^2 n (n-1)^2/24 times the integral of u^(n-3) from tau to R (sharp gap bound).

    Up to rounding, about 1e-13; `bonmeter.certified.top.certify_kl_bracket` rounds outward. Proof:
    docs/theory.md#bracket-from-the-likeliest-responses.

    Args:
        top: the listed responses.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Lower and upper end, each of the shape of `n`.

    Raises:
        ValueError: if an n is anything else.

    Examples:
        >>> top = TopPolicy(np.log([0.5, 0.25]), log_threshold=np.log(0.25))
        >>> bracket = kl_bracket(top, [2.0, 100.0])  # the rest may be 1/4 or any smaller parts
        >>> bracket.lower.round(4).tolist(), bracket.upper.round(4).tolist()
        ([0.1635, 0.6931], [0.1756, 0.6931])
    """
    order, masses = as_n(n), _masses(top)
    ends = [_bracket(masses, float(k)) for k in order.ravel()]
    lower, upper = np.reshape(ends, (-1, 2)).T.reshape(2, *order.shape)
    return Bracket(lower[()], upper[()])


def kl_lower_bound(top: TopPolicy, reward: ArrayLike, n: ArrayLike) -> FloatArray:
    """Proved lower bound on the KL of best-of-n with any reward, from the listed responses (ours).

    The KL is at least that of the event that the reward is t or more, for any t. Its mass lies
    between that of the listed responses in it and 1 minus that of the others; and the KL of an
    event rises, then falls with its mass: the least is at an end. Up to rounding.

    Args:
        top: the listed responses, none of which may be missing.
        reward: of each, in the order of `top.log_prob`, likeliest first; those left out may have
            any.
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Shape of `n`, in nats, >= 0.

    Raises:
        ValueError: if `reward` does not have one finite number for each response, or an n is
            anything else.

    Examples:
        >>> top = TopPolicy(np.log([0.5, 0.3]), log_threshold=np.log(0.3))
        >>> kl_lower_bound(top, [0.0, 1.0], [1, 2]).round(4).tolist()  # events of 0.3 to 0.5
        [0.0, 0.0958]
    """
    order = as_n(n)
    rewards = _as_vector("reward", reward)
    if rewards.size != top.log_prob.size:
        raise ValueError(f"reward has {rewards.size} entries: expected {top.log_prob.size}")
    reject_entries("reward", rewards, ~np.isfinite(rewards), "a finite number")
    mass = np.exp(top.log_prob - top.error)
    bound = np.zeros(order.shape)
    for t in np.unique(rewards):
        least, others = mass[rewards >= t].sum(), mass[rewards < t].sum()
        ends = (_event_kl(float(x), order) for x in (least, 1 - others))
        bound = np.maximum(bound, np.minimum(*ends))
    return np.asarray(bound)[()]


def _event_kl(mass: float, n: FloatArray) -> FloatArray:
    """KL of best-of-n when only an event of this mass, the best, is told from the rest."""
    if not 0 < mass < 1:
        return np.zeros(n.shape)
    log_rest = float(np.log1p(-mass))
    hit = -np.expm1(n * log_rest)
    return np.asarray(hit * np.log(hit / mass) + np.exp(n * log_rest) * (n - 1) * log_rest)


class _Masses(NamedTuple):
    """What of the bracket does not depend on n; the blocks' masses and those above them."""

    low: FloatArray
    high: FloatArray
    above: FloatArray
    above_far: FloatArray
    known: NDArray[np.bool_]
    rest: float
    """Most mass below the blocks."""
    tau: float
    """Of the largest outcome there, at most."""


def _masses(top: TopPolicy) -> _Masses:
    blocks = top.blocks
    mass = np.array([np.exp(block.log_prob).sum() for block in blocks])
    low = mass * np.exp(-top.error)
    above = np.cumsum(low) - low
    high = np.minimum(mass * np.exp(top.error), 1 - above)
    above_far = np.minimum(np.cumsum(high) - high, np.maximum(1 - low, 0.0))
    known = np.array([block.known for block in blocks], dtype=np.bool_)
    rest = max(1 - float(low.sum()), 0.0)
    return _Masses(
        low, high, above, above_far, known, rest, np.exp(min(top.log_largest_below, 0.0))
    )


def _bracket(m: _Masses, n: float) -> tuple[float, float]:
    if n == 1:
        return 0.0, 0.0
    formula = float(analytical_kl(n))
    # the share of the draws falls with the mass above, the normalised gap rises
    most = _share(n, m.above, m.high) * normalised_gap(n, _step(m.above_far, m.high))
    least = _share(n, m.above_far, m.low) * normalised_gap(n, _step(m.above, m.low))
    upper = max(formula - float(np.sum(least[m.known])), 0.0)
    lower = formula - float(np.sum(most)) - _gap_below(m, n, formula)
    return min(max(lower, 0.0), upper), upper


def _gap_below(m: _Masses, n: float, formula: float) -> float:
    """The most that the outcomes below the blocks can contribute to the gap."""
    rest, tau = m.rest, m.tau
    bounds = [rest**n * formula, tau * n * rest ** (n - 1) / 6]
    if rest > tau:
        power = n - 2
        log_ratio = np.log(rest / tau)
        area = -(rest**power) * np.expm1(-power * log_ratio) / power if power else log_ratio
        first = min(2 * tau, rest) ** n * formula
        bounds.append(first + tau**2 * n * (n - 1) ** 2 * area / 24)
    return float(min(bounds))


def _share(n: float, above: FloatArray, mass: FloatArray) -> FloatArray:
    """Probability that the best of n draws lies in intervals of these masses."""
    with np.errstate(divide="ignore"):
        log_rest = np.log1p(-np.minimum(above, 1.0))
    return np.asarray(np.exp(n * log_rest) * -np.expm1(-n * _step(above, mass)))


def _step(above: FloatArray, mass: FloatArray) -> FloatArray:
    rest = np.maximum(1 - above, 0.0)
    share = np.divide(mass, rest, out=np.ones_like(mass), where=rest > 0)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log1p(-np.minimum(share, 1.0)))


def _as_vector(name: str, values: ArrayLike) -> FloatArray:
    """Real numbers, of which there may be none."""
    try:
        empty = np.size(values) == 0
    except ValueError:  # ragged, or bytes that are no text: said below
        empty = False
    return np.empty(0) if empty else as_real_vector(name, values)
