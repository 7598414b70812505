"""What fields records have, where their candidates lie, and which fields may be rewards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from bonmeter.logs.cells import NUMERAL, VERDICTS
from bonmeter.logs.paths import Record
from bonmeter.logs.problems import Value

__all__ = ["ALIASES", "candidate_paths", "is_reward", "last_name", "reward_paths", "singular"]

ALIASES: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt_id", "instruction", "question", "problem", "query", "input", "task_id"),
    "response": ("completion", "output", "answer", "candidate", "generation", "sample", "text"),
    "log_prob": ("logprob", "cumulative_logprob", "sum_logprob", "logp", "log_probability"),
    "gold_reward": ("gold_score", "true_reward"),
    "tokens": ("token_count", "num_tokens", "completion_tokens"),
    "weight": (),
    "token_ids": ("response_token_ids", "output_token_ids", "completion_token_ids"),
}
"""Canonical name -> other names under which a column is found, singular or plural."""

REWARD = re.compile(r"(^|[_\-\s])(reward|score)s?($|[_\-\s\d])", re.IGNORECASE)
"""Names that a column of rewards may have."""

NOT_THE_PROXY = re.compile(r"^(gold|true)[_\-\s]", re.IGNORECASE)

PARALLEL = "[]"
"""Stands for the axis of a record whose candidates lie in lists of equal length."""


def is_reward(name: str) -> bool:
    """Whether a column of that name may hold rewards by which candidates are selected.

    Examples:
        >>> is_reward("rm_score"), is_reward("gold_score"), is_reward("underscore")
        (True, False, False)
    """
    return bool(REWARD.search(name)) and not NOT_THE_PROXY.search(name)


def last_name(path: str) -> str:
    """The last name of a path.

    Examples:
        >>> last_name("outputs[].reward"), last_name("scores[]")
        ('reward', 'scores')
    """
    return path.rpartition(".")[2].removesuffix("[]")


def singular(name: str) -> str:
    """A name in small letters, with underscores and without the s of a plural.

    Examples:
        >>> singular("Log-Probs"), singular("loss")
        ('log_prob', 'loss')
    """
    name = name.lower().replace("-", "_").replace(" ", "_")
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


RESPONSES = {"response", *ALIASES["response"]}


def candidate_paths(records: Sequence[Record], axis: str | None = None) -> list[str]:
    """Paths of all fields, with `[]` where the candidates of a record are.

    Args:
        records: the first ones of a log.
        axis: the list of candidates; looked for by names if None.

    Examples:
        >>> candidate_paths([{"prompt": "a", "samples": [{"text": "b", "score": 1}]}])
        ['prompt', 'samples[].text', 'samples[].score']
        >>> candidate_paths([{"prompt": "a", "response": "b", "scores": [0.1, 0.2]}])
        ['prompt', 'response', 'scores']
    """
    found = dict.fromkeys(path for path, _ in _fields(records, axis))
    return [path for path in found if f"{path}[]" not in found]


def reward_paths(records: Sequence[Record], axis: str | None = None) -> list[str]:
    """Paths of fields that may hold rewards: named like one, or within what is, and with scores.

    Args:
        records: the first ones of a log.
        axis: the list of candidates; looked for by names if None.

    Examples:
        >>> reward_paths([{"outputs": [{"text": "a", "reward": {"help": 1, "by": "me"}}]}])
        ['outputs[].reward.help']
    """
    found = dict.fromkeys(
        path
        for path, value in _fields(records, axis)
        if any(map(is_reward, _names(path))) and _is_score(value)
    )
    return [path for path in found if f"{path}[]" not in found]


def _names(path: str) -> list[str]:
    """Names along a path, but for that of a list of objects: `scores[].value` is about a value."""
    names = path.split(".")
    kept = names if len(names) == 1 else [name for name in names if not name.endswith("[]")]
    return [name.removesuffix("[]") for name in kept]


def _is_score(value: Value) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_is_score, value))
    if isinstance(value, str):
        return bool(NUMERAL.fullmatch(value.strip())) or value.strip().lower() in VERDICTS
    return isinstance(value, int | float | Decimal)


def _fields(records: Sequence[Record], axis: str | None) -> Iterator[tuple[str, Value]]:
    if axis is None:
        axis = next(filter(None, map(_axis, records)), "")
    for record in records:
        yield from _fields_of(record, axis)


def _axis(record: Record) -> str:
    """The list of objects that are candidates, or `PARALLEL`, or "" for one candidate a record."""
    for key, value in record.items():
        if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            named = (is_reward(name) or singular(name) in RESPONSES for name in value[0])
            if any(named):
                return key
    responses = [value for key, value in record.items() if singular(key) in RESPONSES]
    if any(isinstance(value, str) for value in responses):
        return ""
    scored = any(is_reward(key) and isinstance(value, list) for key, value in record.items())
    lists = (value for value in responses if isinstance(value, list))
    return PARALLEL if scored or any(isinstance(v, str) for each in lists for v in each) else ""


def _fields_of(record: Record, axis: str) -> Iterator[tuple[str, Value]]:
    size = _size(record, axis)
    for key, value in record.items():
        if isinstance(value, list) and (key == axis or _is_beside(key, value, axis, size)):
            for entry in value:
                yield from _leaves(f"{key}[]", entry)
        else:
            yield from _leaves(key, value)


def _size(record: Record, axis: str) -> int:
    """How many candidates a record holds, -1 if it is one itself."""
    if axis == PARALLEL:
        lists = [v for key, v in record.items() if is_reward(key) or singular(key) in RESPONSES]
        return next((len(value) for value in lists if isinstance(value, list)), 0)
    value = record.get(axis)
    return len(value) if isinstance(value, list) else -1


def _is_beside(key: str, value: list[Value], axis: str, size: int) -> bool:
    """Whether a list holds a value for each candidate."""
    if size < 0:
        return False
    if is_reward(key) or (axis == PARALLEL and singular(key) in RESPONSES):
        return True  # whatever its length, which is complained of elsewhere
    if axis != PARALLEL:
        return NOT_THE_PROXY.search(key) is not None
    return len(value) == size and not any(isinstance(entry, dict) for entry in value)


def _leaves(path: str, value: Value) -> Iterator[tuple[str, Value]]:
    """What is no object at `path` or below."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(f"{path}.{key}", below)
    else:
        yield path, value
