"""Files of the pipeline: tables written whole or not at all.

Only numpy and pyarrow are imported, and arrays cross over through their buffers: the usual
conversions import pandas, half a second in each of a hundred short jobs.
"""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from replication.pipeline.orphans import refuse_strangers

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    *("DamagedFileError", "atomic_path", "read_frame", "read_table", "reading"),
    *("save_csv", "write_csv", "write_table"),
]

DIGITS = 5
"""Significant digits of a table kept as text; of standard errors, two."""

DECIMALS = 12
"""Beyond them, in nats, is rounding, which differs between machines."""


class DamagedFileError(ValueError):
    """A file that does not hold what it should, as its message says."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path`, renamed to it on success and removed on failure.

    Args:
        path: where the finished file belongs; its folder is created, its ending is kept by the
            temporary name (a hidden one), because many writers choose the format by it.

    Yields:
        The path to write to.

    Raises:
        OSError: if the file cannot be written: it names `path`, not the temporary one.
        RuntimeError: if a later run of the pipeline has begun.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_path(f"{folder}/a.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     Path(folder, "a.txt").read_text()
        'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        refuse_strangers()
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename not in {None, str(temporary)}:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table: Mapping[str, ArrayLike], path: str | os.PathLike[str]) -> None:
    """Write columns of equal length as a Parquet file, atomically.

    Args:
        table: name -> one-dimensional array of numbers (of at most 8 bytes), booleans or strings.
            nan is kept as nan.
        path: the file; replaced if it exists.

    Raises:
        ValueError: if a column is not one-dimensional, has another length than the first, or holds
            anything else, or if there is no column.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_table({"policy": ["binary"], "kl": [0.5]}, f"{folder}/a.parquet")
        ...     read_table(f"{folder}/a.parquet")
        {'policy': array(['binary'], dtype='<U6'), 'kl': array([0.5])}
    """
    if not table:
        raise ValueError("table has no column: expected at least one")
    columns = {name: _vector(name, values) for name, values in table.items()}
    length = next(iter(columns.values())).size
    for name, values in columns.items():
        if values.size != length:
            raise ValueError(
                f"column {name} has {values.size} entries: expected {length}, as the first column"
            )
    arrays = [_to_arrow(name, values) for name, values in columns.items()]
    with atomic_path(path) as temporary:
        arrow = pa.Table.from_arrays(arrays, names=list(columns))
        pq.write_table(arrow, temporary, write_page_checksum=True)


def read_table(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The columns of a Parquet file, by name.

    Args:
        path: a file of numbers, booleans and strings, without missing values.

    Returns:
        name -> array, in the order of the file; numbers are read-only views of the file's buffers.

    Raises:
        DamagedFileError: if it is not a whole Parquet file, or a page not what was written.
        FileNotFoundError: if there is no such file.
        ValueError: if a column has a missing value or holds anything else.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_table({"n": [1, 2]}, f"{folder}/a.parquet")
        ...     read_table(f"{folder}/a.parquet")["n"].tolist()
        [1, 2]
    """
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read()
    return {
        name: _to_numpy(name, column.combine_chunks())
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def read_frame(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The same as a frame of pandas, which may have missing values.

    Args:
        path: a Parquet file.

    Returns:
        A row for each of the table.

    Raises:
        DamagedFileError: if it is not a whole Parquet file, or a page not what was written.
        FileNotFoundError: if there is no such file.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_table({"n": [1, 2]}, f"{folder}/a.parquet")
        ...     read_frame(f"{folder}/a.parquet").n.tolist()
        [1, 2]
    """
    import pandas as pd  # as said above, not in every job

    with reading(path):
        return pd.read_parquet(path, page_checksum_verification=True)


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever is wrong with a Parquet file, the error names the file.

    Args:
        path: the file.

    Raises:
        DamagedFileError: in place of another error, unless there is no such file.

    Examples:
        >>> with reading("a.parquet"):  # doctest: +ELLIPSIS
        ...     raise pa.ArrowInvalid("no footer")
        Traceback (most recent call last):
        replication.pipeline.io.DamagedFileError: a.parquet: no footer: expected a Parquet file...
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise DamagedFileError(
            f"{os.fspath(path)}: {reason}: expected a Parquet file, whole as written"
        ) from None


def write_csv(table: Mapping[str, Iterable[object]], path: str | os.PathLike[str]) -> None:
    """Write columns of equal length as text, atomically, to be kept under version control.

    Args:
        table: name -> entries, written as `str` shows them.
        path: the file; replaced if it exists.

    Raises:
        ValueError: if the columns have different lengths.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_csv({"policy": ["binary"], "kl": [0.5]}, f"{folder}/a.csv")
        ...     Path(folder, "a.csv").read_text().splitlines()
        ['policy,kl', 'binary,0.5']
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))


def save_csv(table: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """The same table as text, rounded, to be kept under version control.

    Args:
        table: a file that `write_table` wrote.
        path: the text; replaced if it exists.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_table({"kl": np.array([1 / 3])}, f"{folder}/a.parquet")
        ...     save_csv(f"{folder}/a.parquet", f"{folder}/a.csv")
        ...     Path(folder, "a.csv").read_text().splitlines()
        ['kl', '0.33333']
    """
    columns = read_table(table)
    texts = {
        name: [_text(value, 2 if name.endswith("_error") else DIGITS) for value in column.tolist()]
        for name, column in columns.items()
    }
    write_csv(texts, path)


def _text(value: float | str, digits: int) -> str:
    return f"{round(value, DECIMALS) + 0.0:.{digits}g}" if isinstance(value, float) else str(value)


def _vector(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"column {name} is ragged: expected one dimension") from None
    if array.ndim != 1:
        raise ValueError(f"column {name} has shape {array.shape}: expected one dimension")
    if array.dtype.kind == "U" and not _all_text(np.asarray(values, object)):
        raise ValueError(f"column {name} mixes strings with other values: expected one type")
    # buffers are handed over as they lie in memory
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _to_arrow(name: str, values: NDArray[Any]) -> pa.Array:
    if values.dtype.kind in "iuf" and values.dtype.itemsize <= 8:
        kind = pa.from_numpy_dtype(values.dtype)
        return pa.Array.from_buffers(kind, values.size, [None, pa.py_buffer(values)])
    if values.dtype.kind == "b":
        bits = pa.py_buffer(np.packbits(values, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), values.size, [None, bits])
    if not _all_text(values):
        raise ValueError(
            f"column {name} has dtype {values.dtype}: expected numbers, booleans or strings"
        )
    encoded = [text.encode() for text in values.tolist()]
    ends = pa.py_buffer(np.cumsum([0, *map(len, encoded)], dtype=np.int32))
    return pa.StringArray.from_buffers(len(encoded), ends, pa.py_buffer(b"".join(encoded)))


def _all_text(values: NDArray[Any]) -> bool:
    return all(isinstance(value, str) for value in values.tolist())


def _to_numpy(name: str, column: pa.Array) -> NDArray[Any]:
    if column.null_count:
        raise ValueError(f"column {name} has {column.null_count} missing values: expected none")
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.from_dlpack(column)
    if pa.types.is_boolean(column.type):
        return np.array(column.to_pylist(), dtype=np.bool_)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=np.str_)
    raise ValueError(f"column {name} has type {column.type}: expected numbers, booleans or strings")
