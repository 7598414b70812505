"""What every script of the workflow does around its work."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from replication.pipeline.io import DamagedFileError
from replication.pipeline.manifest import (
    fingerprint,
    folder_beside,
    made_by,
    producers,
    write_entry,
)
from replication.pipeline.orphans import end_with_run
from replication.pipeline.verify import read_entries

if TYPE_CHECKING:
    from snakemake.script import Snakemake

__all__ = ["job", "log_to"]


@contextmanager
def job(snakemake: Snakemake) -> Iterator[None]:
    """The frame of a script's work: its log, its end with the run, its record in the manifest.

    What it reads is checked first; what is wrong is logged and ends the process.

    Args:
        snakemake: what Snakemake hands to a script.
    """
    try:
        with log_to(snakemake.log[0]):
            end_with_run()
            inputs = {path: fingerprint(path) for path in map(str, snakemake.input)}
            _reject_altered(inputs, folder_beside(snakemake.log[0]))
            yield
            if snakemake.output:
                write_entry(made_by(snakemake, inputs))
    except OSError as error:  # of the log itself
        raise SystemExit(f"{snakemake.log[0]}: {error}") from None


def _reject_altered(inputs: Mapping[str, str], folder: Path) -> None:
    """A file may change between the start of a run, which checks it, and the job that reads it."""
    for path, entry in producers(read_entries(folder, makers_of=inputs)[0]).items():
        if inputs.get(path, entry.outputs[path]) != entry.outputs[path]:
            raise DamagedFileError(
                f"{path} was altered after rule {entry.rule} made it: run again to make it anew"
            )


@contextmanager
def log_to(path: str | os.PathLike[str]) -> Iterator[None]:
    """Send what is written to `sys.stderr` (messages, warnings, a traceback) to a file.

    Snakemake names the log of a script but does not fill it. An exception is logged and ends the
    process: the terminal shows the log, and need not show the traceback as well.

    Args:
        path: the log, replaced if it exists; its folder is created.

    Raises:
        OSError: if the log cannot be written.
        SystemExit: after an exception.

    Examples:
        >>> import sys, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with log_to(f"{folder}/a.log"):
        ...         _ = sys.stderr.write("a message")
        ...     Path(folder, "a.log").read_text()
        'a message'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", buffering=1) as log, redirect_stderr(log):
        try:
            yield
        except SystemExit:
            raise
        except BaseException as error:
            _tell(error, log)
            raise SystemExit(1) from None


def _tell(error: BaseException, log: TextIO) -> None:
    """What is wrong with a file is said in one line, all else by a traceback."""
    if isinstance(error, OSError | DamagedFileError):
        text = f"{type(error).__name__}: {error}\n"
    else:
        text = "".join(traceback.format_exception(error))
    try:
        log.write(text)
    except OSError:  # the disk is full
        sys.__stderr__.write(text)  # type: ignore[union-attr]
        raise
