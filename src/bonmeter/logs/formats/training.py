"""What training libraries write: completions of TRL, rewards of OpenRLHF, generations of verl."""

from __future__ import annotations

from collections.abc import Sequence

from bonmeter.logs.formats.base import Format
from bonmeter.logs.paths import Record

__all__ = ["OPENRLHF", "TRL", "VERL"]

TRL_FIXED = {"step", "prompt", "completion", "advantage"}


def _reward_functions(records: Sequence[Record]) -> list[str]:
    """TRL names a column after each reward function."""
    found = {
        key: None
        for record in records
        for key, value in record.items()
        if key not in TRL_FIXED and isinstance(value, int | float)
    }
    return list(found)


TRL = Format(
    name="completions logged by a TRL trainer",
    holds=("step", "prompt", "completion", "advantage"),
    columns={"prompt": "prompt", "response": "completion"},
    rewards=_reward_functions,
    single=("step",),
    assumed=("the advantage is relative to its group and no reward",),
)

OPENRLHF = Format(
    name="OpenRLHF batch rewards",
    holds=("input", "output", "reward"),
    lacks=("score", "step"),
    columns={"prompt": "input", "response": "output", "reward": "reward"},
    assumed=("rows with the same input are draws for one prompt, adjacent or not",),
)

VERL = Format(
    name="verl generations",
    holds=("input", "output", "score", "step"),
    columns={"prompt": "input", "prompt_key": "gts", "response": "output", "reward": "score"},
    single=("step",),
    assumed=("the reward is score; other reward fields are left aside",),
)
