"""The figures of a report: which lines each has, and what it tells in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bonmeter.report.charts import MOST_MARKS, Chart, Series
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
    "kl": ("What it cost: KL divergence", "nats", 0.0),
    "win_rate": ("What it bought: win rate", "wins against one draw", 0.5),
    "pass_rate": ("What it bought: pass rate", "chance that one of n passes", None),
    "gold_reward": ("What it bought: gold reward", "mean gold reward of the selected", None),
    "reward": ("What it bought: reward", "mean reward of the selected", None),
}
"""Quantity -> title, what the vertical axis shows, and the least it shows."""


def figures(found: Findings, look: Lookup) -> tuple[Chart, ...]:
    """The charts in the order of the page; none if there is nothing but n = 1."""
    return tuple(_charts(found, look)) if found.shown[-1] > 1 else ()


def _charts(found: Findings, look: Lookup) -> Iterator[Chart]:
    yield _against_n("kl", found, look, (_contrast(found, look, "kl_formula", "formula"),))
    yield _excess(found, look)
    win = Series("n/(n+1),\nno ties", "contrast", found.shown, [k / (k + 1) for k in found.shown])
    yield _against_n("win_rate", found, look, (win,))
    if look.has("pass_rate"):
        yield _against_n("pass_rate", found, look)
    else:
        yield _against_n("reward", found, look)
    if look.has("gold_reward"):
        best = _contrast(found, look, "gold_pass_rate", "one of n\npasses")
        extra = (best,) if look.has("gold_pass_rate") else ()
        yield _against_n("gold_reward", found, look, extra)
    yield _frontier(found, look)
    if look.has("gold_reward"):
        yield _gold_against_kl(found, look)
    if found.per_prompt["prompt"].nunique() > 2:
        yield _prompts(found, look)


def _contrast(found: Findings, look: Lookup, quantity: str, name: str) -> Series:
    values = [look.at(quantity, n).estimate for n in found.shown]
    return Series(name, "contrast", found.shown, values)


def _series(name: str, x: Sequence[float], values: list[Value]) -> Series:
    columns = zip(*((v.estimate, v.lower, v.upper, v.reliable) for v in values), strict=True)
    y, lower, upper, reliable = columns
    said = [_number(v) for v in values]
    return Series(name, "measured", x, y, lower, upper, reliable, said=said)


def _against_n(
    quantity: str, found: Findings, look: Lookup, contrast: tuple[Series, ...] = ()
) -> Chart:
    title, axis, floor = TITLES[quantity]
    values = [look.at(quantity, n) for n in found.shown]
    return Chart(
        quantity,
        title,
        axis,
        (*contrast, _series("measured", found.shown, values)),
        _said(NAMES[quantity], found.shown, values),
        floor=floor,
        percent=look.unit(quantity) == "%",
        thin_from=_thin_from(found, look),
    )


def _excess(found: Findings, look: Lookup) -> Chart:
    values = [look.at("excess", n) for n in found.shown]
    return Chart(
        "excess",
        "How far the formula is off",
        "formula minus KL, nats",
        (_series("measured", found.shown, values),),
        _said("Formula minus KL", found.shown, values),
        floor=0.0,
        thin_from=_thin_from(found, look),
    )


def _frontier(found: Findings, look: Lookup) -> Chart:
    optimum = found.frontier[found.frontier["curve"] == "optimum"]
    name = "pass_rate" if look.has("pass_rate") else "reward"
    return _against_kl(
        "frontier",
        "What a nat bought",
        name,
        found,
        look,
        (
            Series(
                "optimum",
                "optimum",
                optimum["kl"].to_list(),
                optimum["estimate"].to_list(),
                reliable=optimum["reliable"].to_list(),
            ),
        ),
    )


def _gold_against_kl(found: Findings, look: Lookup) -> Chart:
    return _against_kl(
        "gold_frontier", "What a nat bought in gold reward", "gold_reward", found, look
    )


def _against_kl(
    key: str,
    title: str,
    quantity: str,
    found: Findings,
    look: Lookup,
    contrast: tuple[Series, ...] = (),
) -> Chart:
    """A mean against the mean KL, n at the points."""
    told = [n for n in found.shown if look.at("kl", n).known and look.at(quantity, n).known]
    values = [look.at(quantity, n) for n in told]
    kl = [look.at("kl", n).estimate for n in told]
    thin = [k for k, v in zip(kl, values, strict=True) if not v.reliable]
    sure = [k for k, v in zip(kl, values, strict=True) if v.reliable]
    measured = _series("best-of-n", kl, values)._replace(tags=[str(n) for n in told])
    return Chart(
        key,
        title,
        TITLES[quantity][1],
        (*contrast, measured),
        _said(NAMES[quantity], told, values),
        x_title="KL divergence, nats",
        doubling=False,
        x_decimals=None,
        percent=look.unit(quantity) == "%",
        thin_from=(max(sure, default=0.0) + min(thin)) / 2 if thin else None,
    )


def _prompts(found: Findings, look: Lookup) -> Chart:
    """KL of every prompt at the headline n, the least first."""
    told = [v for (quantity, _), v in look.prompts().items() if quantity == "kl"]
    told.sort(key=lambda value: value.estimate)
    some = np.unique(np.linspace(0, len(told) - 1, min(len(told), MOST_MARKS)).round().astype(int))
    values = [told[k] for k in some]
    formula = look.at("kl_formula", found.n).estimate
    places = [int(k) + 1 for k in some]
    low, middle, high = (with_unit(told[k]) for k in (0, len(told) // 2, -1))
    return Chart(
        "prompts",
        f"Prompt by prompt, at n = {found.n}",
        "KL of each prompt, nats",
        (
            Series("formula", "contrast", (1, len(told)), (formula, formula)),
            _series("measured", places, values)._replace(joined=False),
        ),
        f"KL of {len(told)} prompts: least {low}, median {middle}, most {high}; formula "
        f"{with_unit(look.at('kl_formula', found.n))}. All numbers are in the table of prompts.",
        x_title="prompts, least KL first",
        doubling=False,
        floor=0.0,
    )


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
