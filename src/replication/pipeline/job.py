"""What every script of the workflow does around its work."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from replication.pipeline.manifest import fingerprint, made_by, producers, write_entry
from replication.pipeline.verify import read_entries

if TYPE_CHECKING:
    from snakemake.script import Snakemake

__all__ = ["job", "log_to"]


@contextmanager
def job(snakemake: Snakemake) -> Iterator[None]:
    """The frame of a script's work: its log, what it reads checked, what it made recorded.

    Args:
        snakemake: what Snakemake hands to a script.

    Raises:
        ValueError: if what it reads is not what the job that made it wrote.
    """
    with log_to(snakemake.log[0]):
        inputs = {path: fingerprint(path) for path in map(str, snakemake.input)}
        _reject_altered(inputs)
        yield
        if snakemake.output:
            write_entry(made_by(snakemake, inputs))


def _reject_altered(inputs: Mapping[str, str]) -> None:
    """A file may change between the start of a run, which checks it, and the job that reads it."""
    for path, entry in producers(read_entries()[0]).items():
        if inputs.get(path, entry.outputs[path]) != entry.outputs[path]:
            raise ValueError(
                f"{path} was altered after rule {entry.rule} made it: run again to make it anew"
            )


@contextmanager
def log_to(path: str | os.PathLike[str]) -> Iterator[None]:
    """Send what is written to `sys.stderr` (messages, warnings, a traceback) to a file.

    Snakemake names the log of a script but does not fill it. An exception is logged, then raised.

    Args:
        path: the log, replaced if it exists; its folder is created.

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
        except BaseException:
            traceback.print_exc()
            raise
