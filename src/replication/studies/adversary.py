"""Adversarial search: the policy and n at which a claimed inequality comes closest to failing.

Global search (differential evolution), then local (Nelder-Mead), over the masses of a policy and n.
Nearly every evaluation is ball arithmetic, and the verdict on the worst point found always is. A
search that ends without a violation proves nothing: it is evidence only as far as it finds
inequalities that are false.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Literal, NamedTuple

import numpy as np
from flint import arb, ctx
from scipy.optimize import OptimizeResult, differential_evolution, minimize

from bonmeter.bounds.evaluate import float_quantities
from bonmeter.bounds.inequalities import Inequality, find_proved
from bonmeter.certified.balls import BallPolicy
from bonmeter.certified.decide import decide
from bonmeter.numerics.validation import FloatArray, as_n
from bonmeter.policies.listed import Policy

__all__ = ["Attack", "attack", "attack_one_outcome", "parse_masses"]

SMALLEST_LOG_MASS = -14.0
"""Of a group of equal outcomes, relative to the largest: further down margins only flatten."""

SMALLEST_EXCESS, LARGEST_N = 1e-3, 1e6
"""Range of n - 1 and n, searched evenly in log(n - 1)."""

CERTIFIED_OUTCOMES = 200
"""Up to this many, ball arithmetic is as quick as floats."""

PRECISION = 512
"""Bits, for one outcome: at a step of 1e-6 and n = 1.001 the terms of its gap cancel to 1e-20."""


class Attack(NamedTuple):
    """The worst point a search has found.

    Attributes:
        evaluations: margins computed.
        margin: rhs - lhs there, relative to the larger side or to a unit of its own; negative if
            it fails.
        n: number of draws.
        masses: the outcomes' probabilities, lowest reward first, for `parse_masses`; the margin and
            the verdict are those of exactly these.
        outcomes: how many they are.
        verdict: of ball arithmetic on the inequality at this point.
    """

    evaluations: int
    margin: float
    n: float
    masses: str
    outcomes: int
    verdict: Literal["holds", "fails", "undecided"]


Margin = Callable[[Policy, float], float]
ChooseN = Callable[[float], float]


def attack(
    inequality: Inequality,
    *,
    evaluations: int,
    seed: int,
    n: Sequence[float] | None = None,
    outcomes: int = 50,
    extrapolate: bool = False,
) -> Attack:
    """Look for a policy and an n at which an inequality fails (ours).

    Policies are groups of equal outcomes, in several patterns of which the last has every outcome
    on its own. The search stops at the first violation.

    Args:
        inequality: the statement.
        evaluations: most margins to compute, at least 100.
        seed: seed of the search.
        n: the only values of n to try; None for all from 1.001 to 1e6, real or whole as its domain.
        outcomes: the most outcomes of a policy, at least 5.
        extrapolate: search outside the domain of n for which the inequality is claimed.

    Returns:
        The point of smallest relative margin.

    Raises:
        ValueError: if `evaluations` is below 100, `outcomes` below 5, an n not a real number from 1
            to 1e12, or none is in the domain.

    Examples:
        >>> misconception = Inequality("analytical_kl", "kl")
        >>> attack(misconception, evaluations=100, seed=0).verdict
        'fails'
        >>> theorem = Inequality("kl_gap", "elementary_delta")
        >>> attack(theorem, evaluations=100, seed=0).verdict
        'holds'
    """
    choose_n = _n_chooser(inequality, n, extrapolate)

    def margin(policy: Policy, n: float) -> float:
        return _relative_margin(inequality, policy, n, extrapolate)

    found = _search(margin, choose_n, _patterns(outcomes), evaluations, seed)
    policy = Policy.from_probabilities(parse_masses(found.masses))
    verdict = decide(policy, found.n, [inequality], extrapolate=extrapolate)[0].verdict
    return found._replace(verdict=verdict)


def attack_one_outcome(*, evaluations: int, seed: int, factor: float = 1.0) -> Attack:
    """The same for the square-root bound on one outcome [a, b] of mass p (ours, docs/theory.md).

    The integral of g log(g/mean g), g = n u^(n-1), is at most (p/6)(sqrt g(b) - sqrt g(a))^2: this
    implies the constant 1/24 of the sharp KL gap bound for every real n >= 1. Both sides scale with
    b^n, so b = 1 here: the policies are a pair, and the outcome its better one.

    Args:
        evaluations: most margins to compute, at least 100.
        seed: seed of the search.
        factor: of the bound; one below 1 makes a negative control.

    Returns:
        The point of smallest margin, relative to the bound.

    Raises:
        ValueError: if `evaluations` is below 100.

    Examples:
        >>> attack_one_outcome(evaluations=100, seed=0).verdict
        'holds'
    """

    def margin(policy: Policy, n: float) -> float:
        return float(_outcome_margin(policy, n, factor).mid())

    found = _search(margin, _real_n, ((1, 1),), evaluations, seed)
    ball = _outcome_margin(Policy.from_probabilities(parse_masses(found.masses)), found.n, factor)
    return found._replace(verdict="holds" if ball >= 0 else "fails" if ball < 0 else "undecided")


def parse_masses(text: str) -> FloatArray:
    """Probabilities from their text, in which "0.1*3" stands for three of 0.1.

    Examples:
        >>> parse_masses("0.7 0.1*3").tolist()
        [0.7, 0.1, 0.1, 0.1]
    """
    groups = [part.partition("*") for part in text.split()]
    return np.repeat([float(mass) for mass, _, _ in groups], [int(c or 1) for _, _, c in groups])


def _format_masses(policy: Policy) -> str:
    texts = [f"{mass:.9g}" for mass in policy.mass]
    counts = [(text, len(list(same))) for text, same in groupby(texts)]
    return " ".join(text if count == 1 else f"{text}*{count}" for text, count in counts)


def _patterns(outcomes: int) -> tuple[tuple[int, ...], ...]:
    """Sizes of the groups of equal outcomes, lowest reward first."""
    if outcomes < 5:
        raise ValueError(f"outcomes = {outcomes!r}: expected at least 5")
    half = outcomes // 2
    few = ((1, 1), (1, outcomes - 1), (outcomes - 1, 1), (half - 1, 1, half), (1, 1, 1))
    return (*few, (1,) * 5, (1,) * min(outcomes, 10), (1,) * min(outcomes, 50))


class _Best:
    """The margins of one search: how many were computed, and the lowest."""

    def __init__(self, margin: Margin, choose_n: ChooseN) -> None:
        self.margin, self.choose_n = margin, choose_n
        self.evaluations = 0
        self.lowest = np.inf
        self.policy, self.n = Policy([0.0], [0.0]), 1.0

    def at(self, point: FloatArray, sizes: Sequence[int]) -> float:
        """Margin at a point of the unit cube: its first coordinate is n, the others log-masses."""
        policy, n = _policy(SMALLEST_LOG_MASS * point[1:], sizes), self.choose_n(float(point[0]))
        value = self.margin(policy, n)
        self.evaluations += 1
        if value < self.lowest:
            self.lowest, self.policy, self.n = value, policy, n
        return value


def _policy(log_mass: FloatArray, sizes: Sequence[int]) -> Policy:
    return Policy(np.repeat(log_mass - np.log(sizes), sizes), np.arange(sum(sizes)))


def _search(
    margin: Margin,
    choose_n: ChooseN,
    patterns: Sequence[Sequence[int]],
    evaluations: int,
    seed: int,
) -> Attack:
    if evaluations < 100:
        raise ValueError(f"evaluations = {evaluations!r}: expected at least 100")
    rng, best = np.random.default_rng(seed), _Best(margin, choose_n)
    for i, sizes in enumerate(patterns):
        budget = (evaluations - best.evaluations) // (len(patterns) - i)
        _minimise(partial(best.at, sizes=sizes), 1 + len(sizes), budget, rng)
        if best.lowest < 0:
            break
    masses = _format_masses(best.policy)
    policy = Policy.from_probabilities(parse_masses(masses))
    n = float(f"{best.n:.9g}")
    return Attack(best.evaluations, margin(policy, n), n, masses, len(policy), "undecided")


def _minimise(
    objective: Callable[[FloatArray], float],
    dimension: int,
    budget: int,
    rng: np.random.Generator,
) -> None:
    """Two thirds of the budget to find the basin, the rest to descend into it."""
    size = max(5, min(4 * dimension, budget // 4))
    rounds = max(1, budget * 2 // (3 * size) - 1)
    cube = [(0.0, 1.0)] * dimension
    found = differential_evolution(
        objective,
        cube,
        init=rng.random((size, dimension)),
        maxiter=rounds,
        tol=0,
        polish=False,
        rng=rng,
        callback=_is_violated,
    )
    rest = budget - found.nfev
    if found.fun >= 0 and rest > 0:
        options = {"maxfev": rest, "xatol": 1e-12, "fatol": 0.0}
        minimize(objective, found.x, method="Nelder-Mead", bounds=cube, options=options)


def _is_violated(intermediate_result: OptimizeResult) -> bool:
    return bool(intermediate_result.fun < 0)


def _n_chooser(inequality: Inequality, n: Sequence[float] | None, extrapolate: bool) -> ChooseN:
    """From [0, 1] to the n of the search."""
    if n is not None:
        values = [v for v in as_n(n).tolist() if extrapolate or inequality.in_domain(v)]
        if not values:
            raise ValueError(f"n = {n!r}: expected one for which the inequality is claimed")
        return lambda x: values[min(int(x * len(values)), len(values) - 1)]

    def choose(x: float) -> float:
        real = _real_n(x)
        candidates = (real, max(round(real), 2.0), 2.0 + x, 3.0, 4.0)
        return next(v for v in candidates if extrapolate or inequality.in_domain(v))

    return choose


def _real_n(x: float) -> float:
    return 1 + SMALLEST_EXCESS * math.pow(LARGEST_N / SMALLEST_EXCESS, x)


def _relative_margin(inequality: Inequality, policy: Policy, n: float, extrapolate: bool) -> float:
    if len(policy) > CERTIFIED_OUTCOMES and not extrapolate:
        return _float_margin(inequality, policy, n)
    proved = find_proved(inequality.lhs, inequality.rhs)
    unit = proved.unit if proved is not None else None
    claims = [inequality] if unit is None else [inequality, Inequality(*unit)]
    found = decide(policy, n, claims, 1e-9, extrapolate=extrapolate)
    lhs, rhs = float(found[0].lhs), float(found[0].rhs) * float(inequality.factor)
    size = max(abs(lhs), abs(rhs)) if unit is None else float(found[1].margin)
    # both may be below the smallest float: no sign of a violation
    return float(found[0].margin) / size if size else 1.0


def _float_margin(inequality: Inequality, policy: Policy, n: float) -> float:
    """The same in float64, with what may be rounding error taken for equality."""
    values = float_quantities(policy, n, (inequality.lhs, inequality.rhs))
    lhs, rhs = (
        float(values[inequality.lhs]),
        float(values[inequality.rhs]) * float(inequality.factor),
    )
    relative = (rhs - lhs) / max(abs(lhs), abs(rhs))
    return relative if abs(relative) > 1e-9 else 0.0


def _outcome_margin(policy: Policy, n: float, factor: float) -> arb:
    """factor - gap/bound of the better outcome of a pair, [a, 1] with log(1/a) its step s."""
    (step,) = BallPolicy(policy).at(PRECISION).step
    with ctx.workprec(PRECISION):
        order = arb(n)
        kappa, below = order - 1, -(-order * step).expm1()
        width = -(-step).expm1()
        tail = kappa * step * (-order * step).exp() / below
        gap = order.log() - kappa / order + tail - (below / width).log()
        rise = (-kappa * step / 2).expm1()
        bound = order * width * rise * rise / (6 * below)
        return factor - gap / bound
