"""Quantities in ball arithmetic: for each of `bonmeter.bounds.quantities`, a function of its name.

All are sums over outcomes as in docs/theory.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from operator import mul, sub

from flint import arb

from bonmeter.bounds.quantities import QUANTITIES
from bonmeter.certified import optimum
from bonmeter.certified.balls import ONE, ZERO, BestOfN, dot, narrowest

__all__ = ["FORMULAS"]


def zero(best: BestOfN) -> arb:
    return ZERO


def analytical_kl(best: BestOfN) -> arb:
    return best.n.log() - best.kappa / best.n


def kl(best: BestOfN) -> arb:
    return dot(best.pmf, best.log_ratio)


def kl_gap(best: BestOfN) -> arb:
    return best.once(analytical_kl) - best.once(kl)


def win_rate(best: BestOfN) -> arb:
    middles = map(arb.__add__, best.masses.below, best.masses.cdf)
    return dot(best.pmf, middles) / 2


def continuous_win_rate(best: BestOfN) -> arb:
    return best.n / (best.n + 1)


def win_rate_gap(best: BestOfN) -> arb:
    return best.once(continuous_win_rate) - best.once(win_rate)


def continuous_curve_kl(best: BestOfN) -> arb:
    return optimum.best_of_n_curve_kl(_advantage(best), ONE - best.once(win_rate))


def optimal_kl(best: BestOfN) -> arb:
    return optimum.optimal_kl(_advantage(best), ONE - best.once(win_rate))


def continuous_optimum(best: BestOfN) -> arb:
    return optimum.optimal_kl(best.kappa / (best.n + 1) / 2, ONE / (best.n + 1))


def _advantage(best: BestOfN) -> arb:
    """W - 1/2 = sum over all but the top outcome of (F - F^n) (p + p of the next)/2, all >= 0."""
    mass, cdf = best.masses.mass, best.masses.cdf
    steps = (p + q for p, q in pairwise(mass))
    lags = (-f * (best.kappa * x).expm1() for f, x in zip(cdf, best.masses.log_cdf, strict=True))
    return dot(steps, lags) / 2


def chi_squared(best: BestOfN) -> arb:
    return dot(best.masses.mass, map(mul, best.relative_change, best.relative_change))


def forward_kl(best: BestOfN) -> arb:
    """Sum of p (r - 1 - log r): its first two terms add to 0."""
    return dot(best.masses.mass, map(sub, best.relative_change, best.log_ratio))


def renyi_half(best: BestOfN) -> arb:
    """-2 log(sum of p sqrt r), and 1 - that sum is half the sum of p (sqrt r - 1)^2."""
    excess = [(x / 2).expm1() for x in best.log_ratio]
    return -2 * (-dot(best.masses.mass, map(mul, excess, excess)) / 2).log1p()


def renyi_2(best: BestOfN) -> arb:
    return best.once(chi_squared).log1p()


def continuous_chi_squared(best: BestOfN) -> arb:
    return best.kappa**2 / (2 * best.n - 1)


def continuous_forward_kl(best: BestOfN) -> arb:
    return best.kappa - best.n.log()


def continuous_renyi_half(best: BestOfN) -> arb:
    return 2 * (best.kappa / 2).log1p() - best.n.log()


def continuous_renyi_2(best: BestOfN) -> arb:
    return best.once(continuous_chi_squared).log1p()


def expected_estimator(best: BestOfN) -> arb:
    return dot(best.pmf, best.once(estimators))


def expected_estimator_gap(best: BestOfN) -> arb:
    return best.once(analytical_kl) - best.once(expected_estimator)


def estimator_at_top(best: BestOfN) -> arb:
    return estimator(best, -1)


def estimators(best: BestOfN) -> list[arb]:
    """Of each outcome, computed once for those of equal mass."""
    log_mass = best.masses.log_mass
    of_mass = {x: estimator(best, i) for x, i in {x: i for i, x in enumerate(log_mass)}.items()}
    return [of_mass[x] for x in log_mass]


def estimator(best: BestOfN, i: int) -> arb:
    """d_n(p_i): the KL of a policy whose only atom is its top outcome, of mass p_i (Eq. 25)."""
    mass, rest = best.masses.mass[i], best.masses.rest[i]
    log_power = best.kappa * best.masses.log_rest[i]
    decay = log_power.expm1()
    below = rest + rest * decay
    log_ratio = (-decay * rest / mass).log1p()
    return below * (best.once(analytical_kl) + log_power) + (ONE - below) * log_ratio


def estimator_floor(best: BestOfN) -> arb:
    rest = best.masses.rest[best.masses.likeliest]
    return rest * best.once(analytical_kl).min(ONE)


def example_1(best: BestOfN) -> arb:
    """Literally: no identity says that it is the KL of the binary uniform policy."""
    log_worse = -best.n * arb(2).log()
    worse = log_worse.exp()
    entropy = -worse * log_worse - (ONE - worse) * (-worse).log1p()
    return arb(2).log() - entropy


def collision(best: BestOfN) -> arb:
    return sum(best.masses.square, ZERO)


def delta(best: BestOfN) -> arb:
    return best.masses.delta


def top_mass(best: BestOfN) -> arb:
    return best.masses.mass[-1]


def log_inverse_top_mass(best: BestOfN) -> arb:
    return -best.masses.log_top


def theorem_3_4_renyi(best: BestOfN) -> arb:
    return 2 * best.n * best.kappa * best.once(collision)


def theorem_3_4_delta(best: BestOfN) -> arb:
    return 2 * best.n * best.kappa * best.masses.delta


def theorem_3_6_finite(best: BestOfN) -> arb:
    return best.once(analytical_kl) + best.masses.log_top


def top_outcome_gap(best: BestOfN) -> arb:
    """K - d_n(p), or pi phi_n(s) with s = -log(1 - p) tiny, where the difference loses its digits.

    (n-1)^2 s^2/24 (1 - (3n^2+2n+1) s^2/120) <= phi_n(s) <= (n-1)^2 s^2/24, from the integral form
    of phi_n (docs/theory.md) and y^2/3 - y^4/15 <= 1 - (y/sinh y)^2 <= y^2/3.
    """
    difference = best.once(analytical_kl) - best.once(estimator_at_top)
    n, log_rest = best.n, best.masses.log_rest[-1]
    square = log_rest * log_rest
    defect = ZERO.union((3 * n * n + 2 * n + 1) * square / 120)
    small = -(n * log_rest).expm1() * best.kappa**2 * square / 24 * (ONE - defect)
    return narrowest(difference, small)


def elementary_delta(best: BestOfN) -> arb:
    return best.n * best.masses.delta


def elementary_renyi(best: BestOfN) -> arb:
    return best.n * best.kappa * best.once(collision)


def sharp_kl_gap(best: BestOfN) -> arb:
    return _curvature_bound(best, ONE / 24)


def sharp_kl_gap_delta(best: BestOfN) -> arb:
    return best.n * (best.kappa * best.masses.delta) ** 2 / (24 * (best.n - 2))


def log_sobolev(best: BestOfN) -> arb:
    return _curvature_bound(best, ONE / (2 * arb.pi() ** 2))


def _curvature_bound(best: BestOfN, constant: arb) -> arb:
    """Sum of constant p^2 g'^2/g; for n <= 2, where it diverges at 0, the first term is exact."""
    first = ZERO if best.n > 2 else best.pmf[0] * best.once(analytical_kl)
    return first + constant * dot(best.masses.square, best.curvature)


def square_root(best: BestOfN) -> arb:
    """Sum of p/6 n F^(n-1) (1 - (F_below/F)^((n-1)/2))^2."""
    terms = zip(best.masses.mass, best.power, [ONE, *best.half_drop], strict=True)
    return best.n / 6 * sum((p * f * lag * lag for p, f, lag in terms), ZERO)


def square_root_delta(best: BestOfN) -> arb:
    return best.n * best.masses.delta / 6


def square_root_renyi(best: BestOfN) -> arb:
    return best.n * best.kappa * best.once(collision) / 6


def log_step(best: BestOfN) -> arb:
    largest, scale = best.once(analytical_kl), best.kappa**2 / 24
    terms = [largest, *(largest.min(scale * s * s) for s in best.masses.step)]
    return dot(best.pmf, terms)


def theorem_5_4_renyi(best: BestOfN) -> arb:
    return best.kappa / 2 * best.once(collision)


def theorem_5_4_delta(best: BestOfN) -> arb:
    return best.kappa / 2 * best.masses.delta


def sharp_win_rate_gap(best: BestOfN) -> arb:
    """Sum of p^2 (h(F) - h(F_below))/12, the increments to full relative accuracy."""
    terms = zip(best.power[1:], best.excess[1:], best.masses.below_ratio, strict=True)
    increments = [best.power[0], *(f * e / ratio for f, e, ratio in terms)]
    return best.n * dot(best.masses.square, increments) / 12


def scaled_win_rate_gap(best: BestOfN) -> arb:
    return 6 * best.kappa / (best.n * (best.n + 1)) * best.once(sharp_win_rate_gap)


def sharp_win_rate_gap_delta(best: BestOfN) -> arb:
    return best.n * best.masses.delta**2 / 12


FORMULAS: Mapping[str, Callable[[BestOfN], arb]] = {name: globals()[name] for name in QUANTITIES}
"""The function of each quantity."""
