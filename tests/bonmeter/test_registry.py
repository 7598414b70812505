"""The registry of quantities and inequalities: each is declared once and found everywhere."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from bonmeter.bounds import formulas, margins
from bonmeter.bounds.evaluate import float_quantities, kl_gap_bounds
from bonmeter.bounds.inequalities import EXAMPLES, PROVED, Inequality
from bonmeter.bounds.quantities import QUANTITIES, bounds_on
from bonmeter.certified import formulas as ball_formulas
from bonmeter.certified import margins as ball_margins
from bonmeter.policies.listed import Policy

THEORY = Path(__file__).resolve().parents[2] / "docs/theory.md"
HEADINGS = set(re.findall(r"^#+ (.+)$", THEORY.read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_each_quantity_has_a_float_and_a_ball_function_of_its_name() -> None:
    for found in (formulas.FORMULAS, ball_formulas.FORMULAS):
        assert list(found) == list(QUANTITIES)
        assert {name: each.__name__ for name, each in found.items()} == {n: n for n in QUANTITIES}


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_quantity_leads_to_its_section_of_the_theory(name: str) -> None:
    quantity = QUANTITIES[name]
    assert quantity.section in HEADINGS
    assert re.match(r"(paper, (Eq\.|Theorem|Section|Example) [\d.]+|ours)", quantity.source)
    assert quantity.meaning


def test_margins_are_the_same_in_floats_and_balls() -> None:
    named = {term for proved in PROVED.values() for term in proved.margin}
    assert named == set(margins.MARGINS) == set(ball_margins.MARGINS)


def test_an_inequality_is_declared_once() -> None:
    sides = [(each.lhs, each.rhs) for each in PROVED.values()]
    assert len(set(sides)) == len(sides)
    assert not set(EXAMPLES) & set(PROVED)
    assert not {(each.lhs, each.rhs) for each in EXAMPLES.values()} & set(sides)
    assert all(each.as_gaps in PROVED for each in PROVED.values() if each.as_gaps)


@pytest.mark.parametrize("name", [name for name, each in PROVED.items() if each.as_gaps])
def test_an_inequality_between_gaps_has_the_same_margin(name: str) -> None:
    proved, gaps = PROVED[name], PROVED[PROVED[name].as_gaps]
    policy = Policy.from_probabilities([0.3, 0.5, 0.2])
    value = {key: each.item() for key, each in float_quantities(policy, 3.0).items()}
    margin = value[proved.rhs] - value[proved.lhs]
    assert value[gaps.rhs] - value[gaps.lhs] == pytest.approx(margin, abs=1e-14)
    assert margin > 1e-3


def test_every_bound_is_a_side_of_a_proved_inequality() -> None:
    for gap in ("kl_gap", "win_rate_gap"):
        beside = {
            side
            for each in PROVED.values()
            if gap in (each.lhs, each.rhs)
            for side in (each.lhs, each.rhs)
        }
        assert beside - {gap, "zero", "expected_estimator_gap"} == set(bounds_on(gap))


def test_bounds_of_a_response_of_no_mass_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kl_gap_bounds(Policy([0.0, -800.0, -1.0], [0, 1, 2]), 2)
    pair = kl_gap_bounds(Policy([0.0, -1.0], [0, 2]), 2)
    assert found["sharp_kl_gap"] == pytest.approx(pair["sharp_kl_gap"], rel=1e-15)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="quantity = 'kll': expected one of zero, analytical_kl"):
        Inequality("kll", "kl")
    with pytest.raises(ValueError, match="factor = inf: expected a finite number"):
        Inequality("kl", "kl", float("inf"))
