"""The KL bracket of an enumerated top, against policies of which everything is known."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from bonmeter import Policy, analytical_kl, exact_kl
from bonmeter.certified.decide import enclose
from bonmeter.certified.top import certify_kl_bracket, certify_kl_brackets
from bonmeter.exact.top import TopPolicy, kl_bracket, kl_lower_bound
from bonmeter.numerics.validation import FloatArray
from replication.policies.markov_language_model import draw_language_model, enumerate_sequences

N = np.array([1, 1.001, 1.2, 1.9, 2, 2.000001, 2.5, 3, 5, 10, 50, 100, 1e3, 1e5, 1e9, 1e12])
ROUNDING = 1e-12


def random_log_probs(count: int) -> Iterator[tuple[np.random.Generator, FloatArray]]:
    """Log-probabilities of random policies of different shapes, likeliest first."""
    rng = np.random.default_rng(20240103)
    for _ in range(count):
        size, concentration = int(rng.integers(2, 200)), rng.choice([0.05, 0.3, 1, 10])
        p = np.maximum(rng.dirichlet(np.full(size, concentration)), 1e-300)
        yield rng, np.sort(np.log(p / p.sum()))[::-1]


def likelihood_policy(log_prob: FloatArray) -> Policy:
    return Policy(log_prob, log_prob)


def largest_class_below(log_prob: FloatArray, log_threshold: float) -> float:
    """Log-mass of the largest tie class of the log-likelihood below the threshold."""
    below = log_prob[log_prob < log_threshold]
    values, counts = np.unique(below, return_counts=True)
    return float(np.max(values + np.log(counts), initial=-np.inf))


@pytest.mark.parametrize("error", [0.0, 1e-6, 1e-3, 0.1])
def test_random_policies_lie_in_their_brackets(error: float) -> None:
    for rng, log_prob in random_log_probs(40):
        computed = np.minimum(log_prob + error * rng.uniform(-1, 1, log_prob.size), 0)
        threshold = float(np.sort(computed)[::-1][min(int(rng.integers(1, 30)), log_prob.size - 1)])
        top = TopPolicy(computed[computed >= threshold], threshold, error=error)
        bracket = kl_bracket(top, N)
        kl = exact_kl(likelihood_policy(log_prob), N)
        assert np.all(bracket.lower <= kl + ROUNDING)
        assert np.all(kl <= bracket.upper + ROUNDING)
        assert np.all(bracket.lower >= 0)
        assert np.all(bracket.upper <= analytical_kl(N) + ROUNDING)


@pytest.mark.parametrize("error", [0.0, 1e-3])
def test_the_certified_bracket_holds_the_certified_kl_and_is_that_in_floats(error: float) -> None:
    for rng, log_prob in random_log_probs(4):
        computed = np.minimum(log_prob + error * rng.uniform(-1, 1, log_prob.size), 0)
        threshold = float(np.sort(computed)[::-1][min(5, log_prob.size - 1)])
        top = TopPolicy(computed[computed >= threshold], threshold, error=error)
        for n, lower, upper in zip(N, *kl_bracket(top, N), strict=True):
            proved = certify_kl_bracket(top, n)
            kl = enclose(likelihood_policy(log_prob), n, ["kl"])["kl"]
            rounding = Fraction(1, 10**12)  # of the policy's masses, taken at their word
            assert proved.lower <= kl.upper + rounding
            assert kl.lower <= proved.upper + rounding
            assert float(proved.lower) == pytest.approx(lower, abs=1e-10)
            assert float(proved.upper) == pytest.approx(upper, abs=1e-10)


def test_several_certified_brackets_are_those_of_each_n() -> None:
    _, log_prob = next(random_log_probs(1))
    top = TopPolicy(log_prob[:9], float(log_prob[8]), error=1e-6)
    assert certify_kl_brackets(top, N) == [certify_kl_bracket(top, n) for n in N]


@pytest.mark.parametrize("log_prob", [[-0.2, -2.0, -88.0, -89.0, -90.0], [-300.0, -301.0]])
@pytest.mark.parametrize("error", [0.0, 1e-3])
def test_rounding_hardly_widens_certified_brackets(log_prob: list[float], error: float) -> None:
    """Masses far below the precision, and blocks that large n do not reach, stay certified."""
    top = TopPolicy(log_prob, -400.0, error=error)
    _agree(top)


def _agree(top: TopPolicy) -> None:
    for found, (lower, upper) in zip(
        certify_kl_brackets(top, N), zip(*kl_bracket(top, N), strict=True), strict=True
    ):
        assert 0 <= found.lower <= found.upper
        assert found.lower_float == pytest.approx(lower, rel=1e-12, abs=1e-12)
        assert found.upper_float == pytest.approx(upper, rel=1e-12, abs=1e-12)


def test_responses_narrower_than_a_float_tells_are_certified_as_closely() -> None:
    """Of many far below the spacing of floats near 1, each has its own gap at large n."""
    log_prob = -36 - np.arange(1000) * 1e-3
    _agree(TopPolicy(log_prob, float(log_prob[-1])))


def test_an_n_just_above_1_has_a_certified_bracket_in_proportion() -> None:
    top, n = TopPolicy(np.log([0.5, 0.3]), float(np.log(0.15))), 1 + 1e-12
    (found,) = certify_kl_brackets(top, [n])
    assert 3.7e-25 < found.lower_float < found.upper_float < 4.9e-25


def test_a_fully_listed_policy_has_a_certified_kl_of_many_digits() -> None:
    policy = Policy(*[np.log([0.75, 0.25 - 1e-9])] * 2)
    for found in certify_kl_brackets(TopPolicy(policy.log_mass[::-1], -2.0), N):
        assert found.upper - found.lower < Fraction(1, 10**20)


def test_masses_that_add_up_to_more_than_one_by_rounding_are_read() -> None:
    half = float(np.nextafter(np.log(0.5), 0))
    kl = exact_kl(likelihood_policy(np.log([0.5, 0.5])), N)
    for found, value in zip(certify_kl_brackets(TopPolicy([half] * 2, -1.0), N), kl, strict=True):
        assert float(found) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("vocabulary", [3, 4, 6])
def test_every_threshold_of_an_enumerated_language_model(vocabulary: int) -> None:
    """Sequences of the same transitions tie: the largest class left out is told."""
    model = draw_language_model(vocabulary, 5, 1.0, -0.5, np.random.default_rng(vocabulary))
    log_prob, _ = enumerate_sequences(model)
    kl = exact_kl(likelihood_policy(log_prob), N)
    widths = []
    for threshold in np.log([0.1, 0.01, 1e-3, 1e-4]):
        largest = largest_class_below(log_prob, threshold)
        listed = log_prob[log_prob >= threshold]
        top = TopPolicy(listed, threshold, log_largest_left_out=largest)
        bracket = kl_bracket(top, N)
        assert np.all((bracket.lower <= kl + ROUNDING) & (kl <= bracket.upper + ROUNDING))
        widths.append(np.max(bracket.upper - bracket.lower))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 1e-3


def test_a_missed_response_puts_the_kl_outside() -> None:
    """Negative control: "nothing above the threshold was missed" is what the bracket rests on."""
    outside = 0
    for _, log_prob in random_log_probs(40):
        threshold = float(log_prob[min(6, log_prob.size - 1)])
        listed = log_prob[log_prob >= threshold]
        for missed in range(min(3, listed.size)):
            bracket = kl_bracket(TopPolicy(np.delete(listed, missed), threshold), N)
            kl = exact_kl(likelihood_policy(log_prob), N)
            outside += bool(np.any((kl < bracket.lower - 1e-9) | (kl > bracket.upper + 1e-9)))
    assert outside > 80  # of 120; where little mass is missed the bracket is wide enough


def test_an_error_larger_than_told_puts_the_kl_outside() -> None:
    _, log_prob = next(random_log_probs(1))
    threshold = float(log_prob[10])
    moved = log_prob[log_prob >= threshold] - 0.01  # all at once
    kl = exact_kl(likelihood_policy(log_prob), N)
    honest = kl_bracket(TopPolicy(moved, threshold - 0.01, error=0.0101), N)
    assert np.all((honest.lower <= kl + ROUNDING) & (kl <= honest.upper + ROUNDING))
    wrong = kl_bracket(TopPolicy(moved, threshold - 0.01, error=1e-4), N)
    assert np.any((kl < wrong.lower) | (kl > wrong.upper))


def test_ties_left_out_must_be_told() -> None:
    """A hundred equal responses left out are one class: its mass is not the threshold."""
    p = np.append(np.full(100, 0.005), 0.5)
    policy, threshold = likelihood_policy(np.log(p)), float(np.log(0.4))
    kl = exact_kl(policy, N)
    wrong = kl_bracket(TopPolicy(np.log([0.5]), np.log(0.006)), N)
    assert np.any(kl < wrong.lower - 1e-3)
    told = kl_bracket(TopPolicy(np.log([0.5]), threshold, log_largest_left_out=np.log(0.5)), N)
    assert np.all((told.lower <= kl + ROUNDING) & (kl <= told.upper + ROUNDING))


def test_nothing_listed_leaves_the_bound_on_the_rest() -> None:
    bracket = kl_bracket(TopPolicy([], np.log(1e-4)), 10.0)
    assert bracket.upper == pytest.approx(analytical_kl(10.0))
    assert bracket.upper - bracket.lower == pytest.approx(1e-8 * 10 * 81 / (24 * 8), rel=1e-6)
    assert certify_kl_bracket(TopPolicy([], np.log(1e-4)), 10).lower > 0


def test_the_only_response_leaves_no_doubt() -> None:
    bracket = kl_bracket(TopPolicy([0.0], -1.0), N)
    assert np.all((bracket.lower >= 0) & (bracket.upper < ROUNDING))


def test_lower_bounds_hold_for_any_reward_and_ties() -> None:
    for rng, log_prob in random_log_probs(40):
        for reward in (rng.normal(size=log_prob.size), rng.integers(0, 4, log_prob.size) * 1.0):
            listed = int(rng.integers(1, log_prob.size))
            top = TopPolicy(log_prob[:listed], float(log_prob[listed - 1]))
            bound = kl_lower_bound(top, reward[:listed], N)
            assert np.all(bound <= exact_kl(Policy(log_prob, reward), N) + ROUNDING)


def test_the_lower_bound_of_a_fully_listed_verifier_is_its_kl() -> None:
    p, reward = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.0, 1.0, 0.0, 1.0])
    bound = kl_lower_bound(TopPolicy(np.log(p), np.log(0.1) - 1e-12), reward, N)
    np.testing.assert_allclose(bound, exact_kl(Policy(np.log(p), reward), N), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("log_prob", "options", "message"),
    [
        ([-3.0], {"log_threshold": -2.0}, r"log_prob\[0\] = -3.0: expected a log-probability from"),
        ([-1.0, np.nan], {"log_threshold": -2.0}, r"log_prob\[1\] = nan"),
        ([0.1], {"log_threshold": -2.0}, r"log_prob\[0\] = 0.1"),
        ([-0.1, -0.1], {"log_threshold": -2.0}, r"log_prob: the probabilities sum to 1.8"),
        ([-1.0], {"log_threshold": 0.5}, "log_threshold = 0.5"),
        ([-1.0], {"log_threshold": np.nan}, "log_threshold = nan"),
        ([-1.0], {"log_threshold": -2.0, "error": -1.0}, r"error = -1.0: expected a finite number"),
    ],
)
def test_what_is_not_a_top_is_refused(
    log_prob: list[float], options: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TopPolicy(log_prob, **options)


def test_rewards_are_checked() -> None:
    top = TopPolicy([-1.0], -2.0)
    with pytest.raises(ValueError, match="reward has 2 entries: expected 1"):
        kl_lower_bound(top, [0.0, 1.0], 2)
    with pytest.raises(ValueError, match=r"reward\[0\] = inf"):
        kl_lower_bound(top, [np.inf], 2)
