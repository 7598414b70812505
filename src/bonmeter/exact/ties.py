"""What it costs to forget ties: the paper's Assumption 2.1 has distinct rewards (ours).

With ties broken at random, best-of-n only depends on the masses of the tie classes. Taking every
response for an outcome of its own, or its probability for the mass of its class, gives more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.exact.estimator import kl_estimator
from bonmeter.exact.values import exact_kl, pmf
from bonmeter.numerics.validation import FloatArray, as_n
from bonmeter.policies.listed import Policy, as_responses

__all__ = ["expected_estimator_of_responses", "kl_as_if_distinct"]


def kl_as_if_distinct(log_prob: ArrayLike, reward: ArrayLike, n: ArrayLike) -> FloatArray:
    """The KL of best-of-n if tied responses were ranked by their position in the list, in nats.

    Ours: docs/theory.md#other-tie-rules.

    Args:
        log_prob: natural log-probability of each response, shape (R,).
        reward: reward of each response, shape (R,).
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`; never below the `exact_kl` of the same responses (data processing).

    Raises:
        ValueError: as `bonmeter.policies.listed.Policy`, or if an n is not a real number from 1 to
            1e12.

    Examples:
        >>> log_prob, reward = np.log([0.25, 0.25, 0.5]), [0.0, 0.0, 1.0]
        >>> merged, distinct = (
        ...     exact_kl(Policy(log_prob, reward), 2), kl_as_if_distinct(log_prob, reward, 2)
        ... )
        >>> round(float(merged), 4), round(float(distinct), 4)
        (0.1308, 0.1635)
    """
    log_prob, reward = as_responses(log_prob, reward)
    order = np.argsort(reward, kind="stable")
    distinct = Policy(log_prob[order], np.arange(order.size))
    return exact_kl(distinct, n)


def expected_estimator_of_responses(
    log_prob: ArrayLike, reward: ArrayLike, n: ArrayLike
) -> FloatArray:
    """Mean of the paper's estimator (Eq. 25) fed with the probability of the selected response.

    The mass of its tie class gives the smaller `bonmeter.exact.estimator.expected_kl_estimator`;
    both are upper bounds on the KL.

    Ours: docs/theory.md#other-tie-rules.

    Args:
        log_prob: natural log-probability of each response, shape (R,).
        reward: reward of each response, shape (R,).
        n: real numbers from 1 to 1e12, any shape.

    Returns:
        Same shape as `n`, in nats.

    Raises:
        ValueError: as `bonmeter.policies.listed.Policy`, or if an n is not a real number from 1 to
            1e12.

    Examples:
        >>> log_prob, reward = np.log([0.25, 0.25, 0.25, 0.25]), [0.0, 0.0, 1.0, 1.0]
        >>> round(float(expected_estimator_of_responses(log_prob, reward, 2)), 12) == round(
        ...     float(kl_estimator(np.log(0.25), 2)), 12)
        True
    """
    n = as_n(n)
    policy = Policy(log_prob, reward)
    outcome, response, mass = _distinct_pairs(policy, log_prob, reward)

    def mean(n: float) -> float:
        at = policy.selected(n)
        pi = pmf(n, policy.log_mass[at], policy.log_cdf[at], policy.log_step[at])
        of = slice(int(np.searchsorted(outcome, at.start)), None)
        estimates = kl_estimator(response[of], n)
        return float(np.sum(pi[outcome[of] - at.start] * mass[of] * estimates))

    return np.array([mean(each) for each in n.ravel().tolist()]).reshape(n.shape)[()]


def _distinct_pairs(
    policy: Policy, log_prob: ArrayLike, reward: ArrayLike
) -> tuple[np.ndarray, FloatArray, FloatArray]:
    """Outcome, log-probability and share of the outcome's mass, by distinct pairs of the former."""
    log_prob = np.asarray(log_prob, dtype=np.float64)
    outcome = np.searchsorted(policy.reward, np.asarray(reward, dtype=np.float64))
    possible = log_prob > -np.inf
    log_prob, outcome = log_prob[possible], outcome[possible]
    order = np.lexsort((log_prob, outcome))
    log_prob, outcome = log_prob[order], outcome[order]
    new = np.append(True, (np.diff(log_prob) != 0) | (np.diff(outcome) != 0))
    first = np.flatnonzero(new)
    count = np.diff(np.append(first, log_prob.size))
    total = np.logaddexp.reduce(log_prob)
    response = log_prob[first] - total
    share = count * np.exp(response - policy.log_mass[outcome[first]])
    return outcome[first], np.minimum(response, 0.0), share
