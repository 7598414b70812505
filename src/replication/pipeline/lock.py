"""One run at a time in a folder, and a start that recovers from a killed one.

The kernel holds the locks and frees them however a process ends: a run locks its record, every job
of it a second file. Where a file system knows no such locks, Snakemake's own remains.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import json
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

__all__ = ["JOBS", "RECORD", "TOKEN", "Run", "begin", "is_locked", "recorded", "refuse_unlock"]

RECORD = ".snakemake/run.json"
"""Who runs in a folder; empty after a run that ended by itself."""

JOBS = ".snakemake/jobs.lock"
"""Locked, shared, by every job that is alive."""

TOKEN = "REPLICATION_RUN"  # of a run, no secret
"""The environment variable by which a job knows its run: its token and its folder."""

PATIENCE = 60.0
"""Seconds that a start waits for the jobs of a killed run to stop: they do within one, mostly."""

PAUSE = 0.3
"""Seconds between two tries, longer than a job takes to notice the end of its run."""

UNFINISHED = re.compile(r"\.[0-9a-f]{8}-.+")
"""Names of files that were not moved into place."""

WRITTEN = ("results/**", "figures/**", "study/**", "docs", "")
"""Folders that jobs write to."""

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


@dataclass(frozen=True)
class Run:
    """A run: what its record holds.

    Attributes:
        run: its token.
        host: where it runs.
        pid: of its main process.
        since: when it began.
    """

    run: str = field(default_factory=lambda: secrets.token_hex(8))
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    since: str = field(
        default_factory=lambda: f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"
    )

    def __str__(self) -> str:
        """As messages say it."""
        return f"process {self.pid} on {self.host}, since {self.since}"


def recorded(folder: Path) -> Run | None:
    """The run of a folder, if one is going on or was killed.

    Args:
        folder: where Snakemake runs.

    Examples:
        >>> recorded(Path("/nowhere")) is None
        True
    """
    try:
        return Run(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none, or one that was not written to its end
        return None


def is_locked(path: Path) -> bool:
    """Whether a process holds the whole of a lock.

    Args:
        path: the file.

    Examples:
        >>> is_locked(Path("/nowhere"))
        False
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locks(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def begin(folder: Path, patience: float = PATIENCE) -> Run | None:
    """Take a folder for this process until it ends, and clear away what a killed run left.

    Args:
        folder: where Snakemake runs.
        patience: seconds to wait for jobs of a killed run.

    Returns:
        The run, whose jobs know it by the environment variable `TOKEN`; none where the file system
        has no locks.

    Raises:
        ValueError: if another run is going on there, or may be: it says whose.
    """
    descriptor = _open(folder / RECORD)
    try:
        _take(folder, descriptor, time.monotonic() + patience)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    earlier = recorded(folder)
    if earlier and earlier.host != platform.node():
        os.close(descriptor)
        raise ValueError(
            f"{folder}: a run that did not end by itself ({earlier}) cannot be seen from "
            f"{platform.node()}: end it there, or, if it is gone, `snakemake --unlock`"
        )
    if earlier:
        shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
    for path in _left_behind(folder):
        _remove(path)
    run = Run()
    _write(descriptor, json.dumps(asdict(run)))
    os.environ[TOKEN] = f"{run.run} {folder.absolute()}"
    atexit.register(_end, descriptor, os.getpid())
    return run


def refuse_unlock(folder: Path) -> None:
    """Break no lock of a run that goes on; forget one of another host, as its user asks.

    Args:
        folder: where Snakemake runs.

    Raises:
        ValueError: if a run is going on there.

    Examples:
        >>> refuse_unlock(Path("/nowhere"))
    """
    if is_locked(folder / RECORD):
        raise ValueError(_held(folder))
    (folder / RECORD).unlink(missing_ok=True)


def _take(folder: Path, descriptor: int, until: float) -> None:
    """Lock the record while no job lives; between two tries, jobs see that their run is gone."""
    jobs = _open(folder / JOBS)
    try:
        while not (_locks(descriptor, fcntl.LOCK_EX) and _locks(jobs, fcntl.LOCK_EX)):
            held = not _locks(descriptor, fcntl.LOCK_SH)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            if held:
                raise ValueError(_held(folder))
            if time.monotonic() > until:
                raise ValueError(
                    f"{folder}: jobs of a run that was killed do not stop: end the processes that "
                    f"have {folder / JOBS} open"
                )
            time.sleep(PAUSE)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        os.close(jobs)


def _locks(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held(folder: Path) -> str:
    holder = recorded(folder) or "another process, which has just begun"
    return f"{folder}: a run is going on here ({holder}): wait for its end, or end it"


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _end(descriptor: int, pid: int) -> None:
    if os.getpid() == pid:  # not in a child that was forked
        os.ftruncate(descriptor, 0)


def _left_behind(folder: Path) -> Iterator[Path]:
    """Files that a killed process did not remove."""
    for pattern in ("scripts/*", "shell_tmp.*", "tmp/*"):
        yield from folder.glob(f".snakemake/{pattern}")
    for written in WRITTEN:
        for path in folder.glob(f"{written}/.*" if written else ".*"):
            if UNFINISHED.fullmatch(path.name) and path.is_file():
                yield path


def _remove(path: Path) -> None:
    remove: Callable[[Path], None] = shutil.rmtree if path.is_dir() else Path.unlink
    remove(path)
