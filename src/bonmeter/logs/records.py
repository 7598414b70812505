"""The records of a log, whatever container holds them, each with its place in the file.

Containers are told apart by content: Parquet, JSON Lines, a JSON array, JSON objects one after
another (indented or not), the zip archives of Inspect, and delimited text (commas, tabs or
semicolons). Only a JSON document that is no JSON Lines file is held in memory as a whole.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO, Any, NamedTuple

from bonmeter.logs.paths import Record
from bonmeter.logs.problems import LogProblem, Value, shown
from bonmeter.logs.sources import first_bytes, is_zip, zip_members

__all__ = ["Records", "Row", "open_records"]

ROWS_AT_ONCE = 2_000
IN_MEMORY = 1 << 26
"""Bytes of a Parquet file from which on it is copied to a temporary file, not to memory."""
DELIMITED = {",": "CSV", "\t": "tab-separated", ";": "CSV with semicolons"}
"""Delimiter -> what messages call such a file."""


NESTED_OTHERWISE = (AttributeError, IndexError, KeyError, TypeError)
"""What functions of a record raise where it is nested in another way than its format says."""


class Row(NamedTuple):
    """A record and where it stands.

    Attributes:
        line: line of the file on which it begins (row for Parquet), counted from 1.
        item: which entry of an array it is, counted from 1; 0 outside arrays.
        data: the record.
        within: path of the record within the value of that line, "" if it is that value.
        size: characters that it takes, 0 if not known.
    """

    line: int
    item: int
    data: Record
    within: str = ""
    size: int = 0


class Records(NamedTuple):
    """The records of one file.

    Attributes:
        name: the file, as messages call it.
        container: what holds the records, as messages call it.
        rows: the records, read as they are asked for.
        unit: what a place counts, "line" or "row".
    """

    name: str
    container: str
    rows: Iterator[Row]
    unit: str = "line"

    @property
    def blank_is_missing(self) -> bool:
        """Whether an empty field is no text but a missing one, as in delimited text."""
        return self.container in DELIMITED.values()

    @contextmanager
    def locating(self, row: Row | None, field: str = "") -> Iterator[None]:
        """Errors within it become problems of `row`, also those of an unexpected nesting."""
        try:
            yield
        except ValueError as error:
            raise self.problem(row, error) from None
        except NESTED_OTHERWISE as error:
            place = f"field {field}: " if field else ""
            raise self.problem(row, f"{place}not nested as expected ({error!r:.80})") from None

    def problem(self, row: Row | None, message: object) -> LogProblem:
        """An error about `row`, or about the whole file."""
        if row is None:
            return LogProblem(f"{self.name}: {message}")
        place = f"{self.unit} {row.line}" + (f", item {row.item}" if row.item else "")
        within = f", in {row.within}" if row.within else ""
        return LogProblem(f"{self.name}, {place}{within}: {message}")


def open_records(stream: IO[bytes], name: str) -> Records:
    """The records of a stream, its container recognised by content.

    Args:
        stream: decompressed bytes, without a byte order mark.
        name: what messages call the file.

    Raises:
        LogProblem: if the content is no such container, then or while records are read.

    Examples:
        >>> import io
        >>> stream = io.BufferedReader(io.BytesIO(b'[{"reward": 1}, {"reward": 2}]'))
        >>> records = open_records(stream, "log.json")
        >>> records.container, [row.data["reward"] for row in records.rows]
        ('JSON array', [1, 2])
    """
    if first_bytes(stream) == b"PAR1":
        return Records(name, "Parquet", _parquet(stream, name), "row")
    if is_zip(stream):
        return Records(name, "zip archive", _inspect_archive(stream, name))
    first_line, first = _first_line(stream)
    if not first.strip():
        raise LogProblem(f"{name}: the file is empty")
    if first.lstrip()[:1] not in (b"{", b"["):
        return _delimited(stream, name, first_line, first)
    if _is_record(first):
        return Records(name, "JSON Lines", _json_lines(stream, name, first_line, first))
    text = _text(first + stream.read(), name, first_line)
    container = "JSON array" if text.lstrip().startswith("[") else "JSON"
    return Records(name, container, _json_values(text, name, first_line))


def _first_line(stream: IO[bytes]) -> tuple[int, bytes]:
    for number, line in enumerate(stream, 1):
        if line.strip():
            return number, line
    return 1, b""


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _text(data: bytes, name: str, line: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        raise LogProblem(
            f"{name}, line {line}: not UTF-8 text (byte {data[error.start]:#04x})"
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> Record:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise LogProblem(f"field {twice}: given twice in one object")
    return record


DECODER = json.JSONDecoder(object_pairs_hook=_unique)


JOINED = " \t\r\n\ufeff"
"""What may stand around a line: also the byte order mark of a file that was appended."""


def _json_lines(stream: IO[bytes], name: str, line: int, first: bytes) -> Iterator[Row]:
    for number, data in enumerate(chain((first,), stream), line):
        text = _text(data, name, number).strip(JOINED)
        if not text:
            continue
        try:
            yield Row(number, 0, _record(DECODER.decode(text)), size=len(text))
        except json.JSONDecodeError:  # several in a line, or one that goes on in the next
            yield from _json_values(_text(data + stream.read(), name, number), name, number)
        except (ValueError, RecursionError) as error:
            raise LogProblem(f"{name}, line {number}: {_reason(error)}") from None


def _json_values(text: str, name: str, line: int) -> Iterator[Row]:
    """Records of JSON values one after another; an array stands for its entries."""
    cursor = _Cursor(text, name, line)
    while start := cursor.peek():
        if start == "[":
            yield from _array(cursor)
        else:
            yield cursor.row(0)


def _array(cursor: _Cursor) -> Iterator[Row]:
    cursor.expect("[")
    item = 0
    while item or cursor.peek() != "]":
        item += 1
        yield cursor.row(item)
        if cursor.peek() == "]":
            break
        cursor.expect(",")
    cursor.expect("]")


class _Cursor:
    """Where in a text of JSON values the next one begins."""

    def __init__(self, text: str, name: str, line: int) -> None:
        self.text, self.name, self.first, self.line = text, name, line, line
        self.position = 0

    def _advance(self, position: int) -> None:
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def peek(self) -> str:
        """The next character that is not blank, "" at the end."""
        match = BLANK.match(self.text, self.position)
        self._advance(match.end() if match else self.position)
        return self.text[self.position : self.position + 1]

    def expect(self, character: str) -> None:
        """Step over `character`."""
        if (found := self.peek()) != character:
            end = f"{found!r}" if found else "the end: the file seems to be cut off"
            raise self.problem(0, f"expected {character!r} in an array, got {end}")
        self.position += 1

    def row(self, item: int) -> Row:
        """The next value as a record."""
        self.peek()
        line = self.line
        try:
            value, position = DECODER.raw_decode(self.text, self.position)
            row = Row(line, item, _record(value), size=position - self.position)
        except (ValueError, RecursionError) as error:
            raise self.problem(item, self._reason(error)) from None
        self._advance(position)
        return row

    def problem(self, item: int, message: str) -> LogProblem:
        """An error about the value that begins here."""
        place = f"{self.name}, line {self.line}" + (f", item {item}" if item else "")
        return LogProblem(f"{place}: {message}")

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, json.JSONDecodeError):
            return _reason(error)
        line = self.first + error.lineno - 1
        where = f"column {error.colno}" if line == self.line else f"line {line}"
        rest = self.text[error.pos : error.pos + 1].strip()
        cut = " (cut off?)" if not rest or "Unterminated" in error.msg else ""
        return f"not JSON: {error.msg} at {where}{cut}"


BLANK = re.compile(r"[ \t\r\n]*")


def _record(value: Value) -> Record:
    if not isinstance(value, dict):
        raise LogProblem(f"expected an object, got {shown(value)}")
    return value


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


@contextmanager
def _long_fields() -> Iterator[None]:
    """Fields of any length while delimited text is read."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _delimited(stream: IO[bytes], name: str, line: int, first: bytes) -> Records:
    header = _text(first, name, line)
    delimiter = max(DELIMITED, key=header.count)  # the first of equals, the comma
    rows = _delimited_rows(chain((first,), stream), name, line, delimiter)
    return Records(name, DELIMITED[delimiter], rows)


def _delimited_rows(data: Iterable[bytes], name: str, line: int, delimiter: str) -> Iterator[Row]:
    lines = (_text(part, name, number) for number, part in enumerate(data, line))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begin = line
    try:
        with _long_fields():
            header = _header(next(reader), name, line)
            begin = line + reader.line_num
            for cells in reader:
                if cells and len(cells) != len(header):
                    raise LogProblem(
                        f"{name}, line {begin}: expected {len(header)} fields as in the header, "
                        f"got {len(cells)}"
                    )
                if cells:
                    yield Row(begin, 0, dict(zip(header, cells, strict=True)))
                begin = line + reader.line_num
    except csv.Error as error:
        raise LogProblem(f"{name}, line {begin}: not delimited text ({error})") from None


def _header(cells: list[str], name: str, line: int) -> list[str]:
    names = [cell.strip() or f"column {index}" for index, cell in enumerate(cells, 1)]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise LogProblem(f"{name}, line {line}: column {twice}: named twice")
    return names


def _parquet(stream: IO[bytes], name: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as whole:  # which can be read at any place
            shutil.copyfileobj(stream, whole)
            file = pq.ParquetFile(whole)
            batches = (batch.to_pylist() for batch in file.iter_batches(ROWS_AT_ONCE))
            for number, record in enumerate(chain.from_iterable(batches), 1):
                yield Row(number, 0, record)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LogProblem(f"{name}: not a readable Parquet file ({error})") from None


def _inspect_archive(stream: IO[bytes], name: str) -> Iterator[Row]:
    """An Inspect `.eval` file as the record its `.json` form would hold."""
    try:
        members = zip_members(stream)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise LogProblem(f"{name}: not a readable zip archive ({error})") from None
    documents = {
        member: next(_json_values(_text(data, f"{name}/{member}", 1), f"{name}/{member}", 1)).data
        for member, data in members.items()
        if member == "header.json" or member.startswith("samples/")
    }
    header = documents.pop("header.json", None)
    if header is None:
        raise LogProblem(f"{name}: expected a log of Inspect in the archive, found no header.json")
    yield Row(1, 0, {**header, "samples": list(documents.values())})
