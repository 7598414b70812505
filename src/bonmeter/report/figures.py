"""The figures of a report: which lines each has, and what it tells in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bonmeter.report.charts import Chart, Series
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
    "frontier": "Reward against KL, n at the points; no policy lies above the optimum.",
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


def _contrast(found: Findings, look: Lookup, quantity: str, name: str) -> Series:
    values = [look.at(quantity, n).estimate for n in found.shown]
    return Series(name, "contrast", found.shown, values)


def _series(name: str, ns: tuple[int, ...], values: list[Value]) -> Series:
    columns = zip(*((v.estimate, v.lower, v.upper, v.reliable) for v in values), strict=True)
    y, lower, upper, reliable = columns
    return Series(name, "measured", ns, y, lower, upper, reliable)


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
    table = found.frontier
    best, optimum = (table[table["curve"] == curve] for curve in ("best-of-n", "optimum"))
    unit = "%" if look.has("pass_rate") else ""
    values = [
        Value(row.estimate, row.lower, row.upper, unit, row.reliable) for row in best.itertuples()
    ]
    kl = best["kl"].to_list()
    thin = [k for k, sure in zip(kl, best["reliable"], strict=True) if not sure]
    sure = [k for k, sure in zip(kl, best["reliable"], strict=True) if sure]
    measured = _series("best-of-n", tuple(kl), values)
    return Chart(
        "frontier",
        "What a nat bought",
        "mean reward of the selected",
        (
            Series(
                "optimum",
                "optimum",
                optimum["kl"].to_list(),
                optimum["estimate"].to_list(),
                reliable=optimum["reliable"].to_list(),
            ),
            measured._replace(tags=[str(n) for n in best["n"]]),
        ),
        _said("Reward", found.shown, values),
        x_title="KL divergence, nats",
        doubling=False,
        percent=unit == "%",
        thin_from=(max(sure, default=0.0) + min(thin)) / 2 if thin else None,
    )


def _thin_from(found: Findings, look: Lookup) -> float | None:
    """Between the last reliable n and the first that is not."""
    sure = [n for n in found.shown if look.all_reliable(n)]
    thin = [n for n in found.shown if not look.all_reliable(n)]
    if not thin:
        return None
    return math.sqrt(max(sure) * min(thin)) if sure else float(min(thin))


def _said(name: str, ns: tuple[int, ...], values: list[Value]) -> str:
    """First, middle and last point in words."""
    told = [(n, v) for n, v in zip(ns, values, strict=True) if v.known]
    some = [told[k] for k in np.unique([0, len(told) // 2, len(told) - 1])] if told else []
    parts = [
        f"at n = {n} {with_unit(v)}" + (f", interval {ends(v)}" if ends(v) else "") for n, v in some
    ]
    return f"{name}: " + "; ".join(parts) + ". All numbers are in the table by n."
