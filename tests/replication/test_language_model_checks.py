"""The audit's checks on the language model find what their tables say, and what they do not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from replication.audit.findings import CERTIFIED, NUMERICAL, REFUTED
from replication.audit.function_checks import CHECKS


def curves(width: float) -> dict[str, pd.DataFrame]:
    cells = {"prompt": "a", "temperature": 1.0, "n": [2, 10], "proved_lower": [0.1, 1.0]}
    table = pd.DataFrame(cells).assign(proved_upper=[0.1, 1.0 + width])
    unknown = table.assign(proved_upper=np.nan)
    return {"language_model": pd.concat([table, unknown], ignore_index=True)}


def growth(**ours: float) -> dict[str, pd.DataFrame]:
    cell: dict[str, Any] = {"prompt": "a", "pool_size": 1024, "n": 16, "pools": 16, "df": 9.0}
    paper = cell | {"method": "paper", "bias": 0.01, "bias_standard_error": 0.001}
    rows = [
        paper | {"rmse": 0.01, "coverage": 0.0} | {k: v for k, v in ours.items() if k == "bias"},
        cell
        | {"method": "rank_corrected", "bias": 0.0, "bias_standard_error": 0.001}
        | {"rmse": 0.001, "coverage": 1.0}
        | {k: v for k, v in ours.items() if k != "bias"},
    ]
    return {"language_model_growth": pd.DataFrame(rows)}


@pytest.mark.parametrize(("width", "verdict"), [(1e-3, CERTIFIED), (2e-3, REFUTED)])
def test_the_widest_interval_is_found(width: float, verdict: str) -> None:
    found = CHECKS["language_model_enclosed"](curves(width))
    assert (found.verdict, found.cells, found.worst_at) == (verdict, 2, "a, T = 1, n = 10")


@pytest.mark.parametrize(("bias", "verdict"), [(0.0, NUMERICAL), (-0.02, REFUTED)])
def test_an_estimator_below_the_kl_is_found(bias: float, verdict: str) -> None:
    assert CHECKS["language_model_estimator_above"](growth(bias=bias)).verdict == verdict


@pytest.mark.parametrize(("rmse", "verdict"), [(0.01, NUMERICAL), (0.012, REFUTED)])
def test_a_larger_error_than_the_papers_is_found(rmse: float, verdict: str) -> None:
    assert CHECKS["language_model_rmse"](growth(rmse=rmse)).verdict == verdict


@pytest.mark.parametrize(("coverage", "verdict"), [(0.8, NUMERICAL), (0.7, REFUTED)])
def test_rare_coverage_is_found(coverage: float, verdict: str) -> None:
    assert CHECKS["language_model_coverage"](growth(coverage=coverage)).verdict == verdict
