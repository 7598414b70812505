"""Certified enclosures and verdicts: every digit and every inequality proved by ball arithmetic.

A policy is taken at its word: `Policy.log_mass` and n are exact float64 numbers and the masses are
exp(log_mass) normalised to sum to 1. Every step after that rounds outward (Arb, by python-flint),
so that an enclosure holds the true value whatever the cancellation; where it is too wide the
precision is doubled. The working precision is set inside each call and restored after it.

Ball arithmetic cannot tell equal numbers apart, so the cases of equality are declared, each with
the reason it holds (`IDENTITIES`). All quantities are sums over outcomes as in docs/theory.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise
from operator import mul
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from flint import arb, ctx
from numpy.typing import ArrayLike, NDArray

from bonmeter.exact.tradeoff import tilt_with_advantage
from bonmeter.numerics.validation import as_n, reject_entries
from bonmeter.policies.listed import Policy, listed

__all__ = [
    "IDENTITIES",
    "INEQUALITIES",
    "QUANTITIES",
    "BallPolicy",
    "Enclosure",
    "Inequality",
    "Quantity",
    "Verdict",
    "certify",
    "decide",
    "enclose",
    "in_domain",
]

PRECISIONS = (128, 256, 512, 1024, 2048, 4096)
"""Bits tried in turn: the first suffices for most cells, the last for any radius in float64."""

LOWEST_LOG_MASS = -1e7
"""Enclosures are exact fractions: below this their denominators would fill the memory."""

ZERO, ONE, HALF = arb(0), arb(1), arb(0.5)

SMALL_ADVANTAGE = arb(2) ** -100
NEWTON_STEPS = 5
"""From the best tilt in float64 to a quarter of 4096 bits."""

_TINY = Fraction(1, 2**1100)

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, repr=False)
class Enclosure:
    """A closed interval, with exact rational ends, that provably holds a value.

    Attributes:
        lower, upper: the ends; they compare exactly with int, float and Fraction.

    Examples:
        >>> third = Enclosure(Fraction(1, 3), Fraction(1, 3))
        >>> Fraction(1, 3) in third, third.lower < 1 / 3, float(third), third
        (True, False, 0.3333333333333333, Enclosure[0.3333333333333333, 0.33333333333333337])
    """

    lower: Fraction
    upper: Fraction

    def __contains__(self, value: Fraction | float) -> bool:
        """Whether `value`, taken exactly, lies in the interval."""
        return bool(self.lower <= value <= self.upper)

    def __float__(self) -> float:
        """The float nearest to the midpoint."""
        return _nearest_float((self.lower + self.upper) / 2)

    def __repr__(self) -> str:
        """The ends as floats, rounded outward."""
        return f"Enclosure[{self.lower_float!r}, {self.upper_float!r}]"

    @property
    def lower_float(self) -> float:
        """The largest float not above `lower`."""
        nearest = _nearest_float(self.lower)
        return nearest if nearest <= self.lower else math.nextafter(nearest, -math.inf)

    @property
    def upper_float(self) -> float:
        """The smallest float not below `upper`."""
        nearest = _nearest_float(self.upper)
        return nearest if nearest >= self.upper else math.nextafter(nearest, math.inf)


@dataclass(frozen=True)
class Inequality:
    """The statement lhs <= factor * rhs about two named quantities (keys of `QUANTITIES`).

    Swapping the sides or shrinking the factor makes the negative controls.

    Raises:
        ValueError: if a side is not the name of a quantity, or the factor is not finite.
    """

    lhs: str
    rhs: str
    factor: Fraction | float = 1

    def __post_init__(self) -> None:
        """Reject unknown names early."""
        _quantity(self.lhs), _quantity(self.rhs)
        if not math.isfinite(self.factor):
            raise ValueError(f"factor = {self.factor!r}: expected a finite number")


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


class BallPolicy:
    """A policy in ball arithmetic: hand it in place of the policy to share work between calls.

    Args:
        policy: the reference policy, L outcomes; its float64 `log_mass` is taken as exact.

    Raises:
        ValueError: if a log-mass is below -1e7.
    """

    def __init__(self, policy: Policy) -> None:
        log_mass = policy.log_mass
        reject_entries(
            "log_mass", log_mass, log_mass < LOWEST_LOG_MASS, f"at least {LOWEST_LOG_MASS:g}"
        )
        self.log_mass: list[float] = log_mass.tolist()
        self.size = len(self.log_mass)
        self.uniform = bool(np.all(log_mass == log_mass[0]))
        self._at: dict[int, _Masses] = {}

    def at(self, precision: int) -> _Masses:
        """The masses and their tails at `precision` bits, computed once."""
        if precision not in self._at:
            with ctx.workprec(precision):
                self._at[precision] = _Masses(self.log_mass)
        return self._at[precision]


class _Masses:
    """Masses, both tails and their logarithms, all to full relative accuracy.

    Each tail is a sum of positive balls from its own end, so nothing cancels near 0 or 1.
    """

    def __init__(self, log_mass: list[float]) -> None:
        # with the largest weight exactly 1, one outcome has mass exactly 1
        max_log_mass = max(log_mass)
        largest = arb(max_log_mass)
        weights = [(arb(x) - largest).exp() for x in log_mass]
        total = sum(weights, ZERO)
        self.mass = p = [w / total for w in weights]
        self.delta = ONE / total
        self.below = below = list(accumulate(p[:-1], initial=ZERO))
        above = list(accumulate(p[:0:-1], initial=ZERO))[::-1]
        self.cdf = [ONE - s if s < HALF else a + x for a, x, s in zip(below, p, above, strict=True)]
        self.log_cdf = [
            (-s).log1p() if s < HALF else c.log() for c, s in zip(self.cdf, above, strict=True)
        ]
        # from the second outcome on: F_{i-1}/p_i and log(F_i/F_{i-1})
        self.below_ratio = [a / x for a, x in zip(below[1:], p[1:], strict=True)]
        self.step = [(x / a).log1p() for a, x in zip(below[1:], p[1:], strict=True)]
        self.rest = [a + s for a, s in zip(below, above, strict=True)]
        self.log_top = p[-1].log() if p[-1] < HALF else (-self.rest[-1]).log1p()
        self.square = [x * x for x in p]
        self.slack = [
            ZERO if log_mass[i] == max_log_mass else (self.delta - x) * (self.delta + x)
            for i, x in enumerate(p)
        ]

    @cached_property
    def log_rest(self) -> list[arb]:
        """log(1 - p_i), for two outcomes or more."""
        return [
            (-p).log1p() if p < HALF else rest.log()
            for p, rest in zip(self.mass, self.rest, strict=True)
        ]


class _Cell:
    """Arrays that the quantities of one policy at one n share."""

    def __init__(self, masses: _Masses, n: float) -> None:
        self.masses = masses
        self.n = arb(n)
        self.kappa = self.n - 1
        self._values: dict[str, arb] = {}

    def value(self, name: str) -> arb:
        """The ball of a quantity, computed once."""
        if name not in self._values:
            self._values[name] = QUANTITIES[name].ball(self)
        return self._values[name]

    @cached_property
    def power(self) -> list[arb]:
        """F_i^(n-1)."""
        return [(self.kappa * x).exp() for x in self.masses.log_cdf]

    @cached_property
    def excess(self) -> list[arb]:
        """pi_i/(p_i F_i^(n-1)) - 1 = (1 - (F_{i-1}/F_i)^(n-1)) F_{i-1}/p_i."""
        terms = zip(self.masses.step, self.masses.below_ratio, strict=True)
        return [ZERO, *((-self.kappa * s).expm1() * -ratio for s, ratio in terms)]

    @cached_property
    def pmf(self) -> list[arb]:
        """pi_i = F_i^n - F_{i-1}^n."""
        terms = zip(self.masses.mass, self.power, self.excess, strict=True)
        return [p * f * (ONE + e) for p, f, e in terms]

    @cached_property
    def log_ratio(self) -> list[arb]:
        """log(pi_i/p_i)."""
        terms = zip(self.masses.log_cdf, self.excess, strict=True)
        return [self.kappa * x + e.log1p() for x, e in terms]

    def estimator(self, i: int) -> arb:
        """d_n(p_i): the KL of a policy whose only atom is its top outcome, of mass p_i (Eq. 25)."""
        mass, rest = self.masses.mass[i], self.masses.rest[i]
        log_power = self.kappa * self.masses.log_rest[i]
        decay = log_power.expm1()
        below = rest + rest * decay
        log_ratio = (-decay * rest / mass).log1p()
        return below * (self.value("analytical_kl") + log_power) + (ONE - below) * log_ratio

    @cached_property
    def curvature(self) -> list[arb]:
        """Integral of n (n-1)^2 u^(n-3) over each outcome; the first only if n > 2."""
        scale, order = self.n * self.kappa**2, self.n - 2
        if order == 0:
            return [ZERO, *(scale * s for s in self.masses.step)]
        power = [f / c * scale / order for f, c in zip(self.power, self.masses.cdf, strict=True)]
        return [power[0] if order > 0 else ZERO, *(b - a for a, b in pairwise(power))]


def _dot(x: Iterable[arb], y: Iterable[arb]) -> arb:
    return sum(map(mul, x, y), ZERO)


def _analytical_kl(cell: _Cell) -> arb:
    return cell.n.log() - cell.kappa / cell.n


def _kl(cell: _Cell) -> arb:
    return _dot(cell.pmf, cell.log_ratio)


def _win_rate(cell: _Cell) -> arb:
    middles = map(arb.__add__, cell.masses.below, cell.masses.cdf)
    return _dot(cell.pmf, middles) / 2


def _curvature_bound(cell: _Cell, constant: arb) -> arb:
    """Sum of constant p^2 g'^2/g; for n <= 2, where it diverges at 0, the first term is exact."""
    first = ZERO if cell.n > 2 else cell.pmf[0] * cell.value("analytical_kl")
    return first + constant * _dot(cell.masses.square, cell.curvature)


def _square_root_bound(cell: _Cell) -> arb:
    """Sum of p/6 n F^(n-1) (1 - (F_below/F)^((n-1)/2))^2."""
    lags = [ONE, *((-cell.kappa * s / 2).expm1() for s in cell.masses.step)]
    terms = zip(cell.masses.mass, cell.power, lags, strict=True)
    return cell.n / 6 * sum((p * f * lag * lag for p, f, lag in terms), ZERO)


def _log_step_bound(cell: _Cell) -> arb:
    largest, scale = cell.value("analytical_kl"), cell.kappa**2 / 24
    terms = [largest, *(largest.min(scale * s * s) for s in cell.masses.step)]
    return _dot(cell.pmf, terms)


def _sharp_win_rate_gap(cell: _Cell, weights: list[arb]) -> arb:
    """Sum of weights (h(F) - h(F_below))/12, the increments to full relative accuracy."""
    terms = zip(cell.power[1:], cell.excess[1:], cell.masses.below_ratio, strict=True)
    increments = [cell.power[0], *(f * e / ratio for f, e, ratio in terms)]
    return cell.n * _dot(weights, increments) / 12


def _top_outcome_gap(cell: _Cell) -> arb:
    """K - d_n(p), or pi phi_n(s) with s = -log(1 - p) tiny, where the difference loses its digits.

    (n-1)^2 s^2/24 (1 - (3n^2+2n+1) s^2/120) <= phi_n(s) <= (n-1)^2 s^2/24, from the integral form
    of phi_n (docs/theory.md) and y^2/3 - y^4/15 <= 1 - (y/sinh y)^2 <= y^2/3.
    """
    difference = cell.value("analytical_kl") - cell.value("estimator_at_top")
    n, log_rest = cell.n, cell.masses.log_rest[-1]
    square = log_rest * log_rest
    defect = ZERO.union((3 * n * n + 2 * n + 1) * square / 120)
    small = -(n * log_rest).expm1() * cell.kappa**2 * square / 24 * (ONE - defect)
    return min(difference, small, key=arb.rad)


def _gap_below_top(cell: _Cell) -> arb:
    """d_n(top mass) - KL: the gap of all outcomes but the top one, whose terms telescope."""
    log_rest = cell.masses.log_rest[-1]
    rest_power = (cell.n * log_rest).exp()
    kl_below = _dot(cell.pmf[:-1], cell.log_ratio)
    return rest_power * (cell.value("analytical_kl") + cell.kappa * log_rest) - kl_below


def _top_saturation(cell: _Cell) -> arb:
    """log(1/top mass) - d_n(top mass), of the order of (1 - top mass)^n."""
    log_rest = cell.masses.log_rest[-1]
    rest_power = (cell.n * log_rest).exp()
    below = cell.masses.log_top + cell.value("analytical_kl") + cell.kappa * log_rest
    return -rest_power * below - (ONE - rest_power) * (-rest_power).log1p()


def _estimator_excess(cell: _Cell) -> arb:
    """Mean of the estimator minus KL, without the top outcome's terms: they cancel."""
    top = cell.value("estimator_at_top")
    excess = (cell.estimator(i) - top for i in range(len(cell.pmf) - 1))
    return _dot(cell.pmf, excess) + _gap_below_top(cell)


def _advantage(cell: _Cell) -> arb:
    """W - 1/2 = sum over all but the top outcome of (F - F^n) (p + p of the next)/2, all >= 0."""
    mass, cdf = cell.masses.mass, cell.masses.cdf
    steps = (p + q for p, q in pairwise(mass))
    lags = (-f * (cell.kappa * x).expm1() for f, x in zip(cdf, cell.masses.log_cdf, strict=True))
    return sum(map(mul, steps, lags), ZERO) / 2


def _continuous_curve_kl(advantage: arb, shortfall: arb) -> arb:
    """log(1 + x) - x/(1 + x), n' = 1 + x that of the same win rate; it is x^2/2 (1 - O(4x/3))."""
    x = 2 * advantage / shortfall
    small = x * x / 2 * (ONE - ZERO.union(4 * x / 3))
    return min(x.log1p() - x / (ONE + x), small, key=arb.rad)


def _optimal_kl(advantage: arb, shortfall: arb) -> arb:
    """The largest beta W - log((e^beta - 1)/beta), concave in beta (docs/theory.md, the optimum).

    Value and tangent at the lower end of a bracket of the best beta enclose it. For a tiny
    advantage a = W - 1/2 it lies between 6 a^2 and 6 a^2 (1 + 9 a^2).
    """
    if advantage < SMALL_ADVANTAGE:
        square = advantage * advantage
        return 6 * square * (ONE + ZERO.union(9 * square))
    best = arb(float(tilt_with_advantage(*map(_as_array, (advantage, shortfall)))))
    for _ in range(NEWTON_STEPS):
        variance = ONE / (best * best) - ONE / (2 * (best / 2).sinh()) ** 2
        best = (best + (advantage - _tilted_advantage(best)) / variance).mid()
    width = arb(2) ** (-ctx.prec // 4)
    low, high = best * (ONE - width), best * (ONE + width)
    least = low * (HALF + advantage) - (low.expm1() / low).log()
    slope = advantage - _tilted_advantage(low)
    if slope >= 0 and _tilted_advantage(high) >= advantage:
        return least.union(least + slope * (high - low))
    # the win rate is not known well enough yet; best-of-n without atoms attains it
    return least.union(_continuous_curve_kl(advantage, shortfall))


def _as_array(ball: arb) -> NDArray[np.float64]:
    return np.array(float(ball))


def _tilted_advantage(beta: arb) -> arb:
    return HALF * (beta / 2).coth() - ONE / beta


def _chi_squared(cell: _Cell) -> arb:
    excess = [x.expm1() for x in cell.log_ratio]
    return _dot(cell.masses.mass, map(mul, excess, excess))


def _forward_kl(cell: _Cell) -> arb:
    """Sum of p (r - 1 - log r): its first two terms add to 0."""
    return _dot(cell.masses.mass, (x.expm1() - x for x in cell.log_ratio))


def _renyi_half(cell: _Cell) -> arb:
    """-2 log(sum of p sqrt r), and 1 - that sum is half the sum of p (sqrt r - 1)^2."""
    excess = [(x / 2).expm1() for x in cell.log_ratio]
    return -2 * (-_dot(cell.masses.mass, map(mul, excess, excess)) / 2).log1p()


class Domain(NamedTuple):
    """The n for which a statement is proved."""

    text: str
    holds: Callable[[float], bool]


REAL = Domain("real n >= 1", lambda n: True)
FROM_2 = Domain("n = 1 or real n >= 2", lambda n: n == 1 or n >= 2)
ABOVE_2 = Domain("real n > 2", lambda n: n > 2)
FROM_2_TO_3 = Domain("real n in [2, 3]", lambda n: 2 <= n <= 3)
OUTSIDE_2_3 = Domain("real n in [1, 2] or n >= 3", lambda n: n <= 2 or n >= 3)


class Quantity(NamedTuple):
    """A number that depends on the policy and n: its ball, meaning, and proven domain."""

    ball: Callable[[_Cell], arb]
    meaning: str
    domain: Domain = REAL


QUANTITIES: Mapping[str, Quantity] = {
    "zero": Quantity(lambda c: ZERO, "0"),
    "analytical_kl": Quantity(_analytical_kl, "log n - (n-1)/n (paper, Eq. 4)"),
    "kl": Quantity(_kl, "KL divergence of best-of-n from the policy"),
    "kl_gap": Quantity(
        lambda c: c.value("analytical_kl") - c.value("kl"), "analytical formula minus KL"
    ),
    "win_rate": Quantity(_win_rate, "win rate of best-of-n, ties 1/2"),
    "continuous_win_rate": Quantity(lambda c: c.n / (c.n + 1), "n/(n+1) (paper, Theorem 5.3)"),
    "continuous_curve_kl": Quantity(
        lambda c: _continuous_curve_kl(_advantage(c), ONE - c.value("win_rate")),
        "KL of the continuous best-of-n curve at the same win rate (ours)",
    ),
    "optimal_kl": Quantity(
        lambda c: _optimal_kl(_advantage(c), ONE - c.value("win_rate")),
        "least KL of any policy of the same win rate, the tilted optimum (ours)",
    ),
    "continuous_optimum": Quantity(
        lambda c: _optimal_kl(c.kappa / (c.n + 1) / 2, ONE / (c.n + 1)),
        "least KL of any policy of win rate n/(n+1) (ours)",
    ),
    "win_rate_gap": Quantity(
        lambda c: c.value("continuous_win_rate") - c.value("win_rate"), "n/(n+1) minus win rate"
    ),
    "chi_squared": Quantity(_chi_squared, "chi-squared divergence of best-of-n from the policy"),
    "forward_kl": Quantity(_forward_kl, "KL divergence of the policy from best-of-n"),
    "renyi_half": Quantity(_renyi_half, "Renyi divergence of order 1/2 of best-of-n"),
    "renyi_2": Quantity(
        lambda c: c.value("chi_squared").log1p(), "Renyi divergence of order 2 of best-of-n"
    ),
    "continuous_chi_squared": Quantity(
        lambda c: c.kappa**2 / (2 * c.n - 1), "(n-1)^2/(2n-1), chi-squared without atoms (ours)"
    ),
    "continuous_forward_kl": Quantity(
        lambda c: c.kappa - c.n.log(), "n - 1 - log n, forward KL without atoms (ours)"
    ),
    "continuous_renyi_half": Quantity(
        lambda c: 2 * (c.kappa / 2).log1p() - c.n.log(),
        "2 log((n+1)/2) - log n, Renyi-1/2 without atoms (ours)",
    ),
    "continuous_renyi_2": Quantity(
        lambda c: c.value("continuous_chi_squared").log1p(),
        "log(n^2/(2n-1)), Renyi-2 without atoms (ours)",
    ),
    "expected_estimator": Quantity(
        lambda c: _dot(c.pmf, map(c.estimator, range(len(c.pmf)))),
        "mean of the estimator d_n (paper, Eq. 25) over the selections",
    ),
    "expected_estimator_gap": Quantity(
        lambda c: c.value("analytical_kl") - c.value("expected_estimator"),
        "analytical formula minus the mean of the estimator",
    ),
    "estimator_at_top": Quantity(lambda c: c.estimator(-1), "d_n at the mass of the top outcome"),
    "collision": Quantity(lambda c: sum(c.masses.square, ZERO), "sum of squared masses, e^{-H_2}"),
    "delta": Quantity(lambda c: c.masses.delta, "largest mass"),
    "top_mass": Quantity(lambda c: c.masses.mass[-1], "mass of the outcome of highest reward"),
    "log_inverse_top_mass": Quantity(
        lambda c: -c.masses.log_top,
        "-log(top_mass): what the KL saturates at, an upper bound (ours)",
    ),
    "theorem_3_4_renyi": Quantity(
        lambda c: 2 * c.n * c.kappa * c.value("collision"),
        "2 n (n-1) e^{-H_2} (paper, Theorem 3.4; real n >= 2 ours)",
        FROM_2,
    ),
    "theorem_3_4_delta": Quantity(
        lambda c: 2 * c.n * c.kappa * c.masses.delta,
        "2 n (n-1) delta (paper, Theorem 3.4; real n ours)",
    ),
    "theorem_3_6_finite": Quantity(
        lambda c: c.value("analytical_kl") + c.masses.log_top,
        "log(n top_mass) - (n-1)/n, a lower bound (finite form of the paper's Theorem 3.6, ours)",
    ),
    "top_outcome_gap": Quantity(
        _top_outcome_gap,
        "analytical formula minus d_n(top_mass), a lower bound (ours)",
    ),
    "elementary_delta": Quantity(lambda c: c.n * c.masses.delta, "n delta (ours)"),
    "elementary_renyi": Quantity(
        lambda c: c.n * c.kappa * c.value("collision"), "n (n-1) e^{-H_2} (ours)", FROM_2
    ),
    "sharp_kl_gap": Quantity(
        lambda c: _curvature_bound(c, ONE / 24),
        "n (n-1)^2/(24 (n-2)) sum of p^2 (F^{n-2} - F_below^{n-2}); for n <= 2 the first outcome "
        "contributes p_1^n (log n - (n-1)/n), at n = 2 the others p^2/12 log(F/F_below) (ours)",
    ),
    "sharp_kl_gap_delta": Quantity(
        lambda c: c.n * (c.kappa * c.masses.delta) ** 2 / (24 * (c.n - 2)),
        "n (n-1)^2/(24 (n-2)) delta^2 (ours)",
        ABOVE_2,
    ),
    "square_root": Quantity(
        _square_root_bound,
        "sum of p/6 (sqrt g(F) - sqrt g(F_below))^2, g(u) = n u^{n-1} (ours)",
    ),
    "square_root_delta": Quantity(lambda c: c.n * c.masses.delta / 6, "n delta/6 (ours)"),
    "square_root_renyi": Quantity(
        lambda c: c.n * c.kappa * c.value("collision") / 6, "n (n-1)/6 e^{-H_2} (ours)", FROM_2
    ),
    "log_sobolev": Quantity(
        lambda c: _curvature_bound(c, ONE / (2 * arb.pi() ** 2)),
        "the sharp bound with 1/(2 pi^2) for 1/24; for n <= 2 the first outcome contributes "
        "p_1^n (log n - (n-1)/n) (ours)",
    ),
    "log_step": Quantity(
        _log_step_bound,
        "mean under best-of-n of min(log n - (n-1)/n, (n-1)^2 log^2(F/F_below)/24) (ours)",
    ),
    "theorem_5_4_renyi": Quantity(
        lambda c: c.kappa / 2 * c.value("collision"),
        "(n-1)/2 e^{-H_2} (paper, Theorem 5.4; real n ours)",
    ),
    "theorem_5_4_delta": Quantity(
        lambda c: c.kappa / 2 * c.masses.delta, "(n-1)/2 delta (paper, Theorem 5.4; real n ours)"
    ),
    "sharp_win_rate_gap": Quantity(
        lambda c: _sharp_win_rate_gap(c, c.masses.square),
        "1/12 sum of p^2 (h(F) - h(F_below)), h(u) = n u^{n-1} (ours)",
        OUTSIDE_2_3,
    ),
    "scaled_win_rate_gap": Quantity(
        lambda c: 6 * c.kappa / (c.n * (c.n + 1)) * _sharp_win_rate_gap(c, c.masses.square),
        "6 (n-1)/(n (n+1)) times the sharp bound, at most 1.0295 times (ours)",
        FROM_2_TO_3,
    ),
    "sharp_win_rate_gap_delta": Quantity(
        lambda c: c.n * c.masses.delta**2 / 12, "n delta^2/12 (ours)", OUTSIDE_2_3
    ),
}
"""Every quantity by name: left-hand sides first, then the bounds on them."""


def _quantity(name: str) -> Quantity:
    if name not in QUANTITIES:
        raise ValueError(f"quantity = {name!r}: expected one of {', '.join(QUANTITIES)}")
    return QUANTITIES[name]


class Identity(NamedTuple):
    """Quantities that are equal when a condition holds, and why."""

    reason: str
    holds: Callable[[BallPolicy, float], bool]
    equal: Mapping[str, str]


IDENTITIES: tuple[Identity, ...] = (
    Identity(
        "the derivative of n u^(n-1) is affine: Chebyshev's inequality is an equality",
        lambda policy, n: n in (2, 3),
        {
            "win_rate_gap": "sharp_win_rate_gap",
            "scaled_win_rate_gap": "sharp_win_rate_gap",  # the factor is 1
        },
    ),
    Identity(
        "all masses are delta, and the sums over outcomes telescope",
        lambda policy, n: policy.uniform and n > 1,
        {
            "collision": "delta",
            "top_mass": "delta",
            "theorem_3_4_renyi": "theorem_3_4_delta",
            "theorem_5_4_renyi": "theorem_5_4_delta",
            "sharp_win_rate_gap": "sharp_win_rate_gap_delta",
        },
    ),
    Identity(
        "all masses are delta, and the integral of u^(n-3) over [0, 1] is 1/(n-2)",
        lambda policy, n: policy.uniform and n > 2,
        {"sharp_kl_gap": "sharp_kl_gap_delta"},
    ),
    Identity(
        "one outcome: best-of-n is the policy",
        lambda policy, n: policy.size == 1,
        dict.fromkeys(
            (
                *("kl", "expected_estimator", "estimator_at_top", "log_inverse_top_mass"),
                *("continuous_curve_kl", "optimal_kl"),
                *("chi_squared", "forward_kl", "renyi_half", "renyi_2"),
            ),
            "zero",
        )
        | dict.fromkeys(
            (
                *("kl_gap", "expected_estimator_gap", "top_outcome_gap"),
                *("theorem_3_6_finite", "log_step"),
            ),
            "analytical_kl",
        ),
    ),
    Identity(
        "one outcome: both are (n-1)/(2(n+1))",
        lambda policy, n: policy.size == 1,
        {"win_rate_gap": "scaled_win_rate_gap"},
    ),
    Identity(
        "one outcome, and these bounds keep the first outcome's gap exactly",
        lambda policy, n: policy.size == 1 and n <= 2,
        {"sharp_kl_gap": "analytical_kl", "log_sobolev": "analytical_kl"},
    ),
    Identity(
        "one draw: best-of-1 is the policy, and every factor n - 1 is 0",
        lambda policy, n: n == 1,
        {"win_rate": "continuous_win_rate"}
        | dict.fromkeys(
            (
                *("analytical_kl", "kl", "kl_gap", "win_rate_gap", "sharp_win_rate_gap"),
                *("expected_estimator", "expected_estimator_gap"),
                *("continuous_curve_kl", "optimal_kl", "continuous_optimum"),
                *("chi_squared", "forward_kl", "renyi_half", "renyi_2"),
                *("continuous_chi_squared", "continuous_forward_kl"),
                *("continuous_renyi_half", "continuous_renyi_2"),
                *("sharp_kl_gap", "square_root", "square_root_renyi"),
                *("estimator_at_top", "top_outcome_gap"),
                *("theorem_3_4_renyi", "theorem_3_4_delta", "elementary_renyi"),
                *("theorem_5_4_renyi", "theorem_5_4_delta", "log_sobolev", "log_step"),
            ),
            "zero",
        ),
    ),
)
"""Equalities by proof, applied in this order: the last name reached stands for the first."""

INEQUALITIES: tuple[Inequality, ...] = (
    Inequality("zero", "kl"),
    Inequality("kl", "analytical_kl"),
    Inequality("kl", "expected_estimator"),
    Inequality("expected_estimator", "analytical_kl"),
    Inequality("kl", "estimator_at_top"),
    Inequality("estimator_at_top", "log_inverse_top_mass"),
    Inequality("kl", "log_inverse_top_mass"),
    Inequality("kl_gap", "theorem_3_4_renyi"),
    Inequality("kl_gap", "theorem_3_4_delta"),
    Inequality("theorem_3_6_finite", "kl_gap"),
    Inequality("top_outcome_gap", "kl_gap"),
    Inequality("theorem_3_6_finite", "top_outcome_gap"),
    Inequality("kl_gap", "elementary_delta"),
    Inequality("kl_gap", "elementary_renyi"),
    Inequality("kl_gap", "sharp_kl_gap"),
    Inequality("kl_gap", "sharp_kl_gap_delta"),
    Inequality("kl_gap", "log_sobolev"),
    Inequality("kl_gap", "log_step"),
    Inequality("kl_gap", "square_root"),
    Inequality("kl_gap", "square_root_delta"),
    Inequality("kl_gap", "square_root_renyi"),
    Inequality("optimal_kl", "kl"),
    Inequality("continuous_optimum", "analytical_kl"),
    Inequality("chi_squared", "continuous_chi_squared"),
    Inequality("forward_kl", "continuous_forward_kl"),
    Inequality("renyi_half", "continuous_renyi_half"),
    Inequality("renyi_2", "continuous_renyi_2"),
    Inequality("win_rate", "continuous_win_rate"),
    Inequality("win_rate_gap", "theorem_5_4_renyi"),
    Inequality("win_rate_gap", "theorem_5_4_delta"),
    Inequality("win_rate_gap", "sharp_win_rate_gap"),
    Inequality("win_rate_gap", "sharp_win_rate_gap_delta"),
    Inequality("win_rate_gap", "scaled_win_rate_gap"),
)
"""What is proved, by the paper or in docs/theory.md: none of these may ever fail in its domain."""


_TINY_MARGINS: Mapping[tuple[str, str], Callable[[_Cell], arb]] = {
    ("kl", "estimator_at_top"): _gap_below_top,
    ("top_outcome_gap", "kl_gap"): _gap_below_top,
    ("theorem_3_6_finite", "top_outcome_gap"): _top_saturation,
    ("theorem_3_6_finite", "kl_gap"): lambda c: _gap_below_top(c) + _top_saturation(c),
    ("estimator_at_top", "log_inverse_top_mass"): _top_saturation,
    ("kl", "log_inverse_top_mass"): lambda c: _gap_below_top(c) + _top_saturation(c),
    ("kl", "expected_estimator"): _estimator_excess,
    ("sharp_win_rate_gap", "sharp_win_rate_gap_delta"): lambda c: _sharp_win_rate_gap(
        c, c.masses.slack
    ),
}
"""Margins that may be far below any precision, like (1 - top mass)^n: without subtraction."""


def certify(
    quantity: str, policy: Policy | BallPolicy, n: float, relative_radius: float = 1e-20
) -> Enclosure:
    """Lower and upper bounds on one quantity, proved by ball arithmetic.

    Args:
        quantity: a key of `QUANTITIES`.
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
        quantities: keys of `QUANTITIES`.
        relative_radius: as in `certify`.
        extrapolate: evaluate bounds outside the n they are proved for, where they may be false.

    Raises:
        ValueError: as `certify`, or if an extrapolated formula is not finite.
        ArithmeticError: as `certify`.

    Examples:
        >>> enclose(Policy.from_probabilities([0.5, 0.5]), 3, ["delta", "win_rate_gap"])
        {'delta': Enclosure[0.5, 0.5], 'win_rate_gap': Enclosure[0.0625, 0.0625]}
    """
    n, tolerance = _as_scalar_n(n), _as_tolerance(relative_radius)
    balls = _as_balls(policy)
    alias = {name: _canonical(name, balls, n, extrapolate) for name in quantities}
    wanted = {key: _value(key) for key in alias.values()}
    found, wide = _converge(balls, n, wanted, tolerance)
    if wide:
        raise ArithmeticError(f"{wide[0]} at n = {n!r}: {PRECISIONS[-1]} bits do not suffice")
    return {name: _enclosure(found[key]) for name, key in alias.items()}


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


def in_domain(statement: str | Inequality, n: float) -> bool:
    """Whether a quantity, or both sides of an inequality, are in their proven domain at n.

    Raises:
        ValueError: if the name or n is invalid.

    Examples:
        >>> in_domain("sharp_win_rate_gap", 2.5), in_domain("sharp_win_rate_gap", 3)
        (False, True)
    """
    n = _as_scalar_n(n)
    names = (statement,) if isinstance(statement, str) else (statement.lhs, statement.rhs)
    return all(_quantity(name).domain.holds(n) for name in names)


def _decide_at(
    balls: BallPolicy,
    n: float,
    inequalities: Sequence[Inequality],
    tolerance: arb,
    extrapolate: bool,
) -> Iterator[Verdict]:
    chosen = [claim for claim in inequalities if extrapolate or in_domain(claim, n)]
    names = {name for claim in chosen for name in (claim.lhs, claim.rhs)}
    alias = {name: _canonical(name, balls, n, extrapolate) for name in names}
    sides = {(claim, alias[claim.lhs], alias[claim.rhs]) for claim in chosen}
    equal = {
        claim for claim, lhs, rhs in sides if lhs == rhs and (claim.factor == 1 or lhs == "zero")
    }
    wanted: dict[str | Inequality, Callable[[_Cell], arb]] = {
        **{key: _value(key) for key in alias.values()},
        **{claim: _margin(claim, lhs, rhs) for claim, lhs, rhs in sides if claim not in equal},
    }
    found, _ = _converge(balls, n, wanted, tolerance)
    for claim in chosen:
        margin = ZERO if claim in equal else found[claim]
        yield Verdict(
            claim,
            n,
            _enclosure(found[alias[claim.lhs]]),
            _enclosure(found[alias[claim.rhs]]),
            _margin_enclosure(margin),
            "holds" if margin >= 0 else "fails" if margin < 0 else "undecided",
            "equality by proof" if claim in equal else "ball arithmetic",
        )


def _value(name: str) -> Callable[[_Cell], arb]:
    return lambda cell: cell.value(name)


def _margin(claim: Inequality, lhs: str, rhs: str) -> Callable[[_Cell], arb]:
    numerator, denominator = Fraction(claim.factor).as_integer_ratio()

    def difference(cell: _Cell) -> arb:
        return cell.value(rhs) * numerator / denominator - cell.value(lhs)

    for pair, sign in (((lhs, rhs), 1), ((rhs, lhs), -1)):
        if claim.factor == 1 and pair in _TINY_MARGINS:
            special = _TINY_MARGINS[pair]
            return lambda cell: min(difference(cell), sign * special(cell), key=arb.rad)
    return difference


def _converge(
    balls: BallPolicy, n: float, wanted: Mapping[Key, Callable[[_Cell], arb]], tolerance: arb
) -> tuple[dict[Key, arb], list[Key]]:
    """Balls of all `wanted`, each at the first precision where it is narrow; those never narrow."""
    found: dict[Key, arb] = {}
    pending = dict(wanted)
    for precision in PRECISIONS:
        if not pending:
            break
        masses = balls.at(precision)
        with ctx.workprec(precision):
            cell = _Cell(masses, n)
            found |= {key: ball(cell) for key, ball in pending.items()}
            pending = {key: wanted[key] for key in pending if not _is_narrow(found[key], tolerance)}
    infinite = [key for key, ball in found.items() if not ball.is_finite()]
    if infinite:
        raise ValueError(f"{infinite[0]} is not finite at n = {n!r}, outside its proven domain")
    return found, list(pending)


def _is_narrow(ball: arb, tolerance: arb) -> bool:
    return bool(ball.is_finite() and ball.rad() <= tolerance * abs(ball.mid()))


def _canonical(name: str, balls: BallPolicy, n: float, extrapolate: bool) -> str:
    """The simplest quantity that is equal by proof."""
    domain = _quantity(name).domain
    if not (extrapolate or domain.holds(n)):
        raise ValueError(f"{name} at n = {n!r}: proved only for {domain.text}")
    for identity in IDENTITIES:
        if identity.holds(balls, n):
            name = identity.equal.get(name, name)
    return name


def _as_balls(policy: Policy | BallPolicy) -> BallPolicy:
    return policy if isinstance(policy, BallPolicy) else BallPolicy(listed(policy))


def _as_scalar_n(n: float) -> float:
    array = as_n(n)
    if array.ndim:
        raise ValueError(f"n must be a single number, got shape {array.shape}")
    return float(array)


def _as_tolerance(relative_radius: float) -> arb:
    if not 0 < relative_radius < 1:
        raise ValueError(f"relative_radius = {relative_radius!r}: expected a number in (0, 1)")
    return arb(relative_radius)


def _margin_enclosure(ball: arb) -> Enclosure:
    """The ball, or the sign of one far below the smallest float: exactly, it could be 2^-10^12."""
    if abs(ball) < _TINY.numerator / arb(_TINY.denominator):
        return Enclosure(
            -_TINY if not ball >= 0 else Fraction(0), _TINY if not ball <= 0 else Fraction(0)
        )
    return _enclosure(ball)


def _enclosure(ball: arb) -> Enclosure:
    middle, radius = _fraction(ball.mid()), _fraction(ball.rad())
    return Enclosure(middle - radius, middle + radius)


def _fraction(exact: arb) -> Fraction:
    mantissa, exponent = map(int, exact.man_exp())
    if exponent < 0:
        return Fraction(mantissa, 1 << -exponent)
    return Fraction(mantissa << exponent)


def _nearest_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
