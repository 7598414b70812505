"""What the estimators' study costs: a pool by its size, and whole studies (docs/cluster.md).

python -m benchmarks.study pools     # some ten minutes, one process at a time; prints both tables
python -m benchmarks.study run       # the study `full` of the config on all cores, beside its model
"""

from __future__ import annotations

import csv
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

from replication.policies.families import make_responses
from replication.studies.compare import CANDIDATES, compare_block, studied
from replication.studies.errors import BLOCK
from tests.runs import ROOT, copy_project, succeed

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
FULL = CONFIG["studies"]["full"]
SIZES = (*FULL["pool_sizes"], 16_384, 131_072, 1_048_576)
METHODS = 4
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
        rows = sum(METHODS * len(orders(size)) for size in self.pool_sizes)
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
    for study in STUDIES:
        hours, size = study.core_hours(costs), study.bytes() / 1e6
        cells = (f"{hours:,.2g}", f"{study.units():,}", f"{size:,.2g} MB")
        print(row(str(study), cells))


def row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def ms(seconds: float) -> str:
    return f"{1000 * seconds:,.2g}"


def run() -> None:
    """Processor time and bytes of the chunks of a whole run, from Snakemake's own benchmarks."""
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder, "project"))
        succeed(project, "--cores", "all", "results/study/estimators_full.csv")
        logs = project.glob("logs/benchmarks/study/estimators_full_*.tsv")
        print(f"processor time {sum(map(seconds_in, logs)):.0f} s")
        chunks = list(project.glob("results/study/chunks/estimators_full_*.parquet"))
        print(f"chunks {sum(path.stat().st_size for path in chunks) / 1e6:.2g} MB")


def seconds_in(path: Path) -> float:
    with path.open(encoding="utf-8") as file:
        return sum(float(line["cpu_time"]) for line in csv.DictReader(file, delimiter="\t"))


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run()
    else:
        print_studies(print_costs(cost_by_size()))
