"""Small policies with exact masses, and what best-of-n makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

from flint import arb, fmpq

from tests.bonmeter.theory.terms import analytical

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


def kl_gap(p: Sequence[Fraction], n: arb) -> arb:
    mass = [(arb(b) ** n if b else arb(0)) - (arb(a) ** n if a else arb(0)) for a, b in balls(p)]
    return analytical(n) - sum(
        (q * (q / arb_of(x)).log() for q, x in zip(mass, p, strict=True)), arb(0)
    )


def arb_of(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))


def balls(p: Sequence[Fraction]) -> list[tuple[arb | int, arb]]:
    return [(arb_of(a) if a else 0, arb_of(b)) for a, b in tails(p)]


def total(terms: Iterable[Fraction]) -> Fraction:
    return sum(terms, Fraction(0))


def win_rate(p: Sequence[Fraction], n: int) -> Fraction:
    return total((b**n - a**n) * (a + b) / 2 for a, b in tails(p))


def relative_entropy(q: Sequence[Fraction], p: Sequence[Fraction]) -> arb:
    terms = (arb_of(x) * (arb_of(x) / arb_of(y)).log() for x, y in zip(q, p, strict=True) if x)
    return sum(terms, arb(0))


def estimator(eps: Fraction, n: arb) -> arb:
    if eps == 1:
        return arb(0)
    e, r = arb_of(eps), arb_of(1 - eps)
    below = r**n
    return below * (analytical(n) + (n - 1) * r.log()) + (1 - below) * ((1 - below) / e).log()
