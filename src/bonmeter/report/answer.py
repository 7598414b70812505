"""The numbers of the answer: what the headline n cost and bought, and which n pays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bonmeter.report.findings import USUAL_N, Findings
from bonmeter.report.lookup import Lookup
from bonmeter.report.numbers import Value

__all__ = ["Answer", "Beyond", "Peak", "answer"]

ENOUGH = 0.9
"""An n that has so much of the gain is named."""
NEGLIGIBLE = 0.01
"""A formula off by less than this share of itself is called right."""


class Peak(NamedTuple):
    """Where the worth is highest among the n that are reliable."""

    n: int
    value: Value
    falls: bool
    """Whether a later step loses more than its interval allows for."""


class Beyond(NamedTuple):
    """What an n seems to cost and buy that the pools cannot vouch for."""

    n: int
    kl: Value
    win_rate: Value
    worth: Value


class Answer(NamedTuple):
    """What the first screen says."""

    n: int
    reliable: bool
    largest: int
    """The largest reliable n of the smallest pool."""
    prompts: int
    candidates: tuple[int, int]
    """Least and largest number of candidates of a prompt."""
    kl: Value
    formula: Value
    excess: Value
    share: float
    """Of the formula, by which it is too high."""
    negligible: bool
    discernible: bool
    """Whether the interval of the KL leaves out the formula."""
    ranks: int
    """Prompts whose KL is from ranks alone."""
    tied: float
    """Share of candidates that tie with another."""
    repeated: float
    """Share of candidates that repeat a response; nan if responses are unknown."""
    half: int
    """Prompts that make up half of the excess, fewest first."""
    win_rate: Value
    win_formula: Value
    """The win rate if nothing tied."""
    worth: str
    first: Value
    """Worth of one draw."""
    last: Value
    """Worth of best-of-n."""
    gain: Value
    peak: Peak
    enough: int
    """The least n with nine tenths of the gain."""
    enough_kl: Value
    reach: float
    """Share of the optimum's gain that best-of-n has at its KL; nan if unknown."""
    tokens: Value
    usual: Beyond | None
    """Of n = 64 where that is beyond what the pools can vouch for."""
    warnings: int
    """Checks that warn."""


def answer(found: Findings, look: Lookup) -> Answer:
    """The facts of the first screen.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> facts = answer(found, Lookup(found))
        >>> facts.n, facts.largest, facts.worth, round(facts.last.estimate, 4)
        (4, 4, 'pass_rate', 0.947)
    """
    n, worth = found.n, found.worth
    off = look.at("excess", n)
    formula, kl = look.at("kl_formula", n), look.at("kl", n)
    size = found.pools.loc[found.pools["candidates"] > 0, "candidates"]
    share = off.estimate / formula.estimate if formula.estimate > 0 else math.nan
    enough = _enough(found, look)
    return Answer(
        n=n,
        reliable=look.all_reliable(n),
        largest=max(int(size.min()) // 10, 1),
        prompts=len(size),
        candidates=(int(size.min()), int(size.max())),
        kl=kl,
        formula=formula,
        excess=off,
        share=share,
        negligible=not share > NEGLIGIBLE,
        discernible=kl.upper < formula.estimate,
        ranks=int(found.pools.loc[size.index, "ranks"].sum()),
        tied=_check(found, "ties"),
        repeated=_check(found, "duplicates"),
        half=_half(found, formula.estimate),
        win_rate=look.at("win_rate", n),
        win_formula=Value(n / (n + 1), unit="%"),
        worth=worth,
        first=look.at(worth, 1),
        last=look.at(worth, n),
        gain=_gain(look, worth, n),
        peak=_peak(found, look),
        enough=enough,
        enough_kl=look.at("kl", enough),
        reach=_reach(found),
        tokens=look.at("tokens", n),
        usual=_usual(found, look),
        warnings=int((found.diagnostics["status"] == "warning").sum()),
    )


def _usual(found: Findings, look: Lookup) -> Beyond | None:
    values = [look.at(quantity, USUAL_N) for quantity in ("kl", "win_rate", found.worth)]
    return Beyond(USUAL_N, *values) if found.n < USUAL_N in found.shown else None


def _gain(look: Lookup, worth: str, n: int) -> Value:
    """What best-of-n has beyond one draw; of a verifier the reward is the pass rate."""
    name = "gold_gain" if worth == "gold_reward" else "reward_gain"
    return look.at(name, n)._replace(unit=look.unit(worth))


def _check(found: Findings, name: str) -> float:
    value = found.diagnostics.loc[found.diagnostics["check"] == name, "value"]
    return float(value.iloc[0]) if len(value) else math.nan


def _half(found: Findings, formula: float) -> int:
    """How few prompts have half of the excess of the formula."""
    rows = found.per_prompt
    off = np.sort(formula - rows.loc[rows["quantity"] == "kl", "estimate"].to_numpy())[::-1]
    total = np.cumsum(off)
    return int(np.searchsorted(total, 0.5 * total[-1]) + 1) if off.size and total[-1] > 0 else 0


def _reliable(found: Findings, look: Lookup) -> list[int]:
    """The n that count; those up to the headline where none is reliable."""
    sure = [n for n in found.shown if look.all_reliable(n)]
    return sure if found.n in sure else [n for n in found.shown if n <= found.n]


def _peak(found: Findings, look: Lookup) -> Peak:
    sure = _reliable(found, look)
    best = max(sure, key=lambda n: look.at(found.worth, n).estimate)
    later = found.steps[(found.steps["n"] > best) & found.steps["n"].isin(sure)]
    return Peak(best, look.at(found.worth, best), bool((later["upper"] < 0).any()))


def _enough(found: Findings, look: Lookup) -> int:
    """The least n that has nine tenths of what the headline n gains."""
    first = look.at(found.worth, 1).estimate
    whole = look.at(found.worth, found.n).estimate - first
    for n in found.shown:
        if look.at(found.worth, n).estimate - first >= ENOUGH * whole > 0:
            return n
    return found.n


def _reach(found: Findings) -> float:
    """Gain of best-of-n as a share of that of the optimum with its KL."""
    table = found.frontier.set_index(["curve", "n"])["estimate"]
    base = table["best-of-n", 1]
    best, optimum = (table[curve, found.n] - base for curve in ("best-of-n", "optimum"))
    return float(best / optimum) if optimum > 0 and best > 0 else math.nan
