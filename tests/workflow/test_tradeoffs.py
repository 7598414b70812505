"""The rivals on policies: each draws n, or n on average, as best-of-n does."""

from __future__ import annotations

import numpy as np
import pytest

from bonmeter.exact.rivals import best_of_poisson, soft_best_of_n, top_k
from bonmeter.policies.listed import Policy
from replication.pipeline.io import read_table, write_table
from workflow.scripts.tradeoffs import DRAWS, SOFTNESS, compare_rivals

LOG_PROB, REWARD = np.log([0.5, 0.3, 0.2]), np.array([0.0, 3.0, 5.0])


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("rivals")
    write_table({"log_prob": LOG_PROB, "reward": REWARD}, folder / "policy.parquet")
    compare_rivals({"p": str(folder / "policy.parquet")}, str(folder / "rivals.parquet"))
    return read_table(folder / "rivals.parquet")


def test_every_rival_draws_n_on_average(rivals: dict[str, np.ndarray]) -> None:
    assert set(rivals["n"].tolist()) == set(DRAWS)
    assert rivals["draws"].tolist() == rivals["n"].tolist()


def test_parameters_are_those_of_n(rivals: dict[str, np.ndarray]) -> None:
    policy = Policy(LOG_PROB, REWARD)
    for method, n, kl in zip(rivals["method"], rivals["n"], rivals["kl"], strict=True):
        expected = {
            "best_of_poisson": best_of_poisson(n - 1.0, policy),
            "top_k": top_k(n, 2, policy),
            "soft_best_of_n": soft_best_of_n(int(n), SOFTNESS * 5.0, policy),
        }
        assert kl == expected[method].kl
