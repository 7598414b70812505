"""Families of reference policies: from a name and parameters to responses.

Each family is a pure function returning `(log_prob, reward)`: natural log-probabilities that sum to
1 up to rounding, and rewards, shape (R,), ready for `bonmeter.policies.listed.Policy`. `FAMILIES`
lists them by name. A new one is a function here and a model of its parameters in
`replication.pipeline.settings`; a new policy of a family is only an entry in
config/config.yaml. A family that draws at random takes `rng`; in the config it has the parameter
`stream` instead.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.numerics.validation import FloatArray, as_number, as_real_vector, reject_entries
from replication.policies.markov_language_model import (
    draw_language_model,
    enumerate_sequences,
    number_of_sequences,
)

__all__ = [
    "FAMILIES",
    "Responses",
    "binary",
    "dirichlet",
    "geometric",
    "make_responses",
    "markov_language_model",
    "probabilities",
    "random_stream",
    "staircase",
    "tied_scores",
    "top_atom",
    "uniform",
    "verifier",
    "zipf",
]

Responses = tuple[FloatArray, FloatArray]
"""Log-probability (nats) and reward of each response."""

LARGEST_SIZE = 10_000_000
LONGEST = 1000
SUM_TOLERANCE = 1e-9


def binary(p: float) -> Responses:
    """Two responses, the better one of probability p (the paper's counterexample has p = 1/2).

    Args:
        p: probability of the response of higher reward, strictly between 0 and 1.

    Raises:
        ValueError: if p is anything else.

    Examples:
        >>> np.exp(binary(0.25)[0]).tolist()
        [0.75, 0.25]
    """
    p = _between("p", p, 0, 1)
    return np.log([1 - p, p]), np.arange(2.0)


def uniform(size: int) -> Responses:
    """Equally likely responses of distinct rewards (paper, Figure 2).

    Args:
        size: number of responses, 1 to 10^7.

    Raises:
        ValueError: if size is anything else.

    Examples:
        >>> np.exp(uniform(4)[0]).round(15).tolist()
        [0.25, 0.25, 0.25, 0.25]
    """
    size = _count("size", size)
    return np.full(size, -np.log(size)), np.arange(float(size))


def probabilities(probabilities: ArrayLike) -> Responses:
    """Responses of the listed probabilities, lowest reward first.

    Args:
        probabilities: shape (R,), nonnegative, summing to 1 within 1e-9.

    Raises:
        ValueError: if the list is empty, an entry is negative or nan, or the sum is not 1.

    Examples:
        >>> np.exp(probabilities([0.5, 0.25, 0.25])[0]).tolist()
        [0.5, 0.25, 0.25]
    """
    p = as_real_vector("probabilities", probabilities)
    reject_entries("probabilities", p, ~(p >= 0), "a probability >= 0")
    total = float(p.sum())
    if not abs(total - 1) <= SUM_TOLERANCE:
        raise ValueError(f"probabilities sum to {total!r}: expected 1 within {SUM_TOLERANCE:g}")
    with np.errstate(divide="ignore"):
        return np.log(p), np.arange(float(p.size))


def staircase(tail_masses: ArrayLike) -> Responses:
    """Responses of ever higher reward and lower probability: KL climbs in steps (paper, Figure 3).

    Reconstructed: the paper describes such cherry-picked distributions, with top outcomes down to
    1e-4; their exact probabilities were not recovered.

    Args:
        tail_masses: probability of reaching each step or a higher one, decreasing, in (0, 1). So
            [0.1, 0.01] means responses of probability 0.9, 0.09 and 0.01.

    Raises:
        ValueError: if the list is empty, not decreasing, or leaves (0, 1).

    Examples:
        >>> np.exp(staircase([0.1, 0.01])[0]).round(15).tolist()
        [0.9, 0.09, 0.01]
    """
    tails = as_real_vector("tail_masses", tail_masses)
    above = np.concatenate(([1.0], tails[:-1]))
    reject_entries(
        "tail_masses", tails, ~((tails > 0) & (tails < above)), "a decreasing list in (0, 1)"
    )
    return np.log(np.append(above - tails, tails[-1])), np.arange(tails.size + 1.0)


def geometric(ratio: float, size: int, order: str) -> Responses:
    """Probabilities in geometric progression, with rewards in order of probability or against it.

    Args:
        ratio: of successive probabilities, strictly between 0 and 1.
        size: number of responses, 1 to 10^7.
        order: "ascending" if the likeliest response has the highest reward, "descending" if the
            lowest.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> np.exp(geometric(0.5, 3, "descending")[0]).round(15).tolist()  # 4/7, 2/7, 1/7
        [0.571428571428571, 0.285714285714286, 0.142857142857143]
    """
    ratio = _between("ratio", ratio, 0, 1)
    rank = np.arange(_count("size", size), dtype=np.float64)
    return _normalised(rank * np.log(ratio)), _rewards(rank.size, order)


def zipf(exponent: float, size: int, order: str) -> Responses:
    """Probabilities k^-exponent of rank k, with rewards in order of probability or against it.

    Args:
        exponent: 0 (uniform) to 100.
        size: number of responses, 1 to 10^7.
        order: as in `geometric`.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> np.exp(zipf(1.0, 2, "ascending")[0]).round(15).tolist(), zipf(1.0, 2, "ascending")[1]
        ([0.666666666666667, 0.333333333333333], array([1., 0.]))
    """
    return _zipf_log_prob(exponent, size), _rewards(size, order)


def top_atom(mass: float, small: int) -> Responses:
    """One best response of large probability over many small, equally likely ones.

    The largest probability is `mass` however many the others are: the regime of the paper's
    Theorem 3.6.

    Args:
        mass: probability of the best response, strictly between 0 and 1.
        small: number of other responses, 1 to 10^7.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> np.exp(top_atom(0.5, 2)[0]).round(15).tolist()
        [0.25, 0.25, 0.5]
    """
    mass, small = _between("mass", mass, 0, 1), _count("small", small)
    rest = np.log1p(-mass) - np.log(small)
    return np.append(np.full(small, rest), np.log(mass)), np.arange(small + 1.0)


def verifier(pass_rate: float, passing: int, failing: int) -> Responses:
    """Many responses that a checker accepts (reward 1) or rejects (reward 0): two tie classes.

    Args:
        pass_rate: total probability of the accepted responses, strictly between 0 and 1.
        passing: number of accepted responses, equally likely, 1 to 10^7.
        failing: number of rejected responses, equally likely, 1 to 10^7.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> log_prob, reward = verifier(0.5, 1, 2)
        >>> np.exp(log_prob).round(15).tolist(), reward.tolist()
        ([0.25, 0.25, 0.5], [0.0, 0.0, 1.0])
    """
    pass_rate = _between("pass_rate", pass_rate, 0, 1)
    counts = np.array([_count("failing", failing), _count("passing", passing)])
    log_prob = np.log([1 - pass_rate, pass_rate]) - np.log(counts)
    return np.repeat(log_prob, counts), np.repeat([0.0, 1.0], counts)


def tied_scores(size: int, scores: int, exponent: float) -> Responses:
    """Zipf-distributed responses with whole-number scores, dealt out in turn by rank.

    The response of rank k has probability k^-exponent (normalised) and score (k - 1) mod `scores`.

    Args:
        size: number of responses, 1 to 10^7.
        scores: number of different scores, 1 to 10^7.
        exponent: 0 (uniform) to 100.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> tied_scores(5, 2, 0.0)[1].tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0]
    """
    log_prob = _zipf_log_prob(exponent, size)
    return log_prob, np.arange(float(log_prob.size)) % _count("scores", scores)


def dirichlet(concentration: float, size: int, rng: np.random.Generator) -> Responses:
    """Probabilities drawn from a symmetric Dirichlet distribution, in logarithms throughout.

    Args:
        concentration: 1e-3 (nearly all mass on few responses) to 1e6 (nearly uniform).
        size: number of responses, 1 to 10^7.
        rng: source of the draw.

    Raises:
        ValueError: if an argument is anything else.

    Examples:
        >>> log_prob, _ = dirichlet(0.01, 100, np.random.default_rng(0))
        >>> round(float(np.exp(log_prob).sum()), 12), bool(np.isfinite(log_prob).all())
        (1.0, True)
    """
    concentration = _between("concentration", concentration, 1e-3, 1e6, closed=True)
    size = _count("size", size)
    # Gamma(a) = Gamma(a + 1) U^(1/a), whose logarithm does not underflow at small a
    log_gamma = np.log(rng.standard_gamma(concentration + 1, size))
    log_gamma -= rng.standard_exponential(size) / concentration
    return _normalised(log_gamma), np.arange(float(size))


def markov_language_model(
    vocabulary: int,
    max_length: int,
    scale: float,
    end_logit: float,
    reward: str,
    rng: np.random.Generator,
) -> Responses:
    """Every response of a Markov language model (`replication.policies.markov_language_model`).

    Ties under the log-likelihood are the sequences made of the same transitions, merged exactly;
    under the negative length, the sequences of one length.

    Args:
        vocabulary: number of tokens, the end token not counted.
        max_length: longest response, in tokens, 1 to 1000; at most 10^7 responses in all, and as
            many transitions between tokens.
        scale: standard deviation of the logits, 0 to 100.
        end_logit: added to the logit of the end token, -100 to 100.
        reward: "log_likelihood" or "negative_length", the two rewards of the paper's Figure 4.
        rng: source of the logits.

    Raises:
        ValueError: if an argument is anything else, or log-probabilities could fall below -512.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> log_prob, reward = markov_language_model(1, 2, 0.0, 0.0, "negative_length", rng)
        >>> np.exp(log_prob).round(12).tolist(), reward.tolist()
        ([0.5, 0.25, 0.25], [0.0, -1.0, -2.0])
    """
    vocabulary = _count("vocabulary", vocabulary)
    max_length = _count("max_length", max_length, LONGEST)
    _one_of("reward", reward, ("log_likelihood", "negative_length"))
    transitions = (vocabulary + 1) ** 2
    if max(number_of_sequences(vocabulary, max_length), transitions) > LARGEST_SIZE:
        raise ValueError(
            f"max_length = {max_length} with vocabulary = {vocabulary} gives too many responses "
            f"or transitions: expected at most {LARGEST_SIZE} of each"
        )
    model = draw_language_model(
        vocabulary,
        max_length,
        _between("scale", scale, 0, 100, closed=True),
        _between("end_logit", end_logit, -100, 100, closed=True),
        rng,
    )
    log_prob, length = enumerate_sequences(model)
    return log_prob, log_prob if reward == "log_likelihood" else (0 - length).astype(np.float64)


FAMILIES: Mapping[str, Callable[..., Responses]] = MappingProxyType(
    {
        family.__name__: family
        for family in (
            binary,
            uniform,
            probabilities,
            staircase,
            geometric,
            zipf,
            top_atom,
            verifier,
            tied_scores,
            dirichlet,
            markov_language_model,
        )
    }
)


def random_stream(seed: int, stream: int) -> np.random.Generator:
    """The random stream of a number: independent of every other, and of the simulation's.

    Args:
        seed: the seed of the whole pipeline, >= 0.
        stream: number of the stream, >= 0; policies with the same number share their draws.

    Raises:
        ValueError: if one is no whole number, or negative.

    Examples:
        >>> random_stream(1, 2).random() == random_stream(1, 2).random()
        True
    """
    for name, number in (("seed", seed), ("stream", stream)):
        if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 0:
            raise ValueError(f"{name} = {reprlib.repr(number)}: expected a whole number >= 0")
    key = (int.from_bytes(b"policy", "big"), stream)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def make_responses(family: str, parameters: Mapping[str, Any], seed: int) -> Responses:
    """The responses of a policy as the config declares it.

    Args:
        family: a name in `FAMILIES`.
        parameters: arguments of the family; `stream` stands for `rng`.
        seed: the seed of the whole pipeline.

    Raises:
        ValueError: if the family or a parameter is not valid.

    Examples:
        >>> np.exp(make_responses("binary", {"p": 0.25}, seed=0)[0]).tolist()
        [0.75, 0.25]
    """
    _one_of("family", family, FAMILIES)
    wanted = _parameters(family)
    if not isinstance(parameters, Mapping) or set(parameters) != set(wanted):
        names = ", ".join(wanted)
        raise ValueError(f"parameters = {reprlib.repr(parameters)}: expected those of {names}")
    arguments = dict(parameters)
    if "stream" in arguments:
        arguments["rng"] = random_stream(seed, arguments.pop("stream"))
    return FAMILIES[family](**arguments)


def _parameters(family: str) -> list[str]:
    names = inspect.signature(FAMILIES[family]).parameters
    return ["stream" if name == "rng" else name for name in names]


def _between(name: str, value: float, low: float, high: float, *, closed: bool = False) -> float:
    number = as_number(name, value)
    if not (low <= number <= high if closed else low < number < high):
        ends = "from {} to {}" if closed else "strictly between {} and {}"
        raise ValueError(f"{name} = {value!r}: expected a number {ends.format(low, high)}")
    return number


def _count(name: str, value: float, largest: int = LARGEST_SIZE) -> int:
    number = as_number(name, value)
    if not (1 <= number <= largest and number.is_integer()):
        raise ValueError(f"{name} = {value!r}: expected a whole number from 1 to {largest}")
    return int(number)


def _one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    if value not in tuple(allowed):
        raise ValueError(f"{name} = {value!r}: expected one of {', '.join(allowed)}")


def _normalised(log_weight: FloatArray) -> FloatArray:
    log_weight = log_weight - log_weight.max()
    log_prob: FloatArray = log_weight - np.log(np.sum(np.exp(log_weight)))
    return log_prob


def _zipf_log_prob(exponent: float, size: int) -> FloatArray:
    exponent = _between("exponent", exponent, 0, 100, closed=True)
    return _normalised(-exponent * np.log(np.arange(1.0, _count("size", size) + 1)))


def _rewards(size: int, order: str) -> FloatArray:
    """Rewards of responses listed from the likeliest to the least likely."""
    _one_of("order", order, ("ascending", "descending"))
    rank = np.arange(float(size))
    return size - 1 - rank if order == "ascending" else rank
