"""Floats against certified enclosures: every quantity, to the error bound the checks rely on."""

from __future__ import annotations

import numpy as np
import pytest

from bonmeter.bounds.evaluate import (
    RELATIVE_ERROR,
    error_scale,
    float_quantities,
    kl_gap_bounds,
    win_rate_gap_bounds,
)
from bonmeter.bounds.quantities import QUANTITIES, bounds_on, in_domain
from bonmeter.certified.decide import enclose
from bonmeter.policies.listed import Policy

GRID = [1, 1 + 2.0**-40, 1.5, 2, 2.5, 3, 4, 4.75, 7, 100, 12345.5, 1e6, 1e12]
RNG = np.random.default_rng(5)
POLICIES = {
    "one": Policy.from_probabilities([1.0]),
    "binary": Policy.from_probabilities([0.5, 0.5]),
    "increasing": Policy.from_probabilities([0.1, 0.2, 0.3, 0.4]),
    "staircase": Policy.from_probabilities([0.9, 0.09, 0.009, 0.0009, 0.0001]),
    "atom on top": Policy.from_probabilities([0.1] * 9 + [50.0]),
    "rare top": Policy([0.0, -0.5, -90.0], [0, 1, 2]),
    "rare bottom": Policy([-90.0, -0.5, 0.0], [0, 1, 2]),
    "zipf": Policy.from_probabilities(1 / np.arange(1.0, 300.0)),
    "dirichlet": Policy.from_probabilities(RNG.dirichlet(np.full(400, 0.1))),
    "300 orders": Policy(RNG.uniform(-690.0, 0.0, 200), np.arange(200)),
}


def assert_accurate(policy: Policy, grid: list[float]) -> None:
    found = float_quantities(policy, grid)
    assert set(found) == set(QUANTITIES)
    for i, n in enumerate(grid):
        names = [name for name in QUANTITIES if in_domain(name, n)]
        for name, enclosure in enclose(policy, n, names).items():
            exact, value = float(enclosure), float(found[name][i])
            scale = error_scale(name, np.array([exact]), policy, np.array([n])).item()
            assert abs(value - exact) <= RELATIVE_ERROR * scale + 1e-300, (name, n, value, exact)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_floats_lie_within_their_error_bound(policy: Policy) -> None:
    assert_accurate(policy, GRID)


def test_so_do_those_of_a_large_policy() -> None:
    """Whose outcomes are summed in panels."""
    assert_accurate(Policy(RNG.normal(size=20_000), np.arange(20_000)), [1.5, 3, 1000, 1e6])


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_values_outside_the_proven_domain_are_nan(policy: Policy) -> None:
    found = float_quantities(policy, GRID)
    for i, n in enumerate(GRID):
        for name, values in found.items():
            assert np.isnan(values[i]) == (not in_domain(name, n)), (name, n)


def test_shapes_follow_n() -> None:
    policy = POLICIES["staircase"]
    assert set(kl_gap_bounds(policy, 2)) == set(bounds_on("kl_gap"))
    assert set(win_rate_gap_bounds(policy, 2)) == set(bounds_on("win_rate_gap"))
    for bounds in (kl_gap_bounds, win_rate_gap_bounds):
        for shape in ((), (3,), (2, 2), (0,)):
            assert {v.shape for v in bounds(policy, np.full(shape, 3.0)).values()} == {shape}


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="quantity = 'kl_gapp': expected one of"):
        float_quantities(POLICIES["one"], 2, ["kl_gapp"])
    with pytest.raises(ValueError, match=r"n\[1\] = .*0\.5.*: expected a real number from 1"):
        kl_gap_bounds(POLICIES["one"], [2, 0.5])
