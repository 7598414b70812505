"""The chunks of all files as one table: checked for copies, names told apart, canonical columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bonmeter.logs.cells import Numbers, whole_or_float
from bonmeter.logs.generic import CANONICAL
from bonmeter.logs.places import PLACES, Places
from bonmeter.logs.problems import LogProblem, Value
from bonmeter.logs.schema import checked
from bonmeter.logs.table import FileTable, Shared

__all__ = ["assembled", "finished", "reject_copies"]

NUMBERS = ("reward", "log_prob", "gold_reward", "tokens", "weight")


def assembled(tables: Sequence[FileTable]) -> pd.DataFrame:
    """The columns of all files, with those that serve to check and to join.

    Raises:
        LogProblem: if a record comes twice, or rewards need both fractions and large integers.

    Examples:
        >>> from bonmeter.logs.plan import Choices
        >>> from bonmeter.logs.records import Records, Row
        >>> from bonmeter.logs.table import read_file
        >>> rows = iter([Row(1, 0, {"prompt": "p", "rewards": [1, 2]})])
        >>> shared = Shared()
        >>> file = read_file(Records("log", "JSON", rows), Choices(), shared, lambda size: None)
        >>> assembled([file])[["file", "line", "position", "reward"]].values.tolist()
        [['log', 1, 0, 1.0], ['log', 1, 1, 2.0]]
    """
    names = [table.records.name for table in tables]
    files = np.repeat(np.arange(len(tables), dtype=np.int32), [table.size for table in tables])
    data: dict[str, Any] = {"file": pd.Categorical.from_codes(files, pd.Index(names))}
    for name in dict.fromkeys(name for table in tables for name in table.columns):
        blank = _blank(name, next(t.columns[name][0] for t in tables if name in t.columns))
        parts = [c for t in tables for c in t.columns.get(name) or [blank(t.size)]]
        if isinstance(parts[0], pa.Array):
            data[name] = pa.chunked_array(parts).to_pandas()
        elif name in NUMBERS:
            data[name] = _as_one(name, parts, names)
        else:
            data[name] = np.concatenate(parts)
    table = pd.DataFrame(data)
    reject_copies(table)
    return table


def _blank(name: str, chunk: Value) -> Callable[[int], Any]:
    """A function that makes a column like `chunk` with nothing in it."""
    if isinstance(chunk, pa.Array):
        return lambda size: pa.nulls(size, pa.large_string())
    return lambda size: np.full(size, np.nan if name in NUMBERS else 0)


def _as_one(name: str, parts: Sequence[Any], files: Sequence[str]) -> Numbers:
    try:
        return whole_or_float(parts)
    except ValueError as error:
        raise LogProblem(f"{', '.join(files)}: field {name}: {error}") from None


def _place(row: pd.Series[Any]) -> str:
    """Where a candidate stands."""
    return f"{row['file']}, line {row['line']}"


def reject_copies(table: pd.DataFrame) -> None:
    """Refuse a record that comes twice: it was copied, not drawn again.

    Raises:
        LogProblem: naming both.

    Examples:
        >>> table = pd.DataFrame({"file": "log", "line": [1, 2], "position": 0, "unique:id": "x"})
        >>> reject_copies(table)
        Traceback (most recent call last):
        bonmeter.logs.problems.LogProblem: log, line 2: a second record with id x, the first is ...
    """
    unique = [name for name in map(str, table) if name.startswith("unique:")]
    if not unique:
        return
    keys = table[["file", *unique, "position"]]
    again = keys.duplicated() & table[unique].notna().all(axis=1)
    if again.any():
        copy = int(again.to_numpy().argmax())
        second = table.iloc[copy]
        first = table.iloc[int((keys == keys.iloc[copy]).all(axis=1).to_numpy().argmax())]
        ids = ", ".join(f"{name.partition(':')[2]} {second[name]}" for name in unique)
        raise LogProblem(
            f"{_place(second)}: a second record with {ids}, the first is on line {first['line']}: "
            "expected each once"
        )


def finished(table: pd.DataFrame, shared: Shared, say: Callable[[str], None]) -> pd.DataFrame:
    """The canonical table.

    Args:
        table: all columns, as `assembled` returns them.
        shared: the prompts.
        say: takes a line about names that were told apart.

    Examples:
        >>> names = Shared(prompts={"p": 0})
        >>> columns = pd.DataFrame({"prompt": [0], "reward": [1.0], "line": [1]})
        >>> table = finished(columns, names, print)
        >>> table.to_dict("list")
        {'prompt': ['p'], 'reward': [1.0]}
    """
    prompts = pd.Series(pd.Categorical.from_codes(table["prompt"], pd.Index(shared.prompts)))
    if "prompt_key" in table:
        prompts = _prompts_apart(prompts, table["prompt_key"], say)
    columns: dict[str, Any] = {"prompt": prompts}
    if "token_ids" in table and "response" in table:
        table["response"] = _responses_apart(table, say)
    for name in CANONICAL[1:]:
        if name in table and not table[name].isna().all():
            columns[name] = table[name]
    whole = checked(pd.DataFrame(columns))
    if {"file", "line", "item", "position"} <= set(table):
        whole.attrs[PLACES] = Places(whole, table, shared.fields)
    return whole


def _prompts_apart(
    prompts: pd.Series[Any], keys: pd.Series[Any], say: Callable[[str], None]
) -> pd.Series[Any]:
    """Prompts of one text but with several keys (ids, reference answers) named by both."""
    several = keys.groupby(prompts, observed=True).nunique() > 1
    shared = prompts.isin(several.index[several])
    if not shared.any():
        return prompts
    say(f"{int(several.sum())} prompts have one text and several ids: told apart by them")
    named = prompts.astype(str).where(~shared, prompts.astype(str) + " [" + keys.fillna("") + "]")
    return named.astype("category")


def _responses_apart(table: pd.DataFrame, say: Callable[[str], None]) -> pd.Series[Any]:
    """Responses of one text but of several sequences of tokens named by both."""
    responses, ids = table["response"], table["token_ids"]
    pairs = pd.DataFrame({"prompt": table["prompt"], "response": responses, "ids": ids})
    pairs = pairs[responses.notna() & (ids != 0)].drop_duplicates()
    several = pairs[pairs.duplicated(["prompt", "response"], keep=False)]
    if several.empty:
        return responses
    say(
        f"{len(several.drop_duplicates(['prompt', 'response'])):,} responses of one text come in "
        "several sequences of tokens: told apart by them"
    )
    where = pd.MultiIndex.from_frame(table[["prompt", "response"]]).isin(
        pd.MultiIndex.from_frame(several[["prompt", "response"]])
    )
    names = [f"{t} [tokens {i:016x}]" for t, i in zip(responses[where], ids[where], strict=True)]
    named = pd.Series(names, index=responses.index[where], dtype=responses.dtype)
    return responses.mask(where).fillna(named)
