"""The steps of the proofs in docs/theory.md: exact arithmetic, balls, and what breaks without them.

A sign is taken from integers, rationals or balls, never from floats. Each check has a control: the
same check, of a statement that is wrong by a little, must fail.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import accumulate, pairwise, product
from math import comb, factorial, prod
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq, fmpq_poly, fmpq_series

from bonmeter.bounds.inequalities import Inequality
from bonmeter.certified.balls import BallPolicy
from bonmeter.certified.decide import certify, decide
from bonmeter.policies.listed import Policy

KAPPA = fmpq_poly([0, 1])
SHARP, ROOT = fmpq(1, 24), fmpq(1, 6)
RATIONAL_N = [fmpq(x, 8) for x in (9, 11, 13, 15, 17, 19, 20, 23, 25, 29, 31, 33, 45, 47, 50, 99)]


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(256):
        yield


def ball(value: fmpq | float) -> arb:
    return arb(value)


# --- the two sequences ----------------------------------------------------------------------------


@cache
def sharp_coefficient(m: int, constant: fmpq = SHARP) -> fmpq_poly:
    """e_m, a polynomial in kappa = n - 1 (docs/theory.md#sharp-gap-bound)."""
    k, n = KAPPA, KAPPA + 1
    x, y, z = (2 * k + 1) ** (2 * m), (2 * k - 1) ** (2 * m), (2 * k - 3) ** (2 * m)
    bracket = x - 2 * y + z + (k - 1) * (25**m - 9**m) / 2 - k * (9**m - 1)
    quotient, remainder = divmod(bracket, k - 1)
    assert not remainder
    coefficient: fmpq_poly = constant * 2 * k**2 * n * quotient - x + 1 + 4 * m * n * k
    return coefficient


@cache
def root_coefficient(m: int, constant: fmpq = ROOT) -> fmpq_poly:
    """E_m, a polynomial in kappa = n - 1 (docs/theory.md#square-root-bound)."""
    k, n = KAPPA, KAPPA + 1
    x, y = (2 * k + 1) ** (2 * m), (2 * k - 1) ** (2 * m)
    middle = k * (k + 3) ** (2 * m) - 2 * (k + 1) ** (2 * m + 1) + (k + 2) * (k - 1) ** (2 * m)
    bracket = x - y + middle - k * (9**m - 1)
    coefficient: fmpq_poly = constant * n * bracket - x + 1 + 4 * m * n * k
    return coefficient


def sharp_value(kappa: fmpq, m: int, constant: fmpq = SHARP) -> fmpq:
    """e_m by its terms; kappa = 1 is the limit n -> 2."""
    k, n = kappa, kappa + 1
    x, y, z = (2 * k + 1) ** (2 * m), (2 * k - 1) ** (2 * m), (2 * k - 3) ** (2 * m)
    quotient = fmpq(25**m, 2) + 9**m * (fmpq(4 * m, 3) - fmpq(3, 2)) - 12 * m + 1
    if k != 1:
        quotient = (x - 2 * y + z + (k - 1) * (25**m - 9**m) / 2 - k * (9**m - 1)) / (k - 1)
    value: fmpq = constant * 2 * k**2 * n * quotient - x + 1 + 4 * m * n * k
    return value


Coefficient = Callable[..., fmpq_poly]


@pytest.mark.parametrize("coefficient", [sharp_coefficient, root_coefficient])
def test_sequences_start_with_three_zeros_for_one_constant_only(coefficient: Coefficient) -> None:
    assert [bool(coefficient(m)) for m in range(5)] == [False, False, False, True, True]
    assert coefficient(2, fmpq(1, 7))


def test_first_coefficients_are_positive_for_positive_kappa() -> None:
    k = KAPPA
    assert sharp_coefficient(3) == 32 * k**2 * (3 * k**2 * (k - 1) ** 2 + (-8 * k**2 + 20 * k + 16))
    assert root_coefficient(3) == 16 * k**2 * (k**2 * (k - 1) ** 2 + 4 * k**2 + 20 * k + 12)


def test_polynomial_and_terms_agree() -> None:
    for kappa in (fmpq(1), fmpq(1, 3), fmpq(5, 2), fmpq(7)):
        for m in (0, 1, 4, 9):
            assert sharp_coefficient(m)(kappa) == sharp_value(kappa, m)


def test_sharp_sequence_is_nonnegative_for_integer_n() -> None:
    for n in range(2, 61):
        values = [sharp_value(fmpq(n - 1), m) for m in range(201)]
        assert values[:3] == [0, 0, 0]
        assert all(value > 0 for value in values[3:])


def test_sharp_sequence_is_nonnegative_for_real_n() -> None:
    for eighth in range(1, 41):
        assert all(sharp_value(fmpq(eighth, 8), m) > 0 for m in range(3, 81))


@pytest.mark.parametrize("n", [2, 3, 10, 60])
def test_a_smaller_constant_makes_the_sequence_negative(n: int) -> None:
    constant = fmpq(999, 24_000)
    assert any(sharp_value(fmpq(n - 1), m, constant) < 0 for m in range(3))


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


# --- Descartes' rule for exponential sums ---------------------------------------------------------

Terms = list[tuple[fmpq, fmpq]]


def sharp_terms(k: fmpq) -> Terms:
    """(base, coefficient) of e_m as a function of m, without its part at base 1."""
    c = k * k * (k + 1) / (12 * (k - 1))
    terms = [(2 * k + 1, c - 1), (2 * k - 1, -2 * c), (2 * k - 3, c)]
    return [*terms, (fmpq(5), c * (k - 1) / 2), (fmpq(3), -c * (3 * k - 1) / 2)]


def root_terms(k: fmpq) -> Terms:
    n = k + 1
    terms = [(2 * k + 1, n / 6 - 1), (2 * k - 1, -n / 6), (k + 3, n * k / 6)]
    return [*terms, (k + 1, -n * n / 3), (k - 1, n * (k + 2) / 6), (fmpq(3), -n * k / 6)]


def changes_in_derivative(terms: Terms) -> int:
    """Sign changes, by decreasing base, of the derivative in m; 4 n kappa > 0 is its part at 1."""
    merged: defaultdict[fmpq, fmpq] = defaultdict(fmpq)
    for base, coefficient in terms:
        merged[abs(base)] += coefficient
    signs = {base: (c > 0) == (base > 1) for base, c in merged.items() if c != 0 != base != 1}
    signs[fmpq(1)] = True
    ordered = [signs[base] for base in sorted(signs, reverse=True)]
    return sum(a != b for a, b in pairwise(ordered))


def test_at_most_three_sign_changes_where_the_proofs_use_descartes_rule() -> None:
    # on a grid and next to the kappa where bases meet, or meet 1
    near = [fmpq(i, 6) + fmpq(j, 10**12) for i in range(25) for j in (-1, 0, 1)]
    sharp = [k for k in (*(fmpq(i, 48) for i in range(144)), *near) if 0 < k < 3 and k != 1]
    root = [k for k in (*(fmpq(i, 48) for i in range(193)), *near) if fmpq(2, 3) <= k <= 4]
    assert max(changes_in_derivative(sharp_terms(k)) for k in sharp) == 3
    assert max(changes_in_derivative(root_terms(k)) for k in root) == 3
    assert changes_in_derivative(sharp_terms(fmpq(4))) == 4
    assert changes_in_derivative(root_terms(fmpq(1, 3))) == 4
    assert changes_in_derivative(root_terms(fmpq(9, 2))) == 5


# --- the square-root bound ------------------------------------------------------------------------


def bernstein(p: fmpq_poly, low: fmpq, high: fmpq) -> list[fmpq]:
    """Coefficients in the Bernstein basis of [low, high]: p lies between their extremes there."""
    c = p(fmpq_poly([low, high - low])).coeffs()
    d = len(c) - 1
    return [
        sum((fmpq(comb(i, j), comb(d, j)) * c[j] for j in range(i + 1)), fmpq(0))
        for i in range(d + 1)
    ]


def sign_on(p: fmpq_poly, low: fmpq, high: fmpq, depth: int = 8) -> int:
    """1 or -1 if p has that sign throughout [low, high], by bisection; 0 if not shown."""
    coefficients = bernstein(p, low, high)
    if all(c > 0 for c in coefficients):
        return 1
    if all(c < 0 for c in coefficients):
        return -1
    if not depth:
        return 0
    middle = (low + high) / 2
    left = sign_on(p, low, middle, depth - 1)
    return left if left == sign_on(p, middle, high, depth - 1) else 0


def test_root_sequence_changes_sign_once_for_n_from_5_to_6() -> None:
    k, n = KAPPA, KAPPA + 1
    low, high = fmpq(4), fmpq(5)
    assert [sign_on(root_coefficient(m), low, high) for m in (3, 4, 5, 7)] == [1, 1, 1, -1]
    tail = (6 - n) * (2 * k + 1) ** 14 + n * (2 * k - 1) ** 14 - n * k * (k + 3) ** 14
    assert sign_on(tail, low, high) == 1
    shorter = (6 - n) * (2 * k + 1) ** 10 + n * (2 * k - 1) ** 10 - n * k * (k + 3) ** 10
    assert sign_on(shorter, low, high) == -1


def test_root_sequence_without_its_leading_term_for_n_from_6_to_6_1() -> None:
    k, n = KAPPA, KAPPA + 1
    low, high = fmpq(5), fmpq(51, 10)

    def rest(m: int) -> fmpq_poly:
        return root_coefficient(m) - (n / 6 - 1) * (2 * k + 1) ** (2 * m)

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
    assert all(c > 0 for m in range(3, 11) for c in root_coefficient(m)(shift).coeffs())
    assert fmpq(61, 10) * (1 - fmpq(92, 112) ** 22) > 6 > fmpq(61, 10) * (1 - fmpq(92, 112) ** 20)
    assert root_coefficient(9)(fmpq(101, 20)) < 0


def test_root_sequence_near_n_1() -> None:
    for kappa in (fmpq(1, 1000), fmpq(1, 10), fmpq(1, 3), fmpq(2, 3)):
        assert all(root_coefficient(m)(kappa) > 0 for m in range(3, 40))

    def subtracted(m: int) -> fmpq:
        powers = fmpq(15, 8) * fmpq(49, 9) ** m + fmpq(25, 12) * fmpq(25, 9) ** m
        return powers + fmpq(20 * m * m, 9)

    assert fmpq(3, 9) * 9**3 < subtracted(3)
    assert all(fmpq(4, 9) * 9**m > subtracted(m) for m in range(4, 30))
    limit_minimum = (3 + ball(3).sqrt()) / 6 - analytical(3 + ball(3).sqrt())
    assert limit_minimum > fmpq(22, 1000)


# --- the terms of one interval --------------------------------------------------------------------


def analytical(n: arb) -> arb:
    return n.log() - (n - 1) / n


def gap_term(n: arb, h: arb) -> arb:
    """phi_n on an interval of step 2h."""
    return (n - 1) * (h * (n * h).coth() - 1 / n) - ((n * h).sinh() / n).log() + h.sinh().log()


def sharp_term(n: arb, h: arb) -> arb:
    last = h if n == 2 else ((n - 2) * h).sinh() / (n - 2)
    return h.sinh() ** 2 / 6 * (n - 1) ** 2 * n * last / (n * h).sinh()


def root_term(n: arb, h: arb) -> arb:
    return n / 3 * h.sinh() * 2 * ((n - 1) * h / 2).sinh() ** 2 / (n * h).sinh()


def integral(f: Callable[[acb], acb], low: arb, high: arb) -> arb:
    return acb.integral(lambda u, analytic: f(u), acb(low), acb(high)).real


def same(x: arb, y: arb) -> bool:
    return bool(x.overlaps(y) and x.rad() < abs(x) * 1e-20 and y.rad() < abs(y) * 1e-20)


@pytest.mark.parametrize("n", [1.25, 2.0, 2.75, 7.0])
def test_terms_are_those_of_the_integrals(n: float) -> None:
    order, h = ball(n), ball(0.625)
    low, mass = (-2 * h).exp(), 1 - (-2 * order * h).exp()
    mean = mass / (1 - low)

    def density(u: acb) -> acb:
        return order * u ** (order - 1)

    relative = integral(lambda u: density(u) * (density(u) / mean).log(), low, arb(1)) / mass
    fisher = integral(lambda u: order * (order - 1) ** 2 * u ** (order - 3), low, arb(1))
    root = (order.sqrt() * (1 - (low ** ((order - 1) / 2)))) ** 2
    assert same(relative, gap_term(order, h))
    assert same((1 - low) ** 2 / 24 * fisher / mass, sharp_term(order, h))
    assert same((1 - low) / 6 * root / mass, root_term(order, h))
    assert not same(relative, gap_term(order + fmpq(1, 10**9), h))


@pytest.mark.parametrize("n", [1.25, 2.0, 7.0])
def test_cumulant_form_of_the_normalised_gap(n: float) -> None:
    def variance(order: acb, step: arb) -> acb:
        y = order * step / 2
        return (order - 1) / order**2 * (1 - (y / y.sinh()) ** 2)

    order = ball(n)
    for step in (ball(0.125), ball(3.0)):
        value = integral(lambda x, s=step: variance(x, s), arb(1), order)  # type: ignore[misc]
        assert same(value, gap_term(order, step / 2))
        upper = ((order - 1) * step) ** 2 / 24
        assert 0 < value < min(upper, analytical(order))
        assert value > upper * (1 - (3 * order**2 + 2 * order + 1) * step**2 / 120)
    tiny = ball(0.015625)
    assert gap_term(order, tiny / 2) > 24 * ((order - 1) * tiny) ** 2 / (24 * 24.01)


def expected(coefficient: Coefficient, kappa: fmpq, length: int) -> list[fmpq]:
    """Coefficients of the sum of e_m h^(2m)/(2m)!."""
    return [
        fmpq(0) if i % 2 else coefficient(i // 2)(kappa) / factorial(i) for i in range(length - 1)
    ]


@pytest.mark.parametrize("n", RATIONAL_N, ids=str)
def test_derivative_identities_as_formal_power_series(n: fmpq) -> None:
    """(R' - L') 2 sinh h sinh^2 nh is the sum of e_m h^(2m)/(2m)!, and likewise for Q and E_m."""
    length = 30
    cap, ctx.cap = ctx.cap, length
    try:
        h, order, unit = fmpq_series([0, 1]), fmpq_series([n]), fmpq_series([1])
        kappa = order - unit
        s, c, sn, cn = h.sinh(), h.cosh(), (order * h).sinh(), (order * h).cosh()
        # each derivative times sinh h sinh^2 nh, by the quotient rule
        gap = c * sn * sn - s * sn * cn - order * kappa * h * s
        scale = fmpq_series([(n - 1) ** 2 * n / (6 * (n - 2))])
        top = scale * s * s * ((kappa - unit) * h).sinh()
        sharp = (top.derivative() * sn - top * order * cn) * s
        top = fmpq_series([n / 3]) * s * ((kappa * h).cosh() - unit)
        root = (top.derivative() * sn - top * order * cn) * s
        two, kinds = fmpq_series([2]), ((sharp, sharp_coefficient), (root, root_coefficient))
        for bound, coefficient in kinds:
            found = coefficients_of(two * (bound - gap), length)
            assert found == expected(coefficient, n - 1, length)
            assert found != expected(coefficient, n - 1 + fmpq(1, 10**6), length)
    finally:
        ctx.cap = cap


Exponential = dict[tuple[int, int, int], fmpq_poly]
"""Sum of coefficient(kappa) e^((p kappa + q) h) h^r, by (p, q, r)."""


def times(*factors: Exponential | fmpq_poly | fmpq | int) -> Exponential:
    result: Exponential = {(0, 0, 0): fmpq_poly([1])}
    for factor in factors:
        terms = factor if isinstance(factor, dict) else {(0, 0, 0): fmpq_poly([1]) * factor}
        products: defaultdict[tuple[int, int, int], fmpq_poly] = defaultdict(fmpq_poly)
        for ((p, q, r), c), ((x, y, z), d) in product(result.items(), terms.items()):
            products[p + x, q + y, r + z] += c * d
        result = {key: c for key, c in products.items() if c}
    return result


def plus(*terms: Exponential) -> Exponential:
    result: defaultdict[tuple[int, int, int], fmpq_poly] = defaultdict(fmpq_poly)
    for key, c in (item for term in terms for item in term.items()):
        result[key] += c
    return {key: c for key, c in result.items() if c}


def hyperbolic(p: int, q: int, sign: int) -> Exponential:
    """Of (p kappa + q) h: cosh for sign 1, sinh for sign -1."""
    half = fmpq_poly([fmpq(1, 2)])
    return plus({(p, q, 0): half}, {(-p, -q, 0): sign * half})


def test_derivative_identities_for_all_kappa() -> None:
    """The hyperbolic identities behind e_m and E_m, as identities of exponential polynomials."""

    def cosh(p: int, q: int) -> Exponential:
        return hyperbolic(p, q, 1)

    k, n, h = KAPPA, KAPPA + 1, {(0, 0, 1): fmpq_poly([1])}
    s, c, sn, cn = hyperbolic(0, 1, -1), cosh(0, 1), hyperbolic(1, 1, -1), cosh(1, 1)
    sk, ck, sm, cm = hyperbolic(1, 0, -1), cosh(1, 0), hyperbolic(1, -1, -1), cosh(1, -1)

    # each: 2 sinh h sinh^2 nh times the derivative, by the quotient rule, and its reduction
    gap = plus(times(2, c, sn, sn), times(-2, s, sn, cn), times(-2 * n * k, h, s))
    assert gap == plus(cosh(2, 1), times(-1, c), times(-2 * n * k, h, s))

    slope = plus(times(2, s, c, sm, sn), times(k - 1, s, s, cm, sn), times(-n, s, s, sm, cn))
    sharp = times(k**2 * n / 3, s, slope)  # (kappa - 1) times it, as is the reduction
    fives = plus(cosh(0, 5), times(-2, cosh(0, 3)), c)
    threes = plus(cosh(0, 3), times(-1, c))
    twos = plus(cosh(2, 1), times(-2, cosh(2, -1)), cosh(2, -3))
    bracket = plus(twos, times((k - 1) / 2, fives), times(-(k + 1) / 2, threes))
    assert sharp == times(k**2 * n / 12, bracket)
    assert sharp != times(k**2 * n / 13, bracket)

    less = plus(ck, times(-1))
    slope = plus(times(c, less, sn), times(k, s, sk, sn), times(-n, s, less, cn))
    middle = plus(times(k, cosh(1, 3)), times(-2 * n, cosh(1, 1)), times(k + 2, cosh(1, -1)))
    bracket = plus(cosh(2, 1), times(-1, cosh(2, -1)), middle, times(-k, threes))
    assert times(2 * n / 3, s, slope) == times(n / 6, bracket)
    assert times(2 * n / 3, s, slope) != times(n / 7, bracket)


def coefficients_of(series: fmpq_series, length: int) -> list[fmpq]:
    return [series[i] for i in range(length - 1)]


H_GRID = [fmpq(1, 50), fmpq(1, 4), fmpq(1), fmpq(3), fmpq(40)]
N_GRID = [fmpq(x, 20) for x in range(21, 161, 3)] + [fmpq(40), fmpq(60), fmpq(1000), fmpq(10**6)]


def test_derivative_identity_in_ball_arithmetic() -> None:
    for n, h in product((fmpq(3, 2), fmpq(7, 2), fmpq(9)), (fmpq(1, 4), fmpq(1), fmpq(2))):
        order, x = ball(n), ball(h)
        slope = x.coth() - (order * x).coth() - n * (n - 1) * x / (order * x).sinh() ** 2
        log_slope = 2 * x.coth() + (n - 2) * ((order - 2) * x).coth() - n * (order * x).coth()
        left = sharp_term(order, x) * log_slope - slope
        series, term = arb(0), arb(1)
        for m in range(90):
            series += ball(sharp_value(n - 1, m)) * term
            term *= x**2 / ((2 * m + 1) * (2 * m + 2))
        right = series / (2 * x.sinh() * (order * x).sinh() ** 2)
        assert abs(left / right - 1) < arb(10) ** -30
        assert abs(left / (right * arb("1.0000001")) - 1) > arb(10) ** -8


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


# --- policies -------------------------------------------------------------------------------------

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


SHAPES = {
    "one": [1],
    "binary": [1, 1],
    "increasing": [1, 2, 3, 4],
    "decreasing": [900, 90, 9, 1],
    "rare top": [50, 49, 1],
    "tiny bottom": [1, 400, 300, 299],
}
SMALL = {name: [Fraction(w, sum(ws)) for w in ws] for name, ws in SHAPES.items()}


def tails(p: Sequence[Fraction]) -> list[tuple[Fraction, Fraction]]:
    return list(pairwise(accumulate(p, initial=Fraction(0))))


@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_sharp_bound_holds_at_every_real_n(p: list[Fraction]) -> None:
    policy = Policy.from_probabilities([float(x) for x in p])
    claim = Inequality("kl_gap", "sharp_kl_gap")
    grid = [1.03125, 1.5, 1.96875, 2, 2.03125, 2.5, 2.96875, 3, 3.5, 3.96875, 4, 17.25]
    verdicts = decide(policy, grid, [claim], extrapolate=True)
    assert {v.verdict for v in verdicts} == {"holds"}
    assert len(verdicts) == len(grid)


def kl_gap(p: Sequence[Fraction], n: arb) -> arb:
    mass = [(arb(b) ** n if b else arb(0)) - (arb(a) ** n if a else arb(0)) for a, b in balls(p)]
    return analytical(n) - sum(
        (q * (q / arb_of(x)).log() for q, x in zip(mass, p, strict=True)), arb(0)
    )


def arb_of(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))


def balls(p: Sequence[Fraction]) -> list[tuple[arb | int, arb]]:
    return [(arb_of(a) if a else 0, arb_of(b)) for a, b in tails(p)]


@pytest.mark.parametrize("n", [1.0078125, 1.25, 1.5, 2.0, 4.75, 6.03125, 20.0])
@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_delta_bounds_hold_at_every_real_n(p: list[Fraction], n: float) -> None:
    order, delta = ball(n), arb_of(max(p))
    gap = kl_gap(p, order)
    root = sum(
        (arb_of(x) * (density_root(b, order) - density_root(a, order)) ** 2
         for x, (a, b) in zip(p, balls(p), strict=True)),
        arb(0),
    ) / 6  # fmt: skip
    assert gap < root < order * delta / 6 * (1 + arb(10) ** -60)
    assert gap < (order - 1) ** 2 * (1 + order / 24) * delta
    assert gap < 2 * order * (order - 1) * delta


def density_root(u: arb | int, n: arb) -> arb:
    return (n * arb(u) ** (n - 1)).sqrt() if u else arb(0)


@pytest.mark.parametrize("n", [1.05, 1.5, 1.9375])
def test_renyi_bounds_fail_between_1_and_2(n: float) -> None:
    """One outcome of mass q and the rest without atoms: gap >= q^n K against a multiple of q^2."""
    order = ball(n)
    q = (analytical(order) / (4 * order * (order - 1))) ** (1 / (2 - order))
    gap, collision = q**order * analytical(order), q**2
    assert gap > 2 * order * (order - 1) * collision
    assert gap < order * q
    order = arb(2)
    assert q**order * analytical(order) < order * (order - 1) * q**2


def test_renyi_bound_fails_for_a_finite_policy() -> None:
    policy = Policy.from_probabilities([0.005, *[0.995 / 20_000] * 20_000])
    claim = Inequality("kl_gap", "elementary_renyi")
    assert decide(policy, 1.05, [claim], extrapolate=True)[0].verdict == "fails"
    assert decide(policy, 2.0, [claim])[0].verdict == "holds"


# --- win rate -------------------------------------------------------------------------------------


def total(terms: Iterable[Fraction]) -> Fraction:
    return sum(terms, Fraction(0))


def win_rate(p: Sequence[Fraction], n: int) -> Fraction:
    return total((b**n - a**n) * (a + b) / 2 for a, b in tails(p))


def win_rate_gap_and_bound(p: Sequence[Fraction], n: int) -> tuple[Fraction, Fraction]:
    increments = (n * (b ** (n - 1) - a ** (n - 1)) for a, b in tails(p))
    bound = total(x * x * y for x, y in zip(p, increments, strict=True)) / 12
    return Fraction(n, n + 1) - win_rate(p, n), bound


@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_sharp_win_rate_bound_is_an_equality_at_two_and_three(p: list[Fraction]) -> None:
    for n in range(1, 12):
        gap, bound = win_rate_gap_and_bound(p, n)
        assert 0 <= gap <= bound
        assert (gap == bound) == (n in (1, 2, 3))
        assert bound <= n * max(p) ** 2 / 12
        assert gap <= Fraction(n - 1, 2) * sum(x * x for x in p)


@pytest.mark.parametrize("n", [2.0625, 2.4140625, 2.9375])
@pytest.mark.parametrize("p", SMALL.values(), ids=SMALL)
def test_sharp_win_rate_bound_reverses_between_two_and_three(p: list[Fraction], n: float) -> None:
    policy = Policy.from_probabilities([float(x) for x in p])
    factor = 6 * (Fraction(n) - 1) / (Fraction(n) * (Fraction(n) + 1))
    assert 1 < factor < Fraction(10295, 10000)
    assert arb_of(factor) <= 18 - 12 * arb(2).sqrt()
    claims = [Inequality("win_rate_gap", "sharp_win_rate_gap", f) for f in (1, factor)]
    plain, corrected = decide(policy, n, claims, extrapolate=True)
    assert plain.verdict == "fails"
    # one outcome attains the factor: equal sides, which balls cannot separate
    assert corrected.verdict == "holds" or len(p) == 1
    assert corrected.margin.upper >= 0


# --- ties and any selection -----------------------------------------------------------------------


def law_of(
    rule: Callable[[tuple[int, ...]], Counter[int]], p: Sequence[Fraction], n: int
) -> list[Fraction]:
    """Law of the response that a rule picks from n draws; a rule returns weights."""
    law = [Fraction(0)] * len(p)
    for draws in product(range(len(p)), repeat=n):
        weights = rule(draws)
        for y, w in weights.items():
            law[y] += prod((p[d] for d in draws), start=Fraction(1)) * w / weights.total()
    return law


REWARD = (0, 1, 1)
TIED = [Fraction(1, 6), Fraction(1, 2), Fraction(1, 3)]


def winners(draws: tuple[int, ...]) -> list[int]:
    best = max(REWARD[d] for d in draws)
    return [d for d in draws if REWARD[d] == best]


RULES: dict[str, Callable[[tuple[int, ...]], Counter[int]]] = {
    "first": lambda draws: Counter(winners(draws)[:1]),
    "random": lambda draws: Counter(winners(draws)),
    "majority": lambda draws: Counter([Counter(winners(draws)).most_common(1)[0][0]]),
    "distinct": lambda draws: Counter(set(winners(draws))),
    "alphabetical": lambda draws: Counter([max(winners(draws))]),
    "worst": lambda draws: Counter([min(draws)]),
    "soft": lambda draws: Counter({d: c * 3 ** REWARD[d] for d, c in Counter(draws).items()}),
}


@pytest.mark.parametrize("name", RULES)
def test_tie_rules_and_any_selection(name: str) -> None:
    n = 3
    law = law_of(RULES[name], TIED, n)
    assert sum(law) == 1
    classes = [Fraction(1, 6) ** n, 1 - Fraction(1, 6) ** n]
    top = Fraction(5, 6)
    merged = [classes[0], classes[1] * TIED[1] / top, classes[1] * TIED[2] / top]
    assert (law == merged) == (name in ("first", "random"))
    kl, of_merged = (relative_entropy(q, TIED) for q in (law, merged))
    if name in ("majority", "distinct", "alphabetical"):
        assert [law[0], law[1] + law[2]] == classes
        assert kl > of_merged
    assert kl < analytical(arb(n))
    assert relative_entropy([Fraction(1, 100), Fraction(0), Fraction(99, 100)], TIED) > analytical(
        arb(n)
    )


def relative_entropy(q: Sequence[Fraction], p: Sequence[Fraction]) -> arb:
    terms = (arb_of(x) * (arb_of(x) / arb_of(y)).log() for x, y in zip(q, p, strict=True) if x)
    return sum(terms, arb(0))


# --- the estimator --------------------------------------------------------------------------------


def estimator(eps: Fraction, n: arb) -> arb:
    if eps == 1:
        return arb(0)
    e, r = arb_of(eps), arb_of(1 - eps)
    below = r**n
    return below * (analytical(n) + (n - 1) * r.log()) + (1 - below) * ((1 - below) / e).log()


@pytest.mark.parametrize("n", [1.5, 2.0, 7.25])
@pytest.mark.parametrize("p", list(SMALL.values())[1:], ids=list(SMALL)[1:])
def test_induction_step_of_conjecture_4_4(p: list[Fraction], n: float) -> None:
    order, eps = ball(n), p[-1]
    rest = [x / (1 - eps) for x in p[:-1]]
    power = arb_of(1 - eps) ** order

    def mean(q: Sequence[Fraction], scale: Fraction = Fraction(1)) -> arb:
        pairs = zip(q, balls(q), strict=True)
        return sum(
            (
                (arb(b) ** order - (arb(a) ** order if a else 0)) * estimator(scale * x, order)
                for x, (a, b) in pairs
            ),
            arb(0),
        )

    formula = analytical(order)
    kl, kl_rest = (formula - kl_gap(q, order) for q in (p, rest))
    left = mean(p) - kl
    right = power * (mean(rest, 1 - eps) - estimator(eps, order) + formula - kl_rest)
    assert left > 0
    assert abs(left - right) < arb(10) ** -60
    assert (
        abs(left - power * (mean(rest) - estimator(eps, order) + formula - kl_rest)) > arb(10) ** -6
    )
    assert estimator(eps, order) - kl > -(arb(10) ** -60)
    assert formula - estimator(eps, order) > formula + arb_of(eps).log()


def test_estimator_decreases_in_the_mass() -> None:
    for n in map(ball, (1.125, 2.0, 50.0)):
        values = [estimator(Fraction(i, 16), n) for i in range(1, 17)]
        assert all(high > low for high, low in pairwise([analytical(n), *values]))
        assert values[-1] == 0


# --- the optimum and the rivals -------------------------------------------------------------------


def moments(density: Callable[[acb], acb]) -> tuple[arb, arb, arb]:
    """Mass, win rate and KL of a density on [0, 1]."""
    one, zero = arb(1), arb(0)
    return (
        integral(density, zero, one),
        integral(lambda u: u * density(u), zero, one),
        integral(lambda u: density(u) * density(u).log(), zero, one),
    )


def tilted(beta: arb) -> tuple[arb, arb]:
    win = 1 / (1 - (-beta).exp()) - 1 / beta
    return win, beta * win - (beta.expm1() / beta).log()


def frontier(win: arb, beta: arb) -> arb:
    """The lower bound on KL at this win rate that the tilt beta proves."""
    return beta * win - (beta.expm1() / beta).log()


def test_tilted_optimum() -> None:
    for value in (0.5, 3.0, 20.0):
        beta = ball(value)
        mass, win, kl = moments(lambda u, b=beta: (b * u).exp() * b / b.expm1())  # type: ignore[misc]
        assert mass.overlaps(arb(1))
        assert win.overlaps(tilted(beta)[0])
        assert kl.overlaps(tilted(beta)[1])
    for n in (2, 5, 40):
        win, kl = ball(fmpq(n, n + 1)), analytical(arb(n))
        bounds = [frontier(win, arb(n + shift)) for shift in (0.125, 0.5, 1)]
        assert all(bound < kl for bound in bounds)
        assert max(bounds) > fmpq(88, 100) * kl


def poisson(mu: arb) -> tuple[arb, arb]:
    win = 1 - 1 / mu + (1 - (-mu).exp()) / mu**2
    return win, (1 + mu).log() - 1 + (-1 - mu).exp() / mu * ((1 + mu).ei() - arb(1).ei())


def top_k(n: int, k: int, u: acb) -> acb:
    """n/k times the probability that at most k - 1 of the n - 1 others lie above u."""
    terms = (comb(n - 1, j) * (1 - u) ** j * u ** (n - 1 - j) for j in range(k))
    return sum(terms, acb(0)) * n / k


def soft_best_of_2(beta: arb, u: acb) -> acb:
    return 2 / beta * ((1 + (beta * u).exp()) / (1 + (beta * (u - 1)).exp())).log()


def test_best_of_poisson() -> None:
    for value in (0.25, 2.0, 30.0):
        mu = ball(value)
        mass, win, kl = moments(lambda u, m=mu: (1 + m * u) * (m * (u - 1)).exp())  # type: ignore[misc]
        assert mass.overlaps(arb(1))
        assert win.overlaps(poisson(mu)[0])
        assert kl.overlaps(poisson(mu)[1])
        assert not kl.overlaps(poisson(mu)[1] * arb("1.000001"))
        assert kl > frontier(win, 1 + mu)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (5, 2), (9, 4)])
def test_top_k_of_n(n: int, k: int) -> None:
    mass, win = (integral(lambda u, p=p: u**p * top_k(n, k, u), arb(0), arb(1)) for p in (0, 1))  # type: ignore[misc]
    assert mass.overlaps(arb(1))
    assert win.overlaps(1 - arb(k + 1) / (2 * (n + 1)))
    assert not win.overlaps(1 - arb(k) / (2 * (n + 1)))
    with mp.workdps(30):
        kl = mp.quad(lambda u: float_free(n, k, u), [0, 1])
        assert (
            0 < kl < min(mp.log(mp.mpf(n) / k), mp.log(n) - mp.mpf(n - 1) / n + mp.mpf(10) ** -20)
        )


def float_free(n: int, k: int, u: mp.mpf) -> mp.mpf:
    f = mp.fsum(comb(n - 1, j) * (1 - u) ** j * u ** (n - 1 - j) for j in range(k)) * n / k
    return f * mp.log(f)


def test_soft_best_of_2_is_near_its_limits() -> None:
    beta = arb(3)
    mass, win, kl = moments(lambda u: soft_best_of_2(beta, u))
    assert mass.overlaps(arb(1))
    assert frontier(win, ball(0.875)) < kl < analytical(arb(2))
    distance = integral(
        lambda u: (
            (density := (beta * u).exp() * beta / beta.expm1())
            * (density / soft_best_of_2(beta, u)).log()
        ),
        arb(0),
        arb(1),
    )
    bound = (1 + (beta / 2 * (beta / 2).coth() - 1) / 2).log()
    assert 0 < distance < bound
    assert distance > bound / 4


@pytest.mark.parametrize("n", [2, 3, 8])
def test_other_divergences(n: int) -> None:
    def density(u: acb) -> acb:
        return n * u ** (n - 1)

    one, zero, order = arb(1), arb(0), fmpq(n)
    chi_square = integral(lambda u: density(u) ** 2, zero, one) - 1
    assert chi_square.overlaps(ball((order - 1) ** 2 / (2 * order - 1)))
    crossing = arb(n) ** (-1 / arb(n - 1))
    variation = integral(lambda u: density(u) - 1, crossing, one)
    assert variation.overlaps(crossing * (n - 1) / n)
    with mp.workdps(30):
        forward = -mp.quad(lambda u: mp.log(n * u ** (n - 1)), [0, 1])
        assert abs(forward - (n - 1 - mp.log(n))) < mp.mpf(10) ** -20
        for alpha in (mp.mpf("0.5"), mp.mpf(3)):
            value = mp.log(mp.quad(lambda u, a=alpha: (n * u ** (n - 1)) ** a, [0, 1])) / (
                alpha - 1
            )
            assert abs(value - renyi(n, alpha)) < mp.mpf(10) ** -12
    for p in list(SMALL.values())[1:]:
        law = [b**n - a**n for a, b in tails(p)]
        assert sum(q * q / x for q, x in zip(law, p, strict=True)) - 1 < Fraction(
            (n - 1) ** 2, 2 * n - 1
        )
        assert relative_entropy(p, law) < n - 1 - arb(n).log()
        distance = total(abs(q - x) for q, x in zip(law, p, strict=True)) / 2
        assert not arb_of(distance) > variation  # at n = 2 binary outcomes meet at the crossing
        square = sum((arb_of(q * x).sqrt() for q, x in zip(law, p, strict=True)), arb(0))
        assert -2 * square.log() < -2 * (2 * arb(n).sqrt() / (n + 1)).log()


def renyi(n: int, alpha: mp.mpf) -> mp.mpf:
    return mp.log(mp.mpf(n) ** alpha / (alpha * (n - 1) + 1)) / (alpha - 1)


def test_blockwise_best_of_k_is_additive() -> None:
    """Two blocks of two tokens, the second chosen given the first."""
    first, second = (
        [Fraction(1, 3), Fraction(2, 3)],
        [[Fraction(1, 4), Fraction(3, 4)], [Fraction(1, 2), Fraction(1, 2)]],
    )
    k = 3
    outer = [b**k - a**k for a, b in tails(first)]
    inner = [[b**k - a**k for a, b in tails(q)] for q in second]
    joint = [outer[i] * inner[i][j] for i in (0, 1) for j in (0, 1)]
    reference = [first[i] * second[i][j] for i in (0, 1) for j in (0, 1)]
    total = relative_entropy(joint, reference)
    chain = relative_entropy(outer, first) + sum(
        (arb_of(outer[i]) * relative_entropy(inner[i], second[i]) for i in (0, 1)), arb(0)
    )
    assert total.overlaps(chain)
    assert analytical(arb(k)) / 2 < total < 2 * analytical(arb(k))


def test_a_discrete_policy_above_the_continuous_curve() -> None:
    ten_thousandths = (3550, 958, 1469, 273, 1112, 995, 1110, 534)
    p = [Fraction(x, sum(ten_thousandths)) for x in ten_thousandths]
    win = win_rate(p, 2)
    kl = analytical(arb(2)) - kl_gap(p, arb(2))
    order = win / (1 - win)  # where n/(n+1) is this win rate
    assert kl < analytical(arb_of(order))
    assert kl > frontier(arb_of(win), arb(2))
    better = arb_of(win) + fmpq(7, 1000)
    assert kl < frontier(better, arb("2.09"))


# --- the page -------------------------------------------------------------------------------------

ROOT_DIRECTORY = Path(__file__).resolve().parents[2]


def headings(page: str) -> set[str]:
    """Anchors as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_every_section_cited_exists() -> None:
    page = (ROOT_DIRECTORY / "docs/theory.md").read_text(encoding="utf-8")
    sources = [*ROOT_DIRECTORY.glob("src/bonmeter/**/*.py"), Path(__file__)]
    claims = (ROOT_DIRECTORY / "config/claims.yaml").read_text(encoding="utf-8")
    cited = {
        *re.findall(r"\]\(#([^)]+)\)", page),
        *re.findall(r"^ +proof: (\S+)$", claims, flags=re.MULTILINE),
        *(x for f in sources for x in re.findall(r"theory\.md#([\w-]+)", f.read_text("utf-8"))),
    }
    assert "sharp-gap-bound" in cited
    assert cited <= headings(page)
    assert not cited <= headings(page.replace("## Sharp gap bound", "## Sharp bound"))
