"""One call under a deadline, and the count of many."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

from tests.fuzz.targets import TARGETS, quietly

__all__ = ["Crash", "attack", "outcome"]

DEADLINE = 20
"""Seconds of one call; what takes longer hangs."""

LONGEST = 2000
"""Characters of a message."""


class Crash(NamedTuple):
    """A call that ended otherwise than by a result or a `ValueError`."""

    target: str
    case: str
    error: str


class Hang(BaseException):
    """A call took too long; no handler of the attacked code may catch it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End what takes longer."""

    def end(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(target: str, random: Random) -> str:
    """Of one call: "" if it was accepted, "refused", or how it failed."""
    try:
        with deadline(DEADLINE):
            quietly(TARGETS[target], random)
    except ValueError as error:
        if isinstance(error, UnicodeError):
            return _told(error)
        return "refused" if len(str(error)) <= LONGEST else f"message of {len(str(error))}"
    except Hang:
        return "hang"
    except Exception as error:
        return _told(error)
    return ""


def _told(error: Exception) -> str:
    """The error and the innermost line of ours."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "/src/" in f.filename]
    place = f"{ours[-1].filename.rpartition('/src/')[2]}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {place}: {error!s:.100}"


def attack(
    target: str, calls: int, seed: int, seconds: float
) -> tuple[dict[str, int], list[Crash]]:
    """Attack until so many calls or seconds are spent.

    Args:
        target: a key of `TARGETS`.
        calls: most of them.
        seed: each call has its own stream, of seed, target and number: it can be made again.
        seconds: after them no new call begins.

    Returns:
        How many were accepted and refused, and those that crashed, each place once.
    """
    counts = {"accepted": 0, "refused": 0, "crashed": 0}
    crashes: dict[str, Crash] = {}
    begin = time.perf_counter()
    for number in range(calls):
        if time.perf_counter() - begin > seconds:
            break
        case = f"{seed} {target} {number}"
        found = outcome(target, Random(case))
        kind = {"": "accepted", "refused": "refused"}.get(found, "crashed")
        counts[kind] += 1
        if kind == "crashed":
            crashes.setdefault(found.partition(": ")[0], Crash(target, case, found))
    return counts, list(crashes.values())
