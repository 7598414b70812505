"""Exact arithmetic of the proofs: exponential sums and polynomials, in kappa = n - 1."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise, product
from math import comb, factorial

from flint import ctx, fmpq, fmpq_poly, fmpq_series

KAPPA = fmpq_poly([0, 1])
RATIONAL_N = [fmpq(x, 8) for x in (9, 11, 13, 15, 17, 19, 20, 23, 25, 29, 31, 33, 45, 47, 50, 99)]

Coefficient = Callable[..., fmpq_poly]
"""The m-th coefficient of a sequence, a polynomial in kappa."""

Terms = list[tuple[fmpq, fmpq]]
"""(base, coefficient) of the m-th coefficient as a function of m, without its part at base 1."""


def changes_in_derivative(terms: Terms) -> int:
    """Sign changes, by decreasing base, of the derivative in m; 4 n kappa > 0 is its part at 1."""
    merged: defaultdict[fmpq, fmpq] = defaultdict(fmpq)
    for base, coefficient in terms:
        merged[abs(base)] += coefficient
    signs = {base: (c > 0) == (base > 1) for base, c in merged.items() if c != 0 != base != 1}
    signs[fmpq(1)] = True
    ordered = [signs[base] for base in sorted(signs, reverse=True)]
    return sum(a != b for a, b in pairwise(ordered))


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


def cosh(p: int, q: int) -> Exponential:
    return hyperbolic(p, q, 1)


def sinh(p: int, q: int) -> Exponential:
    return hyperbolic(p, q, -1)


@contextmanager
def truncated(length: int) -> Iterator[None]:
    """Power series are computed up to h^length."""
    cap, ctx.cap = ctx.cap, length
    try:
        yield
    finally:
        ctx.cap = cap


def slope_excess(
    numerator: Callable[[fmpq_series, fmpq_series], fmpq_series], n: fmpq
) -> list[fmpq]:
    """Coefficients of 2 sinh h sinh^2 nh (B' - phi_n'), B = numerator(h, kappa)/sinh nh."""
    h, order = fmpq_series([0, 1]), fmpq_series([n])
    kappa = order - fmpq_series([1])
    s, c, sn, cn = h.sinh(), h.cosh(), (order * h).sinh(), (order * h).cosh()
    top = numerator(h, kappa)
    # each derivative times sinh h sinh^2 nh, by the quotient rule
    gap = c * sn * sn - s * sn * cn - order * kappa * h * s
    bound = (top.derivative() * sn - top * order * cn) * s
    difference = fmpq_series([2]) * (bound - gap)
    return [difference[i] for i in range(ctx.cap - 1)]


def exponential_sum(coefficient: Coefficient, kappa: fmpq) -> list[fmpq]:
    """Coefficients of the sum of coefficient(m) h^(2m)/(2m)!."""
    return [
        fmpq(0) if i % 2 else coefficient(i // 2)(kappa) / factorial(i) for i in range(ctx.cap - 1)
    ]
