"""What a full table and a full report of a large log cost: time and memory.

python -m benchmarks.runs log 1000 1024 /tmp/log.jsonl   # prompts, candidates of each, the log
python -m benchmarks.runs time /tmp/log.jsonl            # `bonmeter table` and `report`, every n
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Draws = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Log-probabilities, rewards and the number of the response of each candidate."""


def _long(rng: np.random.Generator, size: int) -> Draws:
    """Long responses, all different, with rewards of a model."""
    return rng.normal(-200, 30, size), rng.normal(size=size), np.arange(size)


def scored(rng: np.random.Generator, size: int) -> Draws:
    """Long responses that a judge scores from 0 to 10."""
    return (
        rng.normal(-200, 30, size),
        rng.binomial(10, 0.4, size).astype(np.float64),
        np.arange(size),
    )


def _verified(rng: np.random.Generator, size: int) -> Draws:
    """Long responses that a verifier passes or not."""
    return (
        rng.normal(-200, 30, size),
        (rng.random(size) < rng.random()).astype(np.float64),
        np.arange(size),
    )


def _listed(rng: np.random.Generator, size: int, spread: float, responses: int) -> Draws:
    log_prob = rng.normal(0, spread, responses)
    log_prob -= np.logaddexp.reduce(log_prob)
    reward = rng.normal(size=responses)
    drawn = rng.choice(responses, size, p=np.exp(log_prob))
    return log_prob[drawn], reward[drawn], drawn


def _short(rng: np.random.Generator, size: int) -> Draws:
    """Short responses, of which many repeat."""
    return _listed(rng, size, 2.0, 4000)


def _peaked(rng: np.random.Generator, size: int) -> Draws:
    """A few responses hold nearly all of the mass."""
    return _listed(rng, size, 5.0, 300)


KINDS: tuple[Callable[[np.random.Generator, int], Draws], ...] = (
    _long,
    scored,
    _short,
    _peaked,
    _verified,
)


def rows(prompts: int, size: int, seed: int = 7) -> Iterator[dict[str, object]]:
    """Candidates of so many prompts, the kinds in turn, as rows of the canonical schema."""
    for prompt in range(prompts):
        rng = np.random.default_rng([seed, prompt])
        log_prob, reward, response = KINDS[prompt % len(KINDS)](rng, size)
        tokens = rng.integers(20, 400, size)
        columns = (column.tolist() for column in (response, log_prob, reward, tokens))
        for of, log_p, score, length in zip(*columns, strict=True):
            yield {
                "prompt": f"Question {prompt}: what is best?",
                "response": f"Answer {of} to question {prompt}, in some words.",
                "log_prob": log_p,
                "reward": score,
                "tokens": length,
            }


def write_log(prompts: int, size: int, path: Path, seed: int = 7) -> None:
    """A log as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows(prompts, size, seed):
            file.write(json.dumps(row) + "\n")


class Cost(NamedTuple):
    """Of one command."""

    wall: float
    user: float
    peak_gib: float
    """Of its largest process."""


def cost(arguments: list[str]) -> Cost:
    """What running `bonmeter` with these arguments takes; its output is dropped."""
    command = [sys.executable, "-m", "bonmeter.cli", *arguments]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, user = time.perf_counter() - start, after.ru_utime - before.ru_utime
    return Cost(wall, user, after.ru_maxrss / 2**20)


def main(action: str, *arguments: str) -> None:
    """Make a log, or time the commands on it."""
    if action == "log":
        prompts, size, path = arguments
        write_log(int(prompts), int(size), Path(path))
        return
    (log,) = arguments
    page = str(Path(log).with_suffix(".html"))
    for command in (
        ["convert", log, "-o", str(Path(log).with_suffix(".parquet"))],
        ["table", log],
        ["table", log, "-n", "1-1024"],
        ["report", log, "-o", page],
        ["report", log, "-n", "1-1024", "-o", page],
    ):
        wall, user, peak = cost(command)
        print(f"{' '.join(command)}: {wall:.1f} s, user {user:.1f} s, {peak:.2f} GiB", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
