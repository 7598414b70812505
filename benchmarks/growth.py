"""What is measured of how the cost grows: a function for each panel of docs/figures/cost.

Each yields points: the size, the route, the part of the work that was timed, and the CPU seconds of
all of it. Routes whose cost is proportional to the number of values of n, or of resamples, are
timed on a part of them where all would take minutes.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Pool, plug_in_kl, plug_in_reward, plug_in_win_rate
from benchmarks.routes import (
    bonmeter_kl,
    cpu_seconds,
    log_normal,
    textbook_kl,
    textbook_kl_in_50_digits,
)
from benchmarks.runs import cost, scored, write_log
from bonmeter.certified.decide import certify
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import estimate_kl, kl_interval
from tests.runs import TINY, configure, copy_project, succeed

__all__ = ["PANELS", "SEED", "Point"]

SEED = 0
TEXTBOOK_BUDGET = 10**8
"""Outcomes times values of n of the textbook route that are timed."""
RESAMPLES = 1000
POOL_SIZE = 64
POWERS = 2 ** np.arange(7)
"""1 to 64."""
VALUES_OF_N = (1, 10, 100, 1000, 10_000)
Orders = NDArray[np.int_]


class Point(NamedTuple):
    size: int
    route: str
    timed: float
    seconds: float


def repeats(size: int, small: int) -> int:
    return 9 if size <= small else 3


def grid_of(size: int) -> FloatArray:
    return np.geomspace(1, 1e6, size + 1)[1:]


def by_outcomes() -> Iterator[Point]:
    """The KL at 60 values of n."""
    for size in (10**k for k in range(3, 9)):
        responses = log_normal(size)
        often = repeats(size, 10**6)
        yield Point(size, "bonmeter", 1, cpu_seconds(often, bonmeter_kl, responses, grid_of(60)))
        p = np.exp(responses[0])
        yield Point(size, "cumsum", 1, cpu_seconds(often, np.cumsum, p))
        yield textbook(size, p, size, 60)


def by_values_of_n() -> Iterator[Point]:
    """The KL of a million outcomes."""
    responses = log_normal(10**6)
    p = np.exp(responses[0])
    for size in VALUES_OF_N:
        yield Point(size, "bonmeter", 1, cpu_seconds(3, bonmeter_kl, responses, grid_of(size)))
        yield textbook(size, p, p.size, size)


def textbook(size: int, p: FloatArray, outcomes: int, grid: int) -> Point:
    timed = min(grid, max(TEXTBOOK_BUDGET // outcomes, 1))
    seconds = cpu_seconds(3 if timed == grid else 1, textbook_kl, p, grid_of(timed))
    return Point(size, "textbook", timed / grid, seconds * grid / timed)


def by_certified_outcomes() -> Iterator[Point]:
    """The KL at one n, enclosed to twenty digits."""
    for size in (10**k for k in range(1, 7)):
        policy = Policy(*log_normal(size))
        often = repeats(size, 10**3) if size < 10**6 else 1
        yield Point(size, "bonmeter", 1, cpu_seconds(often, certify, "kl", policy, 1000))
        p = policy.mass.tolist()
        yield Point(size, "textbook", 1, cpu_seconds(often, textbook_kl_in_50_digits, p, 1000))


def by_certified_values_of_n() -> Iterator[Point]:
    """The same of a thousand outcomes."""
    policy = Policy(*log_normal(1000))
    routes = ("bonmeter", certified, policy), ("textbook", in_50_digits, policy.mass.tolist())
    for size in VALUES_OF_N:
        timed = min(size, 1000)
        often = 3 if timed < 1000 else 1
        for route, enclose, given in routes:
            seconds = cpu_seconds(often, enclose, given, grid_of(timed).tolist())
            yield Point(size, route, timed / size, seconds * size / timed)


def certified(policy: Policy, grid: list[float]) -> None:
    for n in grid:
        certify("kl", policy, n)


def in_50_digits(p: list[float], grid: list[float]) -> None:
    for n in grid:
        textbook_kl_in_50_digits(p, n)


def by_candidates() -> Iterator[Point]:
    """The KL of one prompt from its pool, at n = 1, 2, 4, ..., 64."""
    for size in (10**k for k in range(2, 7)):
        yield from of_pool(size, size, POWERS)


def by_values_of_n_of_a_pool() -> Iterator[Point]:
    """The KL of one prompt from its 20,000 candidates, at n spread evenly up to half of them."""
    for size in VALUES_OF_N:
        yield from of_pool(size, 20_000, np.linspace(10_000, 1, size).round().astype(int))


def of_pool(size: int, candidates: int, n: Orders) -> Iterator[Point]:
    log_prob, reward, response = scored(np.random.default_rng(SEED), candidates)
    pool = Pool(log_prob, reward, response.astype(float))
    work = candidates * n.size
    often = repeats(work, 10**5)
    for route, estimate in (("bonmeter", estimate_kl), ("interval", kl_interval)):
        yield Point(size, route, 1, cpu_seconds(often, from_pool, estimate, pool, n))
    yield Point(size, "textbook", 1, cpu_seconds(often, plug_in, pool, n))
    timed = int(np.clip(10**8 // work, 3, RESAMPLES))
    seconds = cpu_seconds(1, bootstrap, pool, n, timed) * RESAMPLES / timed
    yield Point(size, "bootstrap", timed / RESAMPLES, seconds)


def from_pool(estimate: Callable[..., object], pool: Pool, n: Orders) -> None:
    estimate(pool.log_prob, pool.reward, n, response=pool.response)


def plug_in(pool: Pool, n: Orders) -> list[float]:
    return [plug_in_kl(pool, k) for k in n.tolist()]


def bootstrap(pool: Pool, n: Orders, resamples: int) -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(resamples):
        drawn = rng.integers(0, pool.reward.size, pool.reward.size)
        plug_in(Pool(*(column[drawn] for column in pool)), n)


def by_prompts() -> Iterator[Point]:
    """Tables and reports of a log with 64 candidates of each prompt, reading it included."""
    with tempfile.TemporaryDirectory() as folder:
        for size in (10**k for k in range(1, 5)):
            log = Path(folder, "log.jsonl")
            write_log(size, POOL_SIZE, log, SEED)
            page = str(log.with_suffix(".html"))
            often = 3 if size < 10**4 else 1
            for route, command in (("bonmeter", ["table"]), ("report", ["report", "-o", page])):
                seconds = cpu_seconds(often, cost, [*command, str(log)])
                yield Point(size, route, 1, seconds)
            yield Point(size, "textbook", 1, cpu_seconds(often, plug_in_table, log))


def plug_in_table(log: Path) -> dict[tuple[str, int], FloatArray]:
    """Means over prompts and their standard errors, each prompt's own by plug-in."""
    prompts = defaultdict(list)
    with log.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            prompts[row["prompt"]].append((row["log_prob"], row["reward"]))
    table = {}
    for method in (plug_in_kl, plug_in_win_rate, plug_in_reward):
        for n in POWERS.tolist():
            values = [method(pool_of(rows), n) for rows in prompts.values()]
            error = np.std(values, ddof=1) / np.sqrt(len(values))
            table[method.__name__, n] = np.array([np.mean(values), error])
    return table


def pool_of(rows: list[tuple[float, float]]) -> Pool:
    log_prob, reward = np.array(rows).T
    return Pool(log_prob, reward, np.arange(float(len(rows))))


def by_policies() -> Iterator[Point]:
    """A full run of the tiny configuration with further policies, and one that makes nothing."""
    for size in (7, 70, 700):
        with tempfile.TemporaryDirectory() as folder:
            project = copy_project(Path(folder, "project"))
            configure(project, with_policies(size))
            for route in ("bonmeter", "nothing to do"):
                yield Point(size, route, 1, cpu_seconds(1, succeed, project, "--cores", "all"))


def with_policies(size: int) -> dict[str, Any]:
    own: dict[str, Any] = TINY["policies"]
    more = {f"zipf_{k}": zipf_of(100 + k) for k in range(size - len(own))}
    return {**TINY, "policies": {**own, **more}}


def zipf_of(size: int) -> dict[str, Any]:
    parameters = {"exponent": 1.0, "size": size, "order": "ascending"}
    return {"family": "zipf", "label": f"Zipf, {size}", "standing": "ours"} | {
        "parameters": parameters
    }


PANELS: dict[str, Callable[[], Iterator[Point]]] = {
    "outcomes": by_outcomes,
    "values of n": by_values_of_n,
    "certified outcomes": by_certified_outcomes,
    "certified values of n": by_certified_values_of_n,
    "candidates": by_candidates,
    "values of n of a pool": by_values_of_n_of_a_pool,
    "prompts": by_prompts,
    "policies": by_policies,
}
