"""What the checks of the audit let pass: each threshold is tested at its edge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from replication.audit.findings import NUMERICAL, REFUTED, Finding
from replication.audit.function_checks import CHECKS

FINE = {"rmse": 0.1, "bias": 0.0, "coverage": 0.95, "df": 50.0}
PAPER = {"rmse": 0.4, "bias": 0.39, "coverage": 0.5, "df": 99.0}


def study(*cells: dict[str, float]) -> pd.DataFrame:
    """Our errors in each cell, with N = 100 and n = 2 unless it says otherwise, and the paper's."""
    rows = [
        {"policy": f"{i}", "pool_size": 100, "n": 2, "method": method} | errors
        for i, cell in enumerate(cells)
        for method, errors in (
            ("rank-corrected", FINE | cell),
            ("paper", PAPER | {key: cell[key] for key in ("pool_size", "n") if key in cell}),
        )
    ]
    return pd.DataFrame(rows)


def check(name: str, *cells: dict[str, float]) -> Finding:
    return CHECKS[name]({"estimators": study(*cells)})


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("rank_corrected_rmse", {"rmse": 0.5}),
        ("rank_corrected_third", {"rmse": 0.2}),
        ("interval_coverage", {"coverage": 0.5}),
    ],
)
def test_a_pool_counts_from_ten_candidates_for_each_draw(name: str, bad: dict[str, float]) -> None:
    assert check(name, {}, bad | {"n": 10}).verdict == REFUTED
    found = check(name, {}, bad | {"n": 11}, bad | {"pool_size": 19})
    assert (found.verdict, found.cells) == (NUMERICAL, 1)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("rank_corrected_rmse", {"rmse": 0.4399}, {"rmse": 0.4401}),
        ("rank_corrected_third", {"rmse": 0.1333}, {"rmse": 0.1334}),
        ("interval_coverage", {"coverage": 0.9301}, {"coverage": 0.9299}),
        ("interval_coverage", {"coverage": 0.9699}, {"coverage": 0.9701}),
        ("interval_coverage", {"coverage": 0.5, "df": 19.9}, {"coverage": 0.5, "df": 20.0}),
        ("interval_coverage", {"coverage": 0.5, "df": np.inf}, {"coverage": 0.5, "df": 1e9}),
        ("interval_coverage", {"coverage": 0.5, "rmse": 1e-6}, {"coverage": 0.5, "rmse": 1.1e-6}),
    ],
)
def test_errors_and_coverage_at_the_edge(
    name: str, good: dict[str, float], bad: dict[str, float]
) -> None:
    assert check(name, {}, good).verdict == NUMERICAL
    assert check(name, {}, bad).verdict == REFUTED


@pytest.mark.parametrize(("good", "bad"), [(0.9201, 0.9199)])
def test_no_class_cell_may_cover_too_rarely(good: float, bad: float) -> None:
    for least, verdict in ((good, NUMERICAL), (bad, REFUTED)):
        cells = classes([0.95] * 39 + [least])
        assert CHECKS["class_coverage"]({"classes": cells}).verdict == verdict


def test_one_in_twenty_class_cells_may_cover_otherwise() -> None:
    for failing, verdict in ((5, NUMERICAL), (6, REFUTED)):
        cells = classes([0.95] * (100 - failing) + [0.98] * failing)
        found = CHECKS["class_coverage"]({"classes": cells})
        assert found.verdict == verdict
        assert "least 95.0%" in found.method
        assert found.worst_at == "classes of mass 0.5 0.5, N = 64, n = 2"


def classes(coverage: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"coverage": coverage}).assign(masses="0.5 0.5", pool_size=64, n=2)


@pytest.mark.parametrize(
    ("name", "most", "bad"),
    [
        ("rank_corrected_third", 5, {"rmse": 0.2}),
        ("interval_coverage", 5, {"coverage": 0.925}),
    ],
)
def test_so_many_cells_in_a_hundred_may_fail(name: str, most: int, bad: dict[str, float]) -> None:
    for failing, verdict in ((most, NUMERICAL), (most + 1, REFUTED)):
        assert check(name, *[{}] * (100 - failing), *[bad] * failing).verdict == verdict


def test_where_the_paper_is_not_biased_beyond_its_noise_no_third_is_asked() -> None:
    biased = study({"rmse": 0.2})
    noisy = biased.assign(bias=biased.bias.where(biased.method != "paper", 0.28))
    tables = {"estimators": pd.concat([study({}).assign(policy="fine"), noisy])}
    assert (CHECKS["rank_corrected_third"](tables).cells) == 1
    noisy.loc[noisy.method == "paper", "bias"] = 0.29  # of an RMSE of 0.4: half of its square
    tables = {"estimators": pd.concat([study({}).assign(policy="fine"), noisy])}
    assert CHECKS["rank_corrected_third"](tables).verdict == REFUTED


def simulated(off: float) -> Finding:
    """Two cells; the mean of one is off by so many times what Bernstein's inequality allows."""
    mean, second, formula, draws = 0.1, 0.05, 0.2, 100 * 40
    log_odds = np.log(2 * 2 / 1e-6)
    allowed = (
        np.sqrt(2 * (second - mean**2) * log_odds / draws) + 2 * formula * log_odds / 3 / draws
    )
    cells = pd.DataFrame({"mean": [mean, mean + off * allowed], "n": [2.0, 3.0], "policy": "b"})
    cells = cells.assign(expected_estimator=mean, second_moment=second, analytical_kl=formula)
    return CHECKS["simulated_means_agree"]({"estimates": cells.assign(selections=100, repeats=40)})


def test_one_false_alarm_in_a_million_of_simulated_means() -> None:
    assert simulated(0.9999).verdict == NUMERICAL
    assert simulated(1.0001).verdict == REFUTED
    assert simulated(0.5).worst_margin == pytest.approx(0.5)


def quick(score: float) -> Finding:
    """Two cells; the difference of one is so many times the quantile of one in a million."""
    kept = pd.DataFrame({"policy": ["a", "b"], "pool_size": 32, "n": 2, "method": "paper"})
    kept = kept.assign(kl=0.1, bias=0.01, bias_standard_error=0.003)
    error = np.hypot(0.003, 0.003) + 0.01 * 0.1 + 1e-9
    off = score * norm.isf(1e-6 / (2 * 2)) * error
    return CHECKS["studies_agree"](
        {"estimators_quick": kept, "estimators": kept.assign(bias=[0.01, 0.01 + off])}
    )


def test_one_false_alarm_in_a_million_of_studies() -> None:
    assert quick(0.9999).verdict == NUMERICAL
    assert quick(1.0001).verdict == REFUTED
