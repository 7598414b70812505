"""What each n costs and buys: on average over the prompts, and prompt by prompt."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bonmeter.numerics.validation import as_integer_n
from bonmeter.pools.estimate import Interval
from bonmeter.pools.intervals import Each
from bonmeter.pools.prompts import over_prompts
from bonmeter.pools.reliability import ThinPoolWarning, is_reliable
from bonmeter.runs.candidates import Candidates, Facts, IndexArray, as_candidates
from bonmeter.runs.parts import alike, gathered, told
from bonmeter.runs.quantities import (
    QUANTITIES,
    Quantity,
    Settings,
    available,
    intervals_of,
    recorded,
)

__all__ = [
    "as_n",
    "chosen",
    "mean_of",
    "notes",
    "per_prompt",
    "summarise",
    "thin_prompts",
    "warn_of_thin",
]

LARGEST = 10**7
"""Candidates that a pool can have (`bonmeter.best_of_n_weights`)."""

POWERS = 2 ** np.arange(LARGEST.bit_length(), dtype=np.intp)


def summarise(
    candidates: pd.DataFrame | Iterable[pd.DataFrame],
    n: ArrayLike | None = None,
    *,
    level: float = 0.95,
    quantities: Sequence[str] | None = None,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
    each: Each = map,
) -> pd.DataFrame:
    """What best-of-n costs and buys, on average over the prompts, with intervals.

    Args:
        candidates: one row for each candidate (the columns of `bonmeter.runs`); or several such
            tables, each with all candidates of its prompts, of which one at a time is in memory
            (`bonmeter.logs.grouped.read_grouped`).
        n: whole numbers from 1 to the largest pool; powers of two up to the median pool if None.
        level: coverage of the intervals, strictly between 0 and 1.
        quantities: names among `bonmeter.runs.QUANTITIES`; all that can be told if None.
        method: of the KL (`bonmeter.estimate_kl`); if None, "rank-corrected" for prompts with
            log-probabilities and "rank-only" for others.
        precision: largest error of a log-probability, in nats (`bonmeter.estimate_kl`).
        missing_reward: reward of candidates without one; left out if None.
        each: how parts of the work are done (`bonmeter.kl_interval`); the result is the same.

    Returns:
        A row for each n and quantity (the columns of `bonmeter.runs`), smallest n first. Intervals
        are those of `bonmeter.pools.prompts.over_prompts`, clustered by prompt.

    Raises:
        ValueError: naming column and row where the candidates are not what they are to be, or the
            argument.

    Warns:
        ThinPoolWarning: an n that was asked for exceeds a tenth of a pool.

    Examples:
        >>> rewards = {"a": [0, 0, 1, 1], "b": [1, 0, 0, 0], "c": [0, 0, 0, 0]}
        >>> rows = [{"prompt": p, "reward": r} for p, pool in rewards.items() for r in pool]
        >>> table = summarise(pd.DataFrame(rows), quantities=["pass_rate"])
        >>> table[["n", "estimate", "prompts"]].round(4).values.tolist()
        [[1.0, 0.25, 3.0], [2.0, 0.4444, 3.0], [4.0, 0.6667, 3.0]]
    """
    settings = Settings(level, method, precision, each).checked()
    asked = POWERS if n is None else np.unique(as_integer_n(n, LARGEST))
    pools = _pools(candidates, n, quantities, missing_reward)
    facts, found = gathered(pools, asked, quantities, settings)
    names, order = chosen(facts, quantities), as_n(facts, n)
    columns = np.searchsorted(asked, order)
    tables = [
        _row_for_each_n(name, facts, order, Interval(*(x[:, columns] for x in found[name])), level)
        for name in names
    ]
    if n is not None:
        warn_of_thin(facts, order)
    return _sorted(tables, names)


def per_prompt(
    candidates: pd.DataFrame,
    n: ArrayLike | None = None,
    *,
    level: float = 0.95,
    quantities: Sequence[str] | None = None,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
    each: Each = map,
) -> pd.DataFrame:
    """What best-of-n costs and buys, prompt by prompt, with intervals from each pool alone.

    Args:
        candidates: as for `summarise`.
        n: as for `summarise`.
        level: as for `summarise`.
        quantities: as for `summarise`.
        method: as for `summarise`.
        precision: as for `summarise`.
        missing_reward: as for `summarise`.
        each: as for `summarise`.

    Returns:
        A row for each prompt, n and quantity that its pool can tell (the columns of
        `bonmeter.runs`): prompts in order of first appearance, then n, then quantities.

    Raises:
        ValueError: as `summarise`.

    Warns:
        ThinPoolWarning: as `summarise`.

    Examples:
        >>> rows = {"prompt": ["a"] * 3 + ["b"], "reward": [0.0, 1.0, 5.0, 7.0]}
        >>> with warnings.catch_warnings(category=ThinPoolWarning, action="ignore"):
        ...     table = per_prompt(pd.DataFrame(rows), 1, quantities=["reward"])
        >>> table[["prompt", "n", "estimate", "candidates"]].round(9).values.tolist()
        [['a', 1, 2.0, 3], ['b', 1, 7.0, 1]]
    """
    pools = as_candidates(candidates, missing_reward)
    names, order = chosen(pools, quantities), as_n(pools, n)
    settings = Settings(level, method, precision, each).checked()
    tables = [_row_for_each_prompt(name, pools, order, settings) for name in names]
    if n is not None:
        warn_of_thin(pools, order)
    return _sorted(tables, names, pools.prompt)


def as_n(candidates: Facts, n: ArrayLike | None) -> IndexArray:
    """The n asked for, rising and once each; powers of two up to the median pool if None.

    Examples:
        >>> run = as_candidates(pd.DataFrame({"prompt": 1, "reward": range(5)}))
        >>> as_n(run, None).tolist(), as_n(run, [3, 1, 3]).tolist()
        ([1, 2, 4], [1, 3])
    """
    if n is None:
        median = int(np.median(candidates.size[candidates.size > 0]))
        return 2 ** np.arange(median.bit_length(), dtype=np.intp)
    return np.unique(as_integer_n(n, int(candidates.size.max())))


def chosen(candidates: Facts, quantities: Sequence[str] | None) -> tuple[str, ...]:
    """The quantities asked for, or all that can be told, in their order.

    Examples:
        >>> run = as_candidates(pd.DataFrame({"prompt": 1, "reward": range(5)}))
        >>> chosen(run, ["reward", "kl"])
        ('kl', 'reward')
    """
    known = available(candidates)
    if quantities is None:
        return known
    if isinstance(quantities, str) or not quantities:
        raise ValueError(
            f"quantities = {quantities!r}: expected a list of names among {', '.join(known)}"
        )
    for name in quantities:
        if name not in known:
            raise ValueError(
                f"quantities: {name!r} cannot be told from these candidates: expected names among "
                + ", ".join(known)
            )
    return tuple(name for name in known if name in quantities)


def mean_of(
    quantity: Quantity,
    candidates: Candidates,
    n: IndexArray,
    settings: Settings,
) -> Interval:
    """Mean over prompts for each n.

    The prompts' own intervals are needed where their estimates may all be off alike (KL and win
    rate, whose bounds are met by pools without ties), or where their spread tells nothing.

    Examples:
        >>> run = as_candidates(pd.DataFrame({"prompt": [1, 1, 2, 2], "reward": [0, 1, 2, 5]}))
        >>> mean_of(QUANTITIES["reward"], run, np.array([1, 2]), Settings()).estimate.tolist()
        [2.0, 3.0]
    """
    return _mean(quantity, candidates, n, told(quantity, candidates, n, settings), settings.level)


def _mean(
    quantity: Quantity, facts: Facts, n: IndexArray, found: Interval, level: float
) -> Interval:
    if quantity.estimate is not None:
        silent = alike(found.estimate)
        ends = (np.where(silent, end, np.nan) for end in found[1:])
        found = Interval(found.estimate, *ends)
    return over_prompts(
        found,
        weight=facts.weight,
        bounds=quantity.bounds(n) if quantity.bounds else (-np.inf, np.inf),
        proportion=quantity.chance(facts),
        level=level,
    )


def warn_of_thin(candidates: Facts, n: IndexArray) -> None:
    """Issue a `ThinPoolWarning` if an n exceeds a tenth of a pool.

    Examples:
        >>> run = as_candidates(pd.DataFrame({"prompt": 1, "reward": range(15)}))
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     warn_of_thin(run, np.array([1, 2]))
        >>> str(caught[0].message)[:50]
        'from n = 2 on, n exceeds a tenth of the candidates'
    """
    thin = thin_prompts(candidates, n)
    if thin.any():
        first = n[thin.any(axis=0)][0]
        warnings.warn(
            f"from n = {first} on, n exceeds a tenth of the candidates of {thin.any(axis=1).sum()} "
            f"of {len(thin)} prompts: see the columns reliable and note",
            ThinPoolWarning,
            stacklevel=3,
        )


def notes(size: int, *texts: tuple[str, ArrayLike]) -> list[str]:
    """Notes on `size` rows: each text where its number is not 0, `{k}` standing for that number.

    Examples:
        >>> notes(2, ("{k} too small", [0, 3]), ("from ranks", True))
        ['from ranks', '3 too small; from ranks']
    """
    columns = [
        [text.format(k=k) if k else "" for k in np.broadcast_to(number, size).tolist()]
        for text, number in texts
    ]
    return ["; ".join(filter(None, row)) for row in zip(*columns, strict=True)]


def thin_prompts(candidates: Facts, n: IndexArray) -> NDArray[np.bool_]:
    """Whether pools that hold n candidates hold less than ten times as many, (prompts, n).

    Examples:
        >>> run = as_candidates(pd.DataFrame({"prompt": 1, "reward": range(15)}))
        >>> thin_prompts(run, np.array([1, 2, 16])).tolist()
        [[False, True, False]]
    """
    size = candidates.size[:, None]
    return np.asarray((size >= n) & ~is_reliable(size, n))


def _pools(
    tables: pd.DataFrame | Iterable[pd.DataFrame],
    n: ArrayLike | None,
    quantities: Sequence[str] | None,
    missing_reward: float | None,
) -> Iterable[Candidates]:
    """Of one table what it cannot tell is said before the work; of several it is known after."""
    if isinstance(tables, Iterable) and not isinstance(tables, pd.DataFrame):
        return map(partial(as_candidates, missing_reward=missing_reward), tables)
    pools = as_candidates(tables, missing_reward)
    chosen(pools, quantities)
    as_n(pools, n)
    return [pools]


def _row_for_each_n(
    name: str, candidates: Facts, n: IndexArray, found: Interval, level: float
) -> pd.DataFrame:
    quantity = QUANTITIES[name]
    mean = _mean(quantity, candidates, n, found, level)
    known, total = recorded(quantity, candidates), len(candidates.prompt)
    says = known[:, None] & (candidates.size[:, None] >= n + quantity.spare)
    ranks = int((~candidates.has("log_prob")).sum()) if name == "kl" else 0
    missing = int(candidates.missing.sum()) if quantity.from_pool else 0
    thin = (says & thin_prompts(candidates, n)).sum(axis=0) * quantity.from_pool
    prompts = says.sum(axis=0)
    return pd.DataFrame(
        {
            "n": n,
            "quantity": name,
            "estimate": mean.estimate,
            "lower": mean.lower,
            "upper": mean.upper,
            "df": np.where(mean.lower == mean.upper, np.inf, mean.df),
            "prompts": prompts,
            "reliable": thin == 0,
            "note": notes(
                n.size,
                (f"{{k}} of {total} prompts without {quantity.needs}", total - known.sum()),
                (f"{{k}} of {total} prompts with too few candidates", known.sum() - prompts),
                (f"n exceeds a tenth of the candidates of {{k}} of {total} prompts", thin),
                (f"from ranks alone for {{k}} of {total} prompts", ranks),
                ("{k} candidates without reward left out", missing),
                (
                    "one prompt: the interval is that of its pool",
                    (prompts == 1) & quantity.from_pool,
                ),
                ("nothing tells the error", (prompts > 0) & np.isnan(mean.lower)),
            ),
        }
    )


def _row_for_each_prompt(
    name: str, candidates: Candidates, n: IndexArray, settings: Settings
) -> pd.DataFrame:
    quantity = QUANTITIES[name]
    found = intervals_of(quantity, candidates, n, settings)
    prompt, column = np.nonzero(~np.isnan(found.estimate))
    thin = thin_prompts(candidates, n)[prompt, column] & quantity.from_pool
    missing = candidates.missing[prompt] * quantity.from_pool
    ranks = ~candidates.has("log_prob")[prompt] & (name == "kl")
    return pd.DataFrame(
        {
            "prompt": candidates.prompt[prompt],
            "n": n[column],
            "quantity": name,
            "estimate": found.estimate[prompt, column],
            "lower": found.lower[prompt, column],
            "upper": found.upper[prompt, column],
            "df": found.df[prompt, column],
            "candidates": candidates.size[prompt],
            "reliable": ~thin,
            "note": notes(
                prompt.size,
                ("n exceeds a tenth of the candidates", thin),
                ("from ranks alone", ranks),
                ("{k} candidates without reward left out", missing),
                ("nothing tells the error", np.isnan(found.lower)[prompt, column]),
            ),
        }
    )


def _sorted(
    tables: Sequence[pd.DataFrame], names: Sequence[str], prompts: pd.Index | None = None
) -> pd.DataFrame:
    """All rows by prompt, then n, then quantity."""
    table = pd.concat(tables, ignore_index=True)
    keys = [table["quantity"].map({name: k for k, name in enumerate(names)}), table["n"]]
    if prompts is not None:
        keys.append(table["prompt"].map({prompt: k for k, prompt in enumerate(prompts)}))
    return table.iloc[np.lexsort(keys)].reset_index(drop=True)
