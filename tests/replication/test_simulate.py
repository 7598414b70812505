import re
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bonmeter.exact.estimator import expected_kl_estimator, kl_estimator
from bonmeter.exact.values import best_of_n_log_pmf, exact_kl
from bonmeter.policies.listed import Policy
from replication.studies.simulate import (
    EstimatorErrors,
    draw_responses,
    draw_selections,
    draw_selections_literally,
    simulate_failures,
    simulate_kl_estimator,
    stream,
)

POLICIES = {
    "binary": Policy.from_probabilities([0.5, 0.5]),
    "uniform": Policy.from_probabilities([0.125] * 8),
    "staircase": Policy.from_probabilities([0.9, 0.09, 0.009, 0.001]),
    "ties": Policy(np.log([0.1, 0.2, 0.3, 0.4]), [1.0, 0.0, 1.0, 0.0]),
    "zipf": Policy.from_probabilities(1 / np.arange(1.0, 21)),
}
SELECTIONS = 20_000


def literal(policy: Policy, n: float, rng: np.random.Generator) -> np.ndarray:
    return draw_selections_literally(policy, int(n), SELECTIONS, rng)


def inverse(policy: Policy, n: float, rng: np.random.Generator) -> np.ndarray:
    return draw_selections(policy, n, SELECTIONS, rng, literal_budget=0)


def counts(selected: np.ndarray, policy: Policy) -> np.ndarray:
    return np.bincount(selected, minlength=len(policy))


def goodness_of_fit(selected: np.ndarray, policy: Policy, n: float) -> float:
    """The p-value of selections against the exact pmf, outcomes expected too rarely left out."""
    expected = SELECTIONS * np.exp(best_of_n_log_pmf(policy, n))
    found, kept = counts(selected, policy), expected >= 5
    assert found[~kept].sum() <= 5 * (~kept).sum() + 10
    total = expected[kept] * found[kept].sum() / expected[kept].sum()
    return float(stats.chisquare(found[kept], total).pvalue) if kept.sum() > 1 else 1.0


CELLS = [(name, n) for name in POLICIES for n in (1, 2, 7, 100)]


@pytest.mark.parametrize(("name", "n"), CELLS)
@pytest.mark.parametrize("draw", [literal, inverse])
def test_selections_follow_the_exact_pmf(
    draw: Callable[..., np.ndarray], name: str, n: int
) -> None:
    policy = POLICIES[name]
    selected = draw(policy, n, stream(5, draw.__name__, name, n))
    assert selected.shape == (SELECTIONS,)
    assert selected.min() >= 0
    assert selected.max() < len(policy)
    assert goodness_of_fit(selected, policy, n) > 1e-3


@pytest.mark.parametrize(("name", "n"), [("uniform", 2), ("staircase", 7), ("zipf", 7)])
def test_selections_for_another_n_are_told_apart(name: str, n: int) -> None:
    selected = literal(POLICIES[name], n, stream(5, name))
    assert goodness_of_fit(selected, POLICIES[name], n + 1) < 1e-6


@pytest.mark.parametrize(("name", "n"), CELLS)
def test_literal_and_inverse_selections_agree(name: str, n: int) -> None:
    policy = POLICIES[name]
    table = np.array(
        [
            counts(draw(policy, n, stream(6, name, n, draw.__name__)), policy)
            for draw in (literal, inverse)
        ]
    )
    table = table[:, table.sum(axis=0) >= 10]
    if table.shape[1] > 1:
        assert stats.chi2_contingency(table).pvalue > 1e-3


@pytest.mark.parametrize("n", [1.5, 2.25, 33.3])
def test_real_n_follows_the_pmf(n: float) -> None:
    assert goodness_of_fit(inverse(POLICIES["zipf"], n, stream(7, n)), POLICIES["zipf"], n) > 1e-3


@pytest.mark.parametrize("n", [1e6, 1e9, 1e12])
def test_rare_outcomes_at_the_top_are_selected_as_often_as_they_should_be(n: float) -> None:
    policy = Policy.from_probabilities([1 - 3 / n, 2 / n, 1 / n])
    assert goodness_of_fit(inverse(policy, n, stream(8, n)), policy, n) > 1e-3


def test_one_literal_draw_is_a_draw_from_the_policy() -> None:
    policy = POLICIES["zipf"]
    selected = draw_selections(policy, 1, SELECTIONS, stream(3))
    expected = np.searchsorted(policy.log_cdf, -stream(3).standard_exponential(SELECTIONS))
    assert np.array_equal(selected, expected)


def test_literal_selection_is_the_best_of_its_own_draws() -> None:
    policy, n = POLICIES["uniform"], 5
    draws = np.searchsorted(policy.log_cdf, -stream(4).standard_exponential((n, 100)))
    assert (
        draw_selections_literally(policy, n, 100, stream(4)).tolist() == draws.max(axis=0).tolist()
    )


def test_the_budget_decides_which_way(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = POLICIES["uniform"]
    called = []
    monkeypatch.setattr(
        "replication.studies.simulate.draw_selections_literally",
        lambda *args: called.append(args[1]),
    )
    for n, budget in ((10, 100), (10, 99), (9.5, 100), (10.0, 100)):
        draw_selections(policy, n, (2, 5), stream(0), literal_budget=budget)
    assert called == [10, 10]


def test_chunks_of_draws_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw_selections_literally(POLICIES["zipf"], 100, 30, stream(1))
    for budget in (1, 31, 1000):
        monkeypatch.setattr("replication.studies.simulate.LITERAL_BUDGET", budget)
        assert np.array_equal(
            whole, draw_selections_literally(POLICIES["zipf"], 100, 30, stream(1))
        )


@pytest.mark.parametrize("size", [0, 3, (), (2, 3), (0, 4)])
def test_shapes(size: int | tuple[int, ...]) -> None:
    expected = size if isinstance(size, tuple) else (size,)
    for n in (2, 2.5):
        assert draw_selections(POLICIES["binary"], n, size, stream(1)).shape == expected


@given(seed=st.integers(0, 2**63 - 1), name=st.text(), n=st.integers(1, 10**12))
def test_streams_are_reproducible_and_read_numbers_by_value(seed: int, name: str, n: int) -> None:
    first = stream(seed, name, n).integers(2**63, size=2).tolist()
    assert first == stream(seed, name, float(n)).integers(2**63, size=2).tolist()
    others = [stream(seed + 1, name, n), stream(seed, name, n + 1), stream(seed, f"{name}x", n)]
    others += [stream(seed, name), stream(seed, n, name), stream(seed, name, str(n))]
    assert first not in [other.integers(2**63, size=2).tolist() for other in others]


def test_streams_are_uncorrelated() -> None:
    keys = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("a", 1.5)]
    draws = np.array([stream(1, *key).standard_normal(20_000) for key in keys])
    for i, j in combinations(range(len(keys)), 2):
        assert stats.pearsonr(draws[i], draws[j]).pvalue > 1e-3
    assert stats.pearsonr(draws[0], stream(1, "a", 1).standard_normal(20_000)).pvalue == 0


def test_responses_are_drawn_from_the_policy() -> None:
    p = np.array([0.1, 0.2, 0.7])
    drawn = draw_responses(np.log(p) + 5, SELECTIONS, stream(2))  # normalised
    assert stats.chisquare(np.bincount(drawn), SELECTIONS * p).pvalue > 1e-3


def test_responses_of_extreme_log_probabilities() -> None:
    drawn = draw_responses([-1e6, -1e6, -np.inf, -2e6], (4, 50), stream(2))
    assert drawn.shape == (4, 50)
    assert set(drawn.ravel().tolist()) == {0, 1}


def errors(name: str, n: list[float], **study: int) -> EstimatorErrors:
    study = {"selections": 25, "repeats": 400, "seed": 11} | study
    return simulate_kl_estimator(POLICIES[name], n, name=name, **study)


@pytest.mark.parametrize("budget", [0, 10**9])
def test_errors_are_those_of_numpy(budget: int) -> None:
    policy, n, shape = POLICIES["zipf"], 3, (7, 5)
    found = errors("zipf", [n], selections=5, repeats=7, literal_budget=budget)
    selected = draw_selections(policy, n, shape, stream(11, "zipf", n), literal_budget=budget)
    estimates = [
        np.mean([float(kl_estimator(policy.log_mass[i], n)) for i in row]) for row in selected
    ]
    kl = float(exact_kl(policy, n))
    np.testing.assert_allclose(found.mean, np.mean(estimates), rtol=1e-13)
    np.testing.assert_allclose(found.bias, np.mean(estimates) - kl, rtol=1e-12)
    np.testing.assert_allclose(found.standard_error, np.std(estimates, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found.rmse, np.mean((np.array(estimates) - kl) ** 2) ** 0.5)


def standard_deviation(policy: Policy, n: float) -> float:
    """Of one selection's estimate; the sample's is 0 until a rare outcome has been seen."""
    pmf, value = np.exp(best_of_n_log_pmf(policy, n)), kl_estimator(policy.log_mass, n)
    return float(np.sqrt(pmf @ (value - pmf @ value) ** 2))


@pytest.mark.parametrize("name", POLICIES)
def test_the_mean_estimate_is_the_exact_expectation(name: str) -> None:
    n = [1.0, 2.0, 10.0, 30.5]
    found = errors(name, n)
    assert found.mean[0] == found.rmse[0] == 0  # one draw: the estimator is exactly 0
    exact_error = [standard_deviation(POLICIES[name], each) / 100 for each in n]
    error = np.abs(found.mean - expected_kl_estimator(POLICIES[name], n))
    assert (error <= 4 * np.array(exact_error) + 1e-15).all()
    np.testing.assert_allclose(
        found.rmse**2, found.bias**2 + found.standard_error**2 * 399 / 400, atol=1e-15
    )


def test_intervals_cover_the_expectation_as_often_as_they_say() -> None:
    # no outcome that matters is rare here; where one is, a few hundred selections are too few
    policy, n, repeats, trials = POLICIES["staircase"], 7.0, 40, 300
    expected = float(expected_kl_estimator(policy, n))
    covered = 0
    for seed in range(trials):
        found = simulate_kl_estimator(
            policy, n, selections=20, repeats=repeats, seed=seed, name="coverage"
        )
        half = stats.t.ppf(0.95, repeats - 1) * found.standard_error / repeats**0.5
        covered += abs(found.mean - expected) <= half
    # 90 % intervals: the number covered is binomial
    assert stats.binomtest(covered, trials, 0.9).pvalue > 1e-3
    assert stats.binomtest(covered, trials, 0.8).pvalue < 1e-3


def test_each_policy_and_n_has_its_own_stream() -> None:
    together = errors("zipf", [2.0, 3.0])
    assert together.mean[1] == errors("zipf", [3.0]).mean[0]
    renamed = simulate_kl_estimator(
        POLICIES["zipf"], [3.0], selections=25, repeats=400, seed=11, name="other"
    )
    assert renamed.mean[0] != together.mean[1]


def test_shape_of_n_is_kept() -> None:
    found = errors("binary", [[1, 2, 3], [4, 5, 6]], repeats=2)  # type: ignore[list-item] # on purpose
    assert {field.shape for field in found} == {(2, 3)}


@pytest.mark.parametrize(("selections", "accuracy"), [(2, 0.75), (2, 0.4), (50, 0.25), (50, 0.1)])
def test_failures_follow_the_binomial_law(selections: int, accuracy: float) -> None:
    """Two outcomes: drawn one by one, and by how often each is selected."""
    policy, n, repeats = Policy.from_probabilities([0.9, 0.1]), 4, 4000
    values, mean = kl_estimator(policy.log_mass, n), float(expected_kl_estimator(policy, n))
    hits = np.arange(selections + 1)
    means = values[0] + (values[1] - values[0]) * hits / selections
    off = np.abs(means - mean) > accuracy * mean
    chance = stats.binom.pmf(hits, selections, np.exp(best_of_n_log_pmf(policy, n)[1]))[off].sum()
    found = simulate_failures(
        policy,
        n,
        selections=selections,
        accuracy=accuracy,
        repeats=repeats,
        rng=stream(0, "failures", selections, accuracy),
    )
    assert 0.01 < chance < 0.99
    assert abs(found / repeats - chance) <= 5 * np.sqrt(chance * (1 - chance) / repeats)


RNG = np.random.default_rng(0)
BINARY = POLICIES["binary"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stream(-1), "seed = -1: expected a whole number >= 0"),
        (lambda: draw_selections(BINARY, 0.5, 1, RNG), "expected a real number from 1 to 1e12"),
        (lambda: draw_selections(BINARY, float("nan"), 1, RNG), "expected a real number from 1 to"),
        (lambda: draw_selections(BINARY, [1, 2], 1, RNG), "n must be one number, got shape (2,)"),  # type: ignore[arg-type] # on purpose
        (lambda: draw_selections_literally(BINARY, 1.5, 1, RNG), "expected a whole number from 1"),  # type: ignore[arg-type] # on purpose
        (lambda: draw_selections_literally(BINARY, 0, 1, RNG), "expected a whole number from 1"),
        (lambda: draw_responses([], 1, RNG), "log_prob must be a non-empty one-dimensional array"),
        (lambda: draw_responses([np.nan], 1, RNG), "a natural log-probability in [-inf, inf)"),
        (lambda: draw_responses([np.inf], 1, RNG), "a natural log-probability in [-inf, inf)"),
        (lambda: draw_responses([-np.inf], 1, RNG), "log_prob is -inf everywhere: expected"),
        (
            lambda: errors("binary", [2.0], selections=0),
            "expected selections >= 1 and repeats >= 2",
        ),
        (lambda: errors("binary", [2.0], repeats=1), "expected selections >= 1 and repeats >= 2"),
        (lambda: errors("binary", [0.0]), "n[0] = "),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
