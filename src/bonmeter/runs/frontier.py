"""Reward against KL: what best-of-n reached, and what the KL-regularised optimum could have."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.estimate import Interval
from bonmeter.pools.optimum import tilt, tilt_kl, tilt_with_kl
from bonmeter.pools.prompts import over_prompts, paired_difference
from bonmeter.pools.reliability import CANDIDATES_PER_DRAW
from bonmeter.runs.candidates import Candidates, as_candidates
from bonmeter.runs.quantities import QUANTITIES, Settings, intervals_of
from bonmeter.runs.summary import as_n, notes, thin_prompts, warn_of_thin

__all__ = ["frontier"]


def frontier(
    candidates: pd.DataFrame,
    n: ArrayLike | None = None,
    *,
    level: float = 0.95,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
) -> pd.DataFrame:
    """Mean reward against mean KL: of best-of-n, and of the optimum at the KL of each n.

    The optimum is the policy p e^(beta r)/E[e^(beta r)] of each prompt, with one beta for all of
    them, whose mean KL is that of best-of-n: no policy of that mean KL has more reward. It is
    estimated from the same candidates (`bonmeter.pools.optimum`); with few of them carrying the
    tilt (`effective`, the least over prompts, below 10) the estimate is too low, and marked.

    Args:
        candidates: one row for each candidate (the columns of `bonmeter.runs`).
        n: as for `bonmeter.runs.summarise`.
        level: as for `bonmeter.runs.summarise`.
        method: as for `bonmeter.runs.summarise`.
        precision: as for `bonmeter.runs.summarise`.
        missing_reward: as for `bonmeter.runs.summarise`.

    Returns:
        Three rows for each n, `curve` "best-of-n", "optimum" and "shortfall" (the optimum minus
        best-of-n, prompt by prompt), with the columns `curve`, `n`, `kl`, `kl_lower`, `kl_upper`,
        `estimate`, `lower`, `upper` (of the mean reward), `df`, `temperature` (1/beta, in units of
        reward), `effective`, `prompts`, `reliable`, `note`.

    Raises:
        ValueError: as `bonmeter.runs.summarise`.

    Warns:
        ThinPoolWarning: as `bonmeter.runs.summarise`.

    Examples:
        >>> rewards = np.random.default_rng(0).normal(size=(3, 200))
        >>> frame = pd.DataFrame({"prompt": np.repeat([1, 2, 3], 200), "reward": rewards.ravel()})
        >>> table = frontier(frame, [4])
        >>> table[["curve", "kl", "estimate"]].round(2).values.tolist()[:2]
        [['best-of-n', 0.64, 1.0], ['optimum', 0.64, 1.08]]
    """
    pools = as_candidates(candidates, missing_reward)
    order = as_n(pools, n)
    settings = Settings(level, method, precision).checked()
    columns = [intervals_of(QUANTITIES[name], pools, order, settings) for name in ("kl", "reward")]
    tables = []
    for k, size in enumerate(order.tolist()):
        there = pools.size >= size
        kl, reward = (Interval(*(x[there, k] for x in found)) for found in columns)
        tables.append(_at(pools.restricted(there), size, kl, reward, level))
    if n is not None:
        warn_of_thin(pools, order)
    return pd.concat(tables, ignore_index=True)


def _at(run: Candidates, n: int, kl: Interval, reward: Interval, level: float) -> pd.DataFrame:
    """The rows of one n, from the KL and the reward of best-of-n on each prompt."""
    mean_kl = over_prompts(kl, weight=run.weight, bounds=(0.0, analytical_kl(n)), level=level)
    beta = _beta(run, float(mean_kl.estimate))
    best, effective = _optimum(run, beta, kl, level)
    if len(run.prompt) > 1:  # their spread tells the error
        reward, best = _spread_alone(reward), _spread_alone(best)
    curves = {
        "best-of-n": over_prompts(reward, weight=run.weight, level=level),
        "optimum": over_prompts(best, weight=run.weight, level=level),
        "shortfall": paired_difference(reward, best, weight=run.weight, level=level),
    }
    thin = int(thin_prompts(run, np.array([n])).sum())
    few = np.array([False, True, True]) & (not effective >= CANDIDATES_PER_DRAW)
    table = pd.DataFrame([x._asdict() for x in curves.values()])
    return pd.DataFrame(
        {
            "curve": list(curves),
            "n": n,
            "kl": mean_kl.estimate,
            "kl_lower": mean_kl.lower,
            "kl_upper": mean_kl.upper,
            "estimate": table["estimate"],
            "lower": table["lower"],
            "upper": table["upper"],
            "df": table["df"],
            "temperature": 1 / beta if beta > 0 else np.inf,
            "effective": effective,
            "prompts": len(run.prompt),
            "reliable": (thin == 0) & ~few,
            "note": notes(
                3,
                (
                    f"n exceeds a tenth of the candidates of {{k}} of {len(run.prompt)} prompts",
                    thin,
                ),
                ("few candidates carry the optimum: it may be higher", few),
                ("no tilt of these candidates has this KL", np.isnan(beta) & few),
            ),
        }
    )


def _spread_alone(x: Interval) -> Interval:
    unknown = np.full_like(x.estimate, np.nan)
    return Interval(x.estimate, unknown, unknown, unknown)


def _beta(run: Candidates, kl: float) -> float:
    """The inverse temperature at which the tilts have this mean KL."""
    weight = np.ones(len(run.prompt)) if run.weight is None else run.weight
    share = weight / weight.sum()
    spread = np.sqrt(sum(share[p.at] @ p.reward.var(axis=-1) for p in run.pools))

    def mean_kl(beta: FloatArray) -> FloatArray:
        return np.asarray(sum(share[p.at] @ tilt_kl(p.reward, beta) for p in run.pools))

    return float(tilt_with_kl(mean_kl, [kl], spread)[0]) if spread > 0 else 0.0


def _optimum(run: Candidates, beta: float, kl: Interval, level: float) -> tuple[Interval, float]:
    """What each prompt adds to the mean reward of the optimum, (log E[e^(beta r)] + KL)/beta."""
    from scipy.special import stdtrit

    found, effective = np.full((4, len(run.prompt)), np.nan), np.inf
    for p in run.pools:
        if not beta > 0:
            value = p.reward.mean(axis=-1) if beta == 0 else np.full(p.at.size, np.nan)
            found[:, p.at] = value
            continue
        at = tilt(p.reward, beta)
        half = stdtrit(max(p.size - 1, 1), 0.5 + 0.5 * level) * at.error
        value = (at.log_moment + kl.estimate[p.at]) / beta
        down = np.hypot(half, kl.estimate[p.at] - kl.lower[p.at]) / beta
        up = np.hypot(half, kl.upper[p.at] - kl.estimate[p.at]) / beta
        found[:, p.at] = value, value - down, value + up, np.full(value.shape, p.size - 1.0)
        effective = min(effective, float(at.effective.min()))
    return Interval(*found), effective
