"""Logs of candidates in, one canonical table out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from bonmeter.logs.assemble import assembled, finished
from bonmeter.logs.cells import AGGREGATES
from bonmeter.logs.generic import CANONICAL
from bonmeter.logs.join import with_rewards
from bonmeter.logs.plan import Choices
from bonmeter.logs.problems import LogProblem
from bonmeter.logs.records import open_records
from bonmeter.logs.sources import open_source, source_name
from bonmeter.logs.table import FileTable, Shared, read_file

__all__ = ["Notes", "Path", "as_columns", "as_files", "counted", "read_log", "read_source"]

PROGRESS_SECONDS = 2.0
"""How often the number of candidates read so far is said."""

JOINED = ("reward", "gold_reward")
"""Columns of a second file, if there is one."""

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
    r"""The candidates of one or several logs, one row each.

    The format is recognised by content; a line says what was recognised and what was assumed.
    Nothing is invented: what a log does not hold is missing in the table.

    Args:
        paths: files, or `-` for standard input; JSON Lines, JSON, CSV or Parquet, compressed or
            not. Several are read as one log: their candidates of a prompt make up one pool.
        columns: canonical name (`prompt`, `response`, `reward`, `log_prob`, `gold_reward`,
            `tokens`, `weight`) -> the field to read it from, in place of what is recognised: a
            name, or a path like `outputs[].reward`, `[]` standing for the candidates of a record.
        where: field -> value; other records are left out.
        rewards: a second file, with the rewards; `columns` then says where these are in it.
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
        ...         _ = file.write("prompt,response,reward\np,a,1\np,b,0.5\n")
        ...     table = read_log(path, say=lambda line: None)
        >>> table["reward"].tolist()
        [1.0, 0.5]
    """
    files = as_files(paths, aggregate, rewards)
    chosen = as_columns(columns or {})
    ids, joining = _ids(join_on), rewards is not None
    own = {name: path for name, path in chosen.items() if not (joining and name in JOINED)}
    choices = Choices(own, dict(where or {}), aggregate, one_prompt, ids, joining)
    notes = Notes(say)
    shared = Shared()
    tables = [read_source(os.fspath(file), choices, shared, notes) for file in files]
    filled = [table for table in tables if table.size]
    if not filled:
        names = ", ".join(table.records.name for table in tables)
        raise LogProblem(f"{names}: no candidates with the values asked for ({choices.where})")
    candidates = assembled(filled)
    if rewards is not None:
        ids = choices.ids or tuple(tables[0].plan.ids)
        asked = Choices(
            {name: path for name, path in chosen.items() if name in JOINED},
            {},
            aggregate,
            ids=ids,
            joining=True,
            need_prompt=False,
        )
        scores = assembled([read_source(os.fspath(rewards), asked, shared, notes)])
        candidates = with_rewards(candidates, scores, join_on, notes.add)
    table = finished(candidates, shared, notes.add)
    table.attrs["notes"] = notes.lines
    return table


def as_files(
    paths: Path | Sequence[Path], aggregate: str | None, rewards: Path | None = None
) -> list[Path]:
    """The files of a log, each once; the aggregate is checked as well.

    Examples:
        >>> as_files("a.jsonl", None)
        ['a.jsonl']
    """
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if aggregate is not None and aggregate not in AGGREGATES:
        raise ValueError(f"aggregate = {aggregate!r}: expected one of {', '.join(AGGREGATES)}")
    _reject_repeated([*files, *([] if rewards is None else [rewards])])
    return files


def as_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """Columns by canonical names, checked.

    Examples:
        >>> as_columns({"reward": "outputs[].score"})
        {'reward': 'outputs[].score'}
    """
    for name in columns:
        if name not in CANONICAL:
            raise ValueError(f"columns[{name!r}]: expected one of {', '.join(CANONICAL)}")
    return dict(columns)


def _ids(join_on: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in join_on if name not in ("prompt", "response"))


def _reject_repeated(files: Sequence[Path]) -> None:
    if not files:
        raise ValueError("paths: expected at least one file")
    real = [os.fspath(f) if os.fspath(f) == "-" else os.path.realpath(f) for f in files]
    for index, file in enumerate(real):
        if file in real[:index]:
            raise ValueError(f"{os.fspath(files[index])}: given twice")


class Notes:
    """Lines said so far."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Say a line, and keep it."""
        self.lines.append(line)
        self.say(line)


def read_source(
    path: str,
    choices: Choices,
    shared: Shared,
    notes: Notes,
    flush: Callable[[FileTable], None] = lambda table: None,
) -> FileTable:
    r"""What one file holds, and what there is to say of it.

    Args:
        path: the file, or `-`.
        choices: as for `bonmeter.logs.table.read_file`.
        shared: likewise.
        notes: what was said so far; added to.
        flush: as for `bonmeter.logs.table.read_file`.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "runs.csv")
        ...     with open(path, "w") as file:
        ...         _ = file.write("prompt,reward\np,1\n")
        ...     read_source(path, Choices(), Shared(), Notes(lambda line: None)).total
        1
    """
    name = source_name(path)
    with open_source(path) as stream:
        records = open_records(stream, name)
        table = read_file(records, choices, shared, _progress(name, notes.say), flush)
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
    plan, choices = table.plan, table.choices
    fields = ", ".join(
        f"{name} from {plan.columns[name].path}" for name in CANONICAL if name in plan.columns
    )
    what = f"recognised {plan.format.name} ({table.records.container})"
    if not choices.need_prompt:  # only looked at for its rewards
        yield f"{what}: {counted(table.size, 'reward')}; {fields}"
        return
    codes = np.concatenate([np.empty(0), *table.columns.get("prompt", [])])
    of = f" of {counted(np.unique(codes).size, 'prompt')}" if codes.size == table.total else ""
    yield f"{what}: {counted(table.total, 'candidate')}{of}; {fields}"
    for count, noun, fate in (
        (table.skipped, "record", "left out by the values asked for"),
        (table.empty, "record", "without candidates"),
        (table.cut_off, "response", "cut off at the limit of tokens: part of that policy as drawn"),
    ):
        if count:
            yield f"{counted(count, noun)} {fate}"
    for name, none in MISSING.items():
        missing = table.total - table.known[name]
        if missing == table.total and not (name == "reward" and choices.joining):
            yield none
        elif 0 < missing < table.total:
            yield f"{counted(missing, 'candidate')} without {name}"
    if plan.notes:
        yield f"assumed: {'; '.join(plan.notes)}"


def counted(count: int, noun: str) -> str:
    """A number of things.

    Examples:
        >>> counted(1, "prompt"), counted(2000, "prompt")
        ('1 prompt', '2,000 prompts')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


MISSING = {
    "response": "no responses: equal ones cannot be told",
    "reward": "no rewards: they may come from a second file (--rewards)",
    "log_prob": "no log-probabilities: KL from ranks alone",
}
"""Column -> what to say if no candidate has it."""
