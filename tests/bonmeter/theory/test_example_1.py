"""docs/theory.md#example-1: the KL of the binary uniform policy is log 2 - h(2^-n)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import arb

from tests.bonmeter.theory.outcomes import kl_gap
from tests.bonmeter.theory.terms import analytical, ball, same

HALVES = [Fraction(1, 2), Fraction(1, 2)]


def binary_entropy(x: arb) -> arb:
    return -x * x.log() - (1 - x) * (-x).log1p()


@pytest.mark.parametrize("n", [1.5, 2.0, 7.25, 64.0])
def test_closed_form(n: float) -> None:
    kl = analytical(ball(n)) - kl_gap(HALVES, ball(n))
    closed = arb(2).log() - binary_entropy(arb(2) ** -ball(n))
    assert same(kl, closed)
    assert kl < arb(2).log()
    assert not same(kl, arb(2).log() - binary_entropy(arb(2) ** (1 - ball(n))))
    uneven = [Fraction(499, 1000), Fraction(501, 1000)]
    assert not same(analytical(ball(n)) - kl_gap(uneven, ball(n)), closed)
