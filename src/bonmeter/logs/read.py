"""Logs of candidates in, one canonical table out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bonmeter.logs.cells import AGGREGATES, whole_or_float
from bonmeter.logs.generic import CANONICAL
from bonmeter.logs.join import with_rewards
from bonmeter.logs.plan import Choices
from bonmeter.logs.problems import LogProblem
from bonmeter.logs.records import open_records
from bonmeter.logs.schema import checked
from bonmeter.logs.sources import open_source, source_name
from bonmeter.logs.table import FileTable, Shared, read_file

__all__ = ["read_log"]

PROGRESS_SECONDS = 2.0
"""How often the number of candidates read so far is said."""

NUMBERS = ("reward", "log_prob", "gold_reward", "tokens", "weight")

Path = str | os.PathLike[str]


def say_on_stderr(line: str) -> None:
    """Print a line on standard error."""
    print(line, file=sys.stderr)


def read_log(
    paths: Path | Sequence[Path],
    *,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    rewards: Path | None = None,
    join_on: Sequence[str] = (),
    aggregate: str | None = None,
    one_prompt: bool = False,
    say: Callable[[str], None] = say_on_stderr,
) -> pd.DataFrame:
    """The candidates of one or several logs, one row each.

    The format is recognised by content; a line says what was recognised and what was assumed.
    Nothing is invented: what a log does not hold is missing in the table.

    Args:
        paths: files, or `-` for standard input; JSON Lines, JSON, CSV or Parquet, compressed or
            not. Several are read as one log: their candidates of a prompt make up one pool.
        columns: canonical name (`prompt`, `response`, `reward`, `log_prob`, `gold_reward`,
            `tokens`, `weight`) -> the field to read it from, in place of what is recognised: a
            name, or a path like `outputs[].reward`, `[]` standing for the candidates of a record.
        where: field -> value; other records are left out.
        rewards: a second file, with the rewards.
        join_on: fields of both files that identify a candidate; by default those that the format
            has (`request_id` and `index` for vLLM), else prompt and response.
        aggregate: how to make one reward of scores of steps: last, min, max, mean, sum or prod.
        one_prompt: read a log that names no prompt as candidates of one.
        say: takes each line to be printed; standard error by default.

    Returns:
        A table with the columns `prompt` (categorical) and, where the log has them, `response`,
        `reward`, `log_prob` (nats), `gold_reward`, `tokens` and `weight`; `attrs["notes"]` holds
        the lines that were said.

    Raises:
        ValueError: naming the file, the line and the field of the first problem.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "runs.csv")
        ...     with open(path, "w") as file:
        ...         _ = file.write("prompt,response,reward\\np,a,1\\np,b,0.5\\n")
        ...     table = read_log(path, say=lambda line: None)
        >>> table["reward"].tolist()
        [1.0, 0.5]
    """
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if aggregate is not None and aggregate not in AGGREGATES:
        raise ValueError(f"aggregate = {aggregate!r}: expected one of {', '.join(AGGREGATES)}")
    _reject_repeated([*files, *([] if rewards is None else [rewards])])
    choices = Choices(_known(columns or {}), dict(where or {}), aggregate, one_prompt, _ids(join_on))
    notes = _Notes(say)
    shared = Shared()
    tables = [_read(os.fspath(file), choices, shared, notes) for file in files]
    candidates = _assembled(tables)
    if rewards is not None:
        ids = choices.ids or tuple(next(iter(tables)).plan.ids)
        asked = Choices(_rewards_only(choices.columns), {}, aggregate, ids=ids, need_prompt=False)
        scores = _assembled([_read(os.fspath(rewards), asked, shared, notes)])
        candidates = with_rewards(candidates, scores, join_on, notes.add)
    return _finished(candidates, shared, notes)


def _known(columns: Mapping[str, str]) -> dict[str, str]:
    for name in columns:
        if name not in CANONICAL:
            raise ValueError(f"columns[{name!r}]: expected one of {', '.join(CANONICAL)}")
    return dict(columns)


def _ids(join_on: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in join_on if name not in ("prompt", "response"))


def _rewards_only(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: path for name, path in columns.items() if name in ("reward", "gold_reward")}


def _reject_repeated(files: Sequence[Path]) -> None:
    if not files:
        raise ValueError("paths: expected at least one file")
    real = [os.fspath(f) if os.fspath(f) == "-" else os.path.realpath(f) for f in files]
    for index, file in enumerate(real):
        if file in real[:index]:
            raise ValueError(f"{os.fspath(files[index])}: given twice")


class _Notes:
    """Lines said so far."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Say a line, and keep it."""
        self.lines.append(line)
        self.say(line)


def _read(path: str, choices: Choices, shared: Shared, notes: _Notes) -> FileTable:
    name = source_name(path)
    with open_source(path) as stream:
        table = read_file(open_records(stream, name), choices, shared, _progress(name, notes.say))
    for line in _described(table):
        notes.add(f"{name}: {line}")
    return table


def _progress(name: str, say: Callable[[str], None]) -> Callable[[int], None]:
    """A function that says how many candidates were read, now and then."""
    last = time.monotonic()

    def progress(size: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            say(f"{name}: {size:,} candidates so far")

    return progress


def _described(table: FileTable) -> Iterator[str]:
    """What was recognised, what is missing, and what was assumed."""
    plan = table.plan
    prompts = np.unique(np.concatenate(table.columns["prompt"])).size
    fields = ", ".join(
        f"{name} from {plan.columns[name].path}" for name in CANONICAL if name in plan.columns
    )
    yield (
        f"recognised {plan.format.name} ({table.records.container}): {table.size:,} candidates "
        f"of {prompts:,} prompts; {fields}"
    )
    for count, what in (
        (table.skipped, "records left out by the values asked for"),
        (table.empty, "records without candidates"),
        (table.cut_off, "responses cut off at the limit of tokens: part of that policy as drawn"),
    ):
        if count:
            yield f"{count:,} {what}"
    for name, none in MISSING.items():
        missing = _missing(table, name)
        if missing == table.size:
            yield none
        elif missing:
            yield f"{missing:,} candidates without {name}"
    if plan.notes:
        yield f"assumed: {'; '.join(plan.notes)}"


MISSING = {
    "response": "no responses: equal ones cannot be told",
    "reward": "no rewards: they may come from a second file (--rewards)",
    "log_prob": "no log-probabilities: KL from ranks alone",
}
"""Column -> what to say if no candidate has it."""


def _missing(table: FileTable, name: str) -> int:
    """How many candidates have no value of that column."""
    chunks = table.columns.get(name)
    if chunks is None:
        return table.size
    if isinstance(chunks[0], np.ndarray):
        return sum(int(np.isnan(chunk).sum()) for chunk in chunks)
    return sum(chunk.null_count for chunk in chunks)


def _assembled(tables: Sequence[FileTable]) -> pd.DataFrame:
    """The columns of all files, with those that serve to check and to join."""
    names = [table.records.name for table in tables]
    files = np.repeat(np.arange(len(tables), dtype=np.int32), [table.size for table in tables])
    data: dict[str, Any] = {"file": pd.Categorical.from_codes(files, names)}
    for name in dict.fromkeys(name for table in tables for name in table.columns):
        blank = _blank(next(t.columns[name][0] for t in tables if name in t.columns))
        parts = [c for t in tables for c in t.columns.get(name) or [blank(t.size)]]
        if isinstance(parts[0], pa.Array):
            data[name] = pa.chunked_array(parts).to_pandas()
        elif name in NUMBERS:
            data[name] = _as_one(name, parts, names)
        else:
            data[name] = np.concatenate(parts)
    table = pd.DataFrame(data)
    _reject_copies(table)
    return table


def _blank(chunk: Any) -> Callable[[int], Any]:
    """A function that makes a column like `chunk` with nothing in it."""
    if isinstance(chunk, pa.Array):
        return lambda size: pa.nulls(size, pa.large_string())
    empty = 0 if chunk.dtype.kind == "i" and chunk.dtype != np.int64 else np.nan
    return lambda size: np.full(size, empty)


def _as_one(name: str, parts: Sequence[Any], files: Sequence[str]) -> Any:
    try:
        return whole_or_float(parts)
    except ValueError as error:
        raise LogProblem(f"{', '.join(files)}: field {name}: {error}") from None


def place(row: pd.Series[Any]) -> str:
    """Where a candidate stands."""
    return f"{row['file']}, line {row['line']}"


def _reject_copies(table: pd.DataFrame) -> None:
    """Refuse a record that comes twice: it was copied, not drawn again."""
    unique = [name for name in table if str(name).startswith("unique:")]
    if not unique:
        return
    keys = table[["file", *unique, "position"]]
    again = keys.duplicated() & table[unique].notna().all(axis=1)
    if again.any():
        second = table.loc[again.idxmax()]
        same = (keys == keys.loc[again.idxmax()]).all(axis=1)
        first = table.loc[same.idxmax()]
        ids = ", ".join(f"{str(name).partition(':')[2]} {second[name]}" for name in unique)
        raise LogProblem(
            f"{place(second)}: a second record with {ids}, the first is on line {first['line']}: "
            "expected each once"
        )


def _finished(table: pd.DataFrame, shared: Shared, notes: _Notes) -> pd.DataFrame:
    """The canonical table."""
    prompts = pd.Series(
        pd.Categorical.from_codes(table["prompt"], list(shared.prompts)), index=table.index
    )
    if "prompt_key" in table:
        prompts = _prompts_apart(prompts, table["prompt_key"], notes)
    columns: dict[str, Any] = {"prompt": prompts}
    if "token_ids" in table and "response" in table:
        table["response"] = _responses_apart(table, notes)
    for name in CANONICAL[1:]:
        if name in table and not table[name].isna().all():
            columns[name] = table[name]
    result = checked(pd.DataFrame(columns))
    result.attrs["notes"] = notes.lines
    return result


def _prompts_apart(prompts: pd.Series[Any], keys: pd.Series[Any], notes: _Notes) -> pd.Series[Any]:
    """Prompts of one text but with several keys (ids, reference answers) named by both."""
    several = keys.groupby(prompts, observed=True).nunique() > 1
    shared = prompts.isin(several.index[several])
    if not shared.any():
        return prompts
    notes.add(f"{int(several.sum())} prompts have one text and several ids: told apart by them")
    named = prompts.astype(str).where(~shared, prompts.astype(str) + " [" + keys + "]")
    return named.astype("category")


def _responses_apart(table: pd.DataFrame, notes: _Notes) -> pd.Series[Any]:
    """Responses of one text but of several sequences of tokens named by both."""
    responses, ids = table["response"], table["token_ids"]
    pairs = pd.DataFrame({"prompt": table["prompt"], "response": responses, "ids": ids})
    pairs = pairs[responses.notna() & (ids != 0)].drop_duplicates()
    several = pairs[pairs.duplicated(["prompt", "response"], keep=False)]
    if several.empty:
        return responses
    notes.add(
        f"{len(several.drop_duplicates(['prompt', 'response'])):,} responses of one text come in "
        "several sequences of tokens: told apart by them"
    )
    where = pd.MultiIndex.from_frame(table[["prompt", "response"]]).isin(
        pd.MultiIndex.from_frame(several[["prompt", "response"]])
    )
    names = [f"{t} [tokens {i:016x}]" for t, i in zip(responses[where], ids[where], strict=True)]
    changed = responses.copy()
    changed[where] = names
    return changed
