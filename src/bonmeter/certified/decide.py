"""Certified enclosures and verdicts: every digit and every inequality proved by ball arithmetic.

Where a ball is too wide the precision is doubled. The working precision is set inside each call and
restored after it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from flint import arb, ctx
from numpy.typing import ArrayLike

from bonmeter.bounds.inequalities import INEQUALITIES, Inequality, find_proved
from bonmeter.certified.balls import ZERO, BallPolicy, BestOfN, narrowest
from bonmeter.certified.enclosures import Enclosure, enclose_ball, enclose_margin
from bonmeter.certified.formulas import FORMULAS
from bonmeter.certified.identities import canonical
from bonmeter.certified.margins import MARGINS
from bonmeter.numerics.validation import as_n, as_number, as_scalar_n
from bonmeter.policies.listed import Policy, require_outcomes

__all__ = ["Verdict", "certify", "decide", "enclose"]

PRECISIONS = (128, 256, 512, 1024, 2048, 4096)
"""Bits tried in turn: the first suffices for most cells, the last for any radius in float64."""

Key = TypeVar("Key", bound=Hashable)
Formula = Callable[[BestOfN], arb]


class Verdict(NamedTuple):
    """What is proved about an `Inequality` at one n.

    `margin` encloses factor * rhs - lhs. The verdict is "holds" (margin >= 0), "fails" (margin < 0)
    or "undecided" (the margin is too close to 0 to tell at the highest precision); its method says
    whether ball arithmetic separated the two sides or a declared identity makes them equal.
    """

    inequality: Inequality
    n: float
    lhs: Enclosure
    rhs: Enclosure
    margin: Enclosure
    verdict: Literal["holds", "fails", "undecided"]
    method: Literal["ball arithmetic", "equality by proof"]


def certify(
    quantity: str, policy: Policy | BallPolicy, n: float, relative_radius: float = 1e-20
) -> Enclosure:
    """Lower and upper bounds on one quantity, proved by ball arithmetic.

    Args:
        quantity: a key of `bonmeter.bounds.quantities`.
        policy: the reference policy, L outcomes.
        n: a real number from 1 to 1e12, in the proven domain of the quantity; taken as exact.
        relative_radius: the largest half-width allowed, relative to the midpoint; 0 < it < 1.

    Returns:
        The enclosure; exactly [0, 0] where the value is 0 by proof (no KL at n = 1).

    Raises:
        ValueError: for an unknown quantity, an n that is no real number from 1 to 1e12 or outside
            the domain (the message names it), a radius not in (0, 1), a log-mass below -1e7.
        ArithmeticError: if 4096 bits do not reach the radius.

    Examples:
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> certify("kl", binary, 2)  # 3/4 log 3 - log 2
        Enclosure[0.13081203594113694, 0.13081203594113697]
        >>> certify("kl", binary, 1)
        Enclosure[0.0, 0.0]
    """
    return enclose(policy, n, [quantity], relative_radius)[quantity]


def enclose(
    policy: Policy | BallPolicy,
    n: float,
    quantities: Iterable[str],
    relative_radius: float = 1e-20,
    *,
    extrapolate: bool = False,
) -> dict[str, Enclosure]:
    """Enclosures of several quantities of one policy at one n, sharing their common work.

    Args:
        policy: the reference policy, or its `BallPolicy` to share work between calls too.
        n: a real number from 1 to 1e12, taken as exact.
        quantities: keys of `bonmeter.bounds.quantities`.
        relative_radius: as in `certify`.
        extrapolate: evaluate bounds outside the n they are proved for, where they may be false.

    Raises:
        ValueError: as `certify`, or if an extrapolated formula is not finite.
        ArithmeticError: as `certify`.

    Examples:
        >>> enclose(Policy.from_probabilities([0.5, 0.5]), 3, ["delta", "win_rate_gap"])
        {'delta': Enclosure[0.5, 0.5], 'win_rate_gap': Enclosure[0.0625, 0.0625]}
    """
    n, tolerance = as_scalar_n(n), _as_tolerance(relative_radius)
    balls = _as_balls(policy)
    alias = {name: canonical(name, balls, n, extrapolate) for name in quantities}
    wanted = {key: FORMULAS[key] for key in alias.values()}
    found, wide = _converge(balls, n, wanted, tolerance)
    if wide:
        raise ArithmeticError(f"{wide[0]} at n = {n!r}: {PRECISIONS[-1]} bits do not suffice")
    return {name: enclose_ball(found[key]) for name, key in alias.items()}


def decide(
    policy: Policy | BallPolicy,
    n: ArrayLike,
    inequalities: Sequence[Inequality] = INEQUALITIES,
    relative_radius: float = 1e-20,
    *,
    extrapolate: bool = False,
) -> list[Verdict]:
    """Verdict on each inequality at each n: never more than is proved.

    "undecided" is left for sides that agree to some 1,200 digits (4096 bits) without being equal by
    proof. It was met only where masses below 1e-240 decide the sign.

    Args:
        policy: the reference policy, or its `BallPolicy` to share work between calls too.
        n: real numbers from 1 to 1e12, any shape, taken as exact.
        inequalities: statements to decide; those outside their domain at some n are left out there.
        relative_radius: precision grows until sides and margin are this narrow (or 4096 bits).
        extrapolate: decide outside the domain too, to exhibit a statement failing there.

    Returns:
        Verdicts in the order of n, then of the inequalities.

    Raises:
        ValueError: if an n is not a real number from 1 to 1e12, the radius is not in (0, 1), a
            log-mass is below -1e7, or an extrapolated formula is not finite.

    Examples:
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> claim = Inequality("kl", "analytical_kl")  # Theorem 3.1
        >>> [(v.n, v.verdict, v.method) for v in decide(binary, [1, 2], [claim])]
        [(1.0, 'holds', 'equality by proof'), (2.0, 'holds', 'ball arithmetic')]
        >>> misconception = Inequality("analytical_kl", "kl")
        >>> decide(binary, 2, [misconception])[0].verdict
        'fails'
    """
    tolerance, balls = _as_tolerance(relative_radius), _as_balls(policy)
    return [
        verdict
        for value in np.ravel(as_n(n)).tolist()
        for verdict in _decide_at(balls, value, inequalities, tolerance, extrapolate)
    ]


def _decide_at(
    balls: BallPolicy,
    n: float,
    inequalities: Sequence[Inequality],
    tolerance: arb,
    extrapolate: bool,
) -> Iterator[Verdict]:
    chosen = [claim for claim in inequalities if extrapolate or claim.in_domain(n)]
    names = {name for claim in chosen for name in (claim.lhs, claim.rhs)}
    alias = {name: canonical(name, balls, n, extrapolate) for name in names}
    sides = {(claim, alias[claim.lhs], alias[claim.rhs]) for claim in chosen}
    equal = {
        claim for claim, lhs, rhs in sides if lhs == rhs and (claim.factor == 1 or lhs == "zero")
    }
    wanted: dict[str | Inequality, Formula] = {
        **{key: FORMULAS[key] for key in alias.values()},
        **{claim: _margin(claim, lhs, rhs) for claim, lhs, rhs in sides if claim not in equal},
    }
    found, _ = _converge(balls, n, wanted, tolerance)
    for claim in chosen:
        margin = ZERO if claim in equal else found[claim]
        yield Verdict(
            claim,
            n,
            enclose_ball(found[alias[claim.lhs]]),
            enclose_ball(found[alias[claim.rhs]]),
            enclose_margin(margin),
            "holds" if margin >= 0 else "fails" if margin < 0 else "undecided",
            "equality by proof" if claim in equal else "ball arithmetic",
        )


def _margin(claim: Inequality, lhs: str, rhs: str) -> Formula:
    """The ball of factor * rhs - lhs, the sides being those that stand for the claim's."""
    numerator, denominator = Fraction(claim.factor).as_integer_ratio()

    def difference(best: BestOfN) -> arb:
        return best.once(FORMULAS[rhs]) * numerator / denominator - best.once(FORMULAS[lhs])

    for sides, sign in (((lhs, rhs), 1), ((rhs, lhs), -1)):
        proved = find_proved(*sides)
        if claim.factor == 1 and proved is not None and proved.margin_terms:
            terms = [MARGINS[name] for name in proved.margin_terms]
            return lambda best: narrowest(
                difference(best), sign * sum((best.once(term) for term in terms), ZERO)
            )
    return difference


def _converge(
    balls: BallPolicy, n: float, wanted: Mapping[Key, Formula], tolerance: arb
) -> tuple[dict[Key, arb], list[Key]]:
    """Balls of all `wanted`, each at the first precision where it is narrow; those never narrow."""
    found: dict[Key, arb] = {}
    pending = dict(wanted)
    for precision in PRECISIONS:
        if not pending:
            break
        masses = balls.at(precision)
        with ctx.workprec(precision):
            best = BestOfN(masses, n)
            found |= {key: best.once(formula) for key, formula in pending.items()}
            pending = {key: wanted[key] for key in pending if not _is_narrow(found[key], tolerance)}
    infinite = [key for key, ball in found.items() if not ball.is_finite()]
    if infinite:
        raise ValueError(f"{infinite[0]} is not finite at n = {n!r}, outside its proven domain")
    return found, list(pending)


def _is_narrow(ball: arb, tolerance: arb) -> bool:
    return bool(ball.is_finite() and ball.rad() <= tolerance * abs(ball.mid()))


def _as_balls(policy: Policy | BallPolicy) -> BallPolicy:
    return policy if isinstance(policy, BallPolicy) else BallPolicy(require_outcomes(policy))


def _as_tolerance(relative_radius: float) -> arb:
    radius = as_number("relative_radius", relative_radius)
    if not 0 < radius < 1:
        raise ValueError(f"relative_radius = {relative_radius!r}: expected a number in (0, 1)")
    return arb(radius)
