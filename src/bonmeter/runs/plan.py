"""Which n a target needs, how many candidates an interval needs, and the price of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.estimate import Interval
from bonmeter.pools.planning import (
    candidates_for_pass_rate,
    draws_for_length,
    first_reached,
    first_reached_by_halves,
    prompts_for_length,
)
from bonmeter.pools.reliability import CANDIDATES_PER_DRAW, is_reliable
from bonmeter.runs.candidates import Candidates, IndexArray, as_candidates
from bonmeter.runs.quantities import QUANTITIES, Quantity, Settings, estimates_of, intervals_of
from bonmeter.runs.summary import as_n, chosen, mean_of, notes

__all__ = ["plan", "pool_size"]


def plan(
    candidates: pd.DataFrame,
    targets: Mapping[str, float],
    *,
    level: float = 0.95,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
) -> pd.DataFrame:
    """The smallest n whose mean over prompts reaches a target, with an interval and its price.

    The interval holds every n that the data do not exclude: from the first n whose upper end
    reaches the target to the first whose lower end does. Prompts with fewer candidates than the
    median pool are left out, so that every n is judged on the same prompts. A budget of KL is kept
    by every n below the one that reaches it.

    Args:
        candidates: one row for each candidate (the columns of `bonmeter.runs`).
        targets: quantity -> value to be reached, such as {"win_rate": 0.9, "kl": 3.0}.
        level: as for `bonmeter.runs.summarise`.
        method: as for `bonmeter.runs.summarise`.
        precision: as for `bonmeter.runs.summarise`.
        missing_reward: as for `bonmeter.runs.summarise`.

    Returns:
        A row for each target: `quantity`, `target`, `n`, `n_lower`, `n_upper` (missing where not
        reached within the pools: nothing is extrapolated), the `estimate` at n, the price for one
        prompt in `draws` and `tokens`, `prompts`, `reliable`, `note`.

    Raises:
        ValueError: as `bonmeter.runs.summarise`, or if a target is not finite.

    Examples:
        >>> frame = pd.DataFrame({"prompt": np.repeat([1, 2], 100), "reward": range(200)})
        >>> plan(frame, {"win_rate": 0.8})[["n", "n_lower", "n_upper"]].values.tolist()
        [[4, 4, 5]]
    """
    pools = as_candidates(candidates, missing_reward)
    median = int(np.median(pools.size[pools.size > 0]))
    run = pools.restricted(pools.size >= median)
    chosen(run, list(targets))
    settings = Settings(level, method, precision).checked()
    rows = [_reach(name, float(x), run, median, settings) for name, x in targets.items()]
    left_out = len(pools.prompt) - len(run.prompt)
    table = pd.DataFrame(rows)
    table[["n", "n_lower", "n_upper"]] = table[["n", "n_lower", "n_upper"]].astype("Int64")
    table["prompts"] = len(run.prompt)
    table["reliable"] = [pd.notna(n) and bool(is_reliable(median, n)) for n in table["n"]]
    table["note"] = notes(
        len(table),
        (f"not reached within {median} candidates", table["n"].isna()),
        (f"may need more than {median} candidates", table["n_upper"].isna() & table["n"].notna()),
        ("n exceeds a tenth of the candidates", table["n"].notna() & ~table["reliable"]),
        (f"{{k}} prompts with fewer than {median} candidates left out", left_out),
    )
    return table


def pool_size(
    candidates: pd.DataFrame,
    n: ArrayLike,
    width: float,
    *,
    quantities: Sequence[str],
    level: float = 0.95,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
) -> pd.DataFrame:
    """How many candidates of a prompt, or how many prompts, an interval of given width needs.

    Of one prompt's pool: the median over prompts, never below 10 n. Of the mean over prompts: with
    pools as they are. Widths fall like one over the square root of the number, by which the present
    ones are scaled (a first-order rule); those of pass rates are worked out.

    Args:
        candidates: one row for each candidate (the columns of `bonmeter.runs`).
        n: as for `bonmeter.runs.summarise`.
        width: of the interval, upper minus lower end, above 0, in the unit of the quantity.
        quantities: names among `bonmeter.runs.QUANTITIES`.
        level: as for `bonmeter.runs.summarise`.
        method: as for `bonmeter.runs.summarise`.
        precision: as for `bonmeter.runs.summarise`.
        missing_reward: as for `bonmeter.runs.summarise`.

    Returns:
        A row for each n and quantity: `n`, `quantity`, `width`, `width_pool` (the present median
        width of one prompt), `candidates` (needed for one prompt), `tokens` (of those),
        `width_mean` (the present one of the mean), `prompts` (needed for the mean), `draws` (of
        these prompts with pools of the present median size), `note`.

    Raises:
        ValueError: as `bonmeter.runs.summarise`, or if `width` is not above 0.

    Examples:
        >>> frame = pd.DataFrame({"prompt": np.repeat([1, 2], 10), "reward": [0, 1] * 10})
        >>> pool_size(frame, [1], 0.1, quantities=["pass_rate"])["candidates"].tolist()
        [402.0]
    """
    run = as_candidates(candidates, missing_reward)
    order, names = as_n(run, n), chosen(run, quantities)
    settings = Settings(level, method, precision).checked()
    tables = [_sizes(name, run, order, width, settings) for name in names]
    return pd.concat(tables, ignore_index=True)


def _reach(
    name: str, target: float, run: Candidates, largest: int, settings: Settings
) -> dict[str, object]:
    """The row of one target."""
    if not np.isfinite(target):
        raise ValueError(f"targets[{name!r}] = {target!r}: expected a finite number")
    quantity = QUANTITIES[name]
    largest -= quantity.spare
    search = _by_halves if quantity.estimate is None else _by_all
    found = search(quantity, target, run, largest, settings)
    n = found["n"]
    tokens = _mean_tokens(run)
    return {
        "quantity": name,
        "target": target,
        **found,
        "draws": np.nan if n is None else float(n),
        "tokens": np.nan if n is None else n * tokens,
    }


def _by_all(
    quantity: Quantity,
    target: float,
    run: Candidates,
    largest: int,
    settings: Settings,
) -> dict[str, float | None]:
    """Every n at once, for estimates that are cheap and may fall again (gold reward)."""
    found = mean_of(quantity, run, np.arange(1, largest + 1), settings)
    ends = zip(("n", "n_lower", "n_upper"), (found.estimate, found.upper, found.lower), strict=True)
    places = {name: first_reached(end, target) for name, end in ends}
    n = places["n"]
    at = {name: None if k is None else k + 1 for name, k in places.items()}
    return at | {"estimate": np.nan if n is None else float(found.estimate[n])}


def _by_halves(
    quantity: Quantity,
    target: float,
    run: Candidates,
    largest: int,
    settings: Settings,
) -> dict[str, float | None]:
    """Bisection, for quantities that rise with n."""
    ends = ("estimate", "upper", "lower")

    def curve(n: IndexArray) -> FloatArray:
        distinct, where = np.unique(n, return_inverse=True)
        found = mean_of(quantity, run, distinct, settings)
        return np.array([getattr(found, x)[k] for x, k in zip(ends, where, strict=True)])

    places = first_reached_by_halves(curve, np.full(3, target), largest).tolist()
    n, *others = (None if k > largest else k for k in places)
    at = np.nan if n is None else float(curve(np.full(3, n))[0])
    return {"n": n, "n_lower": others[0], "n_upper": others[1], "estimate": at}


def _mean_tokens(run: Candidates) -> float:
    """Mean number of tokens of a response; nan if no prompt records them."""
    means = [p.tokens.mean() for p in run.pools if p.tokens is not None]
    sizes = [p.tokens.size for p in run.pools if p.tokens is not None]
    return float(np.average(means, weights=sizes)) if means else np.nan


def _sizes(
    name: str, run: Candidates, n: IndexArray, width: float, settings: Settings
) -> pd.DataFrame:
    quantity = QUANTITIES[name]
    own = intervals_of(quantity, run, n, settings)
    mean = mean_of(quantity, run, n, settings)
    needed = _candidates_needed(name, run, own, n, width, settings.level)
    candidates = np.maximum(_median(needed), CANDIDATES_PER_DRAW * n)
    told = (~np.isnan(own.estimate)).sum(axis=0).tolist()
    present = mean.upper - mean.lower
    prompts = np.array(
        [
            prompts_for_length(p, x, width, level=settings.level)
            for p, x in zip(told, present.tolist(), strict=True)
        ]
    )
    return pd.DataFrame(
        {
            "n": n,
            "quantity": name,
            "width": width,
            "width_pool": _median(own.upper - own.lower),
            "candidates": candidates,
            "tokens": candidates * _mean_tokens(run),
            "width_mean": present,
            "prompts": prompts,
            "draws": prompts * np.median(run.size),
            "note": notes(n.size, ("nothing tells the error", np.isnan(candidates))),
        }
    )


def _candidates_needed(
    name: str, run: Candidates, own: Interval, n: IndexArray, width: float, level: float
) -> FloatArray:
    """For each prompt and n."""
    if name not in ("pass_rate", "gold_pass_rate"):
        return draws_for_length(run.size[:, None], own.upper - own.lower, width)
    one = estimates_of(QUANTITIES[name], run, np.array([1])).estimate[:, 0].tolist()
    needed = {
        rate: [candidates_for_pass_rate(rate, k, width, level=level) for k in n.tolist()]
        for rate in set(one)
        if not np.isnan(rate)
    }
    return np.array([needed.get(rate, [np.nan] * n.size) for rate in one])


def _median(values: FloatArray) -> FloatArray:
    """Over prompts, of those that are known; nan where none is."""
    known = np.where(np.isnan(values), np.inf, values)
    count = (~np.isnan(values)).sum(axis=0)
    ordered = np.sort(known, axis=0)
    middle = ordered[np.maximum(count - 1, 0) // 2, np.arange(values.shape[1])]
    return np.where(count > 0, middle, np.nan)
