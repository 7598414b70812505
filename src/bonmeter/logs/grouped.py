"""Logs larger than memory: a folder of Parquet files in which a prompt's candidates are together.

`group_log` makes one of any logs, in memory that does not grow with them: what is read is dealt to
files by a hash of the prompt, so that each prompt is in one, and each of these is then sorted.
`read_grouped` gives the prompts of such a folder, some at a time, to `bonmeter.runs.summarise`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bonmeter.logs.assemble import assembled, finished, reject_copies
from bonmeter.logs.generic import CANONICAL
from bonmeter.logs.places import PLACES, FileFields, Places
from bonmeter.logs.plan import Choices
from bonmeter.logs.problems import LogProblem
from bonmeter.logs.read import Notes, as_columns, as_files, counted, read_source, say_on_stderr
from bonmeter.logs.table import FileTable, Shared
from bonmeter.logs.write import write_log

__all__ = ["group_log", "read_grouped"]

FILES = 64
"""Files of a folder, if not said: a log of 10^8 candidates has 1.6 million in each."""

MOST = 1_000
"""Files of a folder at most: so many are open at a time."""

ROWS = 200_000
"""Candidates of a table at least, unless they are the last."""

BATCH = 50_000
"""Rows read at a time."""


def read_grouped(folder: str | os.PathLike[str], *, rows: int = ROWS) -> Iterator[pd.DataFrame]:
    """The candidates of a folder of Parquet files, as tables that hold whole prompts.

    Args:
        folder: with files `*.parquet`, taken in the order of their names; each has the canonical
            columns, a row for each candidate, those of a prompt one after another.
        rows: candidates of a table at least, unless a file ends.

    Yields:
        Tables as `bonmeter.read_log` returns them.

    Raises:
        ValueError: naming the file that cannot be read.

    Examples:
        >>> import tempfile
        >>> table = pd.DataFrame({"prompt": list("aabbb"), "reward": range(5)})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table.to_parquet(f"{folder}/a.parquet")
        ...     [len(part) for part in read_grouped(folder, rows=1)]
        [2, 3]
    """
    files = sorted(Path(folder).glob("*.parquet"))
    if not files:
        raise LogProblem(f"{os.fspath(folder)}: expected a folder with files *.parquet")
    for file in files:
        try:
            yield from _tables(file, rows)
        except (pa.ArrowException, OSError) as error:
            raise LogProblem(f"{file}: not a readable Parquet file ({error})") from None


def _tables(file: Path, rows: int) -> Iterator[pd.DataFrame]:
    parquet = pq.ParquetFile(file)
    held = parquet.schema_arrow.names
    if "prompt" not in held:
        raise LogProblem(f"{file}: expected a column prompt, found {', '.join(held)}")
    pending, begin = None, 1
    for batch in parquet.iter_batches(BATCH, columns=[c for c in CANONICAL if c in held]):
        new = pa.Table.from_batches([batch])
        pending = new if pending is None else pa.concat_tables([pending, new])
        whole = _whole_prompts(pending["prompt"]) if len(pending) >= rows else 0
        if whole:
            yield _frame(pending.slice(0, whole), file, begin)
            pending, begin = pending.slice(whole), begin + whole
    if pending is not None and len(pending):
        yield _frame(pending, file, begin)


def _whole_prompts(prompts: pa.ChunkedArray) -> int:
    """How many rows come before the last prompt, which may go on."""
    codes = prompts.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return int(np.flatnonzero(codes != codes[-1]).max(initial=-1)) + 1


def _frame(table: pa.Table, file: Path, begin: int) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    frame["prompt"] = frame["prompt"].astype("category")
    at = pd.DataFrame({"line": np.arange(begin, begin + len(frame)), "item": 0, "position": 0})
    at["file"] = pd.Categorical([str(file)] * len(frame))
    frame.attrs = {PLACES: Places(frame, at, {str(file): FileFields("row", {})})}
    return frame


def group_log(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    aggregate: str | None = None,
    one_prompt: bool = False,
    parts: int = FILES,
    say: Callable[[str], None] = say_on_stderr,
) -> None:
    r"""Write logs as a folder of Parquet files in which a prompt's candidates are together.

    The memory it takes is that of one of its files. The folder appears once it is whole.

    Args:
        paths: as for `bonmeter.read_log`.
        folder: to be made; takes as much space again while it is written.
        columns: as for `bonmeter.read_log`.
        where: likewise.
        aggregate: likewise.
        one_prompt: likewise.
        parts: how many files, from 1 to 1,000.
        say: likewise.

    Raises:
        ValueError: as `bonmeter.read_log`, or if the folder exists.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     log = Path(place, "log.csv")
        ...     _ = log.write_text("prompt,response,reward\na,x,1\nb,y,2\na,z,3\n")
        ...     group_log(log, f"{place}/grouped", say=lambda line: None)
        ...     parts = list(read_grouped(f"{place}/grouped"))
        >>> sorted(part["reward"].tolist() for part in parts)
        [[1.0, 3.0], [2.0]]
    """
    if not (isinstance(parts, int) and 1 <= parts <= MOST):
        raise ValueError(f"parts = {parts!r}: expected a whole number from 1 to {MOST:,}")
    files = as_files(paths, aggregate)
    target = Path(folder)
    if target.exists():
        raise ValueError(f"{target}: exists, expected a folder to be made")
    choices = Choices(as_columns(columns or {}), dict(where or {}), aggregate, one_prompt)
    notes, shared = Notes(say), Shared()
    temporary = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
    raw = temporary / "raw"
    raw.mkdir(parents=True)
    try:
        for number, file in enumerate(files):
            with _Dealer(raw, number, parts, shared) as dealer:
                read_source(os.fspath(file), choices, shared, notes, dealer.deal)
        sizes = [_sorted_part(raw, part, temporary, shared, notes) for part in range(parts)]
        candidates, prompts = (sum(column) for column in zip(*sizes, strict=True))
        if not candidates:
            raise LogProblem(f"no candidates with the values asked for ({choices.where})")
        raw.rmdir()
        temporary.replace(target)
        notes.add(f"{target}: {counted(candidates, 'candidate')} of {counted(prompts, 'prompt')}")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Dealer(ExitStack):
    """Deals the candidates of one file to several Arrow files, by prompt."""

    def __init__(self, raw: Path, number: int, parts: int, shared: Shared) -> None:
        super().__init__()
        self.raw, self.number, self.parts, self.shared = raw, number, parts, shared
        self.writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def deal(self, table: FileTable) -> None:
        """Write what the table holds, and empty it."""
        if not table.size:
            return
        frame = assembled([table])
        table.taken()
        names = list(self.shared.prompts)
        self.shared.prompts.clear()
        part = np.array(
            [zlib.crc32(name.encode("utf-8", "replace")) % self.parts for name in names]
        )
        codes = frame["prompt"].to_numpy()
        frame["prompt"] = pd.Categorical.from_codes(codes, pd.Index(names)).astype(str)
        for number, rows in frame.groupby(part[codes]):
            batch = pa.RecordBatch.from_pandas(rows.astype({"file": str}), preserve_index=False)
            if number not in self.writers:
                sink = self.raw / f"{number}-{self.number}.arrow"
                self.writers[number] = self.enter_context(pa.ipc.new_stream(sink, batch.schema))
            self.writers[number].write_batch(batch)


def _sorted_part(
    raw: Path, part: int, folder: Path, shared: Shared, notes: Notes
) -> tuple[int, int]:
    """Write one part sorted by prompt; its candidates and prompts."""
    sources = sorted(raw.glob(f"{part}-*.arrow"), key=lambda path: int(path.stem.split("-")[1]))
    if not sources:
        return 0, 0
    frames = []
    for source in sources:
        with pa.OSFile(os.fspath(source)) as stream:
            frames.append(pa.ipc.open_stream(stream).read_all().to_pandas())
        source.unlink()
    frame = pd.concat(frames, ignore_index=True)
    frame["file"] = frame["file"].astype("category")
    reject_copies(frame)
    codes, names = pd.factorize(frame["prompt"])
    frame["prompt"] = codes
    table = finished(
        frame, Shared({name: k for k, name in enumerate(names)}, fields=shared.fields), notes.add
    )
    table = table.iloc[np.argsort(table["prompt"].cat.codes.to_numpy(), kind="stable")]
    table.attrs = {}
    write_log(table, folder / f"part-{part:03d}.parquet")
    return len(table), table["prompt"].nunique()
