"""What evaluation harnesses write: lm-eval's samples, Inspect's logs, HumanEval's results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bonmeter.logs.discover import reward_paths
from bonmeter.logs.formats.base import Derived, Format
from bonmeter.logs.logprobs import openai_log_prob
from bonmeter.logs.paths import Record, getter
from bonmeter.logs.problems import Value

__all__ = ["HUMAN_EVAL", "INSPECT", "LM_EVAL"]


def _first_argument(record: Record) -> Value:
    """The prompt of an lm-eval row: the first argument of its first request."""
    arguments = record.get("arguments")
    if isinstance(arguments, dict):
        return getter("gen_args_0.arg_0")(arguments) or record["doc_id"]
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], list):
        return arguments[0][0]
    return record["doc_id"]


def _given_choices(record: Record) -> str:
    """Why an lm-eval row may hold no sampled responses."""
    resps = record["resps"]
    sampled = (
        isinstance(resps, list)
        and len(resps) == 1
        and isinstance(resps[0], list)
        and all(isinstance(text, str) for text in resps[0])
    )
    if sampled:
        return ""
    return (
        "field resps: expected one list of sampled texts, got log-likelihoods of given choices; "
        "they are no draws of the policy, so there is no best-of-n to measure"
    )


def _lm_eval_metrics(records: Sequence[Record]) -> list[str]:
    """A metric is one number a row: the reward of a candidate only where the row has just one."""
    if any(len(record["resps"][0]) > 1 for record in records):
        return []
    return list({name: None for record in records for name in record.get("metrics", ())})


def _lm_eval_remarks(records: Sequence[Record]) -> list[str]:
    if any(len(record["resps"][0]) > 1 for record in records):
        return ["a metric is one number for a row of several responses: no reward of each"]
    return []


LM_EVAL = Format(
    name="lm-evaluation-harness samples",
    holds=("doc_id", "resps", "filtered_resps"),
    columns={
        "prompt": Derived("arguments", _first_argument),
        "prompt_key": "doc_id",
        "response": "resps[0][]",
    },
    rewards=_lm_eval_metrics,
    ids=("doc_id",),
    single=("filter",),
    remarks=_lm_eval_remarks,
    refused=_given_choices,
)


def _samples(log: Record) -> Iterator[tuple[str, Record]]:
    for index, sample in enumerate(log["samples"]):
        yield f"samples[{index}]", sample


def _scorers(samples: Sequence[Record]) -> list[str]:
    """Values of scorers: numbers, verdicts, or objects of several."""
    return [path for path in reward_paths(samples, axis="") if ".value" in path]


def _first_choice(sample: Record) -> Record:
    return (getter("output.choices[0]")(sample)) or {}


def _inspect_log_prob(sample: Record) -> float | None:
    return openai_log_prob(_first_choice(sample), "output.choices[0]")


def _inspect_response(sample: Record) -> Value:
    said = getter("output.completion")(sample)
    return said if said is not None else getter("message.content")(_first_choice(sample))


def _inspect_remarks(logs: Sequence[Record]) -> Iterator[str]:
    for log in logs:
        if log.get("status") not in (None, "success"):
            yield f"the evaluation did not finish: its status is {log['status']}"
        if any(len((s.get("output") or {}).get("choices") or ()) > 1 for s in log["samples"]):
            yield "of several choices of a sample only the first, the one scored, is a candidate"


INSPECT = Format(
    name="Inspect log",
    holds=("eval", "samples[].id", "samples[].epoch", "samples[].input"),
    rows=_samples,
    columns={
        "prompt": "input",
        "prompt_key": "id",
        "response": Derived("output.completion", _inspect_response),
        "log_prob": Derived("output.choices[0].logprobs", _inspect_log_prob),
        "tokens": "output.usage.output_tokens",
        "finish": "output.choices[0].stop_reason",
    },
    rewards=_scorers,
    ids=("id", "epoch"),
    unique=("id", "epoch"),
    assumed=(
        "the epochs of a sample are draws for one prompt",
        "C counts 1, I and N 0, P one half",
        "log-prob: the sum over the listed tokens, which may leave out the end of sequence",
    ),
    remarks=_inspect_remarks,
)

HUMAN_EVAL = Format(
    name="HumanEval results",
    holds=("task_id", "completion", "passed"),
    columns={"prompt": "task_id", "response": "completion", "reward": "passed"},
)
