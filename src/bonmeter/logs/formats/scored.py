"""What code for best-of-n and reward models writes: many candidates of a prompt, with scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bonmeter.logs.formats.base import Derived, Format
from bonmeter.logs.paths import Record, has
from bonmeter.logs.problems import FieldProblem, Value

__all__ = [
    "ALPACA_FARM",
    "LLM_OPTIMIZATION",
    "LLM_OPTIMIZATION_RESULTS",
    "REWARD_BENCH",
    "REWARD_BENCH_2",
    "SEARCH_AND_LEARN",
]


def _instruction(record: Record) -> Value:
    """The instruction with the input that it is about."""
    parts = [record.get("instruction"), record.get("input")]
    return "\n\n".join(part for part in parts if isinstance(part, str) and part) or None


INSTRUCTION = Derived("instruction", _instruction)

REWARD_BENCH = Format(
    name="RewardBench best-of-n scores",
    holds=("id[0]", "id[1]", "model", "scores"),
    lacks=("text", "subset"),
    columns={"prompt": "id[0]", "reward": "scores"},
    ids=("id[0]", "id[1]"),
    unique=("model", "id[0]", "id[1]"),
    single=("model",),
    assumed=("no texts: equal responses cannot be told, nor named",),
)

PARALLEL = ("id", "subset", "text", "scores")


def _transposed(record: Record) -> Iterator[tuple[str, Record]]:
    """The rows of an object of parallel columns."""
    sizes = {name: len(record[name]) for name in PARALLEL}
    if len(set(sizes.values())) > 1:
        raise FieldProblem("scores", f"expected columns of equal length, got {sizes}")
    for index, values in enumerate(zip(*(record[name] for name in PARALLEL), strict=True)):
        yield f"entry {index}", {**dict(zip(PARALLEL, values, strict=True)), "entry": index}


REWARD_BENCH_2 = Format(
    name="RewardBench 2 scores",
    holds=tuple(f"{name}[]" for name in PARALLEL),
    rows=_transposed,
    columns={
        "prompt": Derived("id", lambda entry: f"{entry['subset']}/{entry['id']}"),
        "prompt_key": "entry",
        "response": "text[]",
        "reward": "scores[]",
    },
    assumed=(
        "the benchmark's texts come from several sources: read as if one policy had drawn them",
    ),
)

LLM_OPTIMIZATION = Format(
    name="llm_optimization labelled answers",
    holds=("instruction", "answers[]"),
    columns={
        "prompt": INSTRUCTION,
        "response": "answers[]",
        "reward": "proxy_scores[]",
        "gold_reward": "gold_scores[]",
    },
    assumed=("answers may be sorted by score: their order says nothing",),
)

LLM_OPTIMIZATION_RESULTS = Format(
    name="llm_optimization best-of-n results",
    holds=("n", "proxy_score", "gold_score"),
    lacks=("prompt", "answer", "instruction"),
    columns={},
    refused=lambda _: (
        "it holds mean scores for each n, no candidates: "
        "expected the labelled answers from which it was made"
    ),
)


def _step_scores(records: Sequence[Record]) -> list[str]:
    """Scores of whole completions if the log has them, else of their steps."""
    return ["agg_scores[]" if all(has(r, "agg_scores[]") for r in records) else "scores[]"]


SEARCH_AND_LEARN = Format(
    name="search-and-learn best-of-n",
    holds=("problem", "completions[]", "scores[]"),
    columns={
        "prompt": "problem",
        "prompt_key": "answer",
        "response": "completions[]",
        "tokens": "completion_tokens[]",
    },
    rewards=_step_scores,
)

ALPACA_FARM = Format(
    name="AlpacaFarm decoded or reranked outputs",
    holds=("instruction", "output[]"),
    columns={"prompt": INSTRUCTION, "response": "output[]"},
    assumed=("no scores are kept, and which output came first is no reward",),
)
