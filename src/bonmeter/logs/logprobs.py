"""Log-probabilities of whole responses from those of their tokens.

The rules, the same for every format:

* The log-probability of a response is the sum over its tokens, in nats; an end-of-sequence token
  counts where the log lists it.
* A token without one leaves that of the response unknown. Tokens of an echoed prompt, of which the
  first has none, do not count.
* -9999.0 is what OpenAI's and vLLM's servers write for "too unlikely to say": unknown as well, as
  is the least number of float16, and whatever is below a million nats.
* What was drawn has positive probability: -inf is refused, and so is a positive log-probability
  beyond rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum, isclose
from typing import Any, cast

from bonmeter.logs.problems import FieldProblem, Value, shown
from bonmeter.pools.identity import STAND_INS

__all__ = ["ROUNDING", "echo_boundary", "openai_log_prob", "token_sum", "vllm_log_prob"]

ROUNDING = 1e-4
"""A log-probability that exceeds 0 by no more than this is read as 0."""

MISMATCH = 0.01
"""Largest difference, relative or in nats, between a recorded sum and the sum of its tokens."""


def token_sum(values: Iterable[float | None], field: str) -> float | None:
    """The sum of token log-probabilities, None if one is unknown.

    Examples:
        >>> token_sum([-0.5, -0.25], "logprobs"), token_sum([-0.5, -9999.0], "logprobs")
        (-0.75, None)
    """
    numbers = list(values)
    for value in numbers:
        if value is None or value in STAND_INS:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value > ROUNDING:
            raise FieldProblem(field, f"expected token log-probabilities, got {shown(value)}")
    return fsum(number for number in numbers if number is not None)


def vllm_log_prob(output: dict[str, Any], field: str) -> float | None:
    """The log-probability of one of vLLM's outputs: the recorded sum, else that of its tokens.

    Raises:
        FieldProblem: if both are there and disagree.

    Examples:
        >>> vllm_log_prob({"token_ids": [7], "logprobs": [{"7": {"logprob": -0.5}}]}, "outputs[0]")
        -0.5
    """
    recorded: float | None = output.get("cumulative_logprob")
    steps = output.get("logprobs")
    if steps is None:
        return recorded
    name = f"{field}.logprobs"
    if not isinstance(steps, list):
        raise FieldProblem(name, f"expected a list with one entry a token, got {shown(steps)}")
    ids = output.get("token_ids") or [None] * len(steps)
    if len(ids) != len(steps):
        raise FieldProblem(name, f"expected {len(ids)} tokens as in token_ids, got {len(steps)}")
    total = token_sum(
        [_vllm_token(step, token, name) for step, token in zip(steps, ids, strict=True)], name
    )
    if recorded is None or total is None:
        return total
    if not isclose(recorded, total, rel_tol=MISMATCH, abs_tol=MISMATCH):
        raise FieldProblem(
            f"{field}.cumulative_logprob",
            f"expected {total:.6g}, the sum over the tokens, got {shown(recorded)}",
        )
    return recorded


def _vllm_token(step: Value, token: int | None, field: str) -> float | None:
    """The log-probability of the token drawn at one step, among the alternatives listed there."""
    if not isinstance(step, dict):
        return cast("float | None", step)  # a bare number, or null
    entries = {key: entry for key, entry in step.items() if entry is not None}
    if token is None and len(entries) == 1:
        entry = next(iter(entries.values()))
    elif (entry := entries.get(str(token))) is None:
        raise FieldProblem(field, f"expected an entry for the token drawn, {token}")
    value = entry.get("logprob") if isinstance(entry, dict) else entry  # bare before vLLM 0.4.1
    return cast("float | None", value)


def openai_log_prob(choice: dict[str, Any], field: str) -> float | None:
    """The log-probability of a choice of a chat completion, from its content and refusal.

    Examples:
        >>> openai_log_prob({"logprobs": {"content": [{"token": "a", "logprob": -0.5}]}}, "choice")
        -0.5
    """
    logprobs = choice.get("logprobs")
    if logprobs is None:
        return None
    tokens = [*(logprobs.get("content") or ()), *(logprobs.get("refusal") or ())]
    if not tokens:
        return None
    return token_sum([token.get("logprob") for token in tokens], f"{field}.logprobs")


def echo_boundary(choices: list[list[str]], unknown: int, prompt_tokens: int | None) -> int | None:
    """How many tokens of echoed completions are the prompt's, None if that cannot be told.

    At least those without log-probability, at most those that all choices begin with; what the
    usage record says counts if it lies between.

    Args:
        choices: the tokens of each choice.
        unknown: how many tokens at the front have no log-probability.
        prompt_tokens: what the usage record says.

    Examples:
        >>> echo_boundary([["2+2=", "4"], ["2+2=", "5"]], 1, None)
        1
        >>> echo_boundary([["2", "+2=", "4"], ["2", "+2=", "4"]], 1, 2)
        2
        >>> echo_boundary([["2", "+2=", "4"], ["2", "+2=", "4"]], 1, None) is None
        True
    """
    if unknown == 0:
        return 0
    shared = 0
    for tokens in zip(*choices, strict=False):
        if len(set(tokens)) > 1:
            break
        shared += 1
    if prompt_tokens is not None and unknown <= prompt_tokens <= shared:
        return prompt_tokens
    return unknown if shared == unknown else None
