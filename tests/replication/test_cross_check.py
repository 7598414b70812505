"""Each alteration of one table is contradicted by another that holds the same quantity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bonmeter.bounds.evaluate import float_quantities
from bonmeter.policies.listed import Policy
from replication.audit.cells import check_policy
from replication.audit.checks import InequalityCheck
from replication.audit.cross_check import check_cells, check_exact, check_normalised, check_same

POLICY = Policy.from_probabilities([0.5, 0.3, 0.2])
N = np.array([1.0, 2.0, 3.0, 10.0, 100.0])
CHECKS = {
    "theorem": InequalityCheck(inequality="theorem_3_1"),
    "tight": InequalityCheck(inequality="theorem_3_4_delta", factor="1/2"),
    "reversed": InequalityCheck(inequality="theorem_3_1", reversed=True),
}
CERTIFIED = (2, 2.5)


@pytest.fixture
def exact() -> pd.DataFrame:
    names = ["zero", "kl", "win_rate", "kl_gap", "analytical_kl", "theorem_3_4_delta"]
    return pd.DataFrame({"n": N, **float_quantities(POLICY, N, names)})


@pytest.fixture
def cells(exact: pd.DataFrame) -> pd.DataFrame:
    values = {name: exact[name].to_numpy(np.float64) for name in exact.columns}
    return pd.DataFrame(check_policy("p", POLICY, CHECKS, CERTIFIED, values, 10))


def of_cells(cells: pd.DataFrame, exact: pd.DataFrame) -> list[str]:
    return list(check_cells("p", cells, exact, CHECKS, CERTIFIED))


def test_tables_as_they_were_made_agree(exact: pd.DataFrame, cells: pd.DataFrame) -> None:
    assert list(check_normalised("p", np.log([0.5, 0.3, 0.2]))) == []
    assert list(check_exact("p", POLICY, exact)) == []
    assert of_cells(cells, exact) == []


@pytest.mark.parametrize("column", ["kl", "win_rate"])
def test_an_exact_value_off_by_a_millionth_is_found(exact: pd.DataFrame, column: str) -> None:
    exact[column] *= 1 + 1e-6
    found = list(check_exact("p", POLICY, exact))
    assert found
    assert all(f": {column} is " in line for line in found)


def test_another_policy_is_found(exact: pd.DataFrame) -> None:
    assert list(check_exact("p", Policy.from_probabilities([0.4, 0.4, 0.2]), exact))
    assert list(check_normalised("p", np.log([0.5, 0.3, 0.2001])))


def test_a_turned_verdict_is_found(exact: pd.DataFrame, cells: pd.DataFrame) -> None:
    cells["verdict"] = cells.verdict.replace({"fails": "holds"})
    found = of_cells(cells, exact)
    assert found
    assert all("the verdict is not that of its margin" in line for line in found)


def test_a_dropped_cell_is_found(exact: pd.DataFrame, cells: pd.DataFrame) -> None:
    (line,) = of_cells(cells.drop(index=cells.index[4]), exact)
    assert "cells: expected" in line


def test_an_altered_margin_is_found(exact: pd.DataFrame, cells: pd.DataFrame) -> None:
    cells.loc[cells.claim == "tight", ["margin_lower", "margin_upper"]] *= 1.001
    assert {line.split(": ")[0] for line in of_cells(cells, exact)} == {"p, tight, margin"}


def test_columns_that_differ_are_named_with_the_first_difference() -> None:
    one, other = pd.Series([1.0, np.nan, 3.0]), pd.Series([1.0, np.nan, 4.0])
    assert list(check_same("kl", one, one)) == []
    assert list(check_same("kl", one, other)) == ["kl: 1 of 3 values differ, as 3 from 4"]
    assert list(check_same("kl", one, other, tolerance=0.5)) == []
