"""The canonical table as a file: JSON Lines, CSV or Parquet, the first two compressed or not."""

from __future__ import annotations

import gzip
import io
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from bonmeter.logs.generic import CANONICAL

__all__ = ["WRITERS", "write_log"]


def _write_json_lines(table: pd.DataFrame, stream: IO[bytes]) -> None:
    columns = [_plain(table[name]) for name in table]
    for values in zip(*columns, strict=True):
        record = {n: v for n, v in zip(table, values, strict=True) if v is not None}
        stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Values as Python has them, None where one is missing."""
    values = column.astype(object).where(column.notna(), None)
    return list(values)


def _write_csv(table: pd.DataFrame, stream: IO[bytes]) -> None:
    if "response" in table and table["response"].isna().any():
        raise ValueError(
            "response: CSV cannot tell a missing response from an empty one: "
            "write JSON Lines or Parquet"
        )
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    table.to_csv(text, index=False, lineterminator="\n")
    text.flush()
    text.detach()


def _write_parquet(table: pd.DataFrame, stream: IO[bytes]) -> None:
    table.assign(prompt=table["prompt"].astype(str)).to_parquet(stream, index=False)


STANDARD_OUTPUT = "-"

WRITERS: dict[str, Callable[[pd.DataFrame, IO[bytes]], None]] = {
    ".jsonl": _write_json_lines,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
"""Ending of a file -> what writes it."""


def write_log(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    r"""Write the canonical columns of `table`, whole or not at all.

    Args:
        table: as `read_log` returns it.
        path: ends in `.jsonl`, `.csv`, `.parquet`, or the first two with `.gz`; replaced if it
            exists. `-` is standard output, as JSON Lines.

    Raises:
        ValueError: if the ending is another, or CSV cannot hold the table.

    Examples:
        >>> import tempfile
        >>> table = pd.DataFrame({"prompt": ["p"], "reward": [0.5]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_log(table, f"{folder}/a.jsonl")
        ...     Path(folder, "a.jsonl").read_text()
        '{"prompt": "p", "reward": 0.5}\n'
    """
    if os.fspath(path) == STANDARD_OUTPUT:
        _write_json_lines(_canonical(table), sys.stdout.buffer)
        return
    target = Path(path)
    bare = target.with_suffix("") if target.suffix == ".gz" else target
    writer = WRITERS.get(bare.suffix)
    if writer is None or (bare != target and bare.suffix == ".parquet"):
        endings = ", ".join(WRITERS)
        raise ValueError(f"{path}: expected a name that ends in {endings} (or .jsonl.gz, .csv.gz)")
    with _atomic(target) as stream:
        if bare == target:
            writer(_canonical(table), stream)
        else:
            with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed:
                writer(_canonical(table), packed)  # type: ignore[arg-type]  # written to like a file


def _canonical(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in CANONICAL if name in table]]


@contextmanager
def _atomic(path: Path) -> Iterator[IO[bytes]]:
    """A stream to a hidden file beside `path`, renamed to it once all is written."""
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        with temporary.open("wb") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
