"""Every format known by name.

To add one, write a `Format` and list it here; no two may fit the same record.
"""

from __future__ import annotations

from bonmeter.logs.formats import engines, evaluation, scored, training
from bonmeter.logs.formats.base import Format

__all__ = ["FORMATS"]

FORMATS: tuple[Format, ...] = (
    engines.VLLM,
    engines.OPENAI_CHAT,
    engines.OPENAI_BATCH,
    engines.OPENAI_COMPLETIONS,
    training.TRL,
    training.OPENRLHF,
    training.VERL,
    evaluation.LM_EVAL,
    evaluation.INSPECT,
    evaluation.HUMAN_EVAL,
    scored.REWARD_BENCH,
    scored.REWARD_BENCH_2,
    scored.LLM_OPTIMIZATION,
    scored.LLM_OPTIMIZATION_RESULTS,
    scored.SEARCH_AND_LEARN,
    scored.ALPACA_FARM,
)
"""Every format known by name; anything else is read by the names of its columns."""
