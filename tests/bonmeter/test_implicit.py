"""Implicit policies against explicit ones, closed forms, and Euler-Maclaurin at 10^15 outcomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from bonmeter.exact.estimator import expected_kl_estimator, expected_kl_estimator_gap
from bonmeter.exact.values import exact_kl, exact_win_rate, kl_gap, win_rate_gap
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies import implicit
from bonmeter.policies.implicit import GeometricPolicy, UniformPolicy
from bonmeter.policies.listed import Policy, ReferencePolicy
from tests.oracle import GRID, TOLERANCE, draws, estimator, relative_error

FUNCTIONS: dict[str, Callable[[ReferencePolicy, ArrayLike], FloatArray]] = {
    "kl": exact_kl,
    "kl_gap": kl_gap,
    "win_rate": exact_win_rate,
    "win_rate_gap": win_rate_gap,
    "expected_estimator": expected_kl_estimator,
    "expected_estimator_gap": expected_kl_estimator_gap,
}
ORDERS = ("ascending", "descending")

Function = Callable[[mp.mpf], mp.mpf]


def worst_difference(policy: ReferencePolicy, other: ReferencePolicy, n: ArrayLike) -> float:
    """Largest relative difference of any quantity that float64 can hold."""
    found = [np.atleast_1d([f(policy, n), f(other, n)]) for f in FUNCTIONS.values()]
    return max(
        float(np.max(np.abs(a - b) / np.maximum(np.abs(b), np.finfo(float).tiny))) for a, b in found
    )


def explicit(policy: GeometricPolicy) -> Policy:
    rank = np.arange(float(policy.size))
    return Policy(rank * math.log(policy.ratio), -rank if policy.order == "ascending" else rank)


@pytest.mark.parametrize("size", [1, 2, 3, 127, 128, 129, 255, 256, 257, 300, 1000, 10**4, 10**5])
def test_uniform_policies_equal_explicit_ones(size: int) -> None:
    other = Policy(np.zeros(size), np.arange(float(size)))
    assert worst_difference(UniformPolicy(size), other, GRID) <= TOLERANCE


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 300, 10**4])
@pytest.mark.parametrize(
    "ratio", [5e-324, 1e-300, 1e-10, 0.2, 0.9, 0.98, 0.999, 1 - 1e-5, 1 - 1e-13]
)
def test_geometric_policies_equal_explicit_ones(ratio: float, size: int, order: str) -> None:
    policy = GeometricPolicy(ratio, size, order)
    assert worst_difference(policy, explicit(policy), GRID) <= TOLERANCE


@given(
    st.floats(-6, 2).map(lambda x: math.exp(-(10.0**x))),
    st.integers(1, 3000),
    st.sampled_from(ORDERS),
    draws,
)
@settings(max_examples=60, deadline=None)
def test_any_geometric_policy_equals_an_explicit_one(
    ratio: float, size: int, order: str, n: float
) -> None:
    policy = GeometricPolicy(ratio, size, order)
    assert worst_difference(policy, explicit(policy), n) <= TOLERANCE


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("ratio", "size"), [(0.99, 1e4), (1 - 1e-5, 1e6), (1 - 1e-15, 1e15), (1 - 2.0**-53, math.inf)]
)
def test_finer_panels_change_nothing(
    ratio: float, size: float, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = GeometricPolicy(ratio, size, order)
    for name, value in {"POINTS": 36, "FIRST": 500, "DECAY": 1.0, "NEGLIGIBLE": 120.0}.items():
        monkeypatch.setattr(implicit, name, value)
    assert worst_difference(policy, GeometricPolicy(ratio, size, order), GRID) <= 1e-13


def test_a_coarse_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = UniformPolicy(10**15)
    monkeypatch.setattr(implicit, "POINTS", 4)
    assert worst_difference(policy, UniformPolicy(10**15), GRID) > 1e3 * TOLERANCE


def infinite_ascending(ratio: float, n: float) -> dict[str, mp.mpf]:
    """F_k = r^k counted from the top, so that every sum is a geometric series."""
    with mp.workdps(400):
        r, n = mp.mpf(ratio), mp.mpf(n)
        power, analytical = r**n, mp.log(n) - (n - 1) / n
        kl = mp.log((1 - power) / (1 - r)) + (n - 1) * mp.log(r) * power / (1 - power)
        win_rate = (1 - power) * (1 + r) / (1 - power * r) / 2
        gaps = {"kl_gap": analytical - kl, "win_rate_gap": n / (n + 1) - win_rate}
        return {"kl": kl, "win_rate": win_rate} | gaps


@pytest.mark.parametrize(
    ("ratio", "size"),
    [(r, math.inf) for r in (1e-300, 1e-10, 0.5, 0.999, 1 - 1e-9, 1 - 2.0**-53)]
    + [(0.999, 1e6), (1 - 1e-9, 2.0**53)],
)
def test_infinitely_many_outcomes_below_the_likeliest(ratio: float, size: float) -> None:
    policy = GeometricPolicy(ratio, size, "ascending")
    for n in GRID:
        for name, value in infinite_ascending(ratio, n).items():
            assert relative_error(float(FUNCTIONS[name](policy, n)), value) <= TOLERANCE, name


@pytest.mark.parametrize("size", [10, 10**6, 10**15])
def test_closed_forms_of_uniform_policies(size: int) -> None:
    policy = UniformPolicy(size)
    # the paper's Theorem 5.4, sharpened, is an equality at n = 2 and n = 3: n/(12 size^2)
    gaps = win_rate_gap(policy, [2, 3])
    assert gaps == pytest.approx([1 / 6 / size**2, 1 / 4 / size**2], rel=1e-12)
    for n in GRID:
        # every outcome has the same probability, so the estimator is a constant
        value = float(expected_kl_estimator(policy, n))
        assert relative_error(value, estimator(-math.log(size), n)) <= TOLERANCE


class Reference(NamedTuple):
    """A policy by its cumulative masses, rank by rank, and where its terms change."""

    policy: ReferencePolicy
    cdf: Function
    edges: list[float]
    digits: int

    def total(self, term: Function) -> mp.mpf:
        """Sum over the ranks, the first ones (and no rank -1) individually."""
        first = mp.fsum(term(mp.mpf(k)) for k in range(int(self.edges[0])))
        return first + euler_maclaurin(term, self.edges)

    def values(self, n: float) -> dict[str, mp.mpf]:
        """KL and win rate from the definitions, and their gaps by subtraction."""
        with mp.workdps(self.digits):
            n = mp.mpf(n)

            def parts(k: mp.mpf) -> tuple[mp.mpf, mp.mpf, mp.mpf]:
                below, above = self.cdf(k - 1) if k else mp.mpf(0), self.cdf(k)
                return above**n - below**n, above - below, (above + below) / 2

            def kl_term(k: mp.mpf) -> mp.mpf:
                q, p, _ = parts(k)
                return q * mp.log(q / p)

            def win_rate_term(k: mp.mpf) -> mp.mpf:
                q, _, middle = parts(k)
                return q * middle

            kl = self.total(kl_term)
            win_rate = self.total(win_rate_term)
            gaps = {
                "kl_gap": mp.log(n) - (n - 1) / n - kl,
                "win_rate_gap": n / (n + 1) - win_rate,
            }
            return {"kl": kl, "win_rate": win_rate} | gaps


def euler_maclaurin(f: Function, edges: list[float], terms: int = 8) -> mp.mpf:
    """Sum of a smooth f over the whole numbers from edges[0] to edges[-1]."""
    a, b = mp.mpf(edges[0]), mp.mpf(edges[-1])
    total = mp.quad(f, edges) + (f(a) + f(b)) / 2
    for k in range(1, terms + 1):
        slopes = [mp.diff(f, x, 2 * k - 1) for x in (a, b)]
        total += mp.bernoulli(2 * k) / mp.factorial(2 * k) * (slopes[1] - slopes[0])
    return total


def powers(first: float, last: float) -> list[float]:
    edges: list[float] = np.geomspace(first, last, 2 + int(math.log10(last / first))).tolist()
    return edges


def uniform(n: float) -> Reference:
    size = 10.0**15
    top = [size - x for x in powers(max(size / n / 10, 1), size / 2)][::-1]
    edges = [*powers(200, size / 2)[:-1], *top, size - 1]
    return Reference(UniformPolicy(10**15), lambda k: (k + 1) / mp.mpf(size), edges, 50)


def descending(ratio: float) -> Reference:
    scale = -1 / math.log(ratio)
    edges = [*powers(200, scale), *(round(scale * x) for x in range(4, 82, 4))]
    policy = GeometricPolicy(ratio, math.inf, "descending")
    return Reference(policy, lambda k: 1 - mp.mpf(ratio) ** (k + 1), edges, 50)


def ascending(ratio: float) -> Reference:
    size = 10.0**15

    def cdf(k: mp.mpf) -> mp.mpf:
        r = mp.mpf(ratio)
        return (r ** (size - 1 - k) - r**size) / (1 - r**size)

    edges = [*powers(200, size / 2), size - 1]
    return Reference(GeometricPolicy(ratio, size, "ascending"), cdf, edges, 50)


@pytest.mark.parametrize(
    ("reference", "n"),
    [
        (uniform(3), 3.0),
        (uniform(1e12), 1e12),
        (descending(1 - 1e-6), 1e3),
        (ascending(1 - 1e-15), 10.0),
    ],
)
def test_euler_maclaurin(reference: Reference, n: float) -> None:
    for name, value in reference.values(n).items():
        error = relative_error(float(FUNCTIONS[name](reference.policy, n)), value)
        assert error <= TOLERANCE, name


@pytest.mark.parametrize(
    "policy", [UniformPolicy(2**53), GeometricPolicy(1 - 1e-9, 1e15, "ascending")]
)
def test_the_number_of_points_does_not_grow_with_the_size(policy: ReferencePolicy) -> None:
    sizes: list[int] = []

    def term(_: float, *arrays: FloatArray) -> FloatArray:
        sizes.append(arrays[0].size)
        return arrays[0]

    policy.sum_over_outcomes(term, 2.0)
    assert sizes[0] < 2500


@pytest.mark.parametrize("length", [1, 20, 21, 40, 1000, 10**6])
def test_the_rule_is_exact_for_polynomials(length: int) -> None:
    weight, position = implicit._gauss_rule(length)
    assert weight.min() > 0
    x = [(mp.mpf(p) - mp.mpf(length - 1) / 2) / length for p in position.tolist()]
    for degree in range(2 * min(implicit.POINTS, length)):
        moment = mp.fsum(w * t**degree for w, t in zip(weight.tolist(), x, strict=True))
        with mp.workdps(60):
            centre = mp.mpf(length - 1) / 2
            low = mp.bernpoly(degree + 1, -centre)
            exact = (mp.bernpoly(degree + 1, length - centre) - low) / (degree + 1)
            exact /= mp.mpf(length) ** degree
        assert abs(moment - exact) <= 1e-13 * length / 2**degree


@pytest.mark.parametrize("n", [1, [], [[1, 2], [3, 4]]])
def test_results_have_the_shape_of_n(n: ArrayLike) -> None:
    for policy in (UniformPolicy(10**9), GeometricPolicy(0.5, math.inf, "descending")):
        for function in FUNCTIONS.values():
            assert np.shape(function(policy, n)) == np.shape(n)


def test_one_draw_and_one_outcome_are_exact() -> None:
    for policy in (UniformPolicy(10**9), GeometricPolicy(0.5, math.inf, "descending")):
        values = [float(f(policy, 1)) for f in FUNCTIONS.values()]
        assert values == [0, 0, 0.5, 0, 0, 0]
    for policy in (UniformPolicy(1), GeometricPolicy(0.5, 1, "descending")):
        assert float(exact_kl(policy, 7)) == 0
        assert float(expected_kl_estimator(policy, 7)) == 0


def test_repr_is_how_it_is_made() -> None:
    assert repr(UniformPolicy(10**15)) == "UniformPolicy(1000000000000000)"
    descending = GeometricPolicy(0.5, math.inf, "descending")
    assert repr(descending) == "GeometricPolicy(0.5, inf, 'descending')"


WHOLE = r"size = .*: expected a whole number from 1 to 2\^53"
BAD_SIZES: dict[str, tuple[Any, str]] = {
    "zero": (0, WHOLE),
    "negative": (-1, WHOLE),
    "fraction": (2.5, WHOLE),
    "nan": (math.nan, WHOLE),
    "-inf": (-math.inf, WHOLE),
    "too large": (2.0**54, WHOLE),
    "beyond int64": (10**30, "size must hold real numbers"),
    "bool": (True, "size must hold real numbers"),
    "string": ("10", "size must hold real numbers"),
    "None": (None, "size must hold real numbers"),
    "complex": (3 + 0j, "size must hold real numbers"),
    "array": ([10], r"size must be a number, got shape \(1,\)"),
}
RATIO = r"ratio = .*: expected a real number strictly between 0 and 1"
BAD_RATIOS: dict[str, tuple[Any, str]] = {
    "zero": (0.0, RATIO),
    "one": (1.0, RATIO),
    "negative": (-0.5, RATIO),
    "nan": (math.nan, RATIO),
    "inf": (math.inf, RATIO),
    "bool": (True, "ratio must hold real numbers"),
    "string": ("0.5", "ratio must hold real numbers"),
    "array": ([0.5], r"ratio must be a number, got shape \(1,\)"),
}


@pytest.mark.parametrize("case", BAD_SIZES)
def test_bad_size(case: str) -> None:
    size, message = BAD_SIZES[case]
    with pytest.raises(ValueError, match=message):
        UniformPolicy(size)
    with pytest.raises(ValueError, match=message):
        GeometricPolicy(0.5, size, "ascending")


def test_an_infinite_uniform_policy_does_not_exist() -> None:
    with pytest.raises(ValueError, match=WHOLE):
        UniformPolicy(math.inf)  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize("case", BAD_RATIOS)
def test_bad_ratio(case: str) -> None:
    ratio, message = BAD_RATIOS[case]
    with pytest.raises(ValueError, match=message):
        GeometricPolicy(ratio, 10, "ascending")


@pytest.mark.parametrize("order", ["up", None, 1, ["ascending"]])
def test_bad_order(order: object) -> None:
    with pytest.raises(ValueError, match=r"order = .*: expected 'ascending' or 'descending'"):
        GeometricPolicy(0.5, 10, order)  # type: ignore[arg-type] # on purpose
