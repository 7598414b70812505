"""docs/theory.md#square-root-bound: the sequence E_m, its identity and its sign, case by case."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product

import pytest
from flint import arb, fmpq, fmpq_poly, fmpq_series

from tests.bonmeter.theory.algebra import (
    KAPPA,
    RATIONAL_N,
    Terms,
    changes_in_derivative,
    cosh,
    exponential_sum,
    plus,
    sign_on,
    sinh,
    slope_excess,
    times,
    truncated,
)
from tests.bonmeter.theory.outcomes import SMALL, arb_of, balls, kl_gap
from tests.bonmeter.theory.terms import (
    H_GRID,
    N_GRID,
    analytical,
    ball,
    gap_term,
    interval,
    root_term,
    same,
    sharp_term,
)

CONSTANT = fmpq(1, 6)


@cache
def coefficient(m: int, constant: fmpq = CONSTANT) -> fmpq_poly:
    """E_m, a polynomial in kappa = n - 1 (docs/theory.md#square-root-bound)."""
    k, n = KAPPA, KAPPA + 1
    x, y = (2 * k + 1) ** (2 * m), (2 * k - 1) ** (2 * m)
    middle = k * (k + 3) ** (2 * m) - 2 * (k + 1) ** (2 * m + 1) + (k + 2) * (k - 1) ** (2 * m)
    bracket = x - y + middle - k * (9**m - 1)
    polynomial: fmpq_poly = constant * n * bracket - x + 1 + 4 * m * n * k
    return polynomial


def test_sequence_starts_with_three_zeros_for_one_constant_only() -> None:
    assert [bool(coefficient(m)) for m in range(5)] == [False, False, False, True, True]
    assert coefficient(2, fmpq(1, 7))


def test_first_coefficient_is_positive_for_positive_kappa() -> None:
    k = KAPPA
    assert coefficient(3) == 16 * k**2 * (k**2 * (k - 1) ** 2 + 4 * k**2 + 20 * k + 12)


def terms(k: fmpq) -> Terms:
    n = k + 1
    terms = [(2 * k + 1, n / 6 - 1), (2 * k - 1, -n / 6), (k + 3, n * k / 6)]
    return [*terms, (k + 1, -n * n / 3), (k - 1, n * (k + 2) / 6), (fmpq(3), -n * k / 6)]


def test_at_most_three_sign_changes_where_the_proof_uses_descartes_rule() -> None:
    # on a grid and next to the kappa where bases meet, or meet 1
    near = [fmpq(i, 6) + fmpq(j, 10**12) for i in range(25) for j in (-1, 0, 1)]
    kappas = [k for k in (*(fmpq(i, 48) for i in range(193)), *near) if fmpq(2, 3) <= k <= 4]
    assert max(changes_in_derivative(terms(k)) for k in kappas) == 3
    assert changes_in_derivative(terms(fmpq(1, 3))) == 4
    assert changes_in_derivative(terms(fmpq(9, 2))) == 5


def test_root_sequence_changes_sign_once_for_n_from_5_to_6() -> None:
    k, n = KAPPA, KAPPA + 1
    low, high = fmpq(4), fmpq(5)
    assert [sign_on(coefficient(m), low, high) for m in (3, 4, 5, 7)] == [1, 1, 1, -1]
    tail = (6 - n) * (2 * k + 1) ** 14 + n * (2 * k - 1) ** 14 - n * k * (k + 3) ** 14
    assert sign_on(tail, low, high) == 1
    shorter = (6 - n) * (2 * k + 1) ** 10 + n * (2 * k - 1) ** 10 - n * k * (k + 3) ** 10
    assert sign_on(shorter, low, high) == -1


def test_root_sequence_without_its_leading_term_for_n_from_6_to_6_1() -> None:
    k, n = KAPPA, KAPPA + 1
    low, high = fmpq(5), fmpq(51, 10)

    def rest(m: int) -> fmpq_poly:
        return coefficient(m) - (n / 6 - 1) * (2 * k + 1) ** (2 * m)

    assert [sign_on(rest(m), low, high) for m in (3, 4, 5, 7)] == [1, 1, 1, -1]
    assert sign_on((2 * k - 1) ** 14 - k * (k + 3) ** 14, low, high) == 1
    assert sign_on((2 * k - 1) ** 12 - k * (k + 3) ** 12, low, high) == -1
    # what dropping the leading term costs in the limit h -> infinity, against what is there
    head = ball(fmpq(112, 10)) ** 6 * ball(fmpq(1, 10)) ** 4 / (4 * 1440 * 36)
    cost = (head * ball(fmpq(112, 100)).cosh() - (-(-ball(fmpq(1, 5))).expm1()).log()) / 60
    limit = ball(fmpq(11, 6)) - ball(6).log()
    assert cost < fmpq(29, 1000) < fmpq(41, 1000) < limit


def test_root_sequence_is_positive_for_n_from_6_1() -> None:
    shift = fmpq_poly([fmpq(51, 10), 1])
    assert all(c > 0 for m in range(3, 11) for c in coefficient(m)(shift).coeffs())
    assert fmpq(61, 10) * (1 - fmpq(92, 112) ** 22) > 6 > fmpq(61, 10) * (1 - fmpq(92, 112) ** 20)
    assert coefficient(9)(fmpq(101, 20)) < 0


def test_root_sequence_near_n_1() -> None:
    for kappa in (fmpq(1, 1000), fmpq(1, 10), fmpq(1, 3), fmpq(2, 3)):
        assert all(coefficient(m)(kappa) > 0 for m in range(3, 40))

    def subtracted(m: int) -> fmpq:
        powers = fmpq(15, 8) * fmpq(49, 9) ** m + fmpq(25, 12) * fmpq(25, 9) ** m
        return powers + fmpq(20 * m * m, 9)

    assert fmpq(3, 9) * 9**3 < subtracted(3)
    assert all(fmpq(4, 9) * 9**m > subtracted(m) for m in range(4, 30))
    limit_minimum = (3 + ball(3).sqrt()) / 6 - analytical(3 + ball(3).sqrt())
    assert limit_minimum > fmpq(22, 1000)


@pytest.mark.parametrize("n", [1.25, 2.0, 2.75, 7.0])
def test_term_is_that_of_its_definition(n: float) -> None:
    at = interval(n)
    rise = at.n * (1 - (at.low ** ((at.n - 1) / 2))) ** 2
    assert same((1 - at.low) / 6 * rise / at.mass, root_term(at.n, at.h))
    assert not same((1 - at.low) / 7 * rise / at.mass, root_term(at.n, at.h))


@pytest.mark.parametrize("n", RATIONAL_N, ids=str)
def test_derivative_identity_as_formal_power_series(n: fmpq) -> None:
    """(Q' - L') 2 sinh h sinh^2 nh is the sum of E_m h^(2m)/(2m)!."""

    def numerator(h: fmpq_series, kappa: fmpq_series) -> fmpq_series:
        return fmpq_series([n / 3]) * h.sinh() * ((kappa * h).cosh() - fmpq_series([1]))

    with truncated(30):
        found = slope_excess(numerator, n)
        assert found == exponential_sum(coefficient, n - 1)
        assert found != exponential_sum(coefficient, n - 1 + fmpq(1, 10**6))


def test_derivative_identity_for_all_kappa() -> None:
    """2 Q' sinh h sinh^2 nh by the quotient rule, and its reduction."""
    k, n = KAPPA, KAPPA + 1
    s, c, sn, cn = sinh(0, 1), cosh(0, 1), sinh(1, 1), cosh(1, 1)
    less = plus(cosh(1, 0), times(-1))
    slope = plus(times(c, less, sn), times(k, s, sinh(1, 0), sn), times(-n, s, less, cn))
    threes = plus(cosh(0, 3), times(-1, c))
    middle = plus(times(k, cosh(1, 3)), times(-2 * n, cosh(1, 1)), times(k + 2, cosh(1, -1)))
    bracket = plus(cosh(2, 1), times(-1, cosh(2, -1)), middle, times(-k, threes))
    assert times(2 * n / 3, s, slope) == times(n / 6, bracket)
    assert times(2 * n / 3, s, slope) != times(n / 7, bracket)


def test_both_bounds_on_a_grid() -> None:
    for n, h in product(map(ball, N_GRID), map(ball, H_GRID)):
        gap, root, sharp = gap_term(n, h), root_term(n, h), sharp_term(n, h)
        assert 0 < gap < root
        assert root < sharp or n == 3
    n, h = ball(4), ball(fmpq(1, 50))
    assert gap_term(n, h) > fmpq(999, 1000) * root_term(n, h)
    assert gap_term(n, h) > fmpq(999, 1000) * sharp_term(n, h)


def test_square_root_bound_nearly_attained_by_one_outcome() -> None:
    """n/6 against log n - (n-1)/n: the ratio comes within 3 % of 1, so 1/6.2 would be false."""
    n = 3 + ball(3).sqrt()
    assert analytical(n) < n / 6
    assert analytical(n) > n / fmpq(62, 10)


def density_root(u: arb | int, n: arb) -> arb:
    return (n * arb(u) ** (n - 1)).sqrt() if u else arb(0)


@pytest.mark.parametrize("n", [1.0078125, 1.25, 1.5, 2.0, 4.75, 6.03125, 20.0])
@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_bound_holds_at_every_real_n(p: list[Fraction], n: float) -> None:
    order = ball(n)
    rises = (density_root(b, order) - density_root(a, order) for a, b in balls(p))
    root = sum((arb_of(x) * rise**2 for x, rise in zip(p, rises, strict=True)), arb(0)) / 6
    assert kl_gap(p, order) < root < order * arb_of(max(p)) / 6 * (1 + arb(10) ** -60)
