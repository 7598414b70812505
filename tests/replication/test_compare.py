"""The comparison of estimators: its arithmetic, its streams, its script, and the results kept."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray

from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import METHODS, Interval, kl_intervals
from replication.audit.findings import NUMERICAL, REFUTED
from replication.audit.function_checks import CHECKS, NEGLIGIBLE, NOMINAL
from replication.pipeline.io import read_table, save_csv, write_table
from replication.policies.families import staircase, tied_scores, uniform, verifier
from replication.studies import compare as study
from replication.studies.chunks import Table
from replication.studies.compare import FORMULA, compare_methods
from replication.studies.errors import TOLERANCE, Errors, errors_of, gather
from workflow.scripts.study import study as run_study

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "study" / "estimators.csv"
COLUMNS = ["policy", "pool_size", "n", "method", "kl", *Errors._fields, "repeats"]


def read_text(path: Path) -> Table:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == COLUMNS
    columns = dict(zip(header, np.array(rows).T, strict=True))
    return {k: v if k in ("policy", "method") else v.astype(float) for k, v in columns.items()}


def compare(**changes: Any) -> Table:  # noqa: ANN401 # each argument of compare_methods
    options: dict[str, Any] = {"pool_size": 32, "n": [2, 10], "repeats": 40, "seed": 1} | changes
    return compare_methods("staircase", *staircase([0.1, 0.01]), **options)


def test_errors_are_means_over_repeats() -> None:
    kl = np.array([1.0, 2.0])
    estimate = kl + np.array([[0.3, 0.0], [-0.1, 0.0], [0.1, 0.0], [0.1, 0.0]])
    df = np.array([[2.0, np.inf], [3.0, np.inf], [9.0, np.inf], [5.0, np.inf]])
    errors = errors_of(Interval(estimate, estimate - 0.2, estimate + 0.1, df), kl)
    assert errors.mean == pytest.approx([1.1, 2.0])
    assert errors.bias == pytest.approx([0.1, 0.0])
    assert errors.bias_standard_error == pytest.approx([np.sqrt(0.02) / 2, 0.0])
    assert errors.rmse == pytest.approx([np.sqrt(0.03), 0.0])
    square_error = np.std([0.09, 0.01, 0.01, 0.01]) / 2
    assert errors.rmse_standard_error == pytest.approx([square_error / 2 / np.sqrt(0.03), 0.0])
    assert errors.coverage == pytest.approx([0.75, 1.0])
    assert errors.coverage_standard_error == pytest.approx([np.sqrt(0.75 * 0.25) / 2, 0.0])
    assert errors.exact.tolist() == [0, 1]
    assert errors.interval_half_width == pytest.approx([0.15, 0.15])
    assert errors.df.tolist() == [4, np.inf]


def test_intervals_miss_by_more_than_rounding_or_not_at_all() -> None:
    kl, point = np.array([1.0]), np.array([[1.0]])
    for shift, coverage in [(0.5e-9, 1), (2e-9, 0), (-0.5e-9, 1), (-2e-9, 0)]:
        ends = Interval(point, point + shift, point + shift, point)
        assert errors_of(ends, kl).coverage == coverage


def test_a_table_has_a_row_for_each_method_and_n() -> None:
    table = compare(n=[1, 2, 10, 17])  # 1 is trivial, 17 more than half the pool
    assert list(table) == COLUMNS
    assert table["method"].tolist() == np.repeat([*METHODS, FORMULA], 2).tolist()
    assert table["n"].tolist() == [2, 10] * 4
    kl = exact_kl(Policy(*staircase([0.1, 0.01])), [2, 10])
    np.testing.assert_allclose(table["kl"], np.tile(kl, 4))
    np.testing.assert_allclose(table["bias"], table["mean"] - table["kl"], atol=1e-15)
    np.testing.assert_allclose(table["mean"][-2:], analytical_kl([2, 10]))


def test_cells_have_their_own_streams_and_repeat() -> None:
    first, more = compare(), compare(n=[2, 3, 10])
    for column in ("mean", "rmse", "coverage"):
        np.testing.assert_array_equal(first[column], more[column][more["n"] != 3])
    assert np.any(first["mean"] != compare(seed=2)["mean"])


def test_batches_do_not_change_the_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compare()
    monkeypatch.setattr(study, "CANDIDATES", 100)
    for column, values in compare().items():
        np.testing.assert_array_equal(values, whole[column])


def test_ours_wins_where_the_papers_bias_rules() -> None:
    table = compare_methods("u", *uniform(100), pool_size=128, n=[12], repeats=50, seed=3)
    error = dict(zip(table["method"].tolist(), table["rmse"].tolist(), strict=True))
    assert error["rank-corrected"] < error["paper"] / 100
    assert error["paper"] < error[FORMULA]


def test_the_script_writes_a_table_and_the_same_as_text(tmp_path: Path) -> None:
    responses = {"uniform": uniform(10), "staircase": staircase([0.1, 0.01])}
    paths = {name: f"{tmp_path}/{name}.parquet" for name in responses}
    for name, (log_prob, reward) in responses.items():
        write_table({"log_prob": log_prob, "reward": reward}, paths[name])
    whole, text = tmp_path / "a.parquet", tmp_path / "a.csv"
    write_table(gather([run_study(paths, [32, 64], [2, 10], 40, 1)]), whole)
    save_csv(str(whole), str(text))
    table, kept = read_table(whole), read_text(text)
    assert table["policy"].size == 2 * 2 * 2 * 4
    staircase_32 = (table["policy"] == "staircase") & (table["pool_size"] == 32)
    np.testing.assert_allclose(table["rmse"][staircase_32], compare()["rmse"], rtol=0, atol=1e-9)
    for column, values in table.items():
        if values.dtype.kind == "f":
            digits = 0.05 if column.endswith("_error") else 5e-5
            np.testing.assert_allclose(kept[column], values, rtol=digits, atol=1e-12)
        else:
            assert kept[column].tolist() == values.tolist()


def quick_coverage(monkeypatch: pytest.MonkeyPatch, shrink: float) -> str:
    """The audit's verdict on a small quick study whose intervals are so much shorter."""

    def shorter(*arguments: Any, **options: Any) -> dict[str, Interval]:  # noqa: ANN401
        return {
            method: found._replace(
                lower=found.estimate + shrink * (found.lower - found.estimate),
                upper=found.estimate + shrink * (found.upper - found.estimate),
            )
            for method, found in kl_intervals(*arguments, **options).items()
        }

    monkeypatch.setattr(study, "kl_intervals", shorter)
    policies = {"verifier": verifier(0.1, 100, 900), "scores": tied_scores(1000, 11, 1.0)}
    quick = [
        compare_methods(name, *policy, pool_size=512, n=[8, 32], repeats=100, seed=5)
        for name, policy in policies.items()
    ]
    frame = pd.concat(map(pd.DataFrame, quick), ignore_index=True)
    return CHECKS["quick_interval_coverage"]({"estimators_quick": frame}).verdict


def test_intervals_ten_times_too_short_fail_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quick_coverage(monkeypatch, 1.0) == NUMERICAL
    assert quick_coverage(monkeypatch, 0.1) == REFUTED


# the results kept in study/estimators.csv


@pytest.fixture(scope="module")
def kept() -> Table:
    """The rows with N >= 10 n, for which something is promised."""
    table = read_text(KEPT)
    large = table["pool_size"] >= 10 * table["n"]
    return {name: values[large] for name, values in table.items()}


def of(kept: Table, method: str, column: str) -> NDArray[Any]:
    values: NDArray[Any] = kept[column][kept["method"] == method]
    return values


def test_the_kept_study_is_the_configured_one(kept: Table) -> None:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    full = config["studies"]["full"]
    assert set(kept["policy"].tolist()) == set(config["policies"])
    assert set(kept["pool_size"].tolist()) == set(full["pool_sizes"])
    assert set(kept["repeats"].tolist()) == {full["repeats"]}
    cells = sum(10 * n <= size for n in full["n"] for size in full["pool_sizes"])
    for method in (*METHODS, FORMULA):
        assert of(kept, method, "rmse").size == cells * len(config["policies"])


def worse_than_a_third(kept: Table, method: str) -> NDArray[np.bool_]:
    """Where the paper's bias exceeds its noise and `method` has more than a third of its RMSE."""
    paper, bias = of(kept, "paper", "rmse"), of(kept, "paper", "bias")
    ruled_by_bias = np.abs(bias) > np.sqrt(np.maximum(paper**2 - bias**2, 0))
    error = of(kept, method, "rmse")
    return np.asarray(ruled_by_bias & (error > np.maximum(paper / 3, TOLERANCE)))


def test_ours_has_a_third_of_the_papers_error_but_in_few_small_pools(kept: Table) -> None:
    failures = worse_than_a_third(kept, "rank-corrected")
    assert failures.mean() < 0.02
    assert np.mean(of(kept, "paper", "pool_size")[failures] <= 128) > 0.8
    assert worse_than_a_third(kept, FORMULA).mean() > 0.5  # the control


def test_ours_never_has_more_than_1_1_times_the_papers_error(kept: Table) -> None:
    ours, paper = of(kept, "rank-corrected", "rmse"), of(kept, "paper", "rmse")
    assert np.all(ours <= np.maximum(1.1 * paper, TOLERANCE))
    by_rank = of(kept, "rank-only", "rmse")
    assert np.all(ours <= np.maximum(1.1 * by_rank, TOLERANCE))
    assert np.any(by_rank > 1.1 * paper)  # the control


def test_our_intervals_cover_where_many_responses_share_the_error(kept: Table) -> None:
    coverage, df, error = (
        of(kept, "rank-corrected", column) for column in ("coverage", "df", "rmse")
    )
    many = (error > NEGLIGIBLE) & (df >= 20) & np.isfinite(df)
    assert many.mean() > 0.08  # of the cells
    low, high = NOMINAL
    assert np.mean((coverage[many] >= low) & (coverage[many] <= high)) > 0.93
    assert coverage[many].min() >= 0.92
    assert coverage[error > NEGLIGIBLE].min() > 0.83
    assert np.mean(of(kept, "paper", "coverage") < 0.5) > 0.5  # the control


def test_intervals_cover_at_least_as_often_as_estimates_are_right(kept: Table) -> None:
    assert np.all(kept["coverage"] >= kept["exact"])
    assert np.mean(of(kept, "rank-corrected", "exact") >= 0.97) > 0.3
    assert of(kept, "rank-only", "exact").mean() < 0.1  # the control
