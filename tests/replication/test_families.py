from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonmeter.policies.listed import Policy
from replication.policies import families
from replication.policies.families import (
    FAMILIES,
    Responses,
    dirichlet,
    geometric,
    make_responses,
    markov_language_model,
    random_stream,
    staircase,
    tied_scores,
    top_atom,
    uniform,
    verifier,
    zipf,
)

INSIDE = st.floats(1e-6, 1 - 1e-6)
SIZES = st.integers(1, 60)
ORDERS = st.sampled_from(["ascending", "descending"])
LANGUAGE_MODEL: dict[str, Any] = {
    "vocabulary": 2,
    "max_length": 3,
    "scale": 1.0,
    "end_logit": 0.0,
    "reward": "negative_length",
}


def one(value: float) -> mpmath.mpf:
    return mpmath.mpf(value)


def normalised(weights: list[mpmath.mpf]) -> list[mpmath.mpf]:
    return [weight / mpmath.fsum(weights) for weight in weights]


def assert_close(found: Responses, expected: list[mpmath.mpf], reward: list[float]) -> None:
    log_prob, found_reward = found
    assert log_prob.dtype == found_reward.dtype == np.float64
    assert found_reward.tolist() == reward
    assert len(log_prob) == len(expected)
    for value, p in zip(log_prob.tolist(), expected, strict=True):
        exact = mpmath.log(p)
        assert abs(value - exact) <= 1e-14 * (1 + abs(exact))


@given(p=INSIDE)
def test_binary(p: float) -> None:
    assert_close(families.binary(p), [1 - one(p), one(p)], [0.0, 1.0])


@given(size=SIZES)
def test_uniform(size: int) -> None:
    assert_close(uniform(size), [1 / one(size)] * size, list(map(float, range(size))))


@given(weights=st.lists(st.integers(0, 1000), min_size=1).filter(any))
def test_probabilities(weights: list[int]) -> None:
    p = np.array(weights) / sum(weights)
    log_prob, reward = families.probabilities(p)
    assert reward.tolist() == list(range(len(weights)))
    np.testing.assert_allclose(np.exp(log_prob), p, rtol=1e-14)
    assert np.array_equal(log_prob == -np.inf, p == 0)


@given(tails=st.lists(st.floats(1e-12, 1 - 1e-6), min_size=1, max_size=8, unique=True))
def test_staircase(tails: list[float]) -> None:
    tails = sorted(tails, reverse=True)
    with mpmath.workdps(40):
        edges = [one(1), *map(one, tails), one(0)]
        expected = [a - b for a, b in pairwise(edges)]
        log_prob, reward = staircase(tails)
        assert reward.tolist() == list(range(len(expected)))
        for value, p in zip(log_prob.tolist(), expected, strict=True):
            # the only rounding is that of one difference and one logarithm
            assert abs(value - mpmath.log(p)) <= 1e-15 * (1 + abs(mpmath.log(p)))


@given(ratio=INSIDE, size=SIZES, order=ORDERS)
def test_geometric(ratio: float, size: int, order: str) -> None:
    with mpmath.workdps(40):
        expected = normalised([one(ratio) ** k for k in range(size)])
        reward = [float(k) for k in range(size)]
        reward = reward[::-1] if order == "ascending" else reward
        assert_close(geometric(ratio, size, order), expected, reward)


@given(exponent=st.floats(0, 100), size=SIZES, order=ORDERS)
def test_zipf(exponent: float, size: int, order: str) -> None:
    with mpmath.workdps(40):
        expected = normalised([one(k) ** -exponent for k in range(1, size + 1)])
        reward = [float(k) for k in range(size)]
        reward = reward[::-1] if order == "ascending" else reward
        assert_close(zipf(exponent, size, order), expected, reward)


@pytest.mark.parametrize("family", [geometric, zipf])
def test_order_is_that_of_the_likeliest_response(family: Callable[..., Responses]) -> None:
    for order, place in (("ascending", -1), ("descending", 0)):
        log_mass = Policy(*family(0.5, 20, order)).log_mass
        assert np.argmax(log_mass) == place % 20
        assert len(set(np.sign(np.diff(log_mass)))) == 1


@given(mass=INSIDE, small=SIZES)
def test_top_atom(mass: float, small: int) -> None:
    with mpmath.workdps(40):
        expected = [*[(1 - one(mass)) / small] * small, one(mass)]
        assert_close(top_atom(mass, small), expected, list(map(float, range(small + 1))))


@given(pass_rate=INSIDE, passing=SIZES, failing=SIZES)
def test_verifier(pass_rate: float, passing: int, failing: int) -> None:
    with mpmath.workdps(40):
        rejected, accepted = (1 - one(pass_rate)) / failing, one(pass_rate) / passing
        expected = [*[rejected] * failing, *[accepted] * passing]
        found = verifier(pass_rate, passing, failing)
        assert_close(found, expected, [*[0.0] * failing, *[1.0] * passing])
        np.testing.assert_allclose(Policy(*found).mass, [1 - pass_rate, pass_rate], rtol=1e-12)


@given(size=SIZES, scores=SIZES, exponent=st.floats(0, 100))
def test_tied_scores(size: int, scores: int, exponent: float) -> None:
    with mpmath.workdps(40):
        expected = normalised([one(k) ** -exponent for k in range(1, size + 1)])
        reward = [float(k % scores) for k in range(size)]
        assert_close(tied_scores(size, scores, exponent), expected, reward)
    assert len(Policy(*tied_scores(size, scores, exponent))) == min(size, scores)


@pytest.mark.parametrize("concentration", [0.001, 0.1, 1.0, 1e6])
def test_dirichlet_is_a_distribution_in_full_range(concentration: float) -> None:
    log_prob, reward = dirichlet(concentration, 2000, np.random.default_rng(1))
    assert np.isfinite(log_prob).all()
    assert abs(np.exp(log_prob).sum() - 1) < 1e-12
    assert reward.tolist() == list(range(2000))


@pytest.mark.parametrize("concentration", [0.05, 0.5, 3.0])
def test_dirichlet_has_the_right_marginals(concentration: float) -> None:
    from scipy import stats

    size, rng = 5, np.random.default_rng(2)
    first = [float(dirichlet(concentration, size, rng)[0][0]) for _ in range(2000)]
    beta = stats.beta(concentration, (size - 1) * concentration)
    # in logarithms: at small concentrations most of the mass of the law is near 0
    assert stats.kstest(first, lambda x: beta.cdf(np.exp(x))).pvalue > 0.01
    assert stats.kstest(first, lambda x: beta.cdf(np.exp(x) * 0.9)).pvalue < 0.01


def test_dirichlet_agrees_with_numpy_where_that_does_not_underflow() -> None:
    from scipy import stats

    ours = [np.exp(dirichlet(2.0, 3, np.random.default_rng(i))[0]).max() for i in range(1000)]
    theirs = np.random.default_rng(0).dirichlet([2.0] * 3, 1000).max(axis=1)
    assert stats.ks_2samp(ours, theirs).pvalue > 0.01


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ("log_likelihood", [-1.0, -2.0, -3.0, -3.0]),
        ("negative_length", [0.0, -1.0, -2.0, -3.0]),
    ],
)
def test_markov_language_model_of_equal_logits(reward: str, expected: list[float]) -> None:
    found = markov_language_model(1, 3, 0.0, 0.0, reward, np.random.default_rng(0))
    np.testing.assert_allclose(found[0], np.log(2) * np.array([-1, -2, -3, -3]), rtol=1e-12)
    scale = np.log(2) if reward == "log_likelihood" else 1
    np.testing.assert_allclose(found[1], scale * np.array(expected), rtol=1e-12)


def test_the_two_rewards_share_their_log_probabilities() -> None:
    found = [
        markov_language_model(**(LANGUAGE_MODEL | {"reward": reward}), rng=random_stream(0, 3))[0]
        for reward in ("log_likelihood", "negative_length")
    ]
    assert found[0].tolist() == found[1].tolist()


def test_families_are_listed_by_their_names() -> None:
    assert all(family.__name__ == name for name, family in FAMILIES.items())
    assert set(FAMILIES) <= set(families.__all__)


RANDOM = {"dirichlet": {"concentration": 1.0, "size": 5}, "markov_language_model": LANGUAGE_MODEL}


@pytest.mark.parametrize(("name", "parameters"), RANDOM.items())
def test_streams(name: str, parameters: dict[str, Any]) -> None:
    def draw(seed: int, stream: int) -> tuple[float, ...]:
        return tuple(make_responses(name, parameters | {"stream": stream}, seed)[0].tolist())

    assert draw(1, 2) == draw(1, 2)
    assert draw(1, 2) == tuple(FAMILIES[name](**parameters, rng=random_stream(1, 2))[0].tolist())
    assert len({draw(seed, stream) for seed in range(3) for stream in range(3)}) == 9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: families.binary(0), "p = 0: expected a number strictly between 0 and 1"),
        (lambda: families.binary(float("nan")), "p = nan: expected a number strictly between"),
        (lambda: families.binary([0.5]), r"p has shape \(1,\): expected one number"),  # type: ignore[arg-type] # on purpose
        (lambda: families.binary("1/2"), "p must hold real numbers"),  # type: ignore[arg-type] # on purpose
        (lambda: uniform(0), "size = 0: expected a whole number from 1 to 10000000"),
        (lambda: uniform(10**7 + 1), "size = 10000001: expected a whole number"),
        (lambda: uniform(1.5), "size = 1.5: expected a whole number"),  # type: ignore[arg-type] # on purpose
        (lambda: families.probabilities([]), "probabilities must be a non-empty one-dim"),
        (lambda: families.probabilities([1.5, -0.5]), r"probabilities\[1\] = .*-0.5.*: expected"),
        (lambda: families.probabilities([1, np.nan]), r"probabilities\[1\] = .*nan.*: expected"),
        (lambda: families.probabilities([0.5, 0.4]), "probabilities sum to 0.9: expected 1"),
        (lambda: families.probabilities([np.inf]), "probabilities sum to inf: expected 1"),
        (lambda: staircase([]), "tail_masses must be a non-empty one-dimensional array"),
        (lambda: staircase([0.1, 0.1]), r"tail_masses\[1\] = .*0\.1.*: expected a decreasing list"),
        (lambda: staircase([1.0]), r"tail_masses\[0\] = .*1\.0.*: expected a decreasing list"),
        (lambda: staircase([0.1, 0.0]), r"tail_masses\[1\] = .*0\.0.*: expected a decreasing"),
        (lambda: staircase([np.nan]), r"tail_masses\[0\] = .*nan.*: expected a decreasing list"),
        (lambda: geometric(1.0, 2, "ascending"), "ratio = 1.0: expected a number strictly"),
        (lambda: geometric(0.5, 2, "up"), "order = 'up': expected one of ascending, descending"),
        (lambda: zipf(-0.1, 2, "ascending"), "exponent = -0.1: expected a number from 0 to 100"),
        (lambda: top_atom(0.1, 0), "small = 0: expected a whole number"),
        (lambda: verifier(1, 1, 1), "pass_rate = 1: expected a number strictly"),
        (lambda: verifier(0.5, 0, 1), "passing = 0: expected a whole number"),
        (lambda: verifier(0.5, 1, 0), "failing = 0: expected a whole number"),
        (lambda: tied_scores(2, 0, 1.0), "scores = 0: expected a whole number"),
        (lambda: dirichlet(0, 2, random_stream(1, 1)), "concentration = 0: expected a number from"),
        (lambda: random_stream(-1, 0), "seed = -1: expected a whole number >= 0"),
        (lambda: random_stream(0, -1), "stream = -1: expected a whole number >= 0"),
        (lambda: make_responses("binomial", {}, 0), "family = 'binomial': expected one of binary"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": 0}, "vocabulary = 0: expected a whole number"),
        ({"max_length": 1001}, "max_length = 1001: expected a whole number from 1 to 1000"),
        ({"scale": -1}, "scale = -1: expected a number from 0 to 100"),
        ({"end_logit": 101}, "end_logit = 101: expected a number from -100 to 100"),
        ({"reward": "length"}, "reward = 'length': expected one of log_likelihood, negative_len"),
        ({"max_length": 23}, "max_length = 23 with vocabulary = 2 gives too many responses"),
        (
            {"vocabulary": 9_999_999, "max_length": 1},
            "max_length = 1 with vocabulary = 9999999 gives too many responses or transitions",
        ),
        ({"end_logit": -100, "max_length": 20}, "scale = 1.0, end_logit = -100"),
    ],
)
def test_bad_language_model(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        markov_language_model(**(LANGUAGE_MODEL | {"rng": random_stream(0, 0)} | change))
