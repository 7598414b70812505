"""The paper's estimator on many log-probabilities, beside three elementary functions of them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bonmeter.exact.estimator import kl_estimator
from bonmeter.numerics.validation import FloatArray

pytestmark = pytest.mark.benchmark(timer=time.process_time)


@pytest.fixture(scope="module", params=[10**7, 10**6], ids="{:.0e} log-probabilities".format)
def log_eps(request: pytest.FixtureRequest) -> FloatArray:
    return np.random.default_rng(0).uniform(-40, 0, request.param)


@pytest.fixture
def group(benchmark: BenchmarkFixture, log_eps: FloatArray) -> BenchmarkFixture:
    benchmark.group = f"{log_eps.size:.0e} log-probabilities"
    return benchmark


def test_log1p_exp_log(group: BenchmarkFixture, log_eps: FloatArray) -> None:
    def three(x: FloatArray) -> tuple[FloatArray, ...]:
        return np.log1p(-x), np.exp(x), np.log(-x)

    group.pedantic(three, (log_eps,), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("n", [1.001, 2, 1e6])
def test_kl_estimator(group: BenchmarkFixture, log_eps: FloatArray, n: float) -> None:
    group.pedantic(kl_estimator, (log_eps, n), rounds=5, warmup_rounds=1)
