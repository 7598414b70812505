import datetime
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import ArrayLike

from replication.pipeline.io import (
    DamagedFileError,
    atomic_path,
    read_frame,
    read_table,
    write_table,
)
from replication.pipeline.job import log_to

FLOATS = [0.0, -0.0, 5e-324, -1e308, np.inf, -np.inf, np.nan, 0.1]
SMALL_FLOATS = [0.0, -0.0, 6e-8, -6e4, np.inf, -np.inf, np.nan, 0.1]
COLUMNS: dict[str, ArrayLike] = {
    "float": FLOATS,
    "single": np.array(SMALL_FLOATS, dtype=np.float32),
    "half": np.array(SMALL_FLOATS, dtype=np.float16),
    "swapped": np.array(FLOATS, dtype=">f8"),
    "strided": np.arange(16)[::2],
    "reversed": np.arange(8)[::-1],
    "int": [-(2**63), 2**63 - 1, 0, 1, 2, 3, 4, 5],
    "unsigned": np.array([0, 255, 1, 2, 3, 4, 5, 6], dtype=np.uint8),
    "bool": [True, False, False, False, True, True, False, True],
    "text": ["", "é", "KL ≤ log n", "a\nb", "\0", "x" * 1000, "''", "∞"],
    "list": [0, 1, 2, 3, 4, 5, 6, 7],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_round_trip(name: str, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    expected = np.asarray(COLUMNS[name])
    write_table({name: COLUMNS[name]}, path)
    found = read_table(path)[name]
    assert found.dtype == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, expected)
    if expected.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_other_readers_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(COLUMNS, path)
    frame = pd.read_parquet(path)
    assert frame.columns.tolist() == list(COLUMNS)
    for name, values in COLUMNS.items():
        np.testing.assert_array_equal(frame[name].to_numpy(), np.asarray(values))


def test_tables_of_other_writers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame({"text": ["a", "b"], "number": [1.5, 2.5], "truth": [True, False]})
    frame.to_parquet(path)
    found = {name: column.tolist() for name, column in read_table(path).items()}
    assert found == frame.to_dict("list")


@given(
    numbers=hnp.arrays(np.float64, st.integers(0, 50)),
    data=st.data(),
)
def test_any_table_comes_back(
    tmp_path_factory: pytest.TempPathFactory, numbers: np.ndarray[Any, Any], data: st.DataObject
) -> None:
    size = numbers.size
    texts = data.draw(hnp.arrays(object, size, elements=st.text(st.characters(codec="utf-8"))))
    truth = data.draw(hnp.arrays(np.bool_, size))
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    write_table({"number": numbers, "text": texts, "truth": truth}, path)
    found = read_table(path)
    np.testing.assert_array_equal(found["number"], numbers)
    assert found["truth"].tolist() == truth.tolist()
    # numpy's fixed-width strings drop trailing zero characters
    assert found["text"].tolist() == [text.rstrip("\0") for text in texts]


def test_order_of_columns_is_kept_and_files_are_reproducible(tmp_path: Path) -> None:
    for name in "ab":
        write_table(COLUMNS, tmp_path / name)
    assert list(read_table(tmp_path / "a")) == list(COLUMNS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "table has no column: expected at least one"),
        ({"a": [1], "b": [1, 2]}, "column b has 2 entries: expected 1, as the first column"),
        ({"a": 1.0}, r"column a has shape \(\): expected one dimension"),
        ({"a": [[1.0]]}, r"column a has shape \(1, 1\): expected one dimension"),
        ({"a": [[1], [1, 2]]}, "column a is ragged: expected one dimension"),
        ({"a": [1, None]}, "column a has dtype object: expected numbers, booleans or strings"),
        ({"a": ["x", None]}, "column a has dtype object: expected numbers"),
        ({"a": [1, "x"]}, "column a mixes strings with other values: expected one type"),
        ({"a": [True, "x"]}, "column a mixes strings with other values: expected one type"),
        ({"a": [1j]}, "column a has dtype complex128: expected numbers"),
        ({"a": [b"x"]}, r"column a has dtype \|S1: expected numbers"),
        ({"a": np.array(["2000-01-01"], "M8[D]")}, r"column a has dtype datetime64\[D\]: expected"),
        ({"a": [10**30]}, "column a has dtype object: expected numbers"),
        ({"a": np.array([1], np.longdouble)}, "column a has dtype float128: expected numbers"),
    ],
)
def test_bad_columns(table: dict[str, ArrayLike], message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table({"old": [1]}, path)
    with pytest.raises(ValueError, match=f"^{message}"):
        write_table(table, path)
    assert list(read_table(path)) == ["old"]
    assert os.listdir(tmp_path) == ["table.parquet"]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1, None]), "column a has 1 missing values: expected none"),
        (pa.array([datetime.date(2000, 1, 1)]), r"column a has type date32\[day\]: expected"),
        (pa.array([[1, 2]]), "column a has type list"),
        (pa.array([b"x"]), "column a has type binary: expected numbers, booleans or strings"),
    ],
)
def test_bad_files(column: pa.Array, message: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": column}), tmp_path / "table.parquet")
    with pytest.raises(ValueError, match=f"^{message}"):
        read_table(tmp_path / "table.parquet")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "nothing.parquet")


def test_truncated_files_are_not_taken_for_tables(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(COLUMNS, path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        for read in (read_table, read_frame):
            with pytest.raises(DamagedFileError, match=r"table\.parquet: .*: expected a Parq"):
                read(path)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [True, False])
def test_a_failing_writer_leaves_nothing(
    error: type[BaseException], old: bool, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "result.txt"
    if old:
        path.parent.mkdir()
        path.write_text("old")

    def write_half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert [each.read_text() for each in path.parent.iterdir()] == ["old"] * old


def test_writing_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "result.txt"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_temporary_file_is_hidden_beside_the_result_and_keeps_its_ending(
    tmp_path: Path,
) -> None:
    with (
        atomic_path(tmp_path / "figure.tar.gz") as one,
        atomic_path(tmp_path / "figure.tar.gz") as two,
    ):
        assert one != two
        assert one.parent == two.parent == tmp_path
        assert one.name.startswith(".")
        assert one.suffixes == [".tar", ".gz"]
        one.write_text("one")
        two.write_text("two")
    assert (tmp_path / "figure.tar.gz").read_text() == "one"


def test_concurrent_readers_see_whole_tables_only(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    size, rounds = 20_000, 60

    def write(value: float) -> None:
        write_table({"a": np.full(size, value)}, path)

    write(-1.0)

    def write_all() -> None:
        for value in range(rounds):
            write(float(value))

    writer = threading.Thread(target=write_all)
    writer.start()
    seen = set()
    while writer.is_alive():
        column = read_table(path)["a"]
        assert column.size == size
        assert (column == column[0]).all()
        seen.add(float(column[0]))
    writer.join()
    assert len(seen) > 1
    assert os.listdir(tmp_path) == ["table.parquet"]


def test_log_is_written_as_the_script_runs(tmp_path: Path) -> None:
    path, usual = tmp_path / "logs" / "stage.log", sys.stderr
    for text in ("first", "second"):
        with log_to(path):
            print(text, file=sys.stderr)
            assert path.read_text() == f"{text}\n"
    assert sys.stderr is usual


@pytest.mark.parametrize("read", [read_table, read_frame])
def test_a_flipped_bit_in_a_page_is_an_error(
    tmp_path: Path, read: Callable[[Path], Mapping[str, Any]]
) -> None:
    """Beyond the pages are sizes and statistics, which have no checksum of their own."""
    path = tmp_path / "a.parquet"
    write_table({"n": np.arange(40), "kl": np.sqrt(np.arange(40)), "name": ["x"] * 40}, path)
    content, whole = path.read_bytes(), pd.DataFrame(dict(read(path)))
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    refused = []
    for place in range(4, footer):
        flipped = bytearray(content)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        try:
            pd.testing.assert_frame_equal(pd.DataFrame(dict(read(path))), whole)
        except DamagedFileError as error:
            refused.append(str(error))
    assert len(refused) > 0.8 * (footer - 4)
    assert all(str(path) in message for message in refused)
