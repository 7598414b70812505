"""Curves against mpmath and an optimisation that knows no formula, and their stated figures."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import xlogy

from bonmeter.exact.tradeoff import (
    Tradeoff,
    best_of_n_tradeoff,
    excess_kl,
    optimal_kl,
    rewind_and_repeat,
    smallest_n_within,
    tilt_with_advantage,
    tilt_with_win_rate,
    tilted_tradeoff,
)
from bonmeter.exact.values import analytical_kl, exact_kl, exact_win_rate
from bonmeter.policies.listed import Policy

DIGITS = 600
BETA = (1e-140, 1e-20, 1e-8, 1e-3, 0.3, 1 - 1e-15, 1.0, 1 + 1e-15, 1.3, 7.0, 50.0, 1e3, 1e8, 1e15)


def close(found: ArrayLike, expected: mp.mpf, tolerance: float = 1e-13) -> bool:
    return bool(abs(mp.mpf(np.asarray(found).item()) - expected) <= tolerance * abs(expected))


def tilted_exactly(beta: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
    win_rate = 1 / (1 - mp.exp(-beta)) - 1 / beta
    return win_rate, beta * win_rate - mp.log(mp.expm1(beta) / beta)


def tilt_exactly(win_rate: mp.mpf) -> mp.mpf:
    bracket = (6 * (win_rate - mp.mpf(1) / 2), 2 / (1 - win_rate))
    return mp.findroot(
        lambda beta: tilted_exactly(beta)[0] - win_rate,
        bracket,
        solver="anderson",
        tol=mp.mpf(10) ** -200,
        maxsteps=10_000,
    )


@pytest.mark.parametrize("n", [1 + 2.0**-40, 1.5, 2, 17, 1e6, 1e12])
def test_best_of_n(n: float) -> None:
    win_rate, kl, draws = best_of_n_tradeoff(n)
    with mp.workdps(60):
        exact = mp.mpf(n)
        assert close(win_rate, exact / (exact + 1))
        assert close(kl, mp.log(exact) - (exact - 1) / exact)
    assert draws == n


@pytest.mark.parametrize("q", [1e-300, 1e-3, 0.5, 1 - 2.0**-50, 1.0])
def test_rewind_and_repeat(q: float) -> None:
    win_rate, kl, draws = rewind_and_repeat(q)
    with mp.workdps(60):
        assert close(win_rate, 1 - mp.mpf(q) / 2)
        assert close(kl, -mp.log(mp.mpf(q)))
        assert close(draws, 1 / mp.mpf(q))


def test_rewind_and_repeat_of_a_policy_that_accepts_its_top_outcomes() -> None:
    p = np.array([0.5, 0.2, 0.2, 0.1])
    conditional = np.array([0.0, 0.0, 0.2, 0.1]) / 0.3
    middle = np.cumsum(p) - p / 2
    win_rate, kl, _ = rewind_and_repeat(0.3)
    assert win_rate == pytest.approx(conditional @ middle, rel=1e-15)
    assert kl == pytest.approx(xlogy(conditional, conditional / p).sum(), rel=1e-15)


@pytest.mark.parametrize("beta", BETA)
def test_tilted_tradeoff(beta: float) -> None:
    found = tilted_tradeoff(beta)
    with mp.workdps(DIGITS):
        win_rate, kl = tilted_exactly(mp.mpf(beta))
        assert close(found.win_rate, win_rate, 1e-15)
        assert close(found.kl, kl)
    assert np.isnan(found.draws)


@pytest.mark.parametrize("beta", [0.5, 3.0, 40.0])
def test_tilted_tradeoff_by_quadrature(beta: float) -> None:
    with mp.workdps(30):
        total = mp.quad(lambda u: mp.exp(beta * u), [0, 0.5, 1])
        mean = mp.quad(lambda u: u * mp.exp(beta * u), [0, 0.5, 1]) / total
        assert close(tilted_tradeoff(beta).win_rate, mean)
        assert close(tilted_tradeoff(beta).kl, beta * mean - mp.log(total))


WIN_RATES = (0.5 + 2.0**-53, 0.5 + 1e-9, 0.58, 0.6, 2 / 3, 0.9, 0.999, 1 - 1e-9, 1 - 2.0**-53)


@pytest.mark.parametrize("win_rate", WIN_RATES)
def test_optimal_kl(win_rate: float) -> None:
    with mp.workdps(DIGITS):
        beta = tilt_exactly(mp.mpf(win_rate))
        assert close(tilt_with_win_rate(win_rate), beta)
        assert close(optimal_kl(win_rate), tilted_exactly(beta)[1])


@pytest.mark.parametrize("advantage", [1e-120, 1e-30, 1e-17, 1e-3])
def test_tilt_of_a_win_rate_that_no_float_holds(advantage: float) -> None:
    with mp.workdps(DIGITS):
        beta = tilt_exactly(mp.mpf(advantage) + mp.mpf(1) / 2)
        assert close(tilt_with_advantage(np.array(advantage), np.array(0.5 - advantage)), beta)


@pytest.mark.parametrize("win_rate", [0.55, 2 / 3, 0.8])
def test_numerical_optimisation_over_densities_ends_at_the_optimum(win_rate: float) -> None:
    """Least KL of a density constant on 40 cells: no tilt is assumed."""
    cells = 40
    middle = (np.arange(cells) + 0.5) / cells

    def kl(mass: np.ndarray) -> float:
        return float(xlogy(mass, mass * cells).sum())

    found = minimize(
        kl,
        np.full(cells, 1 / cells),
        jac=lambda mass: np.log(mass * cells) + 1,
        bounds=[(1e-9, 1)] * cells,
        constraints=[
            {"type": "eq", "fun": lambda m: m.sum() - 1, "jac": lambda m: np.ones(cells)},
            {"type": "eq", "fun": lambda m: m @ middle - win_rate, "jac": lambda m: middle},
        ],
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    assert found.fun > optimal_kl(win_rate)  # cells only cost
    assert found.fun == pytest.approx(optimal_kl(win_rate), rel=3e-3)


@settings(max_examples=100, deadline=None)
@given(log_prob=st.lists(st.floats(-8.0, 0.0), min_size=1, max_size=6), n=st.floats(1.0, 1e4))
def test_best_of_n_of_a_policy_never_beats_the_optimum(log_prob: list[float], n: float) -> None:
    policy = Policy(log_prob, np.arange(len(log_prob)))
    win_rate = max(float(exact_win_rate(policy, n)), 0.5)
    assert exact_kl(policy, n) >= optimal_kl(win_rate) * (1 - 1e-10) - 1e-15


# docs/theory.md: relative excess of best-of-n over the optimum, to the digits stated there
EXCESS = {2: 0.1187, 3: 0.0570, 5: 0.0190, 10: 0.00334, 30: 0.00022, 300: 1.2e-6}


@pytest.mark.parametrize(("n", "stated"), EXCESS.items())
def test_stated_excess(n: int, stated: float) -> None:
    with mp.workdps(50):
        win_rate = mp.mpf(n) / (n + 1)
        kl = mp.log(n) - 1 + mp.mpf(1) / n
        exact = kl / tilted_exactly(tilt_exactly(win_rate))[1] - 1
        assert abs(mp.mpf(float(excess_kl(n))) - exact) < 1e-13
    assert excess_kl(n) == pytest.approx(stated, rel=0.025)


def test_excess_decreases_between_its_limits() -> None:
    n = 1 + np.geomspace(1e-9, 1e4, 400)
    excess = excess_kl(n)
    assert excess[0] == pytest.approx(1 / 3, rel=1e-8)
    assert np.all(np.diff(excess) < 1e-13)
    assert excess[-1] == pytest.approx(1 / (2 * n[-1] ** 2 * (np.log(n[-1]) - 1)), rel=1e-3)


@pytest.mark.parametrize(("fraction", "n"), [(0.12, 2), (0.01, 7), (0.001, 17), (1e-4, 43)])
def test_smallest_n_within(fraction: float, n: int) -> None:
    assert smallest_n_within(fraction) == n
    assert excess_kl(n) <= fraction < (excess_kl(n - 1) if n > 2 else 1)


def test_what_n_below_1000_buys() -> None:
    win_rate, kl, _ = best_of_n_tradeoff(999)
    assert win_rate == 0.999
    assert kl == pytest.approx(5.908, abs=5e-4)
    assert excess_kl(999) == pytest.approx(8.47e-8, rel=1e-3)


# docs/theory.md: extra nats of rewind-and-repeat at the win rate of best-of-n
@pytest.mark.parametrize(("n", "stated"), [(2, 0.212), (3, 0.261), (5, 0.289), (10, 0.302)])
def test_rewind_and_repeat_costs_more(n: int, stated: float) -> None:
    rewind = rewind_and_repeat(2 / (n + 1))
    assert rewind.win_rate == pytest.approx(best_of_n_tradeoff(n).win_rate, rel=1e-15)
    extra = rewind.kl - best_of_n_tradeoff(n).kl
    assert extra == pytest.approx(np.log((n + 1) / 2) - analytical_kl(n), rel=1e-12)
    assert extra == pytest.approx(stated, abs=5e-4)
    assert extra < 1 - np.log(2)


@pytest.mark.parametrize("curve", [best_of_n_tradeoff, tilted_tradeoff])
def test_shapes(curve: Callable[[ArrayLike], Tradeoff]) -> None:
    for value in curve([[1.0, 2.0], [3.0, 4.0]]):
        assert value.shape == (2, 2)
    assert optimal_kl([[0.5, 0.6]]).shape == (1, 2)
    assert rewind_and_repeat([[0.5, 0.6]]).kl.shape == (1, 2)
    assert optimal_kl(0.5) == tilted_tradeoff(0).kl == best_of_n_tradeoff(1).kl == 0


BAD = [
    (best_of_n_tradeoff, 0.5, "n = .*: expected a real number from 1 to 1e12"),
    (rewind_and_repeat, [0.5, 0.0], r"acceptance\[1\] = .*: expected a fraction in \(0, 1\]"),
    (rewind_and_repeat, 1.5, r"acceptance = .*: expected a fraction in \(0, 1\]"),
    (tilted_tradeoff, -1.0, r"beta = .*: expected a real number in \[0, 1e15\]"),
    (tilted_tradeoff, np.nan, r"beta = .*: expected a real number in \[0, 1e15\]"),
    (tilted_tradeoff, 2e15, r"beta = .*: expected a real number in \[0, 1e15\]"),
    (optimal_kl, 0.4, r"win_rate = .*: expected a win rate in \[1/2, 1\)"),
    (optimal_kl, [0.6, 1.0], r"win_rate\[1\] = .*: expected a win rate in \[1/2, 1\)"),
    (tilt_with_win_rate, "a", "win_rate must hold real numbers"),
    (excess_kl, 1, "n = .*: expected above 1"),
    (smallest_n_within, 0.0, r"fraction = 0\.0: expected a number in \[1e-9, inf\)"),
    (smallest_n_within, np.nan, r"fraction = nan: expected a number in \[1e-9, inf\)"),
]


@pytest.mark.parametrize(("function", "argument", "message"), BAD)
def test_bad_input(function: Callable[[object], object], argument: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        function(argument)
