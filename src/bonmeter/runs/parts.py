"""Runs larger than memory: table by table, of which only what each prompt tells is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.estimate import Interval
from bonmeter.pools.prompts import ALIKE
from bonmeter.runs.candidates import Candidates, IndexArray
from bonmeter.runs.quantities import (
    QUANTITIES,
    Quantity,
    Settings,
    available,
    estimates_of,
    intervals_of,
)

__all__ = ["KeptFacts", "alike", "gathered", "told"]

COLUMNS = ("reward", "log_prob", "gold_reward", "tokens")
"""What may be recorded for a prompt."""


class KeptFacts(NamedTuple):
    """What there is to know of the prompts of one table or several (`Facts`)."""

    prompt: pd.Index
    size: IndexArray
    missing: IndexArray
    weight: FloatArray | None
    recorded: dict[str, NDArray[np.bool_]]
    binary: dict[str, bool]

    def has(self, column: str) -> NDArray[np.bool_]:
        """Whether something is recorded for each prompt."""
        return self.recorded[column]

    def is_binary(self, column: str) -> bool:
        """Whether all that is recorded is 0 or 1, at least one of it."""
        return self.binary[column] and bool(self.recorded[column].any())


def _kept(candidates: Candidates) -> KeptFacts:
    recorded = {name: candidates.has(name) for name in COLUMNS}
    binary = {name: candidates.is_binary(name) or not recorded[name].any() for name in COLUMNS}
    return KeptFacts(*candidates[:4], recorded, binary)


def _joined(facts: Sequence[KeptFacts]) -> KeptFacts:
    """The prompts of several tables as those of one."""
    first = facts[0]
    prompt = first.prompt.append([each.prompt for each in facts[1:]])
    if prompt.has_duplicates:
        twice = prompt[prompt.duplicated()][0]
        raise ValueError(
            f"prompt {twice!r:.200}: in several of the tables: expected all its candidates in one "
            "(`bonmeter convert --by-prompt` sees to it)"
        )
    weights = [each.weight for each in facts]
    known = [weight for weight in weights if weight is not None]
    if known and len(known) < len(weights):
        raise ValueError("candidates: some tables have a column 'weight': expected all or none")
    return KeptFacts(
        prompt,
        np.concatenate([each.size for each in facts]),
        np.concatenate([each.missing for each in facts]),
        np.concatenate(known) if known else None,
        {name: np.concatenate([each.recorded[name] for each in facts]) for name in COLUMNS},
        {name: all(each.binary[name] for each in facts) for name in COLUMNS},
    )


def alike(estimate: FloatArray) -> NDArray[np.bool_]:
    """Whether all prompts say the same, or only one says anything.

    Examples:
        >>> alike(np.array([[1.0, 1.0], [1.0, 2.0]])).tolist()
        [True, False]
    """
    there = ~np.isnan(estimate)
    high = np.where(there, estimate, -np.inf).max(axis=0)
    low = np.where(there, estimate, np.inf).min(axis=0)
    return np.asarray(~(high - low > ALIKE * np.maximum(np.abs(high), np.abs(low))))


def told(quantity: Quantity, candidates: Candidates, n: IndexArray, settings: Settings) -> Interval:
    """What each prompt tells, (prompts, n), with ends where the mean over prompts may need them.

    Where a quantity has an estimate of its own, the spread over prompts is the error of the mean,
    unless all prompts say the same; then so do those of each table.

    Examples:
        >>> from bonmeter.runs.candidates import as_candidates
        >>> run = as_candidates(pd.DataFrame({"prompt": [1, 1, 2, 2], "reward": [0, 1, 0, 5]}))
        >>> found = told(QUANTITIES["reward_gain"], run, np.array([1, 2]), Settings())
        >>> found.estimate.tolist(), found.lower.tolist()
        ([[0.0, 0.5], [0.0, 2.5]], [[0.0, nan], [0.0, nan]])
    """
    if quantity.estimate is None:
        return intervals_of(quantity, candidates, n, settings)
    found = estimates_of(quantity, candidates, n)
    silent = np.flatnonzero(alike(found.estimate))
    if silent.size:
        own = intervals_of(quantity, candidates, n[silent], settings)
        for whole, one in zip(found, own, strict=True):
            whole[:, silent] = one
    return found


def gathered(
    tables: Iterable[Candidates],
    n: IndexArray,
    quantities: Sequence[str] | None,
    settings: Settings,
) -> tuple[KeptFacts, dict[str, Interval]]:
    """What the prompts of one table, or of several one after another, tell.

    Args:
        tables: each with all candidates of its prompts.
        n: rising; those beyond the pools of a table are nan.
        quantities: names, or None for all that can be told.
        settings: how numbers are asked for.

    Raises:
        ValueError: if there is no table, or a prompt comes in several.

    Examples:
        >>> from bonmeter.runs.candidates import as_candidates
        >>> tables = [as_candidates(pd.DataFrame({"prompt": p, "reward": [0, 1]})) for p in "ab"]
        >>> facts, found = gathered(tables, np.array([1, 2]), None, Settings())
        >>> facts.prompt.tolist(), found["pass_rate"].estimate.tolist()
        (['a', 'b'], [[0.5, 1.0], [0.5, 1.0]])
    """
    facts, parts = [], []
    for candidates in tables:
        names = [name for name in available(candidates) if quantities is None or name in quantities]
        within = n[n <= candidates.size.max()]
        facts.append(_kept(candidates))
        parts.append({q: told(QUANTITIES[q], candidates, within, settings) for q in names})
        del candidates  # before the next is made
    if not facts:
        raise ValueError("candidates: expected at least one table")
    told_by_some = dict.fromkeys(name for part in parts for name in part)
    sizes = [each.size.size for each in facts]
    return _joined(facts), {name: _stacked(name, parts, sizes) for name in told_by_some}


def _stacked(name: str, parts: Sequence[dict[str, Interval]], sizes: Sequence[int]) -> Interval:
    """The intervals of all tables below each other, nan where one says nothing."""
    columns = max(found.estimate.shape[1] for part in parts for found in part.values())
    whole = Interval(*np.full((4, sum(sizes), columns), np.nan))
    for part, size, end in zip(parts, sizes, np.cumsum(sizes), strict=True):
        if name in part:
            for target, one in zip(whole, part[name], strict=True):
                target[end - size : end, : one.shape[1]] = one
    return whole
