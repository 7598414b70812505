"""All that a report tells, as tables: computed once, shown and written from here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bonmeter.pools.estimate import Interval
from bonmeter.pools.intervals import Each
from bonmeter.pools.prompts import over_prompts
from bonmeter.pools.reliability import ThinPoolWarning
from bonmeter.runs.candidates import Candidates, IndexArray, as_candidates
from bonmeter.runs.diagnose import diagnose
from bonmeter.runs.frontier import frontier
from bonmeter.runs.quantities import QUANTITIES, estimates_of
from bonmeter.runs.summary import per_prompt, summarise

__all__ = ["TABLES", "USUAL_N", "Findings", "find", "headline", "spaced"]

USUAL_N = 64
"""The n that a page speaks of first, if the pools are large enough for it."""
SHOWN_N = 14
"""So many n at most are drawn and listed; the table of all n has every one."""
WORTH = ("gold_reward", "pass_rate", "reward")
"""What best-of-n is judged by: the first that is there."""


class Findings(NamedTuple):
    """The tables of a report and what they are about."""

    summary: pd.DataFrame
    """`bonmeter.runs.summarise`, every n."""
    steps: pd.DataFrame
    """What each step from one n to the next adds, paired by prompt."""
    frontier: pd.DataFrame
    """`bonmeter.runs.frontier`, the n that are shown."""
    per_prompt: pd.DataFrame
    """`bonmeter.runs.per_prompt` at the headline n."""
    diagnostics: pd.DataFrame
    """`bonmeter.runs.diagnose`."""
    pools: pd.DataFrame
    """`prompt`, `candidates` with a reward, `missing` without, `ranks`: whether they give KL."""
    n: int
    """The headline n."""
    shown: tuple[int, ...]
    """The n that are drawn and listed."""
    level: float
    worth: str
    """The quantity that best-of-n is judged by."""
    weighted: bool
    """Whether prompts have weights."""
    asked: dict[str, Any]
    """`level`, `method`, `precision` and `missing_reward`, as they were given."""


TABLES = ("summary", "steps", "frontier", "per_prompt", "diagnostics")
"""Fields of `Findings` that are written as CSV files, by their name."""


def find(
    candidates: pd.DataFrame,
    n: ArrayLike | None = None,
    *,
    level: float = 0.95,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
    each: Each = map,
) -> Findings:
    """Everything a report tells about a run.

    Args:
        candidates: one row for each candidate (the columns of `bonmeter.runs`).
        n: as for `bonmeter.runs.summarise`; 1 is always among them, to compare with.
        level: as for `bonmeter.runs.summarise`.
        method: as for `bonmeter.runs.summarise`.
        precision: as for `bonmeter.runs.summarise`.
        missing_reward: as for `bonmeter.runs.summarise`.
        each: as for `bonmeter.runs.summarise`.

    Raises:
        ValueError: as `bonmeter.runs.summarise`.

    Examples:
        >>> frame = pd.DataFrame({"prompt": np.repeat([1, 2], 40), "reward": np.arange(80.0)})
        >>> found = find(frame)
        >>> found.n, found.shown, found.worth
        (4, (1, 2, 4, 8, 16, 32), 'reward')
    """
    pools = as_candidates(candidates, missing_reward)
    settings: dict[str, Any] = {"level": level, "method": method, "precision": precision}
    settings["missing_reward"] = missing_reward
    with warnings.catch_warnings(category=ThinPoolWarning, action="ignore"):  # the page marks them
        summary = summarise(
            candidates, None if n is None else np.union1d(1, n), each=each, **settings
        )
        every = summary["n"].unique().tolist()
        chief, few = headline(summary), spaced(every, SHOWN_N)
        shown = tuple(sorted({*few, chief, *({USUAL_N} & set(every))}))
        worth = next(name for name in WORTH if name in set(summary["quantity"]))
        return Findings(
            summary=summary,
            steps=_steps(pools, summary, shown, worth, level),
            frontier=frontier(candidates, shown, **settings).astype({"reliable": bool}),
            per_prompt=per_prompt(candidates, [chief], **settings),
            diagnostics=diagnose(candidates, missing_reward=missing_reward),
            pools=_pools(pools, method),
            n=chief,
            shown=shown,
            level=level,
            worth=worth,
            weighted=pools.weight is not None,
            asked=settings,
        )


def headline(summary: pd.DataFrame) -> int:
    """The n that a page speaks of first: 64 if it is reliable, else the largest that is.

    Where none beyond 1 is, the least beyond 1; and 1 where there is no other.

    Examples:
        >>> kl = pd.DataFrame({"quantity": "kl", "n": [1, 2, 4], "reliable": [True, True, False]})
        >>> headline(kl), headline(kl.assign(reliable=False))
        (2, 2)
    """
    kl = summary[summary["quantity"] == "kl"]
    reliable = kl.loc[kl["reliable"] & (kl["n"] > 1), "n"].tolist()
    if reliable:
        return USUAL_N if USUAL_N in reliable else int(max(reliable))
    return int(kl.loc[kl["n"] > 1, "n"].min()) if kl["n"].max() > 1 else 1


def spaced(values: Sequence[int], most: int) -> list[int]:
    """At most so many of rising values, about evenly spaced on a log scale, both ends among them.

    Examples:
        >>> spaced([1, 2, 4, 8], 10), spaced(range(1, 101), 5)
        ([1, 2, 4, 8], [1, 3, 10, 32, 100])
    """
    if len(values) <= most:
        return [int(v) for v in values]
    wanted = np.geomspace(values[0], values[-1], most)
    nearest = np.abs(np.log(values)[:, None] - np.log(wanted)).argmin(axis=0)
    return [int(values[k]) for k in np.unique(nearest)]


def _steps(
    pools: Candidates, summary: pd.DataFrame, shown: tuple[int, ...], worth: str, level: float
) -> pd.DataFrame:
    """Gain of each step between successive n, over the prompts that have both."""
    order = np.array(shown, dtype=np.intp)
    added = _added(pools, order, worth, level)
    mean = {q: summary[summary["quantity"] == q].set_index("n")["estimate"] for q in ("kl", worth)}
    chief = headline(summary)
    whole = mean[worth][chief] - mean[worth][1]
    reached = mean[worth][order[1:]].to_numpy() - mean[worth][1]
    return pd.DataFrame(
        {
            "n_from": order[:-1],
            "n": order[1:],
            "quantity": worth,
            "estimate": added.estimate,
            "lower": added.lower,
            "upper": added.upper,
            "kl": np.diff(mean["kl"][order]),
            "share": reached / whole if whole else np.full(len(reached), np.nan),
        }
    )


def _added(pools: Candidates, order: IndexArray, worth: str, level: float) -> Interval:
    """Mean over prompts of what each step adds, with intervals from the spread of prompts."""
    values = estimates_of(QUANTITIES[worth], pools, order).estimate
    step = np.diff(values, axis=1)
    none = np.full(step.shape, np.nan)
    return over_prompts(Interval(step, none, none, none), weight=pools.weight, level=level)


def _pools(pools: Candidates, method: str | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prompt": pools.prompt,
            "candidates": pools.size,
            "missing": pools.missing,
            "ranks": ~pools.has("log_prob") | (method == "rank-only"),
        }
    )
