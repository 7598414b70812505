"""Plans: the promised length is reached, and not with one candidate less."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bonmeter.pools.planning import candidates_for_pass_rate, draws_for_length, first_reached
from bonmeter.pools.proportions import clopper_pearson


def length(rate: float, n: int, size: float) -> float:
    lower, upper = (1 - (1 - end) ** n for end in clopper_pearson(rate * size, size))
    return float(upper - lower)


@pytest.mark.parametrize(("rate", "n"), [(0.5, 1), (0.1, 4), (0.0, 2), (1.0, 3)])
@pytest.mark.parametrize("wanted", [0.3, 0.02])
def test_pass_rate_needs_so_many_and_no_fewer(rate: float, n: int, wanted: float) -> None:
    size = candidates_for_pass_rate(rate, n, wanted)
    assert length(rate, n, size) <= wanted
    assert size == 10 * n or length(rate, n, size - 1) > wanted


def test_beyond_any_plan() -> None:
    assert candidates_for_pass_rate(0.5, 1, 1e-9) == math.inf


def test_four_times_the_draws_for_half_the_length() -> None:
    assert draws_for_length([10, 20], 0.5, 0.25).tolist() == [40, 80]
    assert draws_for_length(10, 0.0, 1.0) == 1
    assert np.isnan(draws_for_length(10, np.nan, 1.0))


def test_first_reached() -> None:
    assert first_reached([np.nan, 1.0, 0.5], 0.7) == 1
    assert first_reached([], 0.0) is None


def test_rejections() -> None:
    with pytest.raises(ValueError, match=r"rate = 1.5"):
        candidates_for_pass_rate(1.5, 1, 0.1)
    with pytest.raises(ValueError, match="wanted = 0"):
        candidates_for_pass_rate(0.5, 1, 0)
    with pytest.raises(ValueError, match="wanted = 0"):
        draws_for_length(1, 1.0, 0)
