"""A job ends with its run: it never writes into a later one."""

from __future__ import annotations

import fcntl
import os
import platform
import signal
import threading
import time
from pathlib import Path

from replication.pipeline.lock import JOBS, RECORD, TOKEN, is_locked, recorded

__all__ = ["end_with_run", "refuse_strangers"]

INTERVAL = 0.1
"""Seconds between two looks at the run."""


def end_with_run() -> None:
    """Kill this process as soon as its run, or what started it, is gone.

    It lets no new run begin before. A run on another host cannot be looked at: there,
    `refuse_strangers` alone keeps results apart.

    Raises:
        RuntimeError: if a later run has begun.

    Examples:
        >>> end_with_run()  # no run
    """
    if TOKEN not in os.environ:
        return
    refuse_strangers()
    _, folder = _run()
    # held, and never closed, until this process ends
    fcntl.flock(os.open(folder / JOBS, os.O_RDONLY), fcntl.LOCK_SH)
    refuse_strangers()
    run = recorded(folder)
    if run and run.host == platform.node():
        threading.Thread(target=_watch, args=(folder, os.getppid()), daemon=True).start()


def refuse_strangers() -> None:
    """Refuse what a job of an earlier run would do.

    Raises:
        RuntimeError: if a later run has begun.

    Examples:
        >>> refuse_strangers()  # no run
    """
    if TOKEN not in os.environ:
        return
    token, folder = _run()
    run = recorded(folder)
    if run is None or run.run != token:
        raise RuntimeError(f"the run of this job is over: {folder} has {run or 'none'}")


def _run() -> tuple[str, Path]:
    token, _, folder = os.environ[TOKEN].partition(" ")
    return token, Path(folder)


def _watch(folder: Path, parent: int) -> None:
    while is_locked(folder / RECORD) and os.getppid() == parent:
        time.sleep(INTERVAL)
    os.kill(os.getpid(), signal.SIGKILL)
