"""Long work in several processes, with its progress on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import Any

import typer

__all__ = ["cores", "shared_work"]

PAYS = 8.0
"""Seconds of work left from which on more processes, which start in a second or two, pay."""

Each = Callable[[Callable[[Any], Any], list[Any]], Iterator[Any]]


def cores() -> int:
    """Number of cores that this process may use.

    Examples:
        >>> cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def shared_work(workers: int, *, pays: float = PAYS) -> Iterator[Each]:
    """A `map` that shares long work among processes and shows how far it is.

    The first part of the work is done here, and tells whether others are worth a process.

    Args:
        workers: processes at most; 0 for as many as there are cores.
        pays: seconds of work left from which on they are started.

    Examples:
        >>> with shared_work(2) as each:
        ...     list(each(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    number = workers or cores()
    started = ExitStack()

    def several() -> Callable[..., Iterator[Any]]:
        if number == 1:
            return map
        pool = ProcessPoolExecutor(number, mp_context=get_context("spawn"))
        started.callback(pool.shutdown, wait=True, cancel_futures=True)
        return pool.map

    def each(do: Callable[[Any], Any], parts: list[Any]) -> Iterator[Any]:
        start = time.monotonic()
        first = [do(part) for part in parts[:1]]
        left = (time.monotonic() - start) * (len(parts) - 1)
        yield from first
        if left < pays:
            yield from map(do, parts[1:])
            return
        rest, length = several()(do, parts[1:]), len(parts) - 1
        with typer.progressbar(rest, length, "KL and its intervals", file=sys.stderr) as bar:
            yield from bar

    with started:
        yield each
