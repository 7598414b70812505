"""The paper's estimator on 10^7 log-probabilities, beside three elementary functions of them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bonmeter.exact.estimator import kl_estimator
from bonmeter.numerics.validation import FloatArray

pytestmark = pytest.mark.benchmark(timer=time.process_time, group="1e7 log-probabilities")


@pytest.fixture(scope="module")
def log_eps() -> FloatArray:
    return np.random.default_rng(0).uniform(-40, 0, 10**7)


def test_log1p_exp_log(benchmark: BenchmarkFixture, log_eps: FloatArray) -> None:
    def three(x: FloatArray) -> tuple[FloatArray, ...]:
        return np.log1p(-x), np.exp(x), np.log(-x)

    benchmark.pedantic(three, (log_eps,), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("n", [1.001, 2, 1e6])
def test_kl_estimator(benchmark: BenchmarkFixture, log_eps: FloatArray, n: float) -> None:
    benchmark.pedantic(kl_estimator, (log_eps, n), rounds=5, warmup_rounds=1)
