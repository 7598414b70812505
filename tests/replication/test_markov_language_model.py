from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonmeter.policies.listed import Policy
from replication.policies.families import markov_language_model
from replication.policies.markov_language_model import (
    FRACTION_BITS,
    MarkovLanguageModel,
    draw_language_model,
    enumerate_sequences,
    number_of_sequences,
)

SHAPES = [(1, 1), (1, 5), (2, 1), (2, 4), (3, 3), (5, 2)]


def model_of(vocabulary: int, max_length: int, seed: int = 0) -> MarkovLanguageModel:
    return draw_language_model(vocabulary, max_length, 1.0, -1.0, np.random.default_rng(seed))


def log_prob_of(model: MarkovLanguageModel, tokens: tuple[int, ...]) -> float:
    """Chain rule, one token at a time: the second route."""
    total, row = 0.0, model.start
    for token in tokens:
        total += row[token]
        row = model.transition[token]
    return float(total + (row[-1] if len(tokens) < model.max_length else 0.0))


@pytest.mark.parametrize(("vocabulary", "max_length"), SHAPES)
def test_every_sequence_by_the_chain_rule(vocabulary: int, max_length: int) -> None:
    model = model_of(vocabulary, max_length)
    sequences = [
        tokens
        for length in range(max_length + 1)
        for tokens in product(range(vocabulary), repeat=length)
    ]
    log_prob, length = enumerate_sequences(model)
    assert length.tolist() == [len(tokens) for tokens in sequences]
    # exactly: sums of multiples of 2^-44 do not round
    assert log_prob.tolist() == [log_prob_of(model, tokens) for tokens in sequences]


@given(
    vocabulary=st.integers(1, 4),
    max_length=st.integers(1, 5),
    scale=st.floats(0, 5),
    end_logit=st.floats(-5, 5),
    seed=st.integers(0, 2**32),
)
def test_probabilities_sum_to_1(
    vocabulary: int, max_length: int, scale: float, end_logit: float, seed: int
) -> None:
    model = draw_language_model(
        vocabulary, max_length, scale, end_logit, np.random.default_rng(seed)
    )
    log_prob, length = enumerate_sequences(model)
    assert log_prob.size == length.size == number_of_sequences(vocabulary, max_length)
    assert abs(np.exp(log_prob).sum() - 1) < 1e-12
    rows = np.vstack([model.start, model.transition])
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, atol=3e-14)
    assert np.all(np.ldexp(rows, FRACTION_BITS) % 1 == 0)


def test_length_distribution_by_powers_of_the_transition_matrix() -> None:
    model = model_of(3, 6)
    log_prob, length = enumerate_sequences(model)
    start, step = np.exp(model.start), np.exp(model.transition)
    alive, expected = start[:-1], [start[-1]]
    for _ in range(1, model.max_length):
        expected.append(alive @ step[:, -1])
        alive = alive @ step[:, :-1]
    expected.append(alive.sum())
    found = np.bincount(length, weights=np.exp(log_prob))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ties_of_the_log_likelihood_are_exact() -> None:
    """Sequences tie exactly when they use the same transitions equally often."""
    vocabulary, max_length = 3, 6
    model = model_of(vocabulary, max_length)
    used = {
        (
            tokens[:1],
            len(tokens) < max_length and tokens[-1:],
            tuple(sorted(pairwise(tokens))),
        )
        for length in range(max_length + 1)
        for tokens in product(range(vocabulary), repeat=length)
    }
    log_prob, _ = enumerate_sequences(model)
    assert len(used) == len(set(log_prob.tolist())) == len(Policy(log_prob, log_prob))
    assert len(used) < log_prob.size


def test_negative_lengths_are_the_classes_of_equal_length() -> None:
    found = markov_language_model(3, 6, 1.0, 0.0, "negative_length", np.random.default_rng(0))
    policy = Policy(*found)
    assert policy.reward.tolist() == [-6, -5, -4, -3, -2, -1, 0]
    assert abs(policy.mass.sum() - 1) < 1e-12


def test_scale_0_makes_every_token_equally_likely() -> None:
    model = draw_language_model(3, 2, 0.0, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.vstack([model.start, model.transition]), -np.log(4), rtol=1e-13)


def test_lower_end_logits_make_longer_sequences() -> None:
    def mean_length(end_logit: float) -> float:
        model = draw_language_model(2, 6, 1.0, end_logit, np.random.default_rng(0))
        log_prob, length = enumerate_sequences(model)
        return float(np.exp(log_prob) @ length)

    assert mean_length(-3.0) > mean_length(0.0) > mean_length(3.0)


@pytest.mark.parametrize(
    ("vocabulary", "max_length", "expected"), [(1, 3, 4), (2, 3, 15), (4, 10, 1_398_101)]
)
def test_number_of_sequences(vocabulary: int, max_length: int, expected: int) -> None:
    assert number_of_sequences(vocabulary, max_length) == expected


def test_log_probabilities_beyond_exact_sums_are_rejected() -> None:
    expected = r"max_length = 6 allow a log-probability of -[0-9.]+: expected one above -512"
    with pytest.raises(ValueError, match=expected):
        draw_language_model(1, 6, 0.0, 100.0, np.random.default_rng(0))
    assert draw_language_model(1, 5, 0.0, 100.0, np.random.default_rng(0)).max_length == 5
