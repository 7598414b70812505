"""docs/theory.md#sharp-gap-bound: the sequence e_m, its identity and sign, the constant 1/24."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from flint import arb, fmpq, fmpq_poly, fmpq_series

from bonmeter.bounds.inequalities import Inequality
from bonmeter.certified.balls import BallPolicy
from bonmeter.certified.decide import certify, decide
from bonmeter.policies.listed import Policy
from tests.bonmeter.theory.algebra import (
    KAPPA,
    RATIONAL_N,
    Terms,
    changes_in_derivative,
    cosh,
    exponential_sum,
    plus,
    sinh,
    slope_excess,
    times,
    truncated,
)
from tests.bonmeter.theory.outcomes import SMALL
from tests.bonmeter.theory.terms import ball, integral, interval, same, sharp_term

CONSTANT = fmpq(1, 24)


@cache
def coefficient(m: int, constant: fmpq = CONSTANT) -> fmpq_poly:
    """e_m, a polynomial in kappa = n - 1 (docs/theory.md#sharp-gap-bound)."""
    k, n = KAPPA, KAPPA + 1
    x, y, z = (2 * k + 1) ** (2 * m), (2 * k - 1) ** (2 * m), (2 * k - 3) ** (2 * m)
    bracket = x - 2 * y + z + (k - 1) * (25**m - 9**m) / 2 - k * (9**m - 1)
    quotient, remainder = divmod(bracket, k - 1)
    assert not remainder
    polynomial: fmpq_poly = constant * 2 * k**2 * n * quotient - x + 1 + 4 * m * n * k
    return polynomial


def value(kappa: fmpq, m: int, constant: fmpq = CONSTANT) -> fmpq:
    """e_m by its terms; kappa = 1 is the limit n -> 2."""
    k, n = kappa, kappa + 1
    x, y, z = (2 * k + 1) ** (2 * m), (2 * k - 1) ** (2 * m), (2 * k - 3) ** (2 * m)
    quotient = fmpq(25**m, 2) + 9**m * (fmpq(4 * m, 3) - fmpq(3, 2)) - 12 * m + 1
    if k != 1:
        quotient = (x - 2 * y + z + (k - 1) * (25**m - 9**m) / 2 - k * (9**m - 1)) / (k - 1)
    total: fmpq = constant * 2 * k**2 * n * quotient - x + 1 + 4 * m * n * k
    return total


def test_sequence_starts_with_three_zeros_for_one_constant_only() -> None:
    assert [bool(coefficient(m)) for m in range(5)] == [False, False, False, True, True]
    assert coefficient(2, fmpq(1, 25))


def test_first_coefficient_is_positive_for_positive_kappa() -> None:
    k = KAPPA
    assert coefficient(3) == 32 * k**2 * (3 * k**2 * (k - 1) ** 2 + (-8 * k**2 + 20 * k + 16))


def test_polynomial_and_terms_agree() -> None:
    for kappa in (fmpq(1), fmpq(1, 3), fmpq(5, 2), fmpq(7)):
        for m in (0, 1, 4, 9):
            assert coefficient(m)(kappa) == value(kappa, m)


def test_sharp_sequence_is_nonnegative_for_integer_n() -> None:
    for n in range(2, 61):
        values = [value(fmpq(n - 1), m) for m in range(201)]
        assert values[:3] == [0, 0, 0]
        assert all(value > 0 for value in values[3:])


def test_sharp_sequence_is_nonnegative_for_real_n() -> None:
    for eighth in range(1, 41):
        assert all(value(fmpq(eighth, 8), m) > 0 for m in range(3, 81))


@pytest.mark.parametrize("n", [2, 3, 10, 60])
def test_a_smaller_constant_makes_the_sequence_negative(n: int) -> None:
    constant = fmpq(999, 24_000)
    assert any(value(fmpq(n - 1), m, constant) < 0 for m in range(3))


def test_second_differences_for_kappa_from_3() -> None:
    def at_three(shift: int) -> list[fmpq]:
        k = fmpq_poly([shift, 1])
        difference = (2 * k + 1) ** 6 - 2 * (2 * k - 1) ** 6 + (2 * k - 3) ** 6
        return (k**2 * (k + 1) * difference - 12 * (k - 1) * (2 * k + 1) ** 6).coeffs()

    assert all(c > 0 for c in at_three(3))
    assert not all(c > 0 for c in at_three(2))
    for kappa in (fmpq(3), fmpq(10, 3), fmpq(9, 2), fmpq(50)):
        x = 2 * kappa + 1
        ratio = [1 - 2 * ((x - 2) / x) ** (2 * m) + ((x - 4) / x) ** (2 * m) for m in range(1, 60)]
        assert all(low < high for low, high in pairwise(ratio))
        middle = [(kappa - 1) / 2 * (25**m - 9**m) - kappa * (9**m - 1) for m in range(1, 60)]
        assert all(value > 0 for value in middle[1:])
    assert fmpq(2) / 2 * (25 - 9) - 3 * (9 - 1) < 0  # kappa = 3, m = 1: not for every m


def terms(k: fmpq) -> Terms:
    """(base, coefficient) of e_m as a function of m, without its part at base 1."""
    c = k * k * (k + 1) / (12 * (k - 1))
    terms = [(2 * k + 1, c - 1), (2 * k - 1, -2 * c), (2 * k - 3, c)]
    return [*terms, (fmpq(5), c * (k - 1) / 2), (fmpq(3), -c * (3 * k - 1) / 2)]


def test_at_most_three_sign_changes_where_the_proof_uses_descartes_rule() -> None:
    # on a grid and next to the kappa where bases meet, or meet 1
    near = [fmpq(i, 6) + fmpq(j, 10**12) for i in range(25) for j in (-1, 0, 1)]
    kappas = [k for k in (*(fmpq(i, 48) for i in range(144)), *near) if 0 < k < 3 and k != 1]
    assert max(changes_in_derivative(terms(k)) for k in kappas) == 3
    assert changes_in_derivative(terms(fmpq(4))) == 4


@pytest.mark.parametrize("n", [1.25, 2.0, 2.75, 7.0])
def test_term_is_that_of_the_integral(n: float) -> None:
    at = interval(n)
    fisher = integral(lambda u: at.n * (at.n - 1) ** 2 * u ** (at.n - 3), at.low, arb(1))
    assert same((1 - at.low) ** 2 / 24 * fisher / at.mass, sharp_term(at.n, at.h))
    assert not same((1 - at.low) ** 2 / 25 * fisher / at.mass, sharp_term(at.n, at.h))


@pytest.mark.parametrize("n", RATIONAL_N, ids=str)
def test_derivative_identity_as_formal_power_series(n: fmpq) -> None:
    """(R' - L') 2 sinh h sinh^2 nh is the sum of e_m h^(2m)/(2m)!."""

    def numerator(h: fmpq_series, kappa: fmpq_series) -> fmpq_series:
        scale = fmpq_series([(n - 1) ** 2 * n / (6 * (n - 2))])
        return scale * h.sinh() ** 2 * ((kappa - fmpq_series([1])) * h).sinh()

    with truncated(30):
        found = slope_excess(numerator, n)
        assert found == exponential_sum(coefficient, n - 1)
        assert found != exponential_sum(coefficient, n - 1 + fmpq(1, 10**6))


def test_derivative_identity_for_all_kappa() -> None:
    """2 R' sinh h sinh^2 nh by the quotient rule, times kappa - 1, and its reduction."""
    k, n = KAPPA, KAPPA + 1
    s, c, sn, cn = sinh(0, 1), cosh(0, 1), sinh(1, 1), cosh(1, 1)
    sm, cm = sinh(1, -1), cosh(1, -1)
    slope = plus(times(2, s, c, sm, sn), times(k - 1, s, s, cm, sn), times(-n, s, s, sm, cn))
    fives = plus(cosh(0, 5), times(-2, cosh(0, 3)), c)
    threes = plus(cosh(0, 3), times(-1, c))
    twos = plus(cosh(2, 1), times(-2, cosh(2, -1)), cosh(2, -3))
    bracket = plus(twos, times((k - 1) / 2, fives), times(-(k + 1) / 2, threes))
    assert times(k**2 * n / 3, s, slope) == times(k**2 * n / 12, bracket)
    assert times(k**2 * n / 3, s, slope) != times(k**2 * n / 13, bracket)


def test_derivative_identity_in_ball_arithmetic() -> None:
    for n, h in product((fmpq(3, 2), fmpq(7, 2), fmpq(9)), (fmpq(1, 4), fmpq(1), fmpq(2))):
        order, x = ball(n), ball(h)
        slope = x.coth() - (order * x).coth() - n * (n - 1) * x / (order * x).sinh() ** 2
        log_slope = 2 * x.coth() + (n - 2) * ((order - 2) * x).coth() - n * (order * x).coth()
        left = sharp_term(order, x) * log_slope - slope
        series, term = arb(0), arb(1)
        for m in range(90):
            series += ball(value(n - 1, m)) * term
            term *= x**2 / ((2 * m + 1) * (2 * m + 2))
        right = series / (2 * x.sinh() * (order * x).sinh() ** 2)
        assert abs(left / right - 1) < arb(10) ** -30
        assert abs(left / (right * arb("1.0000001")) - 1) > arb(10) ** -8


FACTORS = {"holds": Fraction(1), "fails": Fraction(24, 25)}


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_one_over_24_is_the_limit_of_uniform_policies(n: int) -> None:
    deficits = []
    for size in (10, 100, 1000):
        policy = BallPolicy(Policy(np.zeros(size), np.arange(size)))
        gap, bound = (certify(q, policy, n) for q in ("kl_gap", "sharp_kl_gap"))
        assert gap.upper < bound.lower
        deficits.append(1 - gap.lower / bound.upper)
    assert deficits[0] > deficits[1] > deficits[2]
    assert deficits[2] < Fraction(1, 100)
    for verdict, factor in FACTORS.items():
        claim = Inequality("kl_gap", "sharp_kl_gap", factor)
        assert decide(policy, n, [claim])[0].verdict == verdict


@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_sharp_bound_holds_at_every_real_n(p: list[Fraction]) -> None:
    policy = Policy.from_probabilities([float(x) for x in p])
    claim = Inequality("kl_gap", "sharp_kl_gap")
    grid = [1.03125, 1.5, 1.96875, 2, 2.03125, 2.5, 2.96875, 3, 3.5, 3.96875, 4, 17.25]
    verdicts = decide(policy, grid, [claim], extrapolate=True)
    assert {v.verdict for v in verdicts} == {"holds"}
    assert len(verdicts) == len(grid)
