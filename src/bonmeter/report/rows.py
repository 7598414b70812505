"""The tables of a page, row by row."""

from __future__ import annotations

import re
from typing import NamedTuple

from bonmeter.report.findings import Findings
from bonmeter.report.lookup import NAMES, UNTOLD, Lookup, excess
from bonmeter.report.numbers import Value, aligned

__all__ = [
    "Column",
    "PromptRow",
    "StepRow",
    "by_n",
    "by_prompt",
    "by_step",
    "columns_by_n",
    "columns_by_prompt",
    "short",
]

LONGEST = 160
"""Characters of a prompt that a page shows."""
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Column(NamedTuple):
    """A column of a table."""

    key: str
    title: str
    unit: str


class PromptRow(NamedTuple):
    """A prompt and its numbers at the headline n."""

    prompt: str
    candidates: int
    missing: int
    values: tuple[Value, ...]
    of_formula: float
    """KL as a share of the formula."""


class StepRow(NamedTuple):
    """What the step from one n to the next adds, and costs."""

    n_from: int
    n: int
    gain: Value
    kl: Value
    share: Value
    """Of the gain of the headline n, all steps so far."""
    reliable: bool


def columns_by_n(look: Lookup) -> tuple[Column, ...]:
    """The columns that these candidates fill; of a verifier, the reward is the pass rate.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> [column.key for column in columns_by_n(Lookup(found))]
        ['kl', 'kl_formula', 'excess', 'win_rate', 'pass_rate']
    """
    hidden = {"draws"} | ({"reward", "reward_gain"} if look.has("pass_rate") else set())
    names = [name for name in NAMES if name not in hidden and (name == "excess" or look.has(name))]
    return tuple(_column(name, look) for name in names)


def columns_by_prompt(look: Lookup) -> tuple[Column, ...]:
    """The same for single prompts, fewer.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> [column.key for column in columns_by_prompt(Lookup(found))]
        ['kl', 'excess', 'win_rate', 'pass_rate']
    """
    gain = "pass_rate" if look.has("pass_rate") else "reward_gain"
    names = ["kl", "excess", "win_rate", gain, *(["gold_gain"] if look.has("gold_gain") else [])]
    return tuple(_column(name, look) for name in names)


def _column(name: str, look: Lookup) -> Column:
    return Column(name, NAMES[name], look.unit(name))


def by_n(found: Findings, look: Lookup) -> list[tuple[int, bool, list[Value]]]:
    """n, whether it is reliable, and its values.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> [(n, reliable) for n, reliable, _ in by_n(found, Lookup(found))][-3:]
        [(8, False), (16, False), (32, False)]
    """
    columns = [
        aligned([look.at(column.key, n) for n in found.shown]) for column in columns_by_n(look)
    ]
    rows = zip(*columns, strict=True)
    return [(n, look.all_reliable(n), list(row)) for n, row in zip(found.shown, rows, strict=True)]


def by_step(found: Findings, look: Lookup) -> list[StepRow]:
    """The steps from each n to the next.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> [(row.n_from, row.n) for row in by_step(found, Lookup(found))][:2]
        [(1, 2), (2, 4)]
    """
    steps, unit = found.steps, look.unit(found.worth)
    ends = zip(steps["estimate"], steps["lower"], steps["upper"], strict=True)
    columns = (
        steps["n_from"].astype(int),
        steps["n"].astype(int),
        aligned([Value(*numbers, unit) for numbers in ends]),
        [Value(kl, unit="nats", decimals=2) for kl in steps["kl"]],
        [Value(share, unit="%", decimals=0) for share in steps["share"]],
        [look.all_reliable(n) for n in steps["n"]],
    )
    return [StepRow(*row) for row in zip(*columns, strict=True)]


def by_prompt(found: Findings, look: Lookup) -> list[PromptRow]:
    """A row for every prompt of the log, in its order, also where nothing is known of it.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> [(row.prompt, row.candidates, row.missing) for row in by_prompt(found, Lookup(found))]
        [('1', 40, 0)]
    """
    formula, pools = look.at("kl_formula", found.n), found.pools
    names = [column.key for column in columns_by_prompt(look)]
    columns = [_of_prompts(name, found, look, formula) for name in names]
    of_formula = [
        v.estimate / formula.estimate if formula.estimate > 0 else 0.0 for v in columns[0]
    ]
    return [
        PromptRow(*row)
        for row in zip(
            map(short, pools["prompt"]),
            pools["candidates"].tolist(),
            pools["missing"].tolist(),
            zip(*columns, strict=True),
            of_formula,
            strict=True,
        )
    ]


def _of_prompts(name: str, found: Findings, look: Lookup, formula: Value) -> list[Value]:
    """A column of the table of prompts."""
    told = look.prompts()
    source = "kl" if name == "excess" else name
    values = [told.get((source, prompt), UNTOLD) for prompt in found.pools["prompt"]]
    return aligned([excess(v, formula) for v in values] if name == "excess" else values)


def short(text: object) -> str:
    r"""A prompt on one line, cut to a readable length, without characters that no page may hold.

    Examples:
        >>> short("two\n lines\x00"), short(7), short("  "), len(short("long " * 1000))
        ('two lines�', '7', '(blank)', 160)
    """
    line = " ".join(UNPRINTABLE.sub("\ufffd", str(text)[: 8 * LONGEST]).split()) or "(blank)"
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
