"""How two runs on the same prompts differ: at equal n, or where they cost the same KL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.estimate import Interval
from bonmeter.pools.planning import first_reached_by_halves
from bonmeter.pools.prompts import difference_at_equal_kl, over_prompts, paired_difference
from bonmeter.runs.candidates import Candidates, IndexArray, as_candidates
from bonmeter.runs.parts import alike
from bonmeter.runs.quantities import QUANTITIES, Settings, intervals_of, recorded
from bonmeter.runs.summary import as_n, chosen, notes, thin_prompts, warn_of_thin

__all__ = ["compare"]

NOT_COMPARED = ("kl_formula", "draws")
"""The same in every run."""


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    n: ArrayLike | None = None,
    *,
    at: str = "n",
    level: float = 0.95,
    quantities: Sequence[str] | None = None,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
) -> pd.DataFrame:
    """The second run minus the first on the prompts that both have, with intervals.

    Prompts pair the runs: their differences are averaged, and their spread is the error
    (`bonmeter.pools.prompts.paired_difference`). At equal KL, each n of the first run has the mean
    KL it has there, and the second is read off where its mean KL is the same, interpolated
    linearly in KL between two successive n (`bonmeter.pools.prompts.difference_at_equal_kl`).

    Args:
        first: candidates of one run (the columns of `bonmeter.runs`).
        second: candidates of the other; prompts that only one run has are left out.
        n: as for `bonmeter.runs.summarise`, within both runs; of the first at equal KL.
        at: "n" or "kl", what is equal.
        level: as for `bonmeter.runs.summarise`.
        quantities: names that both runs can tell; all of them if None. At equal KL those are left
            out that some prompt cannot tell.
        method: as for `bonmeter.runs.summarise`.
        precision: as for `bonmeter.runs.summarise`.
        missing_reward: as for `bonmeter.runs.summarise`.

    Returns:
        A row for each n and quantity: `n`, `quantity`, the means `first` and `second`, `estimate`
        (second minus first), `lower`, `upper`, `df`, `prompts`, `reliable`, `note`. At equal KL,
        also `kl`, that of the first run at n, and `n_second`, where the second has it.

    Raises:
        ValueError: as `bonmeter.runs.summarise`, if the runs have no prompt in common, or at equal
            KL fewer than two.

    Warns:
        ThinPoolWarning: as `bonmeter.runs.summarise`.

    Examples:
        >>> a = pd.DataFrame({"prompt": [1, 1, 2, 2, 3, 3], "reward": [0, 1, 2, 4, 1, 2]})
        >>> table = compare(a, a.assign(reward=a["reward"] + 0.5), quantities=["reward"])
        >>> table[["n", "first", "second", "estimate"]].round(6).values.tolist()[0]
        [1.0, 1.666667, 2.166667, 0.5]
    """
    if at not in ("n", "kl"):
        raise ValueError(f"at = {at!r}: expected 'n' or 'kl'")
    runs = _paired(first, second, missing_reward)
    names = [name for name in _both(runs, quantities) if name not in NOT_COMPARED]
    order = _order(runs, n)
    settings = Settings(level, method, precision).checked()
    if at == "n":
        tables = [_at_equal_n(name, runs, order, settings) for name in names]
    else:
        tables = _at_equal_kl(_told_by_all(runs, names), runs, order, settings)
    if n is not None:
        for run in runs[:2]:
            warn_of_thin(run, order[order <= run.size.max()])
    rank = {name: k for k, name in enumerate(names)}
    table = pd.concat(tables, ignore_index=True)
    return table.iloc[np.lexsort([table["quantity"].map(rank), table["n"]])].reset_index(drop=True)


class _Runs(NamedTuple):
    """Two runs, the prompts of both in the order of the first."""

    first: Candidates
    second: Candidates
    of_second: IndexArray
    """Where each prompt of the first run is in the second."""
    alone: int
    """Prompts that only one run has."""


def _paired(first: pd.DataFrame, second: pd.DataFrame, missing_reward: float | None) -> _Runs:
    whole = [as_candidates(frame, missing_reward) for frame in (first, second)]
    a, b = (run.prompt[run.size > 0] for run in whole)
    common = a[a.isin(b)]
    if common.empty:
        raise ValueError("second: expected a prompt that first has too")
    runs = [run.restricted(run.prompt.isin(common)) for run in whole]
    of_second = runs[1].prompt.get_indexer(runs[0].prompt)
    _reject_other_weights(runs[0], runs[1], of_second)
    return _Runs(runs[0], runs[1], of_second, len(a) + len(b) - 2 * len(common))


def _reject_other_weights(first: Candidates, second: Candidates, of_second: IndexArray) -> None:
    if first.weight is None and second.weight is None:
        return
    if first.weight is None or second.weight is None:
        raise ValueError("weight: one run has it, expected the same weights in both or none")
    other = second.weight[of_second]
    if (first.weight != other).any():
        at = int(np.argmax(first.weight != other))
        raise ValueError(
            f"weight: prompt {first.prompt[at]!r:.200} has {float(first.weight[at])!r} in the "
            f"first run and {float(other[at])!r} in the second, expected the same"
        )


def _both(runs: _Runs, quantities: Sequence[str] | None) -> tuple[str, ...]:
    if quantities is not None:
        asked = chosen(runs.first, quantities)
        chosen(runs.second, quantities)  # refuses what the second run cannot tell
        return asked
    known = chosen(runs.second, None)
    return tuple(name for name in chosen(runs.first, None) if name in known)


def _told_by_all(runs: _Runs, names: Sequence[str]) -> list[str]:
    """Quantities besides the KL that every prompt can tell in both runs."""
    told = [
        name
        for name in names
        if name != "kl"
        and all(recorded(QUANTITIES[name], run).all() for run in (runs.first, runs.second))
    ]
    if not told:
        raise ValueError("quantities: expected one besides kl that every prompt can tell")
    return told


def _order(runs: _Runs, n: ArrayLike | None) -> IndexArray:
    first, second = (as_n(run, n) for run in (runs.first, runs.second))
    return np.intersect1d(first, second)


def _columns(
    runs: _Runs,
    name: str,
    n: IndexArray,
    settings: Settings,
    n_second: IndexArray | None = None,
) -> tuple[Interval, Interval]:
    """Estimates for each prompt and n, prompts in the order of the first run.

    With the same n in both, those that only one run can tell are nan in both.
    """
    quantity = QUANTITIES[name]
    first = intervals_of(quantity, runs.first, n, settings)
    second = intervals_of(quantity, runs.second, n if n_second is None else n_second, settings)
    second = Interval(*(column[runs.of_second] for column in second))
    if n_second is not None:
        return first, second
    there = ~np.isnan(first.estimate + second.estimate)
    one, two = ([np.where(there, x, np.nan) for x in run] for run in (first, second))
    return Interval(*one), Interval(*two)


def _at_equal_n(name: str, runs: _Runs, order: IndexArray, settings: Settings) -> pd.DataFrame:
    first, second = _columns(runs, name, order, settings)
    quantity = QUANTITIES[name]
    chance = quantity.chance(runs.first) and quantity.chance(runs.second)
    weight = runs.first.weight
    if quantity.estimate is not None:  # the prompts' spread tells all, unless there is none
        silent = alike(second.estimate - first.estimate)
        first, second = (
            x._replace(
                lower=np.where(silent, x.lower, np.nan), upper=np.where(silent, x.upper, np.nan)
            )
            for x in (first, second)
        )
    found = paired_difference(first, second, weight=weight, proportion=chance, level=settings.level)
    mean = over_prompts(first, weight=weight, level=settings.level).estimate
    return _table(name, runs, order, found, mean, ~np.isnan(first.estimate))


def _at_equal_kl(
    names: Sequence[str], runs: _Runs, order: IndexArray, settings: Settings
) -> list[pd.DataFrame]:
    if len(runs.first.prompt) < 2:
        raise ValueError("first: expected at least two prompts in common to compare at equal KL")
    sizes = [int(run.size.min()) for run in runs[:2]]
    order = order[order <= sizes[0]]
    weight = np.ones(len(runs.first.prompt)) if runs.first.weight is None else runs.first.weight
    share = weight / weight.sum()

    known: dict[int, FloatArray] = {}

    def kl_of_second(n: IndexArray) -> FloatArray:
        new = np.array(sorted(set(n.tolist()) - set(known)), dtype=np.intp)
        if new.size:
            found = intervals_of(QUANTITIES["kl"], runs.second, new, settings)
            known.update(zip(new.tolist(), found.estimate[runs.of_second].T, strict=True))
        return np.stack([known[k] for k in n.tolist()], axis=-1)

    kl = intervals_of(QUANTITIES["kl"], runs.first, order, settings).estimate
    grid = _around(share @ kl, lambda n: np.asarray(share @ kl_of_second(n)), sizes[1])
    kl_second = kl_of_second(grid)
    tables = []
    for name in names:
        keep, within = (
            x + QUANTITIES[name].spare <= size for x, size in zip((order, grid), sizes, strict=True)
        )
        n, of = order[keep], grid[within]
        value, worth = _columns(runs, name, n, settings, of)
        found = difference_at_equal_kl(
            (kl[:, keep], value.estimate),
            (kl_second[:, within], worth.estimate),
            weight=weight,
            level=settings.level,
        )
        there = np.broadcast_to(~np.isnan(found.position), value.estimate.shape)
        place = np.interp(found.position, np.arange(of.size), of)
        table = _table(name, runs, n, found.difference, share @ value.estimate, there)
        tables.append(table.assign(kl=share @ kl[:, keep], n_second=place))
    return tables


def _around(target: FloatArray, kl: Callable[[IndexArray], FloatArray], largest: int) -> IndexArray:
    """The n just below and just above where a mean KL that rises with n reaches each target."""
    beyond = first_reached_by_halves(kl, target * (1 + 1e-12) + 1e-12, largest)
    below = np.clip(beyond - 1, 1, None)
    return np.unique([below, np.minimum(below + 1, largest)]).astype(np.intp)


def _table(
    name: str,
    runs: _Runs,
    n: IndexArray,
    found: Interval,
    mean: FloatArray,
    there: NDArray[np.bool_],
) -> pd.DataFrame:
    """Rows of one quantity, for the prompts that are there, (prompts, n)."""
    prompts = there.sum(axis=0)
    either = thin_prompts(runs.first, n) | thin_prompts(runs.second, n)[runs.of_second]
    thin = (there & either).sum(axis=0) * QUANTITIES[name].from_pool
    ranks = sum((~run.has("log_prob")).sum() for run in runs[:2]) if name == "kl" else 0
    return pd.DataFrame(
        {
            "n": n,
            "quantity": name,
            "first": mean,
            "second": mean + found.estimate,
            "estimate": found.estimate,
            "lower": found.lower,
            "upper": found.upper,
            "df": found.df,
            "prompts": prompts,
            "reliable": thin == 0,
            "note": notes(
                n.size,
                ("{k} prompts that only one run has left out", runs.alone),
                ("n exceeds a tenth of the candidates of {k} prompts", thin),
                ("from ranks alone for {k} pools", ranks),
                ("one prompt: the interval is that of its pools", prompts == 1),
                ("out of reach of the second run", prompts == 0),
                ("nothing tells the error", (prompts > 0) & np.isnan(found.lower)),
            ),
        }
    )
