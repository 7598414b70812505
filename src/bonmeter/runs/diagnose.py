"""What in a table of candidates may mislead: ties, duplicates, log-probabilities, gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from bonmeter.pools.arguments import TIED_ULPS
from bonmeter.pools.reliability import CANDIDATES_PER_DRAW
from bonmeter.runs.candidates import Candidates, as_candidates

__all__ = ["diagnose"]

ULPS = 64
"""Rewards closer than so many units in the last place are likely the same."""
SIGNIFICANT = 1e-6
"""A response drawn so often has at most this chance, after correction for all responses."""
OVERFULL = 1e-2
"""Distinct responses whose probabilities sum to more than 1 by this are not all whole, or right."""
SPREAD = 1e-2
"""Log-probabilities of one response that differ by more, in nats, are not just rounding of
float32."""


class Finding(NamedTuple):
    """One row of `diagnose`."""

    check: str
    status: str
    """One of "ok", "note" (worth knowing) and "warning" (numbers may be wrong)."""
    value: float
    prompts: int
    """Prompts concerned."""
    detail: str


def diagnose(candidates: pd.DataFrame, *, missing_reward: float | None = None) -> pd.DataFrame:
    """What in a table of candidates may mislead, one row for each check.

    Args:
        candidates: one row for each candidate (the columns of `bonmeter.runs`).
        missing_reward: as for `bonmeter.runs.summarise`.

    Returns:
        The columns `check`, `status` ("ok", "note" or "warning"), `value` (what the detail says),
        `prompts` (how many are concerned) and `detail`, in plain words. Checks that need a column
        that is not there are left out.

    Raises:
        ValueError: as `bonmeter.runs.summarise`.

    Examples:
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.3, 0.3 + 1e-15, 1.0, 1.0]})
        >>> table = diagnose(frame)
        >>> table.loc[table["status"] == "warning", ["check", "value"]].values.tolist()
        [['near ties', 1.0]]
    """
    pools = as_candidates(candidates, missing_reward)
    table = _long(pools)
    found = [x for check in _CHECKS for x in check(pools, table)]
    return pd.DataFrame(found, columns=list(Finding._fields))


def _long(candidates: Candidates) -> pd.DataFrame:
    """The candidates that count, one row each, prompts by number; responses only where all have."""
    rows = [
        pd.DataFrame(
            {
                "prompt": np.repeat(p.at, p.size),
                "reward": p.reward.ravel(),
                **{
                    name: column.ravel().astype(np.intp if name == "response" else np.float64)
                    for name in ("log_prob", "response", "gold_reward", "tokens")
                    if (column := getattr(p, name)) is not None
                },
            }
        )
        for p in candidates.pools
    ]
    return pd.concat(rows, ignore_index=True)


def _finding(
    check: str, bad: bool, status: str, value: float, prompts: int, detail: str
) -> Finding:
    return Finding(check, status if bad else "ok", float(value), int(prompts), detail)


def _sizes(c: Candidates, table: pd.DataFrame) -> Iterator[Finding]:
    least, median, most = np.quantile(c.size[c.size > 0], [0, 0.5, 1]).astype(int).tolist()
    ragged = least != most
    detail = f"{len(c.prompt)} prompts with {least} to {most} candidates, {median} in the median"
    yield _finding("pool sizes", ragged, "note", median, (c.size != median).sum(), detail)
    reach = max(least // CANDIDATES_PER_DRAW, 1)
    detail = f"ten candidates for each of n draws up to n = {reach}, in the smallest pool"
    small = int((c.size < 2 * CANDIDATES_PER_DRAW).sum())
    yield _finding("largest reliable n", small > 0, "note", reach, small, detail)


def _missing(c: Candidates, table: pd.DataFrame) -> Iterator[Finding]:
    number = int(c.missing.sum())
    prompts = int((c.missing > 0).sum())
    yield _finding(
        "missing rewards",
        number > 0,
        "warning",
        number,
        prompts,
        f"{number} candidates without a reward are left out, {int((c.size == 0).sum())} prompts "
        "have no other",
    )
    for name, lost in (("log_prob", "KL from ranks alone"), ("gold_reward", "no gold values")):
        without = int((~c.has(name) & (c.size > 0)).sum())
        partly = 0 < without < len(c.prompt)
        if name == "log_prob" or partly:
            yield _finding(
                name,
                without > 0,
                "warning" if partly else "note",
                without,
                without,
                f"{without} of {len(c.prompt)} prompts without {name}: {lost} for them",
            )


def _ties(c: Candidates, table: pd.DataFrame) -> Iterator[Finding]:
    tied = table.duplicated(["prompt", "reward"], keep=False)
    prompts = table.loc[tied, "prompt"].nunique()
    yield _finding(
        "ties",
        bool(tied.any()),
        "note",
        tied.mean(),
        prompts,
        f"{tied.mean():.1%} of the candidates tie with another in reward",
    )
    kinds = table.groupby("prompt")["reward"].nunique()
    constant = int((kinds == 1).sum())
    yield _finding(
        "constant rewards",
        constant > 0,
        "note",
        constant,
        constant,
        f"{constant} prompts whose candidates all have the same reward: nothing to select by",
    )
    ordered = table.sort_values(["prompt", "reward"])
    step = ordered["reward"].diff().to_numpy()
    same = (ordered["prompt"].diff() == 0).to_numpy()
    ulp = np.finfo(np.float64).eps * np.abs(ordered["reward"].to_numpy())
    near = same & (step > TIED_ULPS * ulp) & (step <= ULPS * ulp)
    yield _finding(
        "near ties",
        bool(near.any()),
        "warning",
        near.sum(),
        ordered["prompt"][near].nunique(),
        f"{int(near.sum())} rewards differ from another by rounding only: not taken as ties",
    )


def _duplicates(c: Candidates, table: pd.DataFrame) -> Iterator[Finding]:
    if "response" not in table:
        return
    named = table.dropna(subset="response")
    by = named.groupby(["prompt", "response"])
    again = named.duplicated(["prompt", "response"])
    yield _finding(
        "duplicates",
        bool(again.any()),
        "note",
        again.mean(),
        named.loc[again, "prompt"].nunique(),
        f"{again.mean():.1%} of the candidates repeat a response of their prompt",
    )
    for column, most in (("reward", 0.0), ("log_prob", SPREAD)):
        if column in named:
            spread = by[column].max() - by[column].min()
            differ = spread > most
            yield _finding(
                f"{column} of duplicates",
                bool(differ.any()),
                "warning",
                spread.max(),
                spread[differ].index.get_level_values("prompt").nunique(),
                f"{int(differ.sum())} responses have several values of {column}, up to "
                f"{spread.max():.3g} apart",
            )


def _masses(c: Candidates, table: pd.DataFrame) -> Iterator[Finding]:
    if "log_prob" not in table:
        return
    known = table.dropna(subset="log_prob")
    key = "response" if "response" in known and known["response"].notna().all() else "reward"
    keys = ["prompt", key] if key == "response" else ["prompt", "reward", "log_prob"]
    distinct = known.groupby(keys, as_index=False).agg(
        log_prob=("log_prob", "mean"), draws=("reward", "size")
    )
    mass = np.exp(distinct["log_prob"])
    total = mass.groupby(distinct["prompt"]).sum()
    over = total > 1 + OVERFULL
    yield _finding(
        "probabilities",
        bool(over.any()),
        "warning",
        total.max(),
        over.sum(),
        f"the probabilities of a prompt's distinct responses sum to {total.max():.4g} at most: "
        "more than 1 means that they are not those of whole responses under the sampler",
    )
    yield _too_often(c, distinct, mass)
    seen = total.clip(upper=1.0).median()
    yield Finding(
        "seen mass",
        "ok",
        float(seen),
        len(total),
        f"the responses of a pool have {seen:.1%} of the probability, in the median",
    )


def _too_often(c: Candidates, distinct: pd.DataFrame, mass: pd.Series[float]) -> Finding:
    """Binomial test of every response drawn again, given that it was drawn (Bonferroni)."""
    from scipy.special import bdtrc

    size = c.size[distinct["prompt"].to_numpy()]
    draws, p = distinct["draws"].to_numpy(), np.clip(mass.to_numpy(), 1e-300, 1 - 1e-16)
    seen = -np.expm1(size * np.log1p(-p))
    chance = np.where(draws > 1, np.minimum(bdtrc(draws - 1, size, p) / seen, 1.0), 1.0)
    least = min(float(chance.min()) * len(distinct), 1.0)
    often = chance * len(distinct) < SIGNIFICANT
    return _finding(
        "repeats",
        bool(often.any()),
        "warning",
        least,
        distinct["prompt"][often].nunique(),
        f"{int(often.sum())} responses are drawn more often than their log_prob allows (p = "
        f"{least:.2g}): it is not that of the sampler, or responses share it",
    )


def _tokens(c: Candidates, table: pd.DataFrame) -> Iterator[Finding]:
    if not {"log_prob", "tokens"} <= set(table):
        return
    known = table.dropna(subset=["log_prob", "tokens"])
    spread = known["tokens"].std()
    if not (spread > 0 and known["log_prob"].std() > 0):
        return
    slope = float(np.cov(known["tokens"], known["log_prob"])[0, 1] / spread**2)
    yield _finding(
        "log_prob against tokens",
        slope > -1e-3,
        "warning",
        slope,
        known["prompt"].nunique(),
        f"log_prob changes by {slope:.3g} nats for each further token; a mean over tokens, not "
        "their sum, hardly would",
    )


_CHECKS: tuple[Callable[[Candidates, pd.DataFrame], Iterator[Finding]], ...] = (
    _sizes,
    _missing,
    _ties,
    _duplicates,
    _masses,
    _tokens,
)
