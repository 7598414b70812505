"""The KL-regularised optimum from draws: exact policies, literal leaving out, the dual."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bonmeter.exact.values import best_of_n_log_pmf, exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.optimum import tilt, tilt_kl, tilt_with_kl
from bonmeter.pools.values import best_of_n_value

MASS = np.array([0.2, 0.3, 0.1, 0.25, 0.15])
REWARD = np.array([-1.0, 0.0, 0.5, 2.0, 2.5])


def exact_tilt(beta: float) -> tuple[float, float, float]:
    """Log moment, mean reward and KL of the tilt of the policy above."""
    weight = MASS * np.exp(beta * REWARD)
    total = weight.sum()
    share = weight / total
    return float(np.log(total)), float(share @ REWARD), float(share @ np.log(share / MASS))


def proportional_pool(size: int) -> FloatArray:
    return np.repeat(REWARD, np.round(MASS * size).astype(int))


@pytest.mark.parametrize("beta", [0.0, 0.3, 2.0])
def test_a_pool_in_proportion_has_the_tilt_of_the_policy(beta: float) -> None:
    found = tilt(proportional_pool(2000), beta)
    log_moment, value, kl = exact_tilt(beta)
    assert found.log_moment == pytest.approx(log_moment, abs=1e-3)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.kl == pytest.approx(kl, rel=1e-9, abs=1e-15)
    flat = np.repeat(REWARD, 2)
    assert tilt(flat, 0.0).effective == pytest.approx(10)


@pytest.mark.parametrize("beta", [0.2, 1.5])
def test_gain_is_the_jeffreys_divergence_over_beta(beta: float) -> None:
    """The closed form of Theoretical Limits of Language Model Alignment."""
    reward = np.random.default_rng(0).normal(size=50)
    share = np.exp(beta * reward) / np.exp(beta * reward).sum()
    jeffreys = ((share - 1 / 50) * np.log(50 * share)).sum()
    found = tilt(reward, beta)
    assert found.value - reward.mean() == pytest.approx(jeffreys / beta, rel=1e-9)
    assert found.kl == pytest.approx((share * np.log(50 * share)).sum(), rel=1e-9)


def test_bias_and_error_are_the_jackknifes() -> None:
    reward, beta = np.random.default_rng(1).normal(size=12), 0.8
    whole = np.log(np.exp(beta * reward).mean())
    without = np.array([np.log(np.exp(beta * np.delete(reward, k)).mean()) for k in range(12)])
    found = tilt(reward, beta)
    assert found.log_moment == pytest.approx(12 * whole - 11 * without.mean(), rel=1e-12)
    assert found.error == pytest.approx(np.sqrt(11 * without.var()), rel=1e-12)


def test_correction_removes_most_of_the_bias() -> None:
    """Of normal rewards, log E[e^(beta r)] = beta^2/2; 20,000 pools of 30."""
    reward = np.random.default_rng(2).normal(size=(20_000, 30))
    plain = np.log(np.exp(reward).mean(axis=1)).mean() - 0.5
    corrected = tilt(reward, 1.0).log_moment.mean() - 0.5
    assert plain < -0.02
    assert abs(corrected) < abs(plain) / 3


@pytest.mark.parametrize("kl", [0.01, 0.2, 0.8])
def test_the_dual_is_the_best_reward_of_that_kl(kl: float) -> None:
    beta = float(tilt_with_kl(lambda b: tilt_kl(REWARD[None], b)[0], [kl], 1.0)[0])
    assert tilt(REWARD, beta).kl == pytest.approx(kl, rel=1e-5)
    plain = np.log(np.exp(beta * REWARD).mean())
    dual = minimize_scalar(
        lambda b: (np.log(np.exp(b * REWARD).mean()) + kl) / b, bounds=(1e-3, 50), method="bounded"
    )
    assert (plain + kl) / beta == pytest.approx(dual.fun, rel=1e-6)
    assert tilt(REWARD, beta).value == pytest.approx(dual.fun, rel=1e-5)
    rng = np.random.default_rng(3)
    for _ in range(200):  # no other policy of at most this KL does better
        share = rng.dirichlet(np.ones(5) * rng.choice([0.5, 2, 10]))
        if (share * np.log(5 * share)).sum() <= kl:
            assert share @ REWARD <= dual.fun + 1e-9


@pytest.mark.parametrize("n", [2, 4, 8])
def test_best_of_n_is_below_the_optimum(n: int) -> None:
    """Exactly, for the policy; and close to it."""
    policy = Policy(np.log(MASS), REWARD)
    kl = float(exact_kl(policy, n))
    reached = float(np.exp(best_of_n_log_pmf(policy, n)) @ REWARD)
    pool = proportional_pool(20_000)
    beta = float(tilt_with_kl(lambda b: tilt_kl(pool[None], b)[0], [kl], 1.0)[0])
    best = float(tilt(pool, beta).log_moment + kl) / beta
    assert reached < best < reached + 0.1
    assert best_of_n_value(pool, n) == pytest.approx(reached, abs=2e-3)


def test_out_of_reach_and_nothing() -> None:
    pool = np.array([[0.0, 1.0]])
    beta = tilt_with_kl(lambda b: tilt_kl(pool, b)[0], [0.0, 0.5, 1.0], 0.5)
    assert beta[0] == 0
    assert beta[1] > 0
    assert np.isnan(beta[2])  # log 2 is the most that two candidates show
    one = tilt([3.0], 2.0)
    assert (float(one.log_moment), float(one.kl), float(one.error)) == (6.0, 0.0, 0.0)


def test_unit_and_origin_of_reward() -> None:
    reward = np.random.default_rng(4).normal(size=(2, 3, 20))
    base, moved = tilt(reward, [0.5, 2.0]), tilt(10 * reward - 4, [0.05, 0.2])
    assert base.kl.shape == (2, 3, 2)
    np.testing.assert_allclose(moved.kl, base.kl, rtol=1e-9)
    np.testing.assert_allclose(moved.effective, base.effective, rtol=1e-9)
    np.testing.assert_allclose(moved.value, 10 * base.value - 4, rtol=1e-9)


def test_large_rewards_do_not_overflow() -> None:
    found = tilt([1e300, 0.0, -1e300], 1.0)
    assert found.value == 1e300
    assert found.effective == 1


def test_rejections() -> None:
    with pytest.raises(ValueError, match=r"beta = -1.0: expected a finite number >= 0"):
        tilt([1.0], -1.0)
    with pytest.raises(ValueError, match=r"reward\[1\] = nan"):
        tilt([1.0, np.nan], 1.0)
    with pytest.raises(ValueError, match="value has shape"):
        tilt([1.0, 2.0], 1.0, [1.0])
