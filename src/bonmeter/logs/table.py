"""Columns of candidates, gathered chunk by chunk from the records of one file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bonmeter.logs.cells import CellProblem, log_probs, numbers, rewards, texts, token_counts
from bonmeter.logs.paths import field_at
from bonmeter.logs.plan import Choices, Field, Plan, make_plan
from bonmeter.logs.problems import shown
from bonmeter.logs.records import Records, Row

__all__ = ["FileTable", "Shared", "read_file"]

CHUNK = 20_000
"""Records that are in memory as objects at a time."""

CUT_OFF = {"length", "max_tokens"}
"""Reasons to finish that mean the limit of tokens was reached."""

Array = NDArray[Any]


@dataclass
class Shared:
    """What the files of one log have in common.

    Attributes:
        prompts: the prompts in the order in which they first came, with their codes.
        single: field that must have one value -> that value, and where it first stood.
    """

    prompts: dict[str, int] = field(default_factory=dict)
    single: dict[str, tuple[str, str]] = field(default_factory=dict)


class FileTable:
    """What one file held.

    Attributes:
        plan: how it was read.
        columns: name -> chunks of its values, each a numpy array or an Arrow array.
        size: how many candidates.
    """

    def __init__(self, records: Records, choices: Choices, shared: Shared) -> None:
        self.records, self.choices, self.shared = records, choices, shared
        self.columns: dict[str, list[Any]] = {}
        self.size = self.skipped = self.empty = self.cut_off = 0
        self.plan: Plan | None = None

    def add(self, rows: Sequence[Row]) -> None:
        """Read the candidates of some records."""
        if self.plan is None:
            self.plan = make_plan(self.records, rows, self.choices)
        plan = self.plan
        parts = [row for row in self._parts(plan, rows) if self._wanted(plan, row)]
        if parts:
            chunk = _Chunk(self.records, plan, parts)
            self.empty += int((chunk.counts == 0).sum())
            self.size += chunk.size
            self._append("line", np.repeat([row.line for row in parts], chunk.counts))
            for name, values in self._cells(plan, chunk):
                self._append(name, values)

    def _append(self, name: str, values: Any) -> None:
        self.columns.setdefault(name, []).append(values)

    def _parts(self, plan: Plan, rows: Sequence[Row]) -> Iterator[Row]:
        kind = plan.format
        for row in rows:
            if not kind.fits(row.data):
                raise self.records.problem(
                    row,
                    f"expected {kind.name} as on the lines before (fields {', '.join(kind.holds)})",
                )
            if why := kind.refused(row.data):
                raise self.records.problem(row, f"recognised {kind.name}: {why}")
            if kind.rows is None:
                yield row
                continue
            try:
                yield from (row._replace(within=w, data=part) for w, part in kind.rows(row.data))
            except ValueError as error:
                raise self.records.problem(row, error) from None

    def _wanted(self, plan: Plan, row: Row) -> bool:
        for path, field in plan.where.items():
            if str(field.get(row.data)) != self.choices.where[path]:
                self.skipped += 1
                return False
        for path, field in plan.single.items():
            value = str(field.get(row.data))
            place = f"{self.records.name}, {self.records.unit} {row.line}"
            first, at = self.shared.single.setdefault(path, (value, place))
            if value != first:
                raise self.records.problem(
                    row,
                    f"field {path}: {shown(value)} here and {shown(first)} in {at}, each with "
                    f"candidates of its own: choose one with --where {path}=…",
                )
        return True

    def _cells(self, plan: Plan, chunk: _Chunk) -> Iterator[tuple[str, Any]]:
        """The canonical columns of a chunk, and those that serve to check and to join."""
        aggregate = self.choices.aggregate
        parsers: dict[str, Callable[[Sequence[Any]], Array]] = {
            "reward": lambda values: rewards(values, aggregate),
            "gold_reward": lambda values: rewards(values, aggregate),
            "log_prob": log_probs,
            "tokens": token_counts,
            "weight": numbers,
        }
        yield "prompt", self._prompt_codes(plan, chunk)
        for name, field in plan.columns.items():
            if name in parsers:
                yield name, chunk.parsed(field, parsers[name])
            elif name == "finish":
                self.cut_off += sum(value in CUT_OFF for value in chunk.values(field))
            elif name == "token_ids":
                yield name, np.array([_digest(ids) for ids in chunk.values(field)])
            elif name != "prompt":
                yield name, _strings(texts(chunk.values(field)))
        for name, field in plan.ids.items():
            yield f"id:{name}", _strings(texts(chunk.values(field)))
        for name, field in plan.unique.items():
            yield f"unique:{name}", _strings(texts(chunk.values(field)))
        yield "position", chunk.positions()

    def _prompt_codes(self, plan: Plan, chunk: _Chunk) -> Array:
        field = plan.columns.get("prompt")
        if field is None:
            named: Sequence[str | None] = [""] * chunk.size
        else:
            named = texts(chunk.values(field))
        for index, name in enumerate(named):
            if name is None or (name == "" and field is not None and self.records.blank_is_missing):
                assert field is not None
                raise chunk.problem(index, field, "expected a prompt, got none")
        codes = self.shared.prompts
        return np.array([codes.setdefault(n, len(codes)) for n in named], dtype=np.int32)  # type: ignore[arg-type]


class _Chunk:
    """Some records, spread out into their candidates."""

    def __init__(self, records: Records, plan: Plan, rows: Sequence[Row]) -> None:
        self.records, self.rows = records, rows
        self.raw: dict[int, list[Any]] = {}
        spread = [field for field in (*plan.columns.values(), *plan.ids.values()) if field.spread]
        self.counts = np.ones(len(rows), dtype=np.int64)
        if spread:
            sizes = [self._size(row, spread) for row in rows]
            self.counts = np.array(sizes, dtype=np.int64)
        self.size = int(self.counts.sum())
        self.flat = not spread

    def _size(self, row: Row, spread: Sequence[Field]) -> int:
        """How many candidates a record holds: as many as each of its lists."""
        first: tuple[str, int] | None = None
        for field in spread:
            values = self._got(field, row)
            if values is None:
                continue
            if not isinstance(values, list):
                raise self.records.problem(row, f"field {field.path}: expected a list")
            if first is not None and first[1] != len(values):
                raise self.records.problem(
                    row,
                    f"field {field.path}: expected {first[1]} values as in {first[0]}, "
                    f"got {len(values)}",
                )
            first = first or (field.path, len(values))
        return first[1] if first else 0

    def _got(self, field: Field, row: Row) -> Any:
        try:
            return field.get(row.data)
        except ValueError as error:
            raise self.records.problem(row, error) from None
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise self.records.problem(
                row, f"field {field.path}: not nested as expected ({error!r})"
            ) from None

    def positions(self) -> Array:
        """Where each candidate stands in its record, from 0."""
        starts = np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        return np.arange(self.size) - starts

    def values(self, field: Field) -> list[Any]:
        """One value for each candidate."""
        got = [self._got(field, row) for row in self.rows]
        if self.flat:
            return got
        counts = self.counts.tolist()
        if field.spread:
            lists = (
                values if values is not None else [None] * n
                for values, n in zip(got, counts, strict=True)
            )
            return list(chain.from_iterable(lists))
        return [value for value, n in zip(got, counts, strict=True) for _ in range(n)]

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


def _digest(token_ids: Any) -> int:
    """A name for a sequence of tokens; 0 where there is none."""
    if token_ids is None:
        return 0
    name = hashlib.blake2b(repr(token_ids).encode(), digest_size=8).digest()
    return int.from_bytes(name, "big") >> 1


def _strings(values: Sequence[str | None]) -> pa.Array:
    try:
        return pa.array(values, type=pa.large_string())
    except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 cannot hold
        whole = (v if v is None else v.encode("utf-8", "backslashreplace").decode() for v in values)
        return pa.array(list(whole), type=pa.large_string())


def read_file(
    records: Records, choices: Choices, shared: Shared, progress: Callable[[int], None]
) -> FileTable:
    """All candidates of a file.

    Raises:
        LogProblem: at the first record that cannot be read, or if there are no candidates.
    """
    table = FileTable(records, choices, shared)
    rows = iter(records.rows)
    while chunk := list(islice(rows, CHUNK)):
        table.add(chunk)
        progress(table.size)
    if table.size == 0:
        why = " with the values asked for" if table.skipped else ""
        raise records.problem(None, f"it holds no candidates{why}")
    return table
