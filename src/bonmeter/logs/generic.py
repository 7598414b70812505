"""Logs of no known format, read by the names of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bonmeter.logs.formats.base import Format, is_reward
from bonmeter.logs.paths import Record, is_spread

__all__ = ["ALIASES", "CANONICAL", "candidate_paths", "generic"]

CANONICAL = ("prompt", "response", "reward", "log_prob", "gold_reward", "tokens", "weight")
"""Columns of the canonical table."""

ALIASES: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt_id", "instruction", "question", "problem", "query", "input", "task_id"),
    "response": ("completion", "output", "answer", "candidate", "generation", "sample", "text"),
    "log_prob": ("logprob", "cumulative_logprob", "sum_logprob", "logp", "log_probability"),
    "gold_reward": ("gold_score", "true_reward"),
    "tokens": ("token_count", "num_tokens", "completion_tokens"),
    "weight": (),
    "token_ids": ("response_token_ids", "output_token_ids", "completion_token_ids"),
}
"""Canonical name -> other names under which a column is found, in the singular."""


def generic(records: Sequence[Record]) -> Format:
    """A format made of the names found in `records`: the canonical name, else the only other one.

    Two names that could both be the column leave it to be chosen, as `rewards` of a format does.

    Args:
        records: the first records of the log.

    Examples:
        >>> generic([{"question": "a", "answers": ["b", "c"], "rewards": [0, 1]}]).columns
        {'prompt': 'question', 'response': 'answers[]'}
    """
    paths = candidate_paths(records)
    found = {name: _named(paths, name) for name in ALIASES}
    found["tokens"] = found["tokens"] or found["token_ids"]  # of which the length counts
    rewards = _called(paths, ("reward",)) or [path for path in paths if is_reward(_last(path))]
    return Format(
        name="columns by name",
        holds=(),
        columns={name: places[0] for name, places in found.items() if len(places) == 1},
        ambiguous={name: places for name, places in found.items() if len(places) > 1},
        rewards=lambda _: rewards,
        ids=("id",) if "id" in paths else (),
        unique=("id",) if "id" in paths and not any(map(is_spread, paths)) else (),
    )


def _named(paths: list[str], name: str) -> list[str]:
    return _called(paths, (name,)) or _called(paths, ALIASES[name])


def _called(paths: list[str], names: tuple[str, ...]) -> list[str]:
    wanted = {_singular(name) for name in names}
    return [path for path in paths if _singular(_last(path)) in wanted]


def _last(path: str) -> str:
    return path.rpartition(".")[2].removesuffix("[]")


def _singular(name: str) -> str:
    name = name.lower().replace("-", "_").replace(" ", "_")
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def candidate_paths(records: Sequence[Record]) -> list[str]:
    """Paths of all fields, with `[]` where the candidates of a record are.

    Examples:
        >>> candidate_paths([{"prompt": "a", "samples": [{"text": "b", "score": 1}]}])
        ['prompt', 'samples[].text', 'samples[].score']
        >>> candidate_paths([{"prompt": "a", "response": "b", "scores": [0.1, 0.2]}])
        ['prompt', 'response', 'scores']
    """
    axis = next(filter(None, map(_axis, records)), "")
    found = {path: None for record in records for path in _paths(record, axis)}
    return [path for path in found if f"{path}[]" not in found]


PARALLEL = "[]"
"""Stands for the axis of a record whose candidates lie in lists of equal length."""


def _axis(record: Record) -> str:
    """The list of objects that are candidates, or `PARALLEL`, or "" for one candidate a record."""
    for key, value in record.items():
        objects = isinstance(value, list) and value and all(isinstance(v, dict) for v in value)
        if objects and any(is_reward(k) or _is_response(k) for k in value[0]):
            return key
    responses = [value for key, value in record.items() if _is_response(key)]
    if any(isinstance(value, str) for value in responses):
        return ""
    lists = [value for value in responses if isinstance(value, list)]
    lists += [v for key, v in record.items() if is_reward(key) and isinstance(v, list)]
    texts = any(isinstance(entry, str) for entries in lists for entry in entries)
    scored = any(is_reward(key) and isinstance(v, list) for key, v in record.items())
    return PARALLEL if texts or scored else ""


def _is_response(key: str) -> bool:
    return bool(_called([key], ("response", *ALIASES["response"])))


def _paths(record: Record, axis: str) -> Iterator[str]:
    size = _size(record) if axis == PARALLEL else 0
    for key, value in record.items():
        if key == axis and isinstance(value, list):
            for entry in value:
                yield from (f"{key}[].{below}" for below in (entry or ()))
        elif isinstance(value, dict):
            yield from (f"{key}.{below}" for below in _paths(value, ""))
        elif axis == PARALLEL and isinstance(value, list) and len(value) == size:
            messages = any(isinstance(entry, dict) for entry in value)
            yield key if messages and not _is_response(key) else f"{key}[]"
        else:
            yield key


def _size(record: Record) -> int:
    """How many candidates a record of parallel lists holds."""
    lists = [v for key, v in record.items() if is_reward(key) or _is_response(key)]
    return next((len(value) for value in lists if isinstance(value, list)), 0)
