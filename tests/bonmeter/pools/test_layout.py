"""Where outcomes lie in [0, 1]: segments by other routes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from bonmeter.pools import layout
from bonmeter.pools.identity import Distinct
from bonmeter.pools.layout import segments_of
from replication.policies.families import dirichlet, uniform, verifier
from tests.bonmeter.pools.pools import distinct, draw


def test_counts_reveal_pairs_that_stand_for_three_responses_each() -> None:
    """Too few draws of each pair to tell, but not of all; named responses need no such test."""
    pair = np.concatenate([np.arange(1000), 1000 + np.arange(1002) // 3])
    weight = np.where(pair < 1000, 0.7 / 1000, 0.3 / 1002) * (1 + 1e-6 * pair)
    reward = np.where(pair < 1000, 0.0, 1.0)
    log_prob = np.log(weight / weight.sum())
    drawn = np.random.default_rng(0).choice(pair.size, size=(60, 1500), p=np.exp(log_prob))
    masses = []
    for response, identified in ((None, False), (drawn, True), (None, True)):
        responses = distinct(log_prob[drawn], reward[drawn], response)
        segments = segments_of(responses, identified=identified)
        top = segments.start + segments.mass > 1 - 1e-9
        masses.append(segments.mass[top].mean())
    guessed, named, misled = masses
    assert named == pytest.approx(0.3, abs=0.003)
    assert guessed == pytest.approx(0.3, abs=0.03)
    assert misled < 0.25  # the control: pairs taken as responses, whatever the counts


def test_segments_fill_the_unit_interval() -> None:
    for responses in (
        dirichlet(0.3, 50, np.random.default_rng(1)),
        verifier(0.2, 9, 30),
        uniform(400),
    ):
        segments = segments_of(distinct(*draw(responses, 20, 40)))
        for pool in range(20):
            mine = segments.pool == pool
            end = segments.start[mine] + segments.mass[mine]
            np.testing.assert_allclose(
                np.append(segments.start[mine], 1), np.append(0, end), atol=1e-14
            )


def test_a_class_seen_once_is_like_most_of_its_pool() -> None:
    log_prob = np.log(np.linspace(0.01, 0.011, 21))[None]
    mostly_tied, mostly_alone = (
        np.append(np.arange(20) % 2, 2)[None],
        np.append(np.arange(20), 19)[None],
    )
    first, second = (segments_of(distinct(log_prob, r * 1.0)) for r in (mostly_tied, mostly_alone))
    assert first.tied.tolist() == [True, True, True]
    assert first.mass[-1] > 0.04  # not only its one seen response
    assert second.tied.sum() == 1


def test_seen_responses_leave_equal_gaps_around_them() -> None:
    """As N draws of a continuum do on average: N + 1 gaps, the outer ones like the others."""
    segments = segments_of(distinct(np.full((1, 9), np.log(0.01)), np.arange(9.0)[None]))
    seen = np.isclose(segments.mass, 0.01, rtol=1e-12)
    middle = (segments.start + 0.5 * segments.mass)[seen]
    np.testing.assert_allclose(middle, np.arange(1, 10) * 0.091 + np.arange(9) * 0.01 + 0.005)


def test_unseen_likes_of_a_seen_response_are_as_many_and_as_uncertain_as_stated() -> None:
    """Variance of the Horvitz-Thompson estimate minus the unseen mass, each drawn Poisson often."""
    likes, p, size = 400, 0.002, 200
    draws = np.random.default_rng(2).poisson(size * p, size=(4000, likes))
    seen = np.sum(draws > 0, axis=1)
    e = np.exp(-size * p)
    error = seen * p * e / (1 - e) - (likes - seen) * p
    assert np.mean(error**2) == pytest.approx(seen.mean() * p**2 * e / (1 - e) ** 2, rel=0.1)
    assert e / (1 - e) * (1 + e / (1 - e)) == pytest.approx(e / (1 - e) ** 2)  # two-sided


def test_unseen_mass_between_neighbours_is_geometric() -> None:
    """Variance size (size + p) of the unseen mass between two seen responses."""
    likes, p, size = 300, 1 / 300, 150
    rng = np.random.default_rng(3)
    drawn = rng.multinomial(size, [p] * likes, size=2000) > 0
    runs = np.concatenate([np.diff(np.flatnonzero(row)) - 1 for row in drawn]) * p
    assert runs.var() == pytest.approx(runs.mean() * (runs.mean() + p), rel=0.05)


@pytest.mark.parametrize("counts", [False, True])
def test_counts_are_used_from_two_standard_deviations_of_excess(counts: bool) -> None:
    """1,000 pairs of mass 1e-4 in two tie classes, about 60 of them drawn twice."""
    repeats = next(k for k in range(1000) if _excess(_with_repeats(k)) > 2) - (not counts)
    d = _with_repeats(repeats)
    assert abs(_excess(d) - 2) < 0.15
    assert layout._counted(d, np.ones(d.mass.size, dtype=np.bool_)).all() == counts


def _with_repeats(repeats: int) -> Distinct:
    pair = np.concatenate([np.arange(1000), np.arange(repeats)])[None]
    return distinct(np.log(1e-4) + 1e-9 * pair, (pair % 2).astype(float))


def _excess(d: Distinct) -> float:
    """Standard deviations above the mean of so many Poisson variables, none of them 0."""
    rate = poisson(d.size * 1e-4)
    chance = 1 - rate.pmf(0)
    mean = rate.mean() / chance
    variance = (rate.var() + rate.mean() ** 2) / chance - mean**2
    return float((d.draws.sum() - 1000 * mean) / np.sqrt(1000 * variance))


@pytest.mark.parametrize("size", [3, 2 * layout.LONG])
def test_sums_along_short_and_long_pools(size: int) -> None:
    """Two routes, by the number of values: both are numpy's sums of each pool, bit for bit."""
    values = np.random.default_rng(0).normal(size=(5, size))
    found = layout.pool_cumsum(np.repeat(np.arange(5), size), values.ravel(), 5)
    assert found.tolist() == np.cumsum(values, axis=1).ravel().tolist()
