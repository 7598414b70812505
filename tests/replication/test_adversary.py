"""The search finds what is false and known extremes, and nothing in what is true."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from bonmeter.bounds.inequalities import INEQUALITIES, Inequality
from bonmeter.certified.decide import decide
from bonmeter.policies.listed import Policy
from replication.pipeline.io import read_table, write_table
from replication.studies.adversary import attack, attack_one_outcome, parse_masses
from replication.studies.chunks import in_order
from workflow.scripts import adversary as script
from workflow.scripts.gather import save_exactly

FALSE: dict[str, tuple[Inequality, dict[str, Any]]] = {
    "the formula is exact": (Inequality("analytical_kl", "kl"), {}),
    "the conjecture of Section 4 reversed": (Inequality("expected_estimator", "kl"), {}),
    "Theorem 3.4 reversed": (Inequality("theorem_3_4_renyi", "kl_gap"), {}),
    "the sharp KL bound, constant 0.999/24": (
        Inequality("kl_gap", "sharp_kl_gap", Fraction(999, 1000)),
        {"n": [3.0, 10.0, 1000.0]},
    ),
    "its delta form, constant 0.99/24": (
        Inequality("kl_gap", "sharp_kl_gap_delta", Fraction(99, 100)),
        {},
    ),
    "the sharp win-rate bound, constant 0.999/12": (
        Inequality("win_rate_gap", "sharp_win_rate_gap", Fraction(999, 1000)),
        {},
    ),
    "the sharp win-rate bound for n in (2, 3)": (
        Inequality("win_rate_gap", "sharp_win_rate_gap"),
        {"extrapolate": True, "n": np.linspace(2.01, 2.99, 50).tolist()},
    ),
    "Theorem 5.4 with 0.98 of half its constant": (
        Inequality("win_rate_gap", "theorem_5_4_renyi", Fraction(49, 100)),
        {},
    ),
    "gap <= 0.161 n delta": (
        Inequality("kl_gap", "elementary_delta", Fraction(161, 1000)),
        {},
    ),
    "best-of-n never beats the curve without atoms": (
        Inequality("continuous_curve_kl", "kl"),
        {"n": [2.0]},
    ),
}


@pytest.mark.parametrize(("inequality", "options"), FALSE.values(), ids=FALSE)
def test_what_is_false_is_found_false(inequality: Inequality, options: dict[str, Any]) -> None:
    found = attack(inequality, evaluations=800, seed=1, **options)
    assert found.verdict == "fails"
    assert found.margin < 0
    assert found.evaluations <= 800
    # the counterexample stands on its own
    policy = Policy.from_probabilities(parse_masses(found.masses))
    assert found.outcomes == len(policy) <= 50
    extrapolate = options.get("extrapolate", False)
    (verdict,) = decide(policy, found.n, [inequality], extrapolate=extrapolate)
    assert verdict.verdict == "fails"


def test_theorem_3_4_fails_below_two_with_many_outcomes() -> None:
    """2 n (n-1) e^{-H_2} at n = 1.05: one atom over 10^5 small outcomes is needed."""
    n = Fraction(21, 20)
    bound = Inequality("kl_gap", "collision", 2 * n * (n - 1))
    found = attack(bound, evaluations=240, seed=0, n=[float(n)], outcomes=100_000)
    assert found.verdict == "fails"
    assert found.outcomes > 10_000


@pytest.mark.parametrize("inequality", INEQUALITIES, ids=str)
def test_what_is_proved_is_not_found_false(inequality: Inequality) -> None:
    found = attack(inequality, evaluations=100, seed=2)
    assert found.verdict == "holds"
    assert found.margin >= 0
    assert found.n > 1
    assert 100 >= found.evaluations > 50


# the smallest relative margins, at n = 2, the maximum of (log n - 1 + 1/n)/n, and n -> 1
EXTREMES = [
    ("kl_gap", "theorem_3_4_renyi", 1 - (np.log(2) - 0.5) / 4, 1e-9),
    ("kl_gap", "elementary_delta", 1 - 0.16190256, 2e-5),
    ("win_rate_gap", "theorem_5_4_renyi", 0.5, 5e-4),
]


@pytest.mark.parametrize(("lhs", "rhs", "extreme", "tolerance"), EXTREMES)
def test_known_extremes_are_reached(lhs: str, rhs: str, extreme: float, tolerance: float) -> None:
    found = attack(Inequality(lhs, rhs), evaluations=800, seed=3)
    assert found.margin == pytest.approx(extreme, abs=tolerance)


def test_searches_are_reproducible() -> None:
    claim = Inequality("kl_gap", "theorem_3_4_delta")
    first, again, other = (attack(claim, evaluations=100, seed=seed) for seed in (5, 5, 6))
    assert first == again != other


def test_only_the_given_n_are_tried() -> None:
    found = attack(Inequality("kl", "analytical_kl"), evaluations=100, seed=0, n=[7.0, 2.5])
    assert found.n in (7.0, 2.5)


def test_one_outcome_and_its_control() -> None:
    found = attack_one_outcome(evaluations=400, seed=0)
    assert found.verdict == "holds"
    assert 0 <= found.margin < 1e-6
    control = attack_one_outcome(evaluations=400, seed=0, factor=0.999)
    assert control.verdict == "fails"
    assert control.margin == pytest.approx(-0.001, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_one_outcome_against_quadrature(seed: int) -> None:
    """Margin at the worst point of a wide-margin search, by integrating the density."""
    found = attack_one_outcome(evaluations=100, seed=seed, factor=3.0)
    with mp.workdps(60):
        mass = parse_masses(found.masses)
        a, n = mp.mpf(mass[0]) / mp.mpf(mass.sum()), mp.mpf(found.n)
        mean = (1 - a**n) / (1 - a)

        def gap(u: mp.mpf) -> mp.mpf:
            g = n * u ** (n - 1)
            return g * mp.log(g / mean)

        bound = (1 - a) * (mp.sqrt(n) - mp.sqrt(n * a ** (n - 1))) ** 2 / 6
        expected = 3 - mp.quad(gap, mp.linspace(a, 1, 9)) / bound
    assert found.margin == pytest.approx(float(expected), rel=1e-6)


def test_masses_as_text() -> None:
    np.testing.assert_array_equal(parse_masses("0.5 0.1*3 1e-9"), [0.5, 0.1, 0.1, 0.1, 1e-9])


def test_bad_input() -> None:
    claim = Inequality("kl_gap", "sharp_kl_gap_delta")
    for options, message in (
        ({"evaluations": 99}, "evaluations = 99: expected at least 100"),
        ({"outcomes": 4}, "outcomes = 4: expected at least 5"),
        ({"n": [2.0]}, r"n = \[2.0\]: expected one for which the inequality is claimed"),
        ({"n": [0.5]}, r"n\[0\] = .*: expected a real number from 1 to 1e12"),
    ):
        arguments: dict[str, Any] = {"evaluations": 100, "seed": 0} | options
        with pytest.raises(ValueError, match=message):
            attack(claim, **arguments)


def test_script_attacks_what_speaks_of_all_policies(tmp_path: Path) -> None:
    checks: dict[str, dict[str, Any]] = {
        "theorem": {"inequality": "elementary_delta"},
        "control": {"inequality": "elementary_delta", "factor": "1/10"},
        "of one policy": {"inequality": "theorem_3_1", "reversed": True, "policies": ["binary"]},
    }
    table, text = str(tmp_path / "a.parquet"), tmp_path / "a.csv"
    parts = [script.search(checks, 100, 7, chunk=chunk, chunks=4) for chunk in (4, 3, 2, 1)]
    assert [part["cell"].tolist() for part in parts] == [[], [2], [1], [0]]
    write_table(in_order(parts), table)
    found = read_table(table)
    assert list(found)[:3] == ["claim", "evaluations", "best_margin"]
    assert found["claim"].tolist() == ["theorem", "control", "square_root_of_one_outcome"]
    assert found["verdict"].tolist() == ["holds", "fails", "holds"]
    save_exactly(table, str(text))
    with text.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["masses"] for row in rows] == found["masses"].tolist()
    assert [float(row["best_margin"]) for row in rows] == found["best_margin"].tolist()
