"""What the estimators' study costs: a pool by its size, and whole studies (docs/cluster.md).

python -m benchmarks.study pools     # some ten minutes, one process at a time; prints both tables
python -m benchmarks.study run       # the study `full` of the config on all cores, beside its model
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from benchmarks.routes import cpu_seconds
from bonmeter.pools.estimate import METHODS
from replication.policies.families import make_responses
from replication.studies.compare import CANDIDATES, compare_block, studied
from replication.studies.errors import BLOCK
from tests.runs import ROOT, copy_project, succeed

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
FULL = CONFIG["studies"]["full"]
SIZES = (*FULL["pool_sizes"], 16_384, 131_072, 1_048_576)
TABLE = "results/study/estimators_full.csv"
ROWS = len(METHODS) + 1
"""For each n: the methods and the formula."""
ROW = 70
"""Bytes of a row of a chunk, as a study of thousands of them has."""


class Cost(NamedTuple):
    """Of a pool, but for the memory, which is the process's that studies a batch of pools."""

    seconds: float
    megabytes: float


class Study(NamedTuple):
    policies: int
    pool_sizes: Sequence[int]
    repeats: int

    def core_hours(self, costs: Mapping[int, Cost]) -> float:
        each = sum(costs[size].seconds for size in self.pool_sizes)
        return self.policies * self.repeats * each / 3600

    def units(self) -> int:
        return self.policies * len(self.pool_sizes) * ceil(self.repeats / BLOCK)

    def bytes(self) -> int:
        rows = sum(ROWS * len(orders(size)) for size in self.pool_sizes)
        return self.policies * ceil(self.repeats / BLOCK) * rows * ROW


STUDIES = (
    Study(len(CONFIG["policies"]), FULL["pool_sizes"], FULL["repeats"]),
    Study(1000, FULL["pool_sizes"], 100_000),
    Study(1_000_000, FULL["pool_sizes"], 1000),
    Study(1000, (1_048_576,), 100_000),
)


def orders(size: int) -> list[int]:
    return [n for n in FULL["n"] if 2 <= n <= size // 2]


def cost_of(name: str, size: int) -> Cost:
    """Of one batch of pools, in this process, which must be new for its peak of memory."""
    settings = CONFIG["policies"][name]
    log_prob, reward = make_responses(settings["family"], settings["parameters"], CONFIG["seed"])
    policy = studied(name, log_prob, reward)
    pools = max(1, min(BLOCK, CANDIDATES // size))
    start = time.process_time()
    compare_block(0, 0, policy, pool_size=size, n=FULL["n"], repeats=pools, seed=0)
    seconds = (time.process_time() - start) / pools
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def cost_by_size() -> dict[int, list[Cost]]:
    """Of every policy of the config."""
    costs: dict[int, list[Cost]] = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as alone:
        for size in SIZES:
            names = list(CONFIG["policies"])
            costs[size] = list(alone.map(cost_of, names, [size] * len(names)))
            print(size, *(f"{each.seconds:.3g}" for each in costs[size]), file=sys.stderr)
    return costs


def print_costs(costs: Mapping[int, Sequence[Cost]]) -> dict[int, Cost]:
    """Prints the table; returns what the model takes: mean time and largest memory."""
    typical = {
        size: Cost(float(np.mean([x.seconds for x in each])), max(x.megabytes for x in each))
        for size, each in costs.items()
    }
    most = [max(x.seconds for x in each) for each in costs.values()]
    print(row("candidates N", (f"{size:,}" for size in costs)))
    print("|---" * (len(costs) + 1) + "|")
    print(row("ms per pool, mean of the policies", (ms(x.seconds) for x in typical.values())))
    print(row("ms per pool, slowest policy", map(ms, most)))
    print(row("memory, MB", (f"{x.megabytes:.0f}" for x in typical.values())))
    return typical


def print_studies(costs: Mapping[int, Cost]) -> None:
    print(row("study", ("core-hours", "units", "bytes")))
    print("|---" * 4 + "|")
    for study in STUDIES:
        cells = (short(study.core_hours(costs)), f"{study.units():,}", megabytes(study.bytes()))
        print(row(str(study), cells))


def row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def ms(seconds: float) -> str:
    return short(1000 * seconds)


def megabytes(size: float) -> str:
    return short(size / 1e6) + " MB"


def short(value: float) -> str:
    """Two digits."""
    return f"{float(f'{value:.2g}'):,g}"


def run() -> None:
    """Processor time of a whole run, Snakemake and the policies included, and bytes of chunks."""
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder, "project"))
        seconds = cpu_seconds(1, succeed, project, "--cores", "all", TABLE)
        chunks = project.glob("results/study/chunks/estimators_full_*.parquet")
        print(short(seconds), "s,", megabytes(sum(path.stat().st_size for path in chunks)))


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run()
    else:
        print_studies(print_costs(cost_by_size()))
