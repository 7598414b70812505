"""Columns of candidates, gathered chunk by chunk from the records of one file."""

from __future__ import annotations

import array
import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bonmeter.logs.cells import CellProblem, log_probs, rewards, texts, token_counts, weights
from bonmeter.logs.paths import field_at
from bonmeter.logs.places import FileFields
from bonmeter.logs.plan import PER_CANDIDATE, Choices, Field, Plan, late_columns, make_plan, parts
from bonmeter.logs.problems import Value, shown
from bonmeter.logs.records import NESTED_OTHERWISE, Records, Row

__all__ = ["FileTable", "Shared", "read_file"]

CHUNK, CHARACTERS = 20_000, 10_000_000
"""Records, or characters of them, that are in memory as objects at a time."""

CUT_OFF = {"length", "max_tokens"}
"""Reasons to finish that mean the limit of tokens was reached."""

Array = NDArray[Any]


@dataclasses.dataclass
class Shared:
    """What the files of one log have in common.

    Attributes:
        prompts: the prompts in the order in which they first came, with their codes.
        single: field that must have one value -> that value, and where it first stood.
        fields: file -> what it calls its records and columns.
    """

    prompts: dict[str, int] = dataclasses.field(default_factory=dict)
    single: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    fields: dict[str, FileFields] = dataclasses.field(default_factory=dict)


class FileTable:
    """What one file held.

    Attributes:
        plan: how it was read.
        columns: name -> chunks of its values, each a numpy array or an Arrow array.
        size: how many candidates these hold.
        total: how many candidates were read.
        known: name -> how many of them have a value.
    """

    def __init__(self, records: Records, plan: Plan, choices: Choices, shared: Shared) -> None:
        self.records, self.plan, self.choices, self.shared = records, plan, choices, shared
        self.columns: dict[str, list[Any]] = {}
        self.known_fields: set[str] = set()
        self.size = self.total = self.skipped = self.empty = self.cut_off = 0
        self.known: Counter[str] = Counter()

    def add(self, rows: Sequence[Row]) -> None:
        """Read the candidates of some records."""
        held = list(self._parts(rows))
        self._reject_late(held)
        wanted = [row for row in held if self._wanted(row)]
        if wanted:
            chunk = _Chunk(self.records, self.plan, wanted)
            self.empty += int((chunk.counts == 0).sum())
            self.size += chunk.size
            self.total += chunk.size
            for name in ("line", "item"):
                values = [getattr(row, name) for row in wanted]
                self._append(name, np.repeat(np.array(values, dtype=np.int64), chunk.counts))
            for name, values in self._cells(chunk):
                self._append(name, values)
                self.known[name] += chunk.size - _missing(values)

    def _reject_late(self, rows: Sequence[Row]) -> None:
        """Refuse a record with a column that those which decided the plan did not have."""
        fields = self.known_fields
        if not fields:  # of the first records, which decided
            fields.update(*(row.data for row in rows))
        for row in rows:
            if not fields.issuperset(row.data):
                fields.update(row.data)
                for name, path in late_columns(row.data, self.plan).items():
                    raise self.records.problem(
                        row,
                        f"field {path}: no {name} is among the fields of the first records, which "
                        "decide what is read: put one that has it first",
                    )

    def taken(self) -> dict[str, list[Any]]:
        """The chunks so far, no longer held."""
        columns, self.columns, self.size = self.columns, {}, 0
        return columns

    def _append(self, name: str, values: Value) -> None:
        self.columns.setdefault(name, []).append(values)

    def _parts(self, rows: Sequence[Row]) -> Iterator[Row]:
        kind = self.plan.format
        for row in rows:
            if not kind.fits(row.data):
                raise self.records.problem(
                    row,
                    f"expected {kind.name} as on the lines before (fields {', '.join(kind.holds)})",
                )
            yield from parts(self.records, row, kind)

    def _wanted(self, row: Row) -> bool:
        for path, field in self.plan.where.items():
            if _said(self.records, row, field) != self.choices.where[path]:
                self.skipped += 1
                return False
        for path, field in self.plan.single.items():
            value = _said(self.records, row, field)
            if value is None:
                continue
            place = f"{self.records.name}, {self.records.unit} {row.line}"
            first, at = self.shared.single.setdefault(path, (value, place))
            if value != first:
                raise self.records.problem(
                    row,
                    f"field {path}: {shown(value)} here and {shown(first)} in {at}, each with "
                    f"candidates of its own: choose one with --where {path}=…",
                )
        return True

    def _cells(self, chunk: _Chunk) -> Iterator[tuple[str, Any]]:
        """The canonical columns of a chunk, and those that serve to check and to join."""
        aggregate = self.choices.aggregate
        parsers: dict[str, Callable[[Sequence[Any]], Array]] = {
            "reward": lambda values: rewards(values, aggregate),
            "gold_reward": lambda values: rewards(values, aggregate),
            "log_prob": log_probs,
            "tokens": token_counts,
            "weight": weights,
        }
        yield "prompt", self._prompt_codes(chunk)
        for name, field in self.plan.columns.items():
            if name in PER_CANDIDATE:
                chunk.reject_shared(field)
            if name in parsers:
                yield name, chunk.parsed(field, parsers[name])
            elif name == "finish":
                self.cut_off += sum(
                    isinstance(value, str) and value in CUT_OFF for value in chunk.values(field)
                )
            elif name == "token_ids":
                yield name, np.array([_digest(ids) for ids in chunk.values(field)])
            elif name != "prompt":
                yield name, _strings(texts(chunk.values(field)))
        for name, field in self.plan.ids.items():
            yield f"id:{name}", _strings(texts(chunk.values(field)))
        for name, field in self.plan.unique.items():
            yield f"unique:{name}", _strings(texts(chunk.values(field)))
        yield "position", chunk.positions()

    def _prompt_codes(self, chunk: _Chunk) -> Array:
        field = self.plan.columns.get("prompt")
        named = [""] * chunk.size if field is None else texts(chunk.values(field))
        codes = self.shared.prompts
        found = np.empty(chunk.size, dtype=np.int32)
        for index, name in enumerate(named):
            if field and (name is None or (name == "" and self.records.blank_is_missing)):
                raise chunk.problem(index, field, "expected a prompt, got none")
            found[index] = codes.setdefault(name or "", len(codes))
        return found


class _Chunk:
    """Some records, spread out into their candidates."""

    def __init__(self, records: Records, plan: Plan, rows: Sequence[Row]) -> None:
        self.records, self.rows = records, rows
        spread = [field for field in (*plan.columns.values(), *plan.ids.values()) if field.spread]
        self.flat = not spread
        self.lists = {field: self._got(field) for field in spread}
        self.counts = np.ones(len(rows), dtype=np.int64)
        if spread:
            self.counts[:] = [self._count(index) for index in range(len(rows))]
        self.size = int(self.counts.sum())

    def _got(self, field: Field) -> list[Any]:
        """What the field holds in each record."""
        try:
            return [field.get(row.data) for row in self.rows]
        except (ValueError, *NESTED_OTHERWISE):
            for row in self.rows:  # once more, to say which
                with self.records.locating(row, field.path):
                    field.get(row.data)
            raise

    def _count(self, index: int) -> int:
        """How many candidates a record holds: as many as each of its lists."""
        first: tuple[str, int] | None = None
        for field, lists in self.lists.items():
            if (values := lists[index]) is None:
                continue
            if not isinstance(values, list):
                raise self.records.problem(
                    self.rows[index], f"field {field.path}: expected a list, got {shown(values)}"
                )
            if first is not None and first[1] != len(values):
                raise self.records.problem(
                    self.rows[index],
                    f"field {field.path}: expected {first[1]} values as in {first[0]}, "
                    f"got {len(values)}",
                )
            first = first or (field.path, len(values))
        return first[1] if first else 0

    def positions(self) -> Array:
        """Where each candidate stands in its record, from 0."""
        starts = np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        return np.arange(self.size) - starts

    def values(self, field: Field) -> list[Any]:
        """One value for each candidate."""
        if self.flat:
            return self._got(field)
        counts = self.counts.tolist()
        if field.spread:
            lists = zip(self.lists[field], counts, strict=True)
            return [value for values, n in lists for value in values or [None] * n]
        once = zip(self._got(field), counts, strict=True)
        return [value for value, n in once for _ in range(n)]

    def reject_shared(self, field: Field) -> None:
        """Refuse one value for several candidates."""
        if not field.spread and (several := self.counts > 1).any():
            at = int(several.argmax())
            raise self.records.problem(
                self.rows[at],
                f"field {field.path}: expected a value for each of {self.counts[at]} candidates, "
                "got one for all",
            )

    def parsed(self, field: Field, parse: Callable[[Sequence[Any]], Array]) -> Array:
        """One number for each candidate."""
        try:
            return parse(self.values(field))
        except CellProblem as error:
            raise self.problem(error.index, field, str(error)) from None

    def problem(self, index: int, field: Field, message: str) -> ValueError:
        """An error about the candidate of that index."""
        ends = np.cumsum(self.counts)
        at = int(np.searchsorted(ends, index, side="right"))
        within = index - int(ends[at - 1]) if at else index
        path = field_at(field.path, within) if field.spread else field.path
        return self.records.problem(self.rows[at], f"field {path}: {message}")


def _said(records: Records, row: Row, field: Field) -> str | None:
    """The value of a field as text, as users write it."""
    with records.locating(row, field.path):
        value = field.get(row.data)
    return texts([value])[0]


def _digest(token_ids: Value) -> int:
    """A name for a sequence of tokens; 0 where there is none."""
    if token_ids is None:
        return 0
    try:
        data = array.array("q", token_ids).tobytes()
    except (OverflowError, TypeError):  # no list of integers
        data = repr(token_ids).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") >> 1


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists that fit in memory."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += row.size
        if len(chunk) == CHUNK or size > CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _strings(values: Sequence[str | None]) -> pa.Array:
    try:
        return pa.array(values, type=pa.large_string())
    except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 cannot hold
        whole = (v if v is None else v.encode("utf-8", "backslashreplace").decode() for v in values)
        return pa.array(list(whole), type=pa.large_string())


def _missing(values: Value) -> int:
    if isinstance(values, np.ndarray):
        return int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0
    return int(values.null_count)


def read_file(
    records: Records,
    choices: Choices,
    shared: Shared,
    progress: Callable[[int], None],
    flush: Callable[[FileTable], None] = lambda table: None,
) -> FileTable:
    """All candidates of a file.

    Args:
        records: the file.
        choices: what the user chose.
        shared: what it has in common with the other files of the log; added to.
        progress: takes the number of candidates so far.
        flush: is given the table after each chunk, and may empty it (`FileTable.taken`).

    Raises:
        LogProblem: at the first record that cannot be read, or if there are no candidates.

    Examples:
        >>> rows = iter([Row(1, 0, {"prompt": "p", "rewards": [1, 2, 4]})])
        >>> table = read_file(Records("log", "JSON", rows), Choices(), Shared(), print)
        3
        >>> table.columns["reward"]
        [array([1, 2, 4])]
    """
    chunks = _chunks(records.rows)
    first = next(chunks, None)
    if first is None:
        raise records.problem(None, "it holds no records")
    plan = make_plan(records, first, choices)
    shared.fields[records.name] = FileFields(
        records.unit, {name: field.path for name, field in plan.columns.items()}
    )
    table = FileTable(records, plan, choices, shared)
    for chunk in chain((first,), chunks):
        table.add(chunk)
        progress(table.total)
        flush(table)
    if table.total == table.skipped == 0:
        raise records.problem(None, "it holds no candidates")
    return table
