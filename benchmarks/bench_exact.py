"""The exact KL for a grid of 60 values of n, beside the textbook route and one cumulative sum.

`make bench` shows each group's times, and in brackets their ratios to the fastest.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.routes import GRID, Responses, bonmeter_kl, log_normal, textbook_kl
from bonmeter.exact.estimator import expected_kl_estimator
from bonmeter.exact.values import exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy

pytestmark = pytest.mark.benchmark(timer=time.process_time)

SIZES = [10**6, 10**7]


@pytest.fixture(scope="module", params=SIZES, ids="{:.0e} outcomes".format)
def responses(request: pytest.FixtureRequest) -> Responses:
    return log_normal(request.param)


@pytest.fixture
def group(benchmark: BenchmarkFixture, responses: Responses) -> BenchmarkFixture:
    benchmark.group = f"{responses[0].size:.0e} outcomes"
    return benchmark


def test_cumsum(group: BenchmarkFixture, responses: Responses) -> None:
    group.pedantic(np.cumsum, (np.exp(responses[0]),), rounds=10, warmup_rounds=1)


def test_textbook_one_tenth_of_the_grid(group: BenchmarkFixture, responses: Responses) -> None:
    group.pedantic(textbook_kl, (np.exp(responses[0]), GRID[::10]), rounds=2)


def new_policy(responses: Responses) -> tuple[tuple[Policy, FloatArray], dict[str, object]]:
    return (Policy(*responses), GRID), {}


def test_exact_kl(group: BenchmarkFixture, responses: Responses) -> None:
    """From a policy that exists; made anew in each round, as it remembers its nodes."""
    group.pedantic(exact_kl, setup=lambda: new_policy(responses), rounds=5)


def test_policy_and_exact_kl(group: BenchmarkFixture, responses: Responses) -> None:
    group.pedantic(bonmeter_kl, (responses, GRID), rounds=5)


def test_expected_estimator(group: BenchmarkFixture, responses: Responses) -> None:
    group.pedantic(expected_kl_estimator, setup=lambda: new_policy(responses), rounds=5)
