"""What every script of the workflow does around its work."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemake.script import Snakemake

__all__ = ["job", "log_to"]


@contextmanager
def job(snakemake: Snakemake) -> Iterator[None]:
    """The body of a script's work.

    Args:
        snakemake: what Snakemake hands to a script.
    """
    with log_to(snakemake.log[0]):
        yield


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
