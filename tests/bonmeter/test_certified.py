"""Enclosures against mpmath from the definitions, and verdicts against what is known to be true."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from bonmeter.bounds.inequalities import INEQUALITIES, Inequality
from bonmeter.bounds.quantities import QUANTITIES, Quantity, in_domain
from bonmeter.certified import decide as decide_module
from bonmeter.certified import identities
from bonmeter.certified.balls import BallPolicy
from bonmeter.certified.decide import certify, decide, enclose
from bonmeter.certified.enclosures import Enclosure
from bonmeter.certified.formulas import FORMULAS
from bonmeter.certified.identities import IDENTITIES
from bonmeter.exact import estimator
from bonmeter.exact import values as exact
from bonmeter.policies.listed import Policy

DIGITS = 250
SLACK = Fraction(1, 10**100)

GRID = (1, 1 + 2.0**-40, 1.5, 2, 2.5, 3, 4, 4.75, 7, 100, 12345.5, 1e6, 1e12)


def from_mass(*mass: float) -> Policy:
    return Policy.from_probabilities(mass)


POLICIES = {
    "one": from_mass(1.0),
    "binary": from_mass(0.5, 0.5),
    "uniform": from_mass(*[1.0] * 7),
    "increasing": from_mass(0.1, 0.2, 0.3, 0.4),
    "staircase": from_mass(0.9, 0.09, 0.009, 0.0009, 0.0001),
    "atom on top": from_mass(*[0.1] * 9, 50.0),
    "tied": Policy(np.log([0.2, 0.3, 0.1, 0.4]), [1.0, 0.0, 1.0, 2.0]),
    "zipf": from_mass(*1 / np.arange(1.0, 40)),
    "rare top": Policy([0.0, -0.5, -90.0], [0, 1, 2]),
    "rare bottom": Policy([-90.0, -0.5, 0.0], [0, 1, 2]),
}


def least_kl(win_rate: mp.mpf) -> mp.mpf:
    """The largest beta W - log((e^beta - 1)/beta), at its stationary point."""
    advantage = win_rate - mp.mpf(1) / 2
    if advantage < mp.mpf(10) ** -60:
        return 6 * advantage**2 + mp.mpf(36) / 5 * advantage**4
    beta = mp.findroot(
        lambda b: mp.coth(b / 2) / 2 - 1 / b - advantage,
        (6 * advantage, 2 / (1 - win_rate)),
        solver="anderson",
        tol=mp.mpf(10) ** -200,
        maxsteps=10_000,
    )
    return beta * win_rate - mp.log(mp.expm1(beta) / beta)


def reference(policy: Policy, n: float) -> dict[str, mp.mpf]:
    """Every quantity that is finite, straight from its definition with `DIGITS` digits."""
    n = mp.mpf(float(n))
    weight = [mp.exp(mp.mpf(x)) for x in policy.log_mass.tolist()]
    p = [w / mp.fsum(weight) for w in weight]
    b = [mp.fsum(p[: i + 1]) for i in range(len(p) - 1)] + [mp.mpf(1)]
    a = [mp.mpf(0), *b[:-1]]
    pi = [y**n - x**n for x, y in zip(a, b, strict=True)]
    formula = mp.log(n) - (n - 1) / n
    collision, delta, top = mp.fsum(x * x for x in p), max(p), p[-1]

    def total(term: Callable[[mp.mpf, mp.mpf, mp.mpf, mp.mpf], mp.mpf]) -> mp.mpf:
        return mp.fsum(term(*x) for x in zip(p, a, b, pi, strict=True))

    def d(eps: mp.mpf) -> mp.mpf:
        if eps == 1:
            return mp.mpf(0)
        r = (1 - eps) ** n
        return r * (formula + (n - 1) * mp.log(1 - eps)) + (1 - r) * mp.log((1 - r) / eps)

    def integral(x: mp.mpf, y: mp.mpf) -> mp.mpf:
        """n (n-1)^2 u^(n-3) over [x, y]."""
        power = mp.log(y / x) if n == 2 else (y ** (n - 2) - x ** (n - 2)) / (n - 2)
        return n * (n - 1) ** 2 * power

    def curvature(constant: mp.mpf) -> mp.mpf:
        return total(
            lambda p, a, b, q: (
                q * formula if a == 0 and n <= 2 else constant * p**2 * integral(a, b)
            )
        )

    kl = total(lambda p, a, b, q: q * mp.log(q / p))
    win = total(lambda p, a, b, q: q * (a + b) / 2)
    mean = total(lambda p, a, b, q: q * d(p))
    odds, worse = win / (1 - win), 1 / mp.mpf(2) ** n
    values = {
        "continuous_curve_kl": mp.log(odds) - 1 + 1 / odds,
        "optimal_kl": least_kl(win),
        "continuous_optimum": least_kl(n / (n + 1)),
        "zero": mp.mpf(0),
        "analytical_kl": formula,
        "kl": kl,
        "kl_gap": formula - kl,
        "win_rate": win,
        "continuous_win_rate": n / (n + 1),
        "win_rate_gap": n / (n + 1) - win,
        "expected_estimator": mean,
        "expected_estimator_gap": formula - mean,
        "estimator_at_top": d(top),
        "estimator_floor": (1 - delta) * min(1, formula),
        "example_1": mp.log(2) + worse * mp.log(worse) + (1 - worse) * mp.log(1 - worse),
        "collision": collision,
        "delta": delta,
        "top_mass": top,
        "log_inverse_top_mass": -mp.log(top),
        "theorem_3_4_renyi": 2 * n * (n - 1) * collision,
        "theorem_3_4_delta": 2 * n * (n - 1) * delta,
        "theorem_3_6_finite": mp.log(n * top) - (n - 1) / n,
        "top_outcome_gap": formula - d(top),
        "elementary_delta": n * delta,
        "elementary_renyi": n * (n - 1) * collision,
        "sharp_kl_gap": curvature(mp.mpf(1) / 24),
        "log_sobolev": curvature(1 / (2 * mp.pi**2)),
        "log_step": total(
            lambda p, a, b, q: (
                q * (formula if a == 0 else min(formula, (n - 1) ** 2 * mp.log(b / a) ** 2 / 24))
            )
        ),
        "square_root": total(
            lambda p, a, b, q: p / 6 * n * (b ** ((n - 1) / 2) - a ** ((n - 1) / 2)) ** 2
        )
        if n > 1
        else mp.mpf(0),
        "square_root_delta": n * delta / 6,
        "square_root_renyi": n * (n - 1) * collision / 6,
        "theorem_5_4_renyi": (n - 1) / 2 * collision,
        "theorem_5_4_delta": (n - 1) / 2 * delta,
        "sharp_win_rate_gap": total(
            lambda p, a, b, q: p**2 * n * (b ** (n - 1) - a ** (n - 1)) / 12
        ),
        "scaled_win_rate_gap": (n - 1)
        / (2 * (n + 1))
        * total(lambda p, a, b, q: p**2 * (b ** (n - 1) - a ** (n - 1))),
        "sharp_win_rate_gap_delta": n * delta**2 / 12,
        "chi_squared": total(lambda p, a, b, q: q * q / p) - 1,
        "forward_kl": total(lambda p, a, b, q: p * mp.log(p / q)),
        "renyi_half": -2 * mp.log(total(lambda p, a, b, q: mp.sqrt(p * q))),
        "renyi_2": mp.log(total(lambda p, a, b, q: q * q / p)),
        "continuous_chi_squared": (n - 1) ** 2 / (2 * n - 1),
        "continuous_forward_kl": n - 1 - mp.log(n),
        "continuous_renyi_half": 2 * mp.log((n + 1) / 2) - mp.log(n),
        "continuous_renyi_2": mp.log(n * n / (2 * n - 1)),
    }
    if n != 2:
        values["sharp_kl_gap_delta"] = n * ((n - 1) * delta) ** 2 / (24 * (n - 2))
    return values


def exactly(value: mp.mpf) -> Fraction:
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction((-1) ** int(sign) * int(mantissa)) * Fraction(2) ** int(exponent)


def assert_contains(enclosure: Enclosure, value: mp.mpf) -> None:
    """With the reference's own rounding error, far below the narrowness asked for."""
    error = SLACK * abs(exactly(value)) + SLACK
    assert enclosure.lower - error <= exactly(value) <= enclosure.upper + error


def assert_narrow(enclosure: Enclosure, relative_radius: float = 1e-20) -> None:
    radius, middle = enclosure.upper - enclosure.lower, abs(enclosure.upper + enclosure.lower)
    assert radius <= Fraction(relative_radius) * middle


def names_at(n: float) -> list[str]:
    return [name for name in QUANTITIES if in_domain(name, n)]


def check_all(policy: Policy, n: float) -> None:
    with mp.workdps(DIGITS):
        expected = reference(policy, n)
        for name, found in enclose(policy, n, names_at(n)).items():
            assert_narrow(found)
            assert_contains(found, expected[name])


@pytest.mark.parametrize("n", GRID)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_enclosures_are_narrow_and_contain_the_definition(policy: Policy, n: float) -> None:
    check_all(policy, n)


masses = st.lists(st.floats(-60.0, 0.0), min_size=1, max_size=6)
draws = st.one_of(st.integers(1, 60), st.floats(1.0, 1e4), st.floats(1.0, 1.0 + 1e-9))


@settings(max_examples=60, deadline=None)
@given(log_prob=masses, n=draws)
def test_enclosures_of_random_policies(log_prob: list[float], n: float) -> None:
    check_all(Policy(log_prob, np.arange(len(log_prob))), n)


@settings(max_examples=60, deadline=None)
@given(log_prob=masses, n=draws)
def test_proven_inequalities_hold_with_the_margin_of_the_definition(
    log_prob: list[float], n: float
) -> None:
    policy = Policy(log_prob, np.arange(len(log_prob)))
    with mp.workdps(DIGITS):
        expected = reference(policy, n)
        for v in decide(policy, n):
            assert v.verdict == "holds", v
            assert_contains(v.lhs, expected[v.inequality.lhs])
            assert_contains(v.rhs, expected[v.inequality.rhs])
            assert_contains(v.margin, expected[v.inequality.rhs] - expected[v.inequality.lhs])


@pytest.mark.parametrize("n", [1.5, 2, 3, 100.25])
def test_wide_balls_still_contain_the_definition(monkeypatch: pytest.MonkeyPatch, n: float) -> None:
    monkeypatch.setattr(decide_module, "PRECISIONS", (24,))
    claims = [Inequality(*pair) for pair in pairwise(names_at(n))]
    with mp.workdps(DIGITS):
        for policy in POLICIES.values():
            expected = reference(policy, n)
            verdicts = decide(policy, n, claims)
            for v in verdicts:
                assert_contains(v.lhs, expected[v.inequality.lhs])
                assert_contains(v.margin, expected[v.inequality.rhs] - expected[v.inequality.lhs])
        assert any(v.lhs.upper - v.lhs.lower > 1e-9 * v.lhs.upper for v in verdicts)


@pytest.mark.parametrize("n", GRID)
def test_declared_identities_are_true(n: float) -> None:
    with mp.workdps(DIGITS):
        for policy in [*POLICIES.values(), from_mass(*[1.0] * 31)]:
            expected = reference(policy, n)
            for identity in IDENTITIES:
                if identity.holds(BallPolicy(policy), n):
                    for one, other in identity.equal.items():
                        if one in names_at(n) and other in names_at(n):
                            assert abs(expected[one] - expected[other]) < mp.mpf(10) ** -200


def test_every_identity_is_met_on_the_grid() -> None:
    balls = [BallPolicy(policy) for policy in POLICIES.values()]
    for identity in IDENTITIES:
        met = {identity.holds(ball, n) for ball in balls for n in GRID}
        assert met == {True, False}, identity.reason


def test_known_values() -> None:
    thirds = enclose(from_mass(1.0, 1.0, 1.0), 2, ["win_rate", "collision", "theorem_3_4_renyi"])
    assert Fraction(2, 3) - Fraction(1, 27 * 2) in thirds["win_rate"]
    assert Fraction(1, 3) in thirds["collision"]
    assert Fraction(4, 3) in thirds["theorem_3_4_renyi"]
    with mp.workdps(60):
        assert exactly(mp.log(3) * 3 / 4 - mp.log(2)) in certify("kl", POLICIES["binary"], 2)


ZEROS = (
    *("analytical_kl", "kl", "kl_gap", "win_rate_gap", "sharp_win_rate_gap", "estimator_at_top"),
    *("expected_estimator", "expected_estimator_gap", "top_outcome_gap"),
    *("theorem_3_4_renyi", "theorem_5_4_delta"),
)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_one_draw_is_exact(policy: Policy) -> None:
    found = enclose(policy, 1, [*ZEROS, "win_rate"])
    assert {name: found[name] for name in ZEROS} == dict.fromkeys(
        ZEROS, Enclosure(*[Fraction(0)] * 2)
    )
    assert found["win_rate"] == Enclosure(Fraction(1, 2), Fraction(1, 2))


@pytest.mark.parametrize("n", [1, 2, 17.5, 1e12])
def test_one_outcome_is_exact(n: float) -> None:
    found = enclose(POLICIES["one"], n, ["kl", "expected_estimator", "estimator_at_top", "delta"])
    assert all(x.lower == x.upper for x in found.values())
    assert [float(x) for x in found.values()] == [0, 0, 0, 1]


def test_gap_of_1e_38() -> None:
    edges = np.arange(1501.0) ** 3
    policy, n = Policy.from_probabilities(np.diff(edges)), 1 + 2.0**-52
    gap = certify("kl_gap", policy, n)
    with mp.workdps(DIGITS):
        assert_contains(gap, reference(policy, n)["kl_gap"])
    assert_narrow(gap)
    assert gap.lower > 1e-39
    assert gap.upper < 1e-37


@pytest.mark.parametrize("n", [1, 1.5, 2, 3, 1000, 1e12])
@pytest.mark.parametrize("log_prob", [[0.0, -1e6], [-1e6, 0.0], [-1e6, 0.0, 0.0, -1e6, -7e5]])
def test_log_mass_of_minus_1e6(log_prob: list[float], n: float) -> None:
    policy = Policy(log_prob, np.arange(len(log_prob)))
    for found in enclose(policy, n, names_at(n)).values():
        assert_narrow(found)
    verdicts = decide(policy, n)
    assert {v.verdict for v in verdicts} <= {"holds", "undecided"}
    known = {("kl", "analytical_kl"), ("kl_gap", "theorem_3_4_delta"), ("kl", "estimator_at_top")}
    assert all(
        v.verdict == "holds" for v in verdicts if (v.inequality.lhs, v.inequality.rhs) in known
    )


@pytest.mark.parametrize("n", [1e4, 1e9, 1e12])
def test_margins_far_below_any_precision_are_decided(n: float) -> None:
    for name in ("binary", "uniform", "increasing", "atom on top"):
        verdicts = decide(POLICIES[name], n)
        assert {v.verdict for v in verdicts} == {"holds"}
        smallest = min(v.margin.upper for v in verdicts)
        assert 0 < smallest < Fraction(1, 10**300)
        reverse = Inequality("estimator_at_top", "kl")
        assert decide(POLICIES[name], n, [reverse])[0].verdict == "fails"


@pytest.mark.parametrize("n", [2, 3])
def test_equality_is_decided_by_proof_only(n: float) -> None:
    claims = [Inequality("win_rate_gap", "sharp_win_rate_gap")]
    claims += [Inequality(claim.rhs, claim.lhs) for claim in claims]
    for verdict in decide(POLICIES["increasing"], n, claims):
        assert (verdict.verdict, verdict.method) == ("holds", "equality by proof")
        assert verdict.margin == Enclosure(Fraction(0), Fraction(0))


def test_undeclared_equality_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "IDENTITIES", ())
    verdict = decide(POLICIES["increasing"], 2, [Inequality("win_rate_gap", "sharp_win_rate_gap")])[
        0
    ]
    assert (verdict.verdict, verdict.method) == ("undecided", "ball arithmetic")
    assert 0 in verdict.margin
    assert verdict.margin.upper < 1e-300


FALSE = [
    Inequality("analytical_kl", "kl"),
    Inequality("theorem_3_4_renyi", "kl_gap"),
    Inequality("kl_gap", "sharp_kl_gap", Fraction(1, 2)),
    Inequality("win_rate_gap", "sharp_win_rate_gap", Fraction(999_999_999_999, 10**12)),
    Inequality("expected_estimator", "kl"),
    Inequality("kl", "zero"),
    Inequality("continuous_win_rate", "win_rate"),
]


@pytest.mark.parametrize("claim", FALSE, ids=str)
@pytest.mark.parametrize("n", [2, 3])
def test_false_inequalities_fail(claim: Inequality, n: float) -> None:
    verdict = decide(POLICIES["increasing"], n, [claim])[0]
    assert verdict.verdict == "fails"
    assert verdict.margin.upper < 0


def test_bounds_known_to_be_false_outside_their_domain_fail_there() -> None:
    sharp = Inequality("win_rate_gap", "sharp_win_rate_gap")
    assert decide(POLICIES["increasing"], 2.5, [sharp]) == []
    assert decide(POLICIES["increasing"], 2.5, [sharp], extrapolate=True)[0].verdict == "fails"
    renyi = Inequality("kl_gap", "theorem_3_4_renyi")
    policy = Policy.from_probabilities([0.005, *[0.995 / 40_000] * 40_000])
    assert decide(policy, 1.1, [renyi], extrapolate=True)[0].verdict == "fails"


def test_decide_runs_over_a_grid_and_leaves_out_what_is_not_proved() -> None:
    grid = np.array([[1.0, 2.0], [2.5, 3.0]])
    verdicts = decide(POLICIES["staircase"], grid)
    assert sorted({v.n for v in verdicts}) == [1.0, 2.0, 2.5, 3.0]
    assert [v.inequality for v in verdicts if v.n == 3.0] == list(INEQUALITIES)
    left_out = set(INEQUALITIES) - {v.inequality for v in verdicts if v.n == 2.5}
    assert {claim.rhs for claim in left_out} == {
        *("sharp_win_rate_gap", "sharp_win_rate_gap_delta"),
    }
    shared = BallPolicy(POLICIES["staircase"])
    assert [v for n in grid.ravel() for v in decide(shared, n)] == verdicts


def test_large_uniform_policies_of_the_paper() -> None:
    ten = from_mass(*[1.0] * 10)
    rounded = [round(float(certify(name, ten, 10)), 4) for name in ("kl", "expected_estimator")]
    assert rounded == [1.3611, 1.3789]


SPREAD = {
    **POLICIES,
    "uniform 1000": from_mass(*[1.0] * 1000),
    "dirichlet": Policy.from_probabilities(np.random.default_rng(7).dirichlet(np.ones(800))),
    "top at -700": Policy([*np.linspace(-3.0, 0.0, 50), -700.0], np.arange(51)),
    "bottom at -700": Policy([-700.0, *np.linspace(-3.0, 0.0, 50)], np.arange(51)),
    "300 orders": Policy(np.random.default_rng(8).uniform(-690.0, 0.0, 300), np.arange(300)),
}
FLOATS: dict[str, Callable[[Policy, float], float]] = {
    "analytical_kl": lambda policy, n: float(exact.analytical_kl(n)),
    "kl": lambda policy, n: float(exact.exact_kl(policy, n)),
    "kl_gap": lambda policy, n: float(exact.kl_gap(policy, n)),
    "win_rate": lambda policy, n: float(exact.exact_win_rate(policy, n)),
    "win_rate_gap": lambda policy, n: float(exact.win_rate_gap(policy, n)),
    "expected_estimator": lambda policy, n: float(estimator.expected_kl_estimator(policy, n)),
    "expected_estimator_gap": lambda policy, n: float(
        estimator.expected_kl_estimator_gap(policy, n)
    ),
    "collision": lambda policy, n: policy.collision,
    "delta": lambda policy, n: policy.delta,
    "top_mass": lambda policy, n: policy.top_mass,
}


@pytest.mark.parametrize("policy", SPREAD.values(), ids=SPREAD)
def test_float_library_agrees_to_twelve_digits(policy: Policy) -> None:
    balls = BallPolicy(policy)
    for n in GRID:
        for name, found in enclose(balls, n, FLOATS).items():
            value = Fraction(FLOATS[name](policy, n))
            assert found.lower - abs(value) / 10**12 <= value, (name, n)
            assert value <= found.upper + abs(value) / 10**12, (name, n)


@pytest.mark.parametrize("log_prob", [[-20.0, 0.0], [0.0, -20.0], [0.0, -60.0]])
def test_expected_estimator_of_nearly_degenerate_policies(log_prob: list[float]) -> None:
    policy = Policy(log_prob, [0, 1])
    value = Fraction(float(estimator.expected_kl_estimator(policy, 2)))
    assert abs(value / certify("expected_estimator", policy, 2).lower - 1) < 1e-12


def explode(_: object) -> arb:
    raise RuntimeError("inside the precision context")


def test_working_precision_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUANTITIES, "explosive", Quantity("raises", "ours", "Setting"))
    monkeypatch.setitem(FORMULAS, "explosive", explode)
    with ctx.workprec(71):
        decide(POLICIES["zipf"], [1, 2.5, 1e12])
        assert ctx.prec == 71
        with pytest.raises(RuntimeError):
            certify("explosive", POLICIES["zipf"], 2)
        assert ctx.prec == 71
        with pytest.raises(ValueError, match="not finite"):
            enclose(POLICIES["zipf"], 2, ["sharp_kl_gap_delta"], extrapolate=True)
        assert ctx.prec == 71


def test_the_callers_precision_does_not_matter() -> None:
    with ctx.workprec(2):
        coarse = certify("kl", POLICIES["zipf"], 2.5, 1e-40)
        verdicts = decide(POLICIES["zipf"], 2.5)
    assert coarse == certify("kl", POLICIES["zipf"], 2.5, 1e-40)
    assert verdicts == decide(POLICIES["zipf"], 2.5)


@pytest.mark.parametrize("relative_radius", [0.1, 1e-30, 1e-300])
def test_radius_asked_for_is_met(relative_radius: float) -> None:
    assert_narrow(certify("kl_gap", POLICIES["zipf"], 3, relative_radius), relative_radius)


def test_unreachable_radius_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide_module, "PRECISIONS", (64,))
    with pytest.raises(ArithmeticError, match=r"kl_gap at n = 3\.0: 64 bits"):
        certify("kl_gap", POLICIES["zipf"], 3, 1e-30)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: certify("KL", p, 2), "quantity = 'KL': expected one of zero, analytical_kl"),
        (lambda p: Inequality("kl", "formula"), "quantity = 'formula'"),
        (lambda p: Inequality("kl", "kl_gap", float("inf")), "factor = inf"),
        (lambda p: in_domain("nothing", 2), "quantity = 'nothing'"),
        (lambda p: certify("kl", p, 0.5), r"n = .*0\.5.*: expected a real number from 1 to 1e12"),
        (lambda p: certify("kl", p, float("nan")), "n = .*nan.*: expected a real number"),
        (lambda p: certify("kl", p, "2"), "n must hold real numbers"),  # type: ignore[arg-type] # on purpose
        (lambda p: certify("kl", p, [2, 3]), "n must be a single number"),  # type: ignore[arg-type] # on purpose
        (lambda p: decide(p, [2, 1e13]), r"n\[1\] = .*10000000000000\.0.*: expected a real number"),
        (lambda p: certify("kl", p, 2, 0), "relative_radius = 0"),
        (lambda p: certify("kl", p, 2, 1.5), "relative_radius = 1.5"),
        (lambda p: certify("sharp_win_rate_gap", p, 2.5), r"only for real n in \[1, 2\] or n >= 3"),
        (lambda p: certify("scaled_win_rate_gap", p, 4), r"only for real n in \[2, 3\]"),
        (lambda p: certify("sharp_kl_gap_delta", p, 2), "only for real n > 2"),
        (lambda p: certify("theorem_3_4_renyi", p, 1.5), "only for n = 1 or real n >= 2"),
        (
            lambda p: certify("kl", Policy([0.0, -1e8], [0, 1]), 2),
            r"log_mass\[1\] = .*: expected at least -1e\+07",
        ),
    ],
)
def test_bad_input(call: Callable[[Policy], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(POLICIES["binary"])


def test_enclosure_as_floats_rounds_outward() -> None:
    third = Fraction(1, 3)
    enclosure = Enclosure(third, third)
    assert enclosure.lower_float < third < enclosure.upper_float
    assert np.nextafter(enclosure.lower_float, 1) == enclosure.upper_float
    assert float(enclosure) == 1 / 3
    huge = Enclosure(Fraction(10) ** 400, Fraction(10) ** 400)
    assert (huge.lower_float, huge.upper_float) == (sys.float_info.max, float("inf"))
    tiny = Enclosure(Fraction(1, 10**400), Fraction(1, 10**400))
    assert (tiny.lower_float, tiny.upper_float) == (0.0, 5e-324)
    assert third in enclosure
    assert 1 / 3 not in enclosure


def test_verdicts_can_be_sent_between_processes() -> None:
    verdicts = decide(POLICIES["zipf"], [1, 2])
    assert pickle.loads(pickle.dumps(verdicts)) == verdicts
