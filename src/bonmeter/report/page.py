"""One page from all findings: the templates, and what they may ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from bonmeter.report.answer import answer
from bonmeter.report.charts import SIZES, drawn
from bonmeter.report.figures import CAPTIONS, figures
from bonmeter.report.files import Source, downloads, versions
from bonmeter.report.findings import Findings
from bonmeter.report.lookup import NAMES, Lookup
from bonmeter.report.numbers import Value, count, ends, fixed, shown, with_unit
from bonmeter.report.rows import by_n, by_prompt, by_step, columns_by_n, columns_by_prompt

__all__ = ["page"]


def page(
    found: Findings,
    *,
    title: str,
    sources: Sequence[Source] = (),
    notes: Sequence[str] = (),
    command: str | None = None,
    snippet: str = "",
) -> str:
    """The page as HTML, complete and self-contained.

    Args:
        found: what it tells.
        title: its heading.
        sources: the files that the candidates come from.
        notes: what was recognised and assumed about them.
        command: the command that makes this page.
        snippet: the same in Python.

    Examples:
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> html = page(found, title="A run")
        >>> html.startswith("<!doctype html>"), "<h1 id=title>A run" in html.replace('"', "")
        (True, True)
    """
    template = _environment().get_template("report.html.jinja")
    given: dict[str, Any] = {"title": title, "sources": sources, "notes": notes, "command": command}
    return template.render(_context(found) | given | {"snippet": snippet})


def _context(found: Findings) -> dict[str, Any]:
    look = Lookup(found)
    charts = [(chart, [drawn(chart, size) for size in SIZES]) for chart in figures(found, look)]
    effective = _effective(found)
    reliable = [n for n in found.shown if look.all_reliable(n)]
    return {
        "found": found,
        "look": look,
        "level": found.level,
        "names": NAMES,
        "a": answer(found, look),
        "charts": charts,
        "captions": CAPTIONS,
        "reliable": reliable or [found.n],
        "thin": len(reliable) < len(found.shown),
        "n_columns": columns_by_n(look),
        "n_rows": by_n(found, look),
        "all_n": found.summary["n"].nunique(),
        "footnotes": _footnotes(found),
        "steps": by_step(found, look),
        "worth_unit": look.unit(found.worth),
        "prompt_columns": columns_by_prompt(look),
        "prompt_rows": by_prompt(found, look),
        "checks": found.diagnostics.to_dict("records"),
        "effective": effective,
        "files": downloads(found),
        "versions": versions(),
    }


def _environment() -> Environment:
    """Everything that comes from data is escaped."""
    environment = Environment(
        loader=PackageLoader("bonmeter.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters |= {
        "shown": shown,
        "ends": ends,
        "with_unit": with_unit,
        "count": count,
        "percent": _percent,
        "sort_key": _sort_key,
    }
    return environment


def _percent(share: float) -> str:
    """A share in per cent, with one place near its ends.

    Examples:
        >>> _percent(0.95), _percent(0.0375), _percent(float("nan"))
        ('95\u00a0%', '3.8\u00a0%', 'an unknown share')
    """
    if math.isnan(share):
        return "an unknown share"
    number = 100 * share
    decimals = 0 if 10 <= number <= 99 or number == round(number) else 1
    return f"{fixed(number, decimals)}\u00a0%"


def _sort_key(value: Value) -> str:
    """What a column is sorted by: the number itself, "" for an unknown one."""
    return f"{value.estimate:.7g}" if value.known else ""


def _effective(found: Findings) -> float:
    table = found.frontier
    at = table[(table["curve"] == "optimum") & (table["n"] == found.n)]
    return float(at["effective"].iloc[0])


def _footnotes(found: Findings) -> list[str]:
    """What is to be known about single numbers of the table, each once, with its n."""
    rows = found.summary[found.summary["n"].isin(found.shown) & (found.summary["note"] != "")]
    rows = rows[~rows["quantity"].isin(["kl_formula", "draws"])]
    parts = rows.assign(note=rows["note"].str.split("; ")).explode("note")
    parts = parts[~parts["note"].str.startswith("n exceeds")]  # marked in every row
    return [
        f"{str(note)[0].upper()}{str(note)[1:]} ({_range(group['n'])}: {_names(group['quantity'])})"
        for note, group in parts.groupby("note", sort=False)
    ]


def _names(quantities: pd.Series[str]) -> str:
    return ", ".join(NAMES[quantity] for quantity in quantities.unique())


def _range(n: pd.Series[int]) -> str:
    low, high = int(n.min()), int(n.max())
    return f"n = {low}" if low == high else f"n = {low} to {high}"
