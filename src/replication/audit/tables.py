"""The tables that the audit rests on, and whether what is kept of long studies is still true."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import pandas as pd

from replication.pipeline.io import read_frame
from replication.pipeline.verify import altered_of_kept

__all__ = ["STALE", "STUDIES", "Inputs", "Kept", "Tables", "differences", "load_tables"]

STUDIES = ("estimators", "classes", "adversary")
"""The long studies."""

STALE = "stale: `make study`"
"""What to do about a kept study that is not what would be made now."""


class Inputs(Protocol):
    """The paths that the audit reads, by name; those of studies are quick and, if any, full."""

    checks: Sequence[str]
    exact: Sequence[str]
    estimates: Sequence[str]
    concentration: str
    curves: str
    rivals: str
    language_model: str
    language_model_growth: str
    estimators: Sequence[str]
    classes: Sequence[str]
    adversary: Sequence[str]


class Kept(NamedTuple):
    """What is kept of a long study.

    Attributes:
        made_of: the file that says what it was made of, and the fingerprint of its table.
        now: what it would be made of now.
    """

    made_of: str
    now: Mapping[str, Any]


class Tables(NamedTuple):
    """What the audit reads.

    Attributes:
        cells: verdicts on single cells.
        tables: what checks that are functions read, by name.
        absent: why a table is not there, by name.
    """

    cells: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    absent: Mapping[str, str]


def load_tables(
    policies: Sequence[str], inputs: Inputs, kept: Mapping[str, Sequence[Any]]
) -> Tables:
    """Read all that the audit rests on.

    Args:
        policies: names of the policies, in the order of their tables.
        inputs: the paths.
        kept: by name, the fields of `Kept` of long studies, if they are not run.
    """
    tables = {
        "exact": _of_policies(policies, inputs.exact),
        "estimates": _of_policies(policies, inputs.estimates),
        "concentration": read_frame(inputs.concentration),
        "curves": read_frame(inputs.curves),
        "rivals": read_frame(inputs.rivals),
        "language_model": read_frame(inputs.language_model),
        "language_model_growth": read_frame(inputs.language_model_growth),
    }
    absent = {}
    for name in STUDIES:
        quick, *full = getattr(inputs, name)
        tables[f"{name}_quick"] = pd.read_csv(quick)
        wrong = differences(Kept(*kept[name])) if name in kept else []
        if wrong:
            absent[name] = f"{STALE} ({', '.join(wrong)})"
        elif full:
            tables[name] = _of_config(pd.read_csv(full[0]), policies)
        else:
            absent[name] = "this configuration has no full study"
    # a search for counterexamples may only be too short
    searches = [tables[name] for name in ("adversary_quick", "adversary") if name in tables]
    if "adversary" not in absent or not inputs.adversary[1:]:
        tables["adversary"] = pd.concat(searches, ignore_index=True)
    return Tables(_of_policies(policies, inputs.checks), tables, absent)


def differences(kept: Kept) -> list[str]:
    """In what the study that is kept differs from what would be made now.

    Policies that only one of them has do not count.

    Args:
        kept: what it was made of, and would be.

    Returns:
        Names of settings, policies, `code`, or the path of an altered table.
    """
    with open(kept.made_of, encoding="utf-8") as file:
        then = json.load(file)
    wrong = [str(problem.path) for problem in altered_of_kept(kept.made_of)]
    before, now = _flat(then), _flat(kept.now)
    return wrong + [
        name
        for name in now
        if now[name] != before.get(name) and (name in before or not name.startswith("policies."))
    ]


def _flat(made_of: Mapping[str, Any]) -> dict[str, Any]:
    """Settings and policies each under a name of its own; versions may differ."""
    nested = ("settings", "policies", "checks")
    made_of = json.loads(json.dumps(made_of))  # as it is kept: lists, where tuples were
    return {"seed": made_of["seed"], "code": made_of["code"]} | {
        f"{part}.{name}": value for part in nested for name, value in made_of.get(part, {}).items()
    }


def _of_policies(policies: Sequence[str], paths: Sequence[str]) -> pd.DataFrame:
    tables = [
        read_frame(path).assign(policy=name) for name, path in zip(policies, paths, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _of_config(table: pd.DataFrame, policies: Sequence[str]) -> pd.DataFrame:
    """Without policies that this configuration does not have."""
    return table[table.policy.isin(policies)] if "policy" in table else table
