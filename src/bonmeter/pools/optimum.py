"""What the KL-regularised optimum could have bought, from draws of the policy alone.

No policy within KL k of the reference has a higher mean reward than the tilt p e^(beta r)/E[e^(beta
r)] whose KL is k (Paes et al., *Theoretical limits of language model alignment*, 2026, from whom
the estimate from draws of the policy is); its mean reward is the least, over beta > 0, of

    (log E[e^(beta r)] + k) / beta                                    (Donsker and Varadhan),

so a beta that is a little off changes it to second order only, and log E[e^(beta r)] is all a pool
must tell: the logarithm of a mean over the candidates, corrected for its bias by the jackknife.
With large beta few candidates carry the tilt: `effective` says how many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.numerics.validation import FloatArray, as_real_array, reject_entries

__all__ = ["Tilt", "tilt", "tilt_kl", "tilt_with_kl"]

LARGEST_SHARE = 0.5
"""A candidate with more of the tilt than this cannot be left out: no correction of the bias."""
STEPS = 30
WIDEST = 1e6
"""The inverse temperature sought, times the spread of rewards, lies within this of 1."""


class Tilt(NamedTuple):
    """The policy tilted by e^(beta r), as a pool shows it; shape of the pools, then of beta."""

    log_moment: FloatArray
    """log E[e^(beta r)], corrected for its bias."""
    error: FloatArray
    """Its standard error (jackknife)."""
    value: FloatArray
    """Mean value under the tilt (self-normalised; biased by about 1/effective)."""
    kl: FloatArray
    """KL divergence of the tilt from the policy, in nats, at most log N (not corrected)."""
    effective: FloatArray
    """Number of candidates that carry the tilt, 1/sum of squared shares."""


def tilt(reward: ArrayLike, beta: ArrayLike, value: ArrayLike | None = None) -> Tilt:
    """The policy tilted towards reward, estimated from one prompt's pool of its draws.

    Args:
        reward: rewards of N independent candidates, shape (N,), or of several pools, (..., N).
        beta: inverse temperatures >= 0, in 1 over the unit of the reward, any shape.
        value: what a candidate is worth, same shape as `reward`; the reward itself if None.

    Returns:
        Arrays of the leading shape of `reward` followed by the shape of `beta`.

    Raises:
        ValueError: if an entry is not finite, a beta is negative, or shapes differ.

    Examples:
        >>> found = tilt([0.0, 1.0], np.log(3.0))  # shares 1/4 and 3/4
        >>> float(found.value.round(12)), float(found.effective.round(12))
        (0.75, 1.6)
        >>> float(tilt([0.0, 1.0, 5.0], 0.0).kl)
        0.0
    """
    rewards = _finite("reward", reward)
    values = rewards if value is None else _finite("value", value)
    if values.shape != rewards.shape:
        raise ValueError(
            f"value has shape {values.shape}: expected that of reward, {rewards.shape}"
        )
    betas = as_real_array("beta", beta)
    reject_entries("beta", betas, ~((betas >= 0) & np.isfinite(betas)), "a finite number >= 0")
    flat, worth = (x.reshape(-1, x.shape[-1]) for x in (rewards, values))
    columns = [_tilt(flat, worth, b) for b in betas.ravel().tolist()]
    shape = rewards.shape[:-1] + betas.shape
    return Tilt(*(np.stack(c, axis=-1).reshape(shape)[()] for c in zip(*columns, strict=True)))


def tilt_with_kl(
    mean_kl: Callable[[FloatArray], FloatArray], kl: ArrayLike, spread: float
) -> FloatArray:
    """Inverse temperatures at which a mean of `Tilt.kl` over prompts has given values.

    Args:
        mean_kl: the mean KL at given inverse temperatures, increasing.
        kl: KL divergences aimed at, in nats, >= 0, shape (m,).
        spread: of the rewards, which sets the scale; above 0.

    Returns:
        Shape (m,): 0 for a KL of 0, nan where the KL is out of reach of these pools.

    Examples:
        >>> pool = np.array([[0.0, 1.0]])
        >>> beta = tilt_with_kl(lambda beta: tilt_kl(pool, beta)[0], [0.130812035941137], 1.0)
        >>> np.exp(beta).round(6).tolist()
        [3.0]
    """
    target = as_real_array("kl", kl)
    low, high = np.full((2, target.size), 1 / WIDEST) * [[1 / spread], [WIDEST**2 / spread]]
    reached = mean_kl(high) >= target
    for _ in range(STEPS):
        middle = np.sqrt(low * high)
        short = mean_kl(middle) < target
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where(target > 0, np.where(reached, np.sqrt(low * high), np.nan), 0.0)


def tilt_kl(reward: FloatArray, beta: FloatArray) -> FloatArray:
    """`Tilt.kl` alone, of pools of shape (pools, N): shape (pools, number of betas).

    Examples:
        >>> tilt_kl(np.array([[0.0, 1.0]]), np.log([1.0, 3.0])).round(12).tolist()
        [[0.0, 0.130812035941]]
    """
    return np.stack([_shares(reward, b)[1] for b in beta.tolist()], axis=-1)


def _shares(reward: FloatArray, beta: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Shares of the candidates in the tilt, its KL, and the logarithm of the mean of e^(beta r)."""
    top = reward.max(axis=-1, keepdims=True)
    share = np.exp(beta * (reward - top))
    total = share.sum(axis=-1, keepdims=True)
    share /= total
    log_moment = beta * top[:, 0] + np.log(total[:, 0] / reward.shape[-1])
    kl = beta * np.einsum("pi,pi->p", share, reward) - log_moment
    return share, np.maximum(kl, 0.0), log_moment


def _tilt(reward: FloatArray, value: FloatArray, beta: float) -> tuple[FloatArray, ...]:
    """One inverse temperature; arrays of shape (pools,)."""
    size = reward.shape[-1]
    share, kl, log_moment = _shares(reward, beta)
    # log moments without each candidate, beside that of all
    kept = np.log1p(-1 / size) if size > 1 else 0.0
    without = np.log1p(-np.minimum(share, LARGEST_SHARE)) - kept
    mean = without.mean(axis=-1)
    error = np.sqrt((size - 1) * np.mean((without - mean[:, None]) ** 2, axis=-1))
    corrected = np.where(share.max(axis=-1) < LARGEST_SHARE, (size - 1) * mean, 0.0)
    effective = 1 / (share**2).sum(axis=-1)
    return log_moment - corrected, error, (share * value).sum(axis=-1), kl, effective


def _finite(name: str, values: ArrayLike) -> FloatArray:
    array = as_real_array(name, values)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected at least one candidate")
    reject_entries(name, array, ~np.isfinite(array), f"a finite {name}")
    return array
