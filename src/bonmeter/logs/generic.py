"""Logs of no known format, read by the names of their columns."""

from __future__ import annotations

from collections.abc import Sequence

from bonmeter.logs.discover import ALIASES, candidate_paths, last_name, reward_paths, singular
from bonmeter.logs.formats.base import Format
from bonmeter.logs.paths import Record, is_spread

__all__ = ["CANONICAL", "generic"]

CANONICAL = ("prompt", "response", "reward", "log_prob", "gold_reward", "tokens", "weight")
"""Columns of the canonical table."""


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
    found = {name: _called(paths, name) or _called(paths, *ALIASES[name]) for name in ALIASES}
    found["tokens"] = found["tokens"] or found["token_ids"]  # of which the length counts
    rewards = _called(paths, "reward") or reward_paths(records)
    return Format(
        name="columns by name",
        holds=(),
        columns={name: places[0] for name, places in found.items() if len(places) == 1},
        ambiguous={name: places for name, places in found.items() if len(places) > 1},
        rewards=lambda _: rewards,
        ids=("id",) if "id" in paths else (),
        unique=("id",) if "id" in paths and not any(map(is_spread, paths)) else (),
    )


def _called(paths: list[str], *names: str) -> list[str]:
    wanted = {singular(name) for name in names}
    return [path for path in paths if singular(last_name(path)) in wanted]
