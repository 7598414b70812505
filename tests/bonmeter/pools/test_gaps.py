"""Gaps of segments and their derivatives against integrals in multiple precision."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest

from bonmeter.numerics.kernels import normalised_gap
from bonmeter.pools import gaps
from bonmeter.pools.layout import segments_of_ranks
from tests.bonmeter.pools.pools import gap, one_segment


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.parametrize("ends", [(0.1, 0.15), (0.55, 0.85), (0.8, 1.0)])
def test_slopes_are_derivatives(n: int, ends: tuple[float, float]) -> None:
    lower, upper = (np.array([end]) for end in ends)
    with mpmath.workdps(30):
        slopes = [mpmath.diff(lambda *x: gap(n, *x), ends, order) for order in ((0, 1), (1, 0))]
        orders = ((2, 0), (1, 1), (0, 2))
        second = [mpmath.diff(lambda *x: gap(n, *x), ends, order) for order in orders]
    found = gaps.slopes(n, lower, upper, upper - lower)
    np.testing.assert_allclose(np.ravel(found), [float(x) for x in slopes], rtol=1e-9)
    found2 = gaps.second_slopes(n, lower, upper, upper - lower)
    np.testing.assert_allclose(np.ravel(found2), [float(x) for x in second], rtol=1e-8)


@pytest.mark.parametrize("p", [1e-5, 1e-3, 0.1])
def test_shift_is_a_derivative_on_both_sides_of_its_switch(p: float) -> None:
    segments = one_segment(0.8 - 0.5 * p, p, p)
    with mpmath.workdps(40):
        slope = mpmath.diff(lambda u: gap(12, u - p / mpmath.mpf(2), u + p / mpmath.mpf(2)), 0.8)
    found = gaps.pieces_of(segments, 12).shift
    assert found.item() == pytest.approx(float(slope), rel=1e-5, abs=0)


def test_first_piece_at_n_2_has_the_gap_of_small_pieces_above_its_start() -> None:
    with mpmath.workdps(30):
        p = mpmath.mpf(1) / 7
        whole = gap(2, mpmath.mpf(0), p)
        start = mpmath.exp(6 - 12 * mpmath.log(2)) * p
        density = mpmath.quad(lambda u: p**2 / (12 * u), [start, p])
        assert mpmath.almosteq(whole, density, 1e-20)
        small = mpmath.mpf("1e-4")  # a small piece at u has gap 2 p^3/(24 u)
        assert mpmath.almosteq(gap(2, 1 - small / 2, 1 + small / 2), small**3 / 12, 1e-7)
    assert float(mpmath.exp(6 - 12 * mpmath.log(2))) == pytest.approx(gaps.FIRST_PIECE, abs=5e-5)


@pytest.mark.parametrize("n", [2, 3, 5, 40])
@pytest.mark.parametrize("start", [0.0, 0.3, 0.9])
def test_pieces_of_a_segment_add_up_to_its_gap(n: int, start: float) -> None:
    """A segment cut into outcomes, one by one, against their number times the one at the centre."""
    p, mass = 1e-3, 0.1
    segments = one_segment(start, mass, p)
    found = gaps.pieces_of(segments, n)
    ends = np.linspace(start, start + mass, 101)
    with np.errstate(divide="ignore"):
        step = np.log(ends[1:] / ends[:-1])
    truth = np.sum(ends[1:] ** n * -np.expm1(-n * step) * normalised_gap(n, step))
    assert (found.number * found.gap).item() == pytest.approx(truth, rel=0.02 if n < 40 else 0.15)


@pytest.mark.parametrize("n", [2, 3, 12, 200])
def test_gaps_of_tied_outcomes_are_the_integrals(n: int) -> None:
    reward = np.repeat([0.0, 1.0, 2.0], [40, 50, 10])[None]
    found = gaps.tied_gaps(segments_of_ranks(reward), np.array([[n]]))[0]
    with mpmath.workdps(30):
        ends = [mpmath.mpf(end) / 100 for end in (0, 40, 90, 100)]
        truth = [float(gap(n, *pair)) for pair in pairwise(ends)]
    np.testing.assert_allclose(found, truth, rtol=1e-10, atol=2e-15)
