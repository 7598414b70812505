from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bonmeter.bounds.evaluate import float_quantities
from bonmeter.bounds.inequalities import PROVED
from bonmeter.certified.decide import decide
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from replication.audit.cells import Cell, check_policy
from replication.audit.checks import InequalityCheck
from replication.audit.findings import EQUAL_METHOD, FLOAT_METHOD, SIGN_METHOD

GRID = [1, 1.5, 2, 3, 7, 40, 1000, 12345, 1e5, 1e12]
RNG = np.random.default_rng(3)
POLICIES = {
    "one": Policy.from_probabilities([1.0]),
    "binary": Policy.from_probabilities([0.5, 0.5]),
    "staircase": Policy.from_probabilities([0.9, 0.09, 0.009, 0.0009, 0.0001]),
    "uniform": Policy.from_probabilities(np.ones(200)),
    "zipf": Policy.from_probabilities(1 / np.arange(1.0, 300.0)),
    "dirichlet": Policy.from_probabilities(RNG.dirichlet(np.full(300, 0.3))),
}
ALL = {name: InequalityCheck(inequality=name) for name in PROVED}


def values(name: str, n: list[float]) -> dict[str, FloatArray]:
    return {"n": np.array(n, dtype=float)} | float_quantities(POLICIES[name], n)


def floats_only(name: str, checks: dict[str, InequalityCheck]) -> list[Cell]:
    return check_policy(name, POLICIES[name], checks, [], values(name, GRID), 0)


@pytest.mark.parametrize("name", POLICIES)
def test_floats_agree_with_ball_arithmetic(name: str) -> None:
    """Each float margin, with its error, meets the certified one; no verdict is left open."""
    exact = {
        (verdict.n, verdict.inequality): verdict.margin for verdict in decide(POLICIES[name], GRID)
    }
    cells = floats_only(name, ALL)
    assert len(cells) == len(exact)
    for cell in cells:
        margin = exact[cell.n, ALL[cell.claim].statement]
        assert cell.verdict == "holds", cell
        assert cell.margin_lower <= margin.upper_float, cell
        assert cell.margin_upper >= margin.lower_float, cell


@pytest.mark.parametrize("name", POLICIES)
def test_most_cells_need_no_ball_arithmetic(name: str) -> None:
    cells = [cell for cell in floats_only(name, ALL) if cell.n not in (1, 2, 3)]
    floats = [cell for cell in cells if cell.method in (FLOAT_METHOD, SIGN_METHOD)]
    if name != "one":
        assert len(floats) > 0.9 * len(cells)


FALSE = {
    "formula is exact": InequalityCheck(inequality="theorem_3_1", reversed=True),
    "conjecture reversed": InequalityCheck(inequality="conjecture_4_4", reversed=True),
    "half the constant": InequalityCheck(inequality="sharp_kl_gap", factor="1/2"),
}


@pytest.mark.parametrize("claim", FALSE)
@pytest.mark.parametrize("certified", [True, False])
def test_false_claims_fail(claim: str, certified: bool) -> None:
    checks = {claim: FALSE[claim]}
    cells = check_policy(
        "zipf", POLICIES["zipf"], checks, [2], values("zipf", [2]), 10**4 if certified else 0
    )
    assert [cell.verdict for cell in cells] == ["fails"]
    assert cells[0].margin_upper < 0
    assert (cells[0].method == FLOAT_METHOD) is not certified


def test_a_margin_within_its_error_goes_to_ball_arithmetic() -> None:
    """At n = 2 the sharp win-rate bound is an equality, which no float can tell."""
    checks = {"sharp": ALL["sharp_win_rate_gap"]}
    cells = check_policy("zipf", POLICIES["zipf"], checks, [], values("zipf", [2, 10]), 0)
    assert [cell.method for cell in cells] == ["equality by proof", FLOAT_METHOD]


def test_the_certification_grid_is_certified() -> None:
    cells = check_policy("zipf", POLICIES["zipf"], ALL, [2, 5], values("zipf", [2, 4, 5]), 10**4)
    assert {cell.n for cell in cells if cell.method == FLOAT_METHOD} == {4.0}
    assert {cell.n for cell in cells} == {2.0, 4.0, 5.0}


def test_too_large_a_policy_is_checked_by_floats() -> None:
    cells = check_policy("zipf", POLICIES["zipf"], ALL, [5], values("zipf", [4]), 10)
    assert {cell.n for cell in cells} == {4.0}
    assert {cell.method for cell in cells} == {FLOAT_METHOD, SIGN_METHOD}


def test_checks_keep_to_their_policies_domain_and_n() -> None:
    sharp = ALL["sharp_win_rate_gap"]
    checks = {
        "elsewhere": replace(sharp, policies=("binary",)),
        "domain": sharp,
        "beyond": replace(sharp, n=(2.5,), extrapolate=True),
    }
    cells = check_policy("zipf", POLICIES["zipf"], checks, [2.5, 4], values("zipf", [3]), 10**4)
    found = [(cell.claim, cell.n, cell.verdict) for cell in cells]
    assert found == [("beyond", 2.5, "fails"), ("domain", 3.0, "holds"), ("domain", 4.0, "holds")]


def equality(name: str, factor: str = "1") -> list[Cell]:
    """Example 1: KL = log 2 - h(2^-n), on two certified n and two others."""
    checks = {"example_1": InequalityCheck(inequality="example_1", equality=True, factor=factor)}
    policy, n = POLICIES[name], values(name, [1, 2, 3, 7])
    return check_policy(name, policy, checks, [2, 2.5], n, 10**4)


def test_equal_sides_agree_but_are_not_proved_equal() -> None:
    cells = equality("binary")
    assert [(cell.n, cell.verdict, cell.method) for cell in cells] == [
        (1, "holds", "equality by proof"),
        *((n, "holds", EQUAL_METHOD) for n in (2, 2.5, 3, 7)),
    ]
    assert all(cell.margin_lower <= 0 <= cell.margin_upper < 1e-20 for cell in cells)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("binary", "999999/1000000"),
        ("binary", "1000001/1000000"),
        ("zipf", "1"),
        ("staircase", "1"),
    ],
)
def test_sides_that_differ_either_way_refute_an_equality(name: str, factor: str) -> None:
    cells = equality(name, factor)[1:]
    assert {cell.verdict for cell in cells} == {"fails"}
    assert {cell.method for cell in cells} == {"ball arithmetic", FLOAT_METHOD}


def test_too_wide_an_enclosure_leaves_an_equality_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replication.audit.cells.AGREEMENT", 0)
    assert {cell.verdict for cell in equality("binary")[1:]} == {"undecided"}
