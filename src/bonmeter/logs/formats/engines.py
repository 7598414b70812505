"""What inference engines return: vLLM's request outputs, OpenAI's chat and plain completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bonmeter.logs.discover import reward_paths
from bonmeter.logs.formats.base import Derived, Format
from bonmeter.logs.logprobs import echo_boundary, openai_log_prob, token_sum, vllm_log_prob
from bonmeter.logs.paths import Record
from bonmeter.logs.problems import FieldProblem, Value

__all__ = ["OPENAI_BATCH", "OPENAI_CHAT", "OPENAI_COMPLETIONS", "VLLM"]

AS_SAMPLED = "log-probs are taken to be those of the distribution sampled from"
VLLM_DEFAULT = (
    f"{AS_SAMPLED}; vLLM's default are those of temperature 1 without top-p or top-k, its "
    "logprobs_mode processed_logprobs gives those sampled from"
)


def _each(record: Record, key: str) -> list[Any]:
    entries = record[key]
    if not isinstance(entries, list):
        raise FieldProblem(key, f"expected a list of candidates, got {entries!r:.60}")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise FieldProblem(f"{key}[{index}]", f"expected an object, got {entry!r:.60}")
    return entries


def _vllm_prompt(record: Record) -> Value:
    return record["prompt"] if record["prompt"] is not None else record.get("prompt_token_ids")


def _vllm_log_probs(record: Record) -> list[float | None]:
    outputs = _each(record, "outputs")
    return [vllm_log_prob(output, f"outputs[{i}]") for i, output in enumerate(outputs)]


VLLM = Format(
    name="vLLM request outputs",
    holds=("prompt", "outputs[].text"),
    columns={
        "prompt": Derived("prompt", _vllm_prompt),
        "response": "outputs[].text",
        "log_prob": Derived("outputs[].cumulative_logprob", _vllm_log_probs),
        "tokens": "outputs[].token_ids",
        "finish": "outputs[].finish_reason",
        "token_ids": "outputs[].token_ids",
    },
    rewards=partial(reward_paths, axis="outputs"),
    ids=("request_id", "outputs[].index"),
    assumed=(
        VLLM_DEFAULT,
        "log-prob: cumulative_logprob, else the sum over token_ids; an end-of-sequence token "
        "counts where it is among them",
    ),
)


def _message(choice: Record) -> Value:
    """What a choice says: its content, else its refusal, else its tool calls."""
    message = choice.get("message") or {}
    said = (message.get(key) for key in ("content", "refusal", "tool_calls", "function_call"))
    return next((value for value in said if value is not None), None)


def _chat_log_probs(record: Record) -> list[float | None]:
    choices = _each(record, "choices")
    return [openai_log_prob(choice, f"choices[{i}]") for i, choice in enumerate(choices)]


def _chat_tokens(record: Record) -> list[int | None]:
    """Tokens of each choice: those listed, or what the usage record says of a single choice."""
    choices = _each(record, "choices")
    if len(choices) == 1 and isinstance(usage := record.get("usage"), dict):
        return [usage.get("completion_tokens")]
    logprobs = [choice.get("logprobs") or {} for choice in choices]
    counts = [len([*(p.get("content") or ()), *(p.get("refusal") or ())]) for p in logprobs]
    return [count or None for count in counts]


def _openai_prompt(record: Record) -> Value:
    """The prompt where users added it, else the id of the call."""
    asked = (record.get(key) for key in ("prompt", "messages", "custom_id", "id"))
    return next((value for value in asked if value is not None), None)


ONE_CALL = "the choices of a call are draws for one prompt, named by its id where none is recorded"
PREFIXES = (
    "log-prob: the sum over the listed tokens, which leave out the end of sequence, so that a "
    "response and its continuations share probability; a token at -9999.0 leaves it unknown"
)

OPENAI_CHAT = Format(
    name="OpenAI chat completions",
    holds=("choices[].message",),
    columns={
        "prompt": Derived("id", _openai_prompt),
        "response": Derived(
            "choices[].message.content", lambda r: [_message(c) for c in _each(r, "choices")]
        ),
        "log_prob": Derived("choices[].logprobs", _chat_log_probs),
        "tokens": Derived("choices[].logprobs", _chat_tokens),
        "finish": "choices[].finish_reason",
    },
    rewards=partial(reward_paths, axis="choices"),
    ids=("id", "choices[].index"),
    unique=("id",),
    assumed=(ONE_CALL, AS_SAMPLED, PREFIXES),
)


def _batch_body(record: Record) -> list[tuple[str, Record]]:
    body = record["response"]["body"]
    return [("response.body", {**body, "custom_id": record.get("custom_id")})]


OPENAI_BATCH = replace(
    OPENAI_CHAT,
    name="OpenAI batch of chat completions",
    holds=("response.body.choices[].message",),
    rows=_batch_body,
    ids=("custom_id", "choices[].index"),
)


def _boundary(record: Record) -> int | None:
    """How many tokens of each choice are the echoed prompt's."""
    logprobs = [choice.get("logprobs") for choice in _each(record, "choices")]
    if not logprobs or any(not p or not p.get("token_logprobs") for p in logprobs):
        return None
    unknown = 0 if logprobs[0]["token_logprobs"][0] is not None else 1
    usage = record.get("usage") or {}
    return echo_boundary([p["tokens"] for p in logprobs], unknown, usage.get("prompt_tokens"))


def _completion(record: Record) -> tuple[Any, list[tuple[Any, float | None, int | None]]]:
    """The prompt, and response, log-probability and tokens of each choice."""
    prompt, skip = _openai_prompt(record), _boundary(record)
    parts: list[tuple[Any, float | None, int | None]] = []
    for index, choice in enumerate(_each(record, "choices")):
        logprobs = choice.get("logprobs") or {}
        values = logprobs.get("token_logprobs")
        if skip is None or not values:
            parts.append((choice.get("text"), None, None))
            continue
        tokens = logprobs["tokens"]
        if len(tokens) != len(values):
            raise FieldProblem(
                f"choices[{index}].logprobs",
                f"expected as many tokens as token_logprobs, got {len(tokens)} and {len(values)}",
            )
        total = token_sum(values[skip:], f"choices[{index}].logprobs.token_logprobs")
        echoed = "".join(tokens[:skip])
        text = choice.get("text")
        if echoed and isinstance(text, str) and text.startswith(echoed):
            text = text[len(echoed) :]
            prompt = record.get("prompt") or echoed
        parts.append((text, total, len(values) - skip))
    return prompt, parts


def _echo_remarks(records: Sequence[Record]) -> list[str]:
    echoed = [r for r in records if any(map(_null_first, _each(r, "choices")))]
    lost = sum(_boundary(record) is None for record in echoed)
    remarks = []
    if echoed:
        remarks.append(
            "the prompt is echoed: its tokens are left out, up to where the choices differ "
            "or usage.prompt_tokens says"
        )
    if lost:
        remarks.append(
            f"{lost} calls: where the echoed prompt ends cannot be told, so no log-prob is read"
        )
    return remarks


def _null_first(choice: Record) -> bool:
    values = (choice.get("logprobs") or {}).get("token_logprobs") or [0]
    return values[0] is None


OPENAI_COMPLETIONS = Format(
    name="OpenAI completions",
    holds=("choices[].text",),
    lacks=("choices[].message",),
    columns={
        "prompt": Derived("id", lambda record: _completion(record)[0]),
        "response": Derived("choices[].text", lambda r: [part[0] for part in _completion(r)[1]]),
        "log_prob": Derived(
            "choices[].logprobs", lambda r: [part[1] for part in _completion(r)[1]]
        ),
        "tokens": Derived("choices[].logprobs", lambda r: [part[2] for part in _completion(r)[1]]),
        "finish": "choices[].finish_reason",
    },
    rewards=partial(reward_paths, axis="choices"),
    ids=("id", "choices[].index"),
    unique=("id",),
    assumed=(ONE_CALL, AS_SAMPLED, PREFIXES),
    remarks=_echo_remarks,
)
