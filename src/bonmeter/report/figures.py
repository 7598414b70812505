"""The figures of a report: which lines each has, and what it tells in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bonmeter.report.charts import MOST_MARKS, Chart, Point, Series
from bonmeter.report.findings import Findings
from bonmeter.report.lookup import NAMES, Lookup
from bonmeter.report.numbers import Value, ends, with_unit

__all__ = ["CAPTIONS", "figures"]

CAPTIONS = {
    "kl": "How far best-of-n moves from the policy, against the formula, its upper bound.",
    "excess": "The same as a difference: 0 where the formula is right.",
    "win_rate": "How often the selected candidate beats one draw, ties counting half.",
    "pass_rate": "How often at least one of n candidates passes (pass@n).",
    "gold_reward": "Selected by reward, judged by gold reward.",
    "reward": "What the selected candidate scores by the reward that selected it.",
    "frontier": "Reward against KL, n at the points. No policy lies above the optimum; "
    "where it is dotted, few candidates show it, and it is too low.",
    "gold_frontier": "Gold reward against KL, n at the points: where it falls, selecting costs.",
    "prompts": "Prompts differ: where a policy is sure of its answer, selecting costs little.",
}
"""Chart -> what it shows."""

TITLES = {
    "kl": ("What it cost: KL divergence", "nats"),
    "excess": ("How far the formula is off", "formula minus KL, nats"),
    "win_rate": ("What it bought: win rate", "wins against one draw"),
    "pass_rate": ("What it bought: pass rate", "chance that one of n passes"),
    "reward": ("What it bought: reward", "mean reward of the selected"),
    "gold_reward": ("What it bought: gold reward", "mean gold reward of the selected"),
    "frontier": ("What a nat bought", ""),
    "gold_frontier": ("What a nat bought in gold reward", ""),
    "prompts": ("Prompt by prompt", "KL of each prompt, nats"),
}
"""Chart -> its title, and what the vertical axis shows (that of the quantity if empty)."""
FLOORS = {"kl": 0.0, "win_rate": 0.5}
"""Quantity -> the least that the vertical axis shows."""


def figures(found: Findings, look: Lookup) -> tuple[Chart, ...]:
    """The charts in the order of the page; none if there is nothing but n = 1.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> [chart.key for chart in figures(found, Lookup(found))]
        ['kl', 'excess', 'win_rate', 'pass_rate', 'frontier']
    """
    return tuple(_charts(found, look)) if found.shown[-1] > 1 else ()


def _charts(found: Findings, look: Lookup) -> Iterator[Chart]:
    yield _against_n("kl", found, look, [_contrast(found, look, "kl_formula", "formula")])
    yield _excess(found, look)
    win = tuple(Point(n, n / (n + 1)) for n in found.shown)
    yield _against_n("win_rate", found, look, [Series("n/(n+1),\nno ties", "contrast", win)])
    value = "pass_rate" if look.has("pass_rate") else "reward"
    yield _against_n(value, found, look)
    if look.has("gold_reward"):
        best = _contrast(found, look, "gold_pass_rate", "one of n\npasses")
        yield _against_n("gold_reward", found, look, [best])
    yield _against_kl("frontier", value, found, look, [_optimum(found)])
    if look.has("gold_reward"):
        yield _against_kl("gold_frontier", "gold_reward", found, look)
    if found.per_prompt["prompt"].nunique() > 2:
        yield _prompts(found, look)


def _point(x: float, value: Value, tag: str = "") -> Point:
    said = _number(value) if value.known else ""
    return Point(x, value.estimate, value.lower, value.upper, value.reliable, tag, said)


def _contrast(found: Findings, look: Lookup, quantity: str, name: str) -> Series:
    points = tuple(Point(n, look.at(quantity, n).estimate) for n in found.shown)
    return Series(name, "contrast", points)


def _optimum(found: Findings) -> Series:
    rows = found.frontier[found.frontier["curve"] == "optimum"]
    columns = zip(rows["kl"], rows["estimate"], rows["reliable"], strict=True)
    points = tuple(Point(kl, reward, reliable=sure) for kl, reward, sure in columns)
    return Series("optimum", "optimum", points)


def _against_n(
    quantity: str, found: Findings, look: Lookup, contrast: Sequence[Series] = ()
) -> Chart:
    values = [look.at(quantity, n) for n in found.shown]
    points = tuple(_point(n, v) for n, v in zip(found.shown, values, strict=True))
    return Chart(
        quantity,
        *TITLES[quantity],
        _known(*contrast, Series("measured", "measured", points)),
        _said(NAMES[quantity], found.shown, values),
        floor=FLOORS.get(quantity),
        percent=look.unit(quantity) == "%",
        thin_from=_thin_from(found, look),
    )


def _excess(found: Findings, look: Lookup) -> Chart:
    values = [look.at("excess", n) for n in found.shown]
    points = tuple(_point(n, v) for n, v in zip(found.shown, values, strict=True))
    return Chart(
        "excess",
        *TITLES["excess"],
        (Series("measured", "measured", points),),
        _said("Formula minus KL", found.shown, values),
        floor=0.0,
        thin_from=_thin_from(found, look),
    )


def _against_kl(
    key: str, quantity: str, found: Findings, look: Lookup, contrast: Sequence[Series] = ()
) -> Chart:
    """A mean against the mean KL, n at the points."""
    values = [look.at(quantity, n) for n in found.shown]
    kl = [look.at("kl", n).estimate for n in found.shown]
    rows = zip(found.shown, kl, values, strict=True)
    measured = tuple(_point(k, v, str(n)) for n, k, v in rows if v.known)
    sure = max((p.x for p in measured if p.reliable), default=0.0)
    thin = [p.x for p in measured if not p.reliable]
    return Chart(
        key,
        TITLES[key][0],
        TITLES[quantity][1],
        _known(*contrast, Series("best-of-n", "measured", measured)),
        _said(NAMES[quantity], found.shown, values),
        x_title="KL divergence, nats",
        doubling=False,
        x_decimals=None,
        percent=look.unit(quantity) == "%",
        thin_from=(sure + min(thin)) / 2 if thin else None,
    )


def _prompts(found: Findings, look: Lookup) -> Chart:
    """KL of every prompt at the headline n, the least first; some of them, evenly, if many."""
    told = [value for (quantity, _), value in look.prompts().items() if quantity == "kl"]
    told.sort(key=lambda value: value.estimate)
    some = np.linspace(0, len(told) - 1, min(len(told), MOST_MARKS)).round().astype(int).tolist()
    formula = look.at("kl_formula", found.n)
    line = tuple(Point(x, formula.estimate) for x in (1, len(told)))
    low, middle, high = (with_unit(told[k]) for k in (0, len(told) // 2, -1))
    return Chart(
        "prompts",
        f"Prompt by prompt, at n = {found.n}",
        TITLES["prompts"][1],
        (
            Series("formula", "contrast", line),
            Series("measured", "measured", tuple(_point(k + 1, told[k]) for k in some), False),
        ),
        f"KL of {len(told)} prompts: least {low}, median {middle}, most {high}; formula "
        f"{with_unit(formula)}. All numbers are in the table of prompts.",
        x_title="prompts, least KL first",
        doubling=False,
        floor=0.0,
    )


def _known(*series: Series) -> tuple[Series, ...]:
    """Those with something to draw."""
    return tuple(s for s in series if any(math.isfinite(p.y) for p in s.points))


def _thin_from(found: Findings, look: Lookup) -> float | None:
    """Between the last reliable n and the first that is not."""
    sure = [n for n in found.shown if look.all_reliable(n)]
    thin = [n for n in found.shown if not look.all_reliable(n)]
    if not thin:
        return None
    return math.sqrt(max(sure) * min(thin)) if sure else float(min(thin))


def _said(name: str, ns: Sequence[int], values: list[Value]) -> str:
    """First, middle and last point in words."""
    told = [(n, v) for n, v in zip(ns, values, strict=True) if v.known]
    some = [told[k] for k in np.unique([0, len(told) // 2, len(told) - 1])] if told else []
    parts = [f"at n = {n} {_number(v)}" for n, v in some]
    return f"{name}: " + "; ".join(parts) + ". All numbers are in the table by n."


def _number(value: Value) -> str:
    return with_unit(value) + (f", interval {ends(value)}" if ends(value) else "")
