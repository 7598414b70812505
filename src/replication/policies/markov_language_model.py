"""A Markov language model small enough to enumerate: every response and its exact probability.

It stands in for a real model where the answer must be known: responses are token sequences, drawn
one token at a time until the end token or the maximum length, and their probabilities spread over
many orders of magnitude, as those of real responses do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.numerics.validation import FloatArray

__all__ = [
    "MarkovLanguageModel",
    "draw_language_model",
    "enumerate_sequences",
    "number_of_sequences",
]

FRACTION_BITS = 44
LARGEST_LOG_PROB = 2.0 ** (53 - FRACTION_BITS)
"""Multiples of 2^-44 below 512 in size have 53 bits: float64 adds them without rounding."""


class MarkovLanguageModel(NamedTuple):
    """Log-probabilities of the next token, in nats, as multiples of 2^-44.

    Sums of such numbers are exact in any order. So two sequences made of the same transitions have
    bitwise equal log-probabilities, as they must: they are tied under the log-likelihood reward.
    Rounding to the multiples moves the sum of a row from 1 by less than 3e-14.

    Attributes:
        start: first token, shape (V + 1,); the last entry is the end token.
        transition: next token (column) after each token (row), shape (V, V + 1).
        max_length: a sequence of this many tokens ends with probability 1.
    """

    start: FloatArray
    transition: FloatArray
    max_length: int


def number_of_sequences(vocabulary: int, max_length: int) -> int:
    """Sequences of at most `max_length` tokens, the empty one included: sum of V^t.

    Examples:
        >>> number_of_sequences(4, 10)
        1398101
    """
    return sum(vocabulary**length for length in range(max_length + 1))


def draw_language_model(
    vocabulary: int, max_length: int, scale: float, end_logit: float, rng: np.random.Generator
) -> MarkovLanguageModel:
    """A model whose logits are independent normal variables.

    Args:
        vocabulary: number of tokens V >= 1, the end token not counted.
        max_length: longest sequence T >= 1, in tokens.
        scale: standard deviation of the logits, >= 0; 0 makes every token equally likely.
        end_logit: added to the logit of the end token; the lower, the longer the sequences.
        rng: source of the logits.

    Raises:
        ValueError: if sequences could have a log-probability below -512.

    Examples:
        >>> model = draw_language_model(1, 3, 0.0, 0.0, np.random.default_rng(0))
        >>> np.exp(model.start).round(12).tolist()
        [0.5, 0.5]
    """
    logits = scale * rng.standard_normal((vocabulary + 1, vocabulary + 1))
    logits[:, -1] += end_logit
    log_prob = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    lowest = float(log_prob.min()) * max_length
    if not lowest > -LARGEST_LOG_PROB:
        raise ValueError(
            f"scale = {scale!r}, end_logit = {end_logit!r}, max_length = {max_length!r} allow a "
            f"log-probability of {lowest:.4g}: expected one above {-LARGEST_LOG_PROB:g}"
        )
    log_prob = np.ldexp(np.rint(np.ldexp(log_prob, FRACTION_BITS)), -FRACTION_BITS)
    return MarkovLanguageModel(log_prob[0], log_prob[1:], max_length)


def enumerate_sequences(model: MarkovLanguageModel) -> tuple[FloatArray, NDArray[np.int64]]:
    """Log-probability and length of every sequence the model can produce, shortest first.

    Sequences of one length are in lexicographic order.

    Args:
        model: a model of V tokens and maximum length T.

    Returns:
        log_prob in nats and length in tokens, both of shape (1 + V + ... + V^T,).

    Examples:
        >>> model = draw_language_model(1, 2, 0.0, 0.0, np.random.default_rng(0))
        >>> log_prob, length = enumerate_sequences(model)
        >>> np.exp(log_prob).round(12).tolist(), length.tolist()
        ([0.5, 0.25, 0.25], [0, 1, 2])
    """
    end, onward = model.transition[:, -1], model.transition[:, :-1]
    ended = [model.start[-1:]]
    # log-probability of every unended prefix: a row for each rest, a column for each last token
    prefixes = model.start[None, :-1]
    for _ in range(1, model.max_length):
        ended.append((prefixes + end).ravel())
        prefixes = (prefixes[:, :, None] + onward).reshape(-1, end.size)
    ended.append(prefixes.ravel())
    return np.concatenate(ended), np.repeat(np.arange(len(ended)), [part.size for part in ended])
