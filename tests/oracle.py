"""A slow second route: best-of-n straight from its definitions, in mpmath.

None of the library's code or rearranged formulas: the policy from its log-probabilities, F by
adding masses, pi_n = F^n - F_-^n, and every gap by subtraction, at a precision that can afford it.
Also where adversarial inputs come from: fixed tables, and hypothesis strategies.
"""

from __future__ import annotations

from functools import cache, cached_property
from itertools import groupby

import mpmath as mp
import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GRID",
    "LARGE_GRID",
    "LARGE_POLICIES",
    "POLICIES",
    "TOLERANCE",
    "Oracle",
    "Responses",
    "draws",
    "estimator",
    "oracle",
    "policies",
    "relative_error",
]

Responses = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Log-probabilities and rewards: the arguments of `Policy`."""

GRID = (1 + 2.0**-40, 1.5, 2.0, 2.5, 3.0, 10.0, 1e3, 1e6, 1e12)
TOLERANCE = 1e-12

# What subtractions may cost besides small masses: gaps of order (n-1)^2 with n - 1 >= 2^-52 (32
# digits), powers with exponents up to 1e12 * 1e6 (18), factors up to n log n (14), and a margin.
BASE_DIGITS = 100
# With masses below 1e-150 results are needed to an absolute 1e-320, not to so many digits.
MOST_DIGITS_FOR_MASSES = 300


def digits_for(log_mass: mp.mpf) -> int:
    """Digits for terms of order p^2 not to drown, p the smallest mass."""
    return BASE_DIGITS + int(min(-2 * log_mass / mp.log(10), MOST_DIGITS_FOR_MASSES))


class Oracle:
    """Best-of-n of the policy with these log-probabilities and rewards."""

    def __init__(self, log_prob: ArrayLike, reward: ArrayLike) -> None:
        pairs = sorted(zip(np.asarray(reward).tolist(), np.asarray(log_prob).tolist(), strict=True))
        largest, smallest = (f(x for _, x in pairs if x > -mp.inf) for f in (max, min))
        self.digits = digits_for(mp.mpf(smallest) - mp.mpf(largest) - mp.log(len(pairs)))
        with mp.workdps(self.digits):
            classes = [
                mp.fsum(mp.exp(mp.mpf(x)) for _, x in group)
                for _, group in groupby(pairs, key=lambda pair: pair[0])
            ]
            total = mp.fsum(classes)
            self.mass = [p / total for p in classes if p]
            self.log_mass = [mp.log(p) for p in self.mass]
            cdf = np.cumsum(np.array(self.mass, dtype=object)).tolist()
            self.cdf = [*cdf[:-1], mp.mpf(1)]  # the masses sum to 1
            self.log_cdf = [mp.log(f) for f in self.cdf]
        self.pmf, self.value = cache(self._pmf), cache(self._value)

    @cached_property
    def cdf_below(self) -> list[mp.mpf]:
        return [mp.mpf(0), *self.cdf[:-1]]

    def _pmf(self, n: float) -> list[mp.mpf]:
        """pi_n = F^n - F_-^n; its derivative n p F^(n-1) where F_- is F to the last few digits."""
        with mp.workdps(self.digits):
            power = [mp.exp(n * log_f) for log_f in self.log_cdf]
            negligible = mp.mpf(10) ** (30 - self.digits)
            return [
                above - below if p > negligible * f else n * p * above / f
                for p, f, above, below in zip(
                    self.mass, self.cdf, power, [mp.mpf(0), *power[:-1]], strict=True
                )
            ]

    def kl(self, n: float) -> mp.mpf:
        with mp.workdps(self.digits):
            pairs = zip(self.pmf(n), self.log_mass, strict=True)
            return mp.fsum(q * (mp.log(q) - log_p) for q, log_p in pairs)

    def win_rate(self, n: float) -> mp.mpf:
        with mp.workdps(self.digits):
            triples = zip(self.pmf(n), self.cdf_below, self.cdf, strict=True)
            return mp.fsum(q * (below + f) / 2 for q, below, f in triples)

    def expected_estimator(self, n: float) -> mp.mpf:
        with mp.workdps(self.digits):
            d = {p: d_n(p, mp.mpf(n)) for p in set(self.mass)}
            return mp.fsum(q * d[p] for q, p in zip(self.pmf(n), self.mass, strict=True))

    def _value(self, name: str, n: float) -> mp.mpf:
        """A quantity or, as its `_gap`, what it lacks of that of a policy without atoms; n > 1."""
        with mp.workdps(self.digits):
            x = mp.mpf(n)
            analytical = mp.log(x) - (x - 1) / x
            continuous = {
                "kl": analytical,
                "win_rate": x / (x + 1),
                "expected_estimator": analytical,
            }
            if name in continuous:
                return getattr(self, name)(n)
            quantity = name.removesuffix("_gap")
            return continuous[quantity] - self.value(quantity, n)

    def log_pmf(self, n: float) -> list[mp.mpf]:
        """log pi_n; near 0 from the sum of all others, which has no digits to lose."""
        with mp.workdps(self.digits):
            pmf = self.pmf(n)
            top = max(range(len(pmf)), key=pmf.__getitem__)
            log_pmf = [mp.log(q) for q in pmf]
            log_pmf[top] = mp.log1p(-mp.fsum(pmf[:top] + pmf[top + 1 :]))
            return log_pmf


@cache
def oracle(name: str) -> Oracle:
    """The oracle of a policy of the table."""
    return Oracle(*(POLICIES | LARGE_POLICIES)[name])


def d_n(eps: mp.mpf, n: mp.mpf) -> mp.mpf:
    """The paper's Eq. 25 as printed, and its limit where eps is lost in the caller's precision."""
    if eps == 1:
        return mp.mpf(0)
    analytical = mp.log(n) - (n - 1) / n
    if eps < mp.mpf(10) ** (30 - mp.mp.dps):
        return analytical
    rest = (1 - eps) ** n
    return rest * (analytical + (n - 1) * mp.log(1 - eps)) + (1 - rest) * mp.log((1 - rest) / eps)


def estimator(log_eps: float, n: float) -> mp.mpf:
    """d_n(eps) from log eps."""
    distance_from_1 = mp.log(min(-log_eps, 1.0)) if log_eps else mp.mpf(0)
    with mp.workdps(digits_for(log_eps) - int(distance_from_1)):
        return d_n(mp.exp(mp.mpf(log_eps)), mp.mpf(n))


def relative_error(actual: float, expected: mp.mpf) -> float:
    """|actual/expected - 1|; below the normal numbers of float64, the error over their smallest."""
    return float(abs(mp.mpf(float(actual)) - expected) / max(abs(expected), np.finfo(float).tiny))


def _by_rank(log_prob: ArrayLike) -> Responses:
    log_prob = np.asarray(log_prob, dtype=np.float64)
    return log_prob, np.arange(float(log_prob.size))


def _table() -> dict[str, Responses]:
    rng = np.random.default_rng(20240103)
    rank = np.arange(1.0, 301)
    normal = rng.normal(0, 3, 300)
    next_to_1 = 1 + np.arange(40) * np.spacing(1.0)
    return {
        "one outcome": _by_rank([-3.0]),
        "one tie class": (np.log([0.2, 0.3, 0.5]), np.zeros(3)),
        "binary": _by_rank([-1.0, -1.0]),
        "uniform 10": _by_rank(np.zeros(10)),
        "uniform 100": _by_rank(np.zeros(100)),
        "normal": _by_rank(normal),
        "shuffled": (normal, rng.permutation(300).astype(float)),
        "zipf ascending": _by_rank(-np.log(rank[::-1])),
        "zipf descending": _by_rank(-np.log(rank)),
        "geometric ascending": _by_rank(np.arange(-120.0, 1)),
        "geometric descending": _by_rank(-np.arange(120.0)),
        "staircase": _by_rank(np.log([0.9, 0.09, 0.009, 9e-4, 1e-4])),
        "tied": (rng.normal(0, 2, 200), rng.integers(0, 12, 200).astype(float)),
        "verifier": (rng.normal(-60, 20, 200), rng.integers(0, 2, 200).astype(float)),
        "rewards next to each other": (rng.normal(0, 1, 80), np.repeat(next_to_1, 2)),
        "300 orders of magnitude": _by_rank(rng.permutation(np.linspace(-691, 0, 60))),
        "atoms of 1/n": _by_rank(-np.log([1e12, 1e6, 1e3, 10, 3, 2, 1.5, 3, 10, 1e3, 1e6, 1e12])),
        "top of log-probability -700": _by_rank([-2.0, -0.5, -1.0, -700.0]),
        "bottom of log-probability -700": _by_rank([-700.0, -2.0, -0.5, -1.0]),
        "everything near -1e6": _by_rank(-1e6 + rng.normal(0, 2, 30)),
        "down to -1e6": _by_rank([-1e6, -1e3, 0.0, -700.0, -1.0, -1e4, -1e6]),
        "small atoms at both ends": _by_rank([-90.0, -1.0, 0.0, -1.0, -90.0]),
        "nearly all at the bottom": _by_rank([0.0, -40.0, -300.0]),
        "nearly all at the top": _by_rank([-300.0, -40.0, 0.0]),
        "nearly all in the middle": _by_rank([-35.0, -600.0, 0.0, -600.0, -38.0]),
        "impossible responses": (
            np.array([-np.inf, -1.0, -np.inf, -2.0]),
            np.array([0.0, 3, 2, 1]),
        ),
    }


def _large_table() -> dict[str, Responses]:
    """Thousands of outcomes, of masses that change smoothly, suddenly and at random."""
    rng = np.random.default_rng(20240104)
    rank = np.arange(1.0, 2001)
    normal = rng.normal(0, 1, rank.size)
    return {
        "uniform 1e4": _by_rank(np.zeros(10**4)),
        "zipf descending 2000": _by_rank(-np.log(rank)),
        "slow geometric ascending": _by_rank(rank / 200),
        "heavy-tailed": _by_rank(12 * normal),
        "every other one rare": _by_rank(np.where(rank % 2, 0.0, -20.0)),
        "atoms in dust": _by_rank(np.where(rank % 500 == 250, 0.0, -9 + normal)),
    }


POLICIES = _table()
LARGE_POLICIES = _large_table()
"""For a few n only: the oracle takes a second for some."""
LARGE_GRID = (1.5, 1e3)

_LOG_PROBS = st.one_of(
    st.floats(-5, 0),
    st.floats(-45, -30),
    st.floats(-700, 0),
    st.floats(-1e6, 0),
    st.sampled_from([0.0, -np.log(10), -np.log(1e3), -np.log(1e12), -700.0]),
)


@st.composite
def policies(draw: st.DrawFn, largest: int = 25) -> Responses:
    """Responses of any scales, in any order, with ties and rewards next to each other."""
    log_prob = draw(st.lists(_LOG_PROBS, min_size=1, max_size=largest))
    ulps = draw(st.lists(st.integers(0, 30), min_size=len(log_prob), max_size=len(log_prob)))
    return np.array(log_prob), 1 + np.array(ulps) * np.spacing(1.0)


draws = st.one_of(
    st.sampled_from(GRID),
    st.integers(1, 10**12).map(float),
    st.floats(1, 40),
    st.floats(0, 12).map(lambda x: float(10.0**x)),
    st.integers(1, 52).map(lambda k: 1 + 2.0**-k),
)
"""Numbers of draws n."""
