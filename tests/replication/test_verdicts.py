from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from replication.audit.claims import Claim
from replication.audit.findings import (
    CERTIFIED,
    EQUAL_METHOD,
    FLOAT_METHOD,
    NUMERICAL,
    REFUTED,
    UNKNOWN,
    Finding,
)
from replication.audit.function_checks import CHECKS
from replication.audit.verdicts import audit_claims, disagreements

BALL, PROOF = "ball arithmetic", "equality by proof"
COLUMNS = ["policy", "outcomes", "n", "relative_margin", "verdict", "method"]


def claim(**changes: object) -> Claim:
    record: dict[str, Any] = {
        "id": "c",
        "source": "ours",
        "statement": "0 <= KL",
        "origin": "ours",
        "status": "proved",
        "expected": "holds",
        "check": {"inequality": "kl_nonnegative"},
    }
    return Claim(**{**record, **changes})


def audit(*rows: tuple[Any, ...], expected: str = "holds") -> pd.Series[Any]:
    cells = pd.DataFrame(rows, columns=COLUMNS).assign(claim="c")
    return audit_claims([claim(expected=expected)], cells, {}).iloc[0]


def test_certified_beside_floats() -> None:
    row = audit(
        ("b", 2, 1.0, 0.0, "holds", PROOF),
        ("b", 2, 2.0, 0.5, "holds", BALL),
        ("u", 9, 3.0, 0.25, "holds", FLOAT_METHOD),
    )
    assert (row.verdict, row.cells, row.certified_cells, row.float_cells) == (CERTIFIED, 3, 2, 1)
    assert (row.worst_margin, row.worst_at) == (0.25, "u, n = 3")
    assert row.method == "ball arithmetic (1); equality by proof (1); float with error bound (1)"
    assert row.as_expected


def test_floats_alone_hold_within_an_error() -> None:
    assert audit(("b", 2, 2.0, 0.5, "holds", FLOAT_METHOD)).verdict == NUMERICAL


def test_one_open_cell_leaves_the_claim_open() -> None:
    row = audit(("b", 2, 2.0, 0.5, "holds", BALL), ("b", 2, 3.0, 0.0, "undecided", BALL))
    assert (row.verdict, row.as_expected) == (UNKNOWN, False)


def test_refuted_by_the_smallest_counterexample() -> None:
    row = audit(
        ("large", 9, 2.0, -9.0, "fails", BALL),
        ("small", 2, 5.0, -1.0, "fails", BALL),
        ("small", 2, 3.0, -0.5, "fails", BALL),
        ("tiny", 1, 3.0, 0.5, "holds", BALL),
    )
    assert (row.verdict, row.worst_at, row.worst_margin) == (REFUTED, "small, n = 3", -0.5)


def test_no_cell_is_no_verdict() -> None:
    cells = pd.DataFrame([], columns=[*COLUMNS, "claim"])
    assert audit_claims([claim()], cells, {}).verdict.item() == UNKNOWN


@pytest.mark.parametrize(
    ("expected", "verdict", "fine"),
    [
        ("holds", "holds", True),
        ("holds", "fails", False),
        ("refuted", "fails", True),
        ("refuted", "holds", False),
        ("unknown", "holds", False),
    ],
)
def test_what_is_not_expected_is_named(expected: str, verdict: str, fine: bool) -> None:
    margin = 0.5 if verdict == "holds" else -0.5
    cells = pd.DataFrame([("b", 2, 2.0, margin, verdict, BALL)], columns=COLUMNS)
    table = audit_claims([claim(expected=expected)], cells.assign(claim="c"), {})
    lines = disagreements(table)
    assert (lines == []) is fine
    assert fine or lines[0].startswith(f"c: expected {expected}, found ")


def simulated(**changes: list[float]) -> pd.Series[Any]:
    estimates = pd.DataFrame(
        {
            "policy": "b",
            "n": [2.0, 3.0],
            "mean": [0.10, 0.20],
            "expected_estimator": [0.10, 0.20],
            "second_moment": [0.0101, 0.0401],
            "analytical_kl": [0.2, 0.4],
            "selections": 100,
            "repeats": 100,
        }
    ).assign(**changes)
    record = claim(check={"run": "simulated_means_agree"})
    empty = pd.DataFrame([], columns=[*COLUMNS, "claim"])
    return audit_claims([record], empty, {"estimates": estimates}).iloc[0]


def test_simulated_means_within_sampling_error_agree() -> None:
    row = simulated(mean=[0.1005, 0.2005])
    assert (row.verdict, row.cells) == (NUMERICAL, 2)
    assert 0 < row.worst_margin < 1


def test_simulated_means_beyond_sampling_error_do_not() -> None:
    row = simulated(mean=[0.10, 0.21])
    assert (row.verdict, row.worst_at) == (REFUTED, "b, n = 3")
    assert row.worst_margin < 0


def test_a_wrong_constant_estimate_is_found_whatever_its_sample_variance() -> None:
    one = simulated(second_moment=[0.01, 0.04], mean=[0.1, 0.2 + 1e-2])
    assert one.verdict == REFUTED
    assert np.isfinite(one.worst_margin)


def study_of(**columns: list[float]) -> pd.DataFrame:
    """Two cells of a study, ours before the paper's, with N = 100 and n = 2."""
    rows = {"rmse": [0.1, 0.4], "bias": [0.0, 0.39], "coverage": [0.95, 0.5], "df": [50, 99]}
    rows |= columns
    return pd.DataFrame(rows).assign(
        policy="b", pool_size=100, n=2, method=["rank-corrected", "paper"]
    )


def measured(check: str, **columns: list[float]) -> Finding:
    return CHECKS[check]({"estimators": study_of(**columns)})


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("rank_corrected_rmse", [0.43, 0.4], [0.45, 0.4]),
        ("rank_corrected_third", [0.13, 0.4], [0.14, 0.4]),
    ],
)
def test_estimators_are_held_to_their_goals(
    check: str, good: list[float], bad: list[float]
) -> None:
    assert measured(check, rmse=good).verdict == NUMERICAL
    assert measured(check, rmse=bad).verdict == REFUTED


def test_coverage_is_held_to_its_level_where_many_responses_share_the_error() -> None:
    assert measured("interval_coverage").verdict == NUMERICAL
    for coverage in (0.89, 0.98):
        assert measured("interval_coverage", coverage=[coverage, 0.5]).verdict == REFUTED
    few = pd.concat([study_of(), study_of(df=[19, 99], coverage=[0.8, 0.5]).assign(n=3)])
    found = CHECKS["interval_coverage"]({"estimators": few})
    assert (found.verdict, found.cells) == (NUMERICAL, 1)
    assert found.worst_margin == pytest.approx(0.05)
    many = pd.concat([study_of(), study_of(coverage=[0.8, 0.5]).assign(n=3)])
    found = CHECKS["interval_coverage"]({"estimators": many})
    assert (found.verdict, found.cells) == (REFUTED, 2)
    assert found.worst_margin == pytest.approx(-0.45)
    assert found.worst_at == "b, N = 100, n = 3"


def search(verdict: str, expected: str) -> Finding:
    found = {
        "claim": ["c", "d"],
        "verdict": [verdict, "holds"],
        "best_margin": [0.1, 0.2],
        "evaluations": 10,
        "n": 2.0,
        "outcomes": 2,
    }
    claims = pd.DataFrame({"id": ["c", "d"], "expected": [expected, "holds"]})
    tables = {"adversary": pd.DataFrame(found), "claims": claims}
    return CHECKS["search_tells_true_from_false"](tables)


def test_a_search_that_misses_a_false_claim_is_worthless() -> None:
    assert search("fails", "refuted").verdict == NUMERICAL
    assert search("holds", "refuted").verdict == REFUTED
    assert search("fails", "holds").verdict == REFUTED


def test_a_claim_shows_the_smallest_margin_of_its_search() -> None:
    cells = pd.DataFrame([("b", 2, 2.0, 0.5, "holds", BALL)], columns=COLUMNS).assign(claim="c")
    adversary = pd.DataFrame({"claim": ["c", "c", "d"], "best_margin": [0.2, 0.1, 0.0]})
    table = audit_claims([claim()], cells, {"adversary": adversary})
    assert table.search_margin.tolist() == [0.1]
    assert audit_claims([claim()], cells, {}).search_margin.isna().all()


def test_studies_that_differ_are_found() -> None:
    kept = pd.DataFrame(
        {
            "policy": ["b"],
            "pool_size": [32],
            "n": [2],
            "method": ["paper"],
            "kl": [0.1],
            "bias": [0.01],
            "bias_standard_error": [0.001],
        }
    )
    tables = {"estimators_quick": kept, "estimators": kept.assign(bias=0.012)}
    assert CHECKS["studies_agree"](tables).verdict == NUMERICAL
    tables["estimators"] = kept.assign(bias=0.05)
    assert CHECKS["studies_agree"](tables).verdict == REFUTED
    tables["estimators"] = kept.assign(policy="another")
    assert CHECKS["studies_agree"](tables).verdict == UNKNOWN


def test_lower_values_with_ties_forgotten_are_found() -> None:
    exact = pd.DataFrame(
        {"policy": ["b"], "n": [2.0], "kl": [0.1], "expected_estimator": [0.2]}
    ).assign(distinct_kl=0.1, distinct_estimator=0.3)
    assert CHECKS["ties_never_lower"]({"exact": exact}).verdict == NUMERICAL
    assert CHECKS["ties_never_lower"]({"exact": exact.assign(distinct_kl=0.09)}).verdict == REFUTED


def test_a_rival_better_than_the_optimum_is_found() -> None:
    curves = pd.DataFrame({"method": ["m"], "parameter": [1.0], "win_rate": [2 / 3], "kl": [0.19]})
    rivals = curves.rename(columns={"parameter": "n"}).assign(policy="b")
    good = {"curves": curves, "rivals": rivals}
    assert CHECKS["rivals_pay_more"](good).verdict == NUMERICAL
    for name, table in good.items():
        found = CHECKS["rivals_pay_more"](good | {name: table.assign(kl=0.17)})
        assert found.verdict == REFUTED


def test_a_rival_that_atoms_help_is_found() -> None:
    rivals = pd.DataFrame({"policy": ["b"], "n": [4], "kl": [0.1], "win_rate": [0.7]})
    rivals = rivals.assign(largest_kl=0.1, largest_win_rate=0.75)
    assert CHECKS["atoms_only_lower"]({"rivals": rivals}).verdict == NUMERICAL
    for worse in ({"kl": 0.11}, {"win_rate": 0.76}):
        assert CHECKS["atoms_only_lower"]({"rivals": rivals.assign(**worse)}).verdict == REFUTED


def test_an_equality_holds_within_an_error_at_best() -> None:
    rows = (("b", 2, 1.0, 0.0, "holds", PROOF), ("b", 2, 2.0, 0.0, "holds", EQUAL_METHOD))
    row = audit(*rows)
    assert (row.verdict, row.cells, row.certified_cells, row.float_cells) == (NUMERICAL, 2, 1, 0)
    assert audit(*rows, ("b", 2, 3.0, -0.1, "fails", BALL)).verdict == REFUTED
    assert audit(*rows, ("b", 2, 3.0, 0.0, "undecided", EQUAL_METHOD)).verdict == UNKNOWN


@pytest.mark.parametrize(
    ("check", "column"),
    [("selections_suffice", "failures"), ("few_selections_suffice", "failures_of_few")],
)
def test_means_that_are_off_too_often_are_found(check: str, column: str) -> None:
    cells = pd.DataFrame(
        {"policy": ["a", "b"], "n": [2.0, 4.0], "repeats": 400, "failure": 0.05, column: [0, 20]}
    )
    found = CHECKS[check]({"concentration": cells})
    assert (found.verdict, found.cells, found.worst_margin) == (NUMERICAL, 2, 0.0)
    assert found.worst_at == "b, n = 4"
    by_chance = CHECKS[check]({"concentration": cells.assign(**{column: [35, 0]})})
    assert (by_chance.verdict, by_chance.worst_at) == (NUMERICAL, "a, n = 2")
    too_often = CHECKS[check]({"concentration": cells.assign(**{column: [60, 0]})})
    assert (too_often.verdict, too_often.worst_at) == (REFUTED, "a, n = 2")
    assert too_often.worst_margin == pytest.approx(-2)
