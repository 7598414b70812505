"""docs/theory.md#ties: which rules depend on the classes only, and what all have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from math import prod

import pytest
from flint import arb

from tests.bonmeter.theory.outcomes import arb_of, estimator, relative_entropy
from tests.bonmeter.theory.terms import analytical


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


def mean_estimator(law: Sequence[Fraction], p: Sequence[Fraction], n: arb) -> arb:
    terms = (arb_of(q) * estimator(x, n) for q, x in zip(law, p, strict=True))
    return sum(terms, arb(0))


@pytest.mark.parametrize("name", ["first", "random", "majority", "distinct", "alphabetical"])
def test_other_tie_rules_never_lower_the_mean_of_the_estimator(name: str) -> None:
    law = law_of(RULES[name], TIED, 3)
    of_classes = mean_estimator([law[0], 1 - law[0]], [TIED[0], 1 - TIED[0]], arb(3))
    assert of_classes < mean_estimator(law, TIED, arb(3)) < analytical(arb(3))


def test_a_rule_that_leaves_the_best_class_can_lower_the_mean_of_the_estimator() -> None:
    p = [Fraction(9, 10), Fraction(1, 20), Fraction(1, 20)]
    best = p[0] ** 3
    of_classes = mean_estimator([best, 1 - best], [p[0], 1 - p[0]], arb(3))
    assert mean_estimator(law_of(RULES["worst"], p, 3), p, arb(3)) < of_classes
