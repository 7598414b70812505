"""The script of the trade-offs; rivals draw n, or n on average, as best-of-n does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bonmeter.exact.rivals import best_of_poisson, soft_best_of_n, top_k
from bonmeter.exact.tradeoff import best_of_n_tradeoff, optimal_kl
from bonmeter.exact.values import exact_kl, exact_win_rate, win_rate_gap
from bonmeter.policies.listed import Policy
from replication.pipeline.io import read_table, write_table
from workflow.scripts import tradeoffs

DRAWS, SOFTNESS = (4, 16, 64), 0.3
LOG_PROB, REWARD = np.log([0.5, 0.3, 0.2]), np.array([0.0, 3.0, 5.0])
EXACT = {"kl": exact_kl, "win_rate": exact_win_rate, "win_rate_gap": win_rate_gap}


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("rivals")
    write_table({"log_prob": LOG_PROB, "reward": REWARD}, folder / "policy.parquet")
    responses = {"p": str(folder / "policy.parquet")}
    tradeoffs.compare_rivals(responses, DRAWS, SOFTNESS, str(folder / "rivals.parquet"))
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
        assert kl == pytest.approx(expected[method].kl, rel=1e-9)


def test_script_compares_policies_with_the_optimum(tmp_path: Path) -> None:
    names, n = ["binary", "staircase"], np.array([1.0, 2.0, 1000.0])
    policies = [Policy.from_probabilities(p) for p in ([0.5, 0.5], [0.9, 0.09, 0.01])]
    for name, policy in zip(names, policies, strict=True):
        table = {name: of(policy, n) for name, of in EXACT.items()} | {"n": n}
        write_table(table, tmp_path / f"{name}.parquet")
        responses = {"log_prob": policy.log_mass, "reward": policy.reward}
        write_table(responses, tmp_path / f"{name}_responses.parquet")
    exact = [str(tmp_path / f"{name}.parquet") for name in names]
    listed = [str(tmp_path / f"{name}_responses.parquet") for name in names]
    outputs = [str(tmp_path / f"{name}.parquet") for name in ("out", "rivals", "curves", "least")]
    tradeoffs.main(names, listed, exact, DRAWS, SOFTNESS, *outputs)
    assert read_table(outputs[-1])["n"].tolist() == [7, 17, 999]
    found = read_table(tmp_path / "out.parquet")
    columns = ["policy", "n", "kl", "win_rate", "optimal_kl", "excess", "continuous_excess"]
    assert list(found) == columns
    assert found["policy"].tolist() == ["binary"] * 3 + ["staircase"] * 3
    np.testing.assert_array_equal(np.isnan(found["excess"]), found["n"] == 1)
    above = found["n"] > 1
    np.testing.assert_allclose(
        (found["optimal_kl"] * (1 + found["excess"]))[above], found["kl"][above], rtol=1e-9
    )
    assert np.all(found["excess"][above] > 0)
    assert found["optimal_kl"][1] == pytest.approx(float(optimal_kl(0.625)), rel=1e-9)


def test_script_compares_rivals_on_policies(tmp_path: Path) -> None:
    policies = {"one": [1.0], "staircase": [0.9, 0.09, 0.01]}
    for name, p in policies.items():
        responses = {"log_prob": np.log(p), "reward": np.arange(len(p))}
        write_table(responses, tmp_path / f"{name}.parquet")
    paths = {name: str(tmp_path / f"{name}.parquet") for name in policies}
    tradeoffs.compare_rivals(paths, DRAWS, SOFTNESS, str(tmp_path / "rivals.parquet"))
    found = pd.read_parquet(tmp_path / "rivals.parquet").set_index(["policy", "method", "n"])
    assert len(found) == 2 * 3 * len(DRAWS)
    assert found.loc["one"].kl.abs().max() < 1e-12
    policy = Policy.from_probabilities(policies["staircase"])
    row = found.xs(("staircase", "top_k", 16))
    expected, limit = top_k(16, 2, policy), top_k(16, 2)
    assert tuple(row[: len(expected)]) == pytest.approx(expected)
    assert (row.largest_win_rate, row.largest_kl) == pytest.approx(limit[:2])
    soft = found.xs(("staircase", "soft_best_of_n", 4))
    assert (soft.largest_win_rate, soft.largest_kl) == pytest.approx(best_of_n_tradeoff(4)[:2])
    expected = soft_best_of_n(4, SOFTNESS * np.ptp(policy.reward), policy)
    assert tuple(soft[: len(expected)]) == pytest.approx([*map(float, expected)])
    assert np.all(found.kl <= found.largest_kl)


def test_script_tabulates_every_method(tmp_path: Path) -> None:
    tradeoffs.tabulate_curves(DRAWS, str(tmp_path / "curves.parquet"))
    found = read_table(tmp_path / "curves.parquet")
    columns = ["method", "parameter", "win_rate", "kl", "draws", "loss_rate", "kl_above_optimum"]
    assert list(found) == columns
    methods = ("best_of_n", "best_of_poisson", "blockwise_bound", "rewind_and_repeat")
    assert set(found["method"]) == {*methods, "soft_best_of_n", "tilted", "top_k"}
    np.testing.assert_array_equal(np.isnan(found["win_rate"]), found["method"] == "blockwise_bound")
    np.testing.assert_array_equal(np.isnan(found["draws"]), found["method"] == "tilted")
    known = ~np.isnan(found["win_rate"])
    win_rate = np.maximum(found["win_rate"][known] - 1e-10, 0.5)  # so far it is rounded
    kl = found["kl"][known]
    assert np.all(kl >= optimal_kl(win_rate) * (1 - 1e-9) - 1e-14)
    again = best_of_n_tradeoff(found["parameter"][found["method"] == "best_of_n"])
    of_n = found["kl"][found["method"] == "best_of_n"]
    np.testing.assert_allclose(of_n, again.kl, rtol=1e-9)
