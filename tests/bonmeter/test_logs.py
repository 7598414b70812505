"""Logs as the tools write them, and as they should not be, through `read_log`."""

import gzip
import io
import json
import math
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonmeter.logs.formats.known import FORMATS
from bonmeter.logs.paths import Record
from bonmeter.logs.problems import LogProblem
from bonmeter.logs.read import read_log
from bonmeter.logs.records import open_records
from bonmeter.logs.sources import open_source
from bonmeter.logs.write import write_log

DATA = Path(__file__).parent / "data" / "logs"
NAN = math.nan

RIVER = "Name a river in Europe."
SUM = "What is 17 + 25?"
RIVERS = ["Danube", "Rhine", "Danube", "The Elbe, which rises in"]
SUMS = ["42", "42", "41", "42."]


def quiet(line: str) -> None:
    """Say nothing."""


def read(path: Path | Sequence[Path], **options: Any) -> pd.DataFrame:  # noqa: ANN401
    return read_log(path, **{"say": quiet, **options})


def written(folder: Path, content: str | bytes, name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(*records: Record) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


GOLDEN: dict[str, tuple[dict[str, str], dict[str, list[Any]]]] = {
    "vllm_request_outputs.jsonl": (
        {},
        {
            "prompt": [RIVER] * 4 + [SUM] * 4,
            "response": RIVERS + SUMS,
            "log_prob": [-0.97, -1.45, -0.97, -7.7, -0.1051, -0.1051, -3.21, -9.605],
            "tokens": [3, 2, 3, 7, 2, 2, 2, 3],
        },
    ),
    "vllm_request_outputs_no_logprobs.jsonl": (
        {},
        {"prompt": [RIVER] * 4, "response": RIVERS, "tokens": [3, 2, 3, 7]},
    ),
    "vllm_request_outputs_with_reward.jsonl": (
        {},
        {
            "prompt": [RIVER] * 4 + [SUM] * 4,
            "response": RIVERS + SUMS,
            "reward": [1.31, 0.72, 1.31, -0.4, 1, 1, 0, 1],
            "log_prob": [-0.97, -1.45, -0.97, -7.7, -0.1051, -0.1051, -3.21, -9.605],
            "tokens": [3, 2, 3, 7, 2, 2, 2, 3],
        },
    ),
    "openai_chat_completions.jsonl": (
        {},
        {
            "prompt": ["chatcmpl-example0"] * 4 + ["chatcmpl-example1"] * 4,
            "response": RIVERS + SUMS,
            "log_prob": [-0.92, NAN, -0.92, NAN, -0.105, -0.105, -3.2, -9.305],
            "tokens": [2, NAN, 2, 7, 1, 1, 1, 2],
        },
    ),
    "openai_completions_echo.jsonl": (
        {},
        {
            "prompt": [SUM] * 4,
            "response": SUMS,
            "log_prob": [-0.105, -0.105, -3.2, -9.305],
            "tokens": [1, 1, 1, 2],
        },
    ),
    "trl_completions_00010.parquet": (
        {"reward": "accuracy_reward"},
        {
            "prompt": [RIVER] * 4 + [SUM] * 4,
            "response": RIVERS + SUMS,
            "reward": [1.31, 0.72, 1.31, -0.4, 1, 1, 0, 1],
        },
    ),
    "openrlhf_batch_rm.jsonl": (
        {},
        {
            "prompt": [RIVER, SUM] * 4,
            "response": [text for pair in zip(RIVERS, SUMS, strict=True) for text in pair],
            "reward": [1.31, 1, 0.72, 1, 1.31, 0, -0.4, 1],
        },
    ),
    "verl_generations_120.jsonl": (
        {},
        {"prompt": [SUM] * 4, "response": SUMS, "reward": [1, 1, 0, 1]},
    ),
    "rewardbench_bon_v1.json": (
        {},
        {"prompt": ["0"] * 4 + ["1"] * 4, "reward": [1.31, 0.72, 1.31, -0.4, 1, 1, 0, 1]},
    ),
    "rewardbench2_eval_set_scores.json": (
        {},
        {
            "prompt": ["Factuality/0"] * 4 + ["Ties/1"] * 5,
            "response": [*RIVERS, *SUMS, "42"],
            "reward": [1.31, 0.72, 1.31, -0.4, 1, 1, 0, 1, 1],
        },
    ),
    "llm_optimization_proxy_labelled_sorted.json": (
        {},
        {
            "prompt": [RIVER] * 4 + [SUM] * 4,
            "response": [RIVERS[3], "Rhine", "Danube", "Danube", "41", "42", "42", "42."],
            "reward": [-0.4, 0.72, 1.31, 1.31, 0, 1, 1, 1],
            "gold_reward": [0.1, 0.4, -0.2, 0.9, 0, 1, 1, 1],
        },
    ),
    "search_and_learn_best_of_n.jsonl": (
        {},
        {
            "prompt": [SUM] * 4,
            "response": SUMS,
            "reward": [0.91, 0.93, 0.3, 0.96],
            "tokens": [2, 2, 2, 3],
        },
    ),
    "alpacafarm_decode.json": ({}, {"prompt": [RIVER] * 4, "response": RIVERS}),
    "alpacafarm_rerank.json": ({}, {"prompt": [RIVER] * 4, "response": RIVERS}),
    "inspect_log.json": (
        {},
        {
            "prompt": [SUM] * 4,
            "response": SUMS,
            "reward": [1, 1, 0, 1],
            "log_prob": [-0.105, -0.105, -3.2, -9.305],
            "tokens": [2, 2, 2, 2],
        },
    ),
    "human_eval_samples.jsonl_results.jsonl": (
        {},
        {"prompt": ["Example/0"] * 4, "response": SUMS, "reward": [1, 1, 0, 1]},
    ),
}
"""File -> columns that must be chosen, and the whole table that comes out."""

REFUSED = {
    "llm_optimization_bon_sampled_results.json": "mean scores for each n, no candidates",
    "samples_rivers_mc_2026-01-15T10-00-00.000000.jsonl": "log-likelihoods of given choices",
}
"""File -> why it holds no candidates."""


def assert_table(table: pd.DataFrame, expected: dict[str, list[Any]]) -> None:
    assert list(table.columns) == list(expected)
    for name, values in expected.items():
        if name in ("prompt", "response"):
            assert table[name].tolist() == values
        else:
            np.testing.assert_allclose(table[name].to_numpy(float), values, rtol=1e-12)


def test_every_sample_has_its_expectation() -> None:
    assert {path.name for path in DATA.iterdir()} == set(GOLDEN) | set(REFUSED)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    columns, expected = GOLDEN[name]
    assert_table(read(DATA / name, columns=columns), expected)


@pytest.mark.parametrize("name", REFUSED)
def test_holds_no_candidates(name: str) -> None:
    with pytest.raises(LogProblem, match=REFUSED[name]) as problem:
        read(DATA / name)
    assert name in str(problem.value)
    assert "line" in str(problem.value)


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_formats_exclude_each_other(path: Path) -> None:
    with open_source(str(path)) as stream:
        for row in open_records(stream, path.name).rows:
            assert len([kind.name for kind in FORMATS if kind.fits(row.data)]) == 1


def test_every_format_has_a_sample() -> None:
    names = {kind.name for kind in FORMATS}
    for path in DATA.iterdir():
        with open_source(str(path)) as stream:
            first = next(open_records(stream, path.name).rows)
        names -= {kind.name for kind in FORMATS if kind.fits(first.data)}
    assert names == {"OpenAI batch of chat completions"}  # tested below


def test_what_is_said() -> None:
    said: list[str] = []
    table = read(DATA / "inspect_log.json", say=said.append)
    assert table.attrs["notes"] == said
    assert "recognised Inspect log (JSON): 4 candidates of 1 prompt;" in said[0]
    assert "reward from scores.match.value" in said[0]
    assert "sampled with temperature 0.7" in said[-1]


def test_no_log_probs_is_said() -> None:
    said: list[str] = []
    read(DATA / "verl_generations_120.jsonl", say=said.append)
    assert any("no log-probabilities: KL from ranks alone" in line for line in said)


def test_several_reward_functions_must_be_chosen() -> None:
    with pytest.raises(LogProblem, match=r"accuracy_reward, format_reward.*--reward-column"):
        read(DATA / "trl_completions_00010.parquet")


def test_a_reward_may_be_null() -> None:
    said: list[str] = []
    table = read(
        DATA / "trl_completions_00010.parquet",
        columns={"reward": "format_reward"},
        say=said.append,
    )
    assert np.isnan(table["reward"]).tolist() == [False] * 3 + [True] + [False] * 4
    assert any("1 candidate without reward" in line for line in said)


# --- Containers --------------------------------------------------------------------------------

FLAT = [
    {"prompt": "p", "response": "a", "reward": 1.5, "log_prob": -0.25, "tokens": 3},
    {"prompt": "p", "response": "ü\u2028b", "reward": -0.5, "log_prob": -1.5, "tokens": 4},
    {"prompt": "q", "response": 'a,"b"\nc', "reward": 0, "log_prob": -3.0, "tokens": 0},
]
TABLE: dict[str, list[Any]] = {name: [record[name] for record in FLAT] for name in FLAT[0]}


def csv_text(separator: str = ",", end: str = "\n") -> str:
    return pd.DataFrame(FLAT).to_csv(index=False, sep=separator, lineterminator=end)


def parquet_bytes() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(FLAT).to_parquet(buffer)
    return buffer.getvalue()


CONTAINERS: dict[str, bytes] = {
    "lines": lines(*FLAT).encode(),
    "lines with CRLF, blank lines and no end": (
        b"\r\n" + lines(*FLAT).replace("\n", "\r\n\r\n").strip().encode()
    ),
    "lines of raw unicode": "\n".join(json.dumps(r, ensure_ascii=False) for r in FLAT).encode(),
    "array": json.dumps(FLAT).encode(),
    "indented array": json.dumps(FLAT, indent=2).encode(),
    "objects one after another": "".join(json.dumps(r, indent=4) for r in FLAT).encode(),
    "objects in one line": "".join(map(json.dumps, FLAT)).encode(),
    "first in a line, others indented": (
        json.dumps(FLAT[0]) + "\n" + "\n".join(json.dumps(r, indent=1) for r in FLAT[1:])
    ).encode(),
    "BOM": b"\xef\xbb\xbf" + lines(*FLAT).encode(),
    "UTF-16": lines(*FLAT).encode("utf-16"),
    "CSV": csv_text().encode(),
    "CSV with an index": pd.DataFrame(FLAT).to_csv().encode(),
    "CSV with CRLF and BOM": b"\xef\xbb\xbf" + csv_text(end="\r\n").encode(),
    "semicolons": csv_text(";").encode(),
    "tabs": csv_text("\t").encode(),
    "Parquet": parquet_bytes(),
    "gzip": gzip.compress(lines(*FLAT).encode()),
    "gzip twice, CSV": gzip.compress(gzip.compress(csv_text().encode())),
    "gzipped Parquet": gzip.compress(parquet_bytes()),
    "gzip in two members": b"".join(gzip.compress(lines(r).encode()) for r in FLAT),
    "columns": json.dumps(TABLE).encode(),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_hold_the_same(tmp_path: Path, kind: str) -> None:
    assert_table(read(written(tmp_path, CONTAINERS[kind], "log")), TABLE)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (CONTAINERS["gzip"], CONTAINERS["Parquet"], CONTAINERS["CSV"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert_table(read_log("-", say=quiet), TABLE)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz", "a.parquet"])
def test_written_and_read_again(tmp_path: Path, name: str) -> None:
    table = read(written(tmp_path, CONTAINERS["lines"]))
    write_log(table, tmp_path / name)
    assert_table(read(tmp_path / name), TABLE)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_several_files_are_one_log(tmp_path: Path) -> None:
    first = written(tmp_path, lines(*FLAT[:1]), "a.jsonl")
    second = written(tmp_path, csv_text().replace(",log_prob,", ",logprob,"), "b.csv")
    table = read([first, second])
    assert table["prompt"].tolist() == ["p", "p", "p", "q"]
    with pytest.raises(ValueError, match="given twice"):
        read([first, tmp_path / "." / "a.jsonl"])


# --- What is wrong, and where ------------------------------------------------------------------

GOOD = '{"prompt": "p", "response": "a", "reward": 1.0, "log_prob": -1.0}\n'

BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "the file is empty"),
    "blank": ("\n \n", "the file is empty"),
    "empty array": ("[]", "holds no records"),
    "cut off in a line": (GOOD + GOOD[:30], r"line 2: not JSON.*cut off"),
    "cut off array": ("[" + GOOD.strip() + ",\n" + GOOD.strip(), r"line 2.*cut off"),
    "array without comma": ("[" + GOOD + GOOD + "]", r"line 2: expected ','"),
    "no JSON": (GOOD + "nonsense\n", r"line 2: not JSON"),
    "number": (GOOD + "\n3\n", r"line 3: expected an object, got 3"),
    "deep": ("[" * 100_000, r"line 1: |item 1"),
    "key twice": (
        '{"prompt": "p", "reward": 1, "reward": 2}\n',
        r"line 1: field reward: given twice",
    ),
    "not UTF-8": (GOOD.encode() + b'{"prompt": "\xff"}\n', r"line 2: not UTF-8"),
    "word as reward": (GOOD + GOOD.replace("1.0,", '"good",'), r"line 2: field reward: .*'good'"),
    "infinite reward": (GOOD.replace("1.0,", "Infinity,"), r"line 1: field reward: .*inf"),
    "huge reward": (GOOD.replace("1.0,", "1" + "0" * 400 + ","), r"line 1: field reward"),
    "very huge reward": (GOOD.replace("1.0,", "1" + "0" * 5000 + ","), r"line 1: .*digits"),
    "object as reward": (
        GOOD + GOOD.replace("1.0,", '{"a": 1, "b": 2},'),
        r"line 2: field reward: .*several \(a, b\)",
    ),
    "step scores": (GOOD.replace("1.0,", "[1.0, 2.0],"), r"line 1: field reward: .*aggregate"),
    "log-prob above 0": (GOOD.replace("-1.0", "0.7"), r"line 1: field log_prob: .*at most 0"),
    "log-prob -inf": (GOOD.replace("-1.0", "-Infinity"), r"line 1: field log_prob: .*-inf"),
    "log-prob true": (GOOD.replace("-1.0", "true"), r"line 1: field log_prob"),
    "prompt null": (GOOD + GOOD.replace('"p"', "null"), r"line 2: field prompt: expected a prompt"),
    "no prompt": (
        '{"response": "a", "reward": 1}\n',
        r"no field names the prompt.*response, reward",
    ),
    "nothing": ('{"prompt": "p"}\n', "neither responses nor rewards"),
    "two prompts": (
        '{"question": "p", "problem": "q", "reward": 1}\n',
        r"several fields could be the prompt \(question, problem\).*--prompt-column",
    ),
    "two rewards": (
        '{"prompt": "p", "rm_score": 1, "reward_b": 2}\n',
        r"several fields could be the reward \(rm_score, reward_b\)",
    ),
    "lists of two lengths": (
        '{"prompt": "p", "responses": ["a"], "rewards": [1]}\n'
        '{"prompt": "q", "responses": ["a", "b"], "rewards": [1]}\n',
        r"line 2: field rewards\[\]: expected 2 values as in responses\[\], got 1",
    ),
    "short CSV row": ("prompt,reward\np,1\nq\n", r"line 3: expected 2 fields"),
    "long CSV row": ("prompt,reward\n\np,1,2\n", r"line 3: expected 2 fields"),
    "open quote": ('prompt,reward\n"p,1\n', r"line 2: not delimited text"),
    "CSV column twice": ("prompt,reward,reward\np,1,2\n", "column reward: named twice"),
    "CSV prompt blank": ("prompt,reward\np,1\n,1\n", r"line 3: field prompt"),
    "damaged gzip": (gzip.compress(GOOD.encode() * 99)[:-20], "cut off or damaged"),
    "damaged Parquet": (parquet_bytes()[:-9], "not a readable Parquet file"),
    "zstd": (b"\x28\xb5\x2f\xfd rest", "decompress it first"),
    "zip": (b"PK\x03\x04 rest", "not a readable zip"),
    "id twice": (
        '{"id": 1, "prompt": "p", "reward": 1}\n{"id": 1, "prompt": "p", "reward": 1}\n',
        r"line 2: a second record with id 1, the first is on line 1",
    ),
    "other format after vLLM": (
        (DATA / "vllm_request_outputs.jsonl").read_text() + GOOD,
        r"line 3: expected vLLM request outputs",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_one_message_names_file_and_place(tmp_path: Path, case: str) -> None:
    content, message = BROKEN[case]
    path = written(tmp_path, content, "broken.log")
    with pytest.raises(ValueError, match=message) as problem:
        read(path)
    assert "broken.log" in str(problem.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.jsonl: cannot be read \(No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match=r"cannot be read \(Is a directory"):
        read(tmp_path)


# --- Log-probabilities -------------------------------------------------------------------------


def vllm(*outputs: Any, **fields: Any) -> Record:  # noqa: ANN401
    return {"request_id": "0", "prompt": "p", "outputs": list(outputs), **fields}


def output(**fields: Any) -> Record:  # noqa: ANN401
    return {"index": 0, "text": "a", "token_ids": [7, 2], "reward": 1.0, **fields}


STEPS = [{"7": {"logprob": -0.5, "rank": 2}, "9": {"logprob": -0.1, "rank": 1}}, {"2": -0.25}]

VLLM_LOG_PROBS = {
    "recorded": (output(cumulative_logprob=-0.75, logprobs=None), -0.75),
    "recorded and of the tokens": (output(cumulative_logprob=-0.7501, logprobs=STEPS), -0.7501),
    "of the tokens, the drawn among others": (
        output(cumulative_logprob=None, logprobs=STEPS),
        -0.75,
    ),
    "bare numbers": (output(cumulative_logprob=None, logprobs=[-0.5, -0.25]), -0.75),
    "neither": (output(cumulative_logprob=None, logprobs=None), NAN),
    "unknown token": (output(cumulative_logprob=-9999.5, logprobs=[-9999.0, -0.5]), NAN),
    "unknown": (output(cumulative_logprob=-9999.0), NAN),
    "long": (output(cumulative_logprob=-12345.0), -12345.0),
    "rounding": (output(cumulative_logprob=1e-7), 0.0),
}


@pytest.mark.parametrize("case", VLLM_LOG_PROBS)
def test_vllm_log_probs(tmp_path: Path, case: str) -> None:
    given_output, expected = VLLM_LOG_PROBS[case]
    known = output(cumulative_logprob=-2.0)
    table = read(written(tmp_path, lines(vllm(given_output, known))))
    np.testing.assert_allclose(table["log_prob"], [expected, -2.0])


VLLM_BROKEN = {
    "mean instead of sum": (
        output(cumulative_logprob=-0.375, logprobs=STEPS),
        r"outputs\[1\]\.cumulative_logprob: expected -0\.75, the sum over the tokens, got -0\.375",
    ),
    "a token less": (output(logprobs=STEPS[:1]), r"outputs\[1\]\.logprobs: expected 2 tokens"),
    "another token": (
        output(logprobs=[{"8": -0.5}, {"2": -0.25}]),
        r"outputs\[1\]\.logprobs: expected an entry for the token drawn, 7",
    ),
    "no number": (output(cumulative_logprob=["x"]), r"line 2: field outputs\[1\]"),
    "no object": ("a", r"line 2: expected vLLM request outputs as on the lines before"),
    "infinite": (output(cumulative_logprob=-math.inf), r"outputs\[1\]\.cumulative_logprob: .*-inf"),
}


@pytest.mark.parametrize("case", VLLM_BROKEN)
def test_vllm_contradictions(tmp_path: Path, case: str) -> None:
    bad, message = VLLM_BROKEN[case]
    good = vllm(output(cumulative_logprob=-1.0))
    path = written(tmp_path, lines(good, vllm(output(cumulative_logprob=-1.0), bad)))
    with pytest.raises(LogProblem, match=message) as problem:
        read(path)
    assert "line 2" in str(problem.value)


def test_one_text_of_two_sequences_of_tokens_is_two_responses(tmp_path: Path) -> None:
    outputs = [
        output(token_ids=ids, cumulative_logprob=-1.0) for ids in ([7, 2], [3, 4, 2], [7, 2])
    ]
    said: list[str] = []
    table = read(written(tmp_path, lines(vllm(*outputs))), say=said.append)
    names = table["response"].tolist()
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("a [tokens ") for name in names)
    assert any("several sequences of tokens" in line for line in said)


def test_token_ids_of_a_plain_log_count_and_tell_apart(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "response": "a", "token_ids": ids, "reward": 1}
        for ids in ([7, 2], [3, 4, 2])
    ]
    table = read(written(tmp_path, lines(*rows)))
    assert table["tokens"].tolist() == [2, 3]
    assert table["response"].nunique() == 2


def test_logs_with_and_without_log_probs_and_token_ids_are_one(tmp_path: Path) -> None:
    same = written(tmp_path, lines(vllm(output(cumulative_logprob=-1.0))), "a.jsonl")
    plain = written(tmp_path, "prompt,reward\np,2\n", "b.csv")
    named = written(tmp_path, lines({"prompt": "p", "response": "a", "reward": 3}), "c.jsonl")
    table = read([same, plain, named])
    np.testing.assert_array_equal(table["log_prob"], [-1.0, NAN, NAN])
    assert table["response"].isna().tolist() == [False, True, False]
    assert table["reward"].tolist() == [1.0, 2.0, 3.0]


def completions(*choices: tuple[list[str], list[float | None]], **fields: Any) -> Record:  # noqa: ANN401
    return {
        "id": "cmpl-1",
        "choices": [
            {
                "index": index,
                "text": "".join(tokens),
                "logprobs": {"tokens": tokens, "token_logprobs": values},
                "reward": 1,
            }
            for index, (tokens, values) in enumerate(choices)
        ],
        **fields,
    }


def test_an_echoed_prompt_does_not_count(tmp_path: Path) -> None:
    record = completions(
        (["2", "+2=", "4"], [None, -3.0, -0.5]),
        (["2", "+2=", "4"], [None, -3.0, -0.5]),
        usage={"prompt_tokens": 2},
    )
    table = read(written(tmp_path, lines(record)))
    assert table["log_prob"].tolist() == [-0.5, -0.5]
    assert table["response"].tolist() == ["4", "4"]
    assert table["prompt"].tolist() == ["2+2="] * 2


def test_an_echoed_prompt_of_unknown_end_leaves_no_log_prob(tmp_path: Path) -> None:
    choice = (["2", "+2=", "4"], [None, -3.0, -0.5])
    said: list[str] = []
    table = read(written(tmp_path, lines(completions(choice, choice))), say=said.append)
    assert "log_prob" not in table
    assert any("where the echoed prompt ends cannot be told" in line for line in said)


def test_completions_without_echo(tmp_path: Path) -> None:
    record = completions((["a", "b"], [-0.5, -1.0]), (["a"], [-0.5]), prompt="p")
    table = read(written(tmp_path, lines(record)))
    assert table["log_prob"].tolist() == [-1.5, -0.5]
    assert table["prompt"].tolist() == ["p", "p"]


def chat(*messages: Record, **fields: Any) -> Record:  # noqa: ANN401
    choices = [{"index": i, "message": m, "reward": i} for i, m in enumerate(messages)]
    return {"id": "chat-1", "choices": choices, **fields}


def test_refusals_and_tool_calls_are_responses(tmp_path: Path) -> None:
    record = chat(
        {"content": "a", "refusal": None},
        {"content": None, "refusal": "no"},
        {"content": None, "tool_calls": [{"function": {"name": "f"}}]},
    )
    record["choices"][1]["logprobs"] = {"content": None, "refusal": [{"logprob": -0.5}]}
    table = read(written(tmp_path, lines(record)))
    assert table["response"].tolist() == ["a", "no", '[{"function":{"name":"f"}}]']
    assert table["log_prob"].tolist()[1] == -0.5


def test_a_batch_is_its_bodies(tmp_path: Path) -> None:
    batch = {"custom_id": "mine", "response": {"status_code": 200, "body": chat({"content": "a"})}}
    table = read(written(tmp_path, lines(batch)))
    assert table.iloc[0].to_dict() == {"prompt": "mine", "response": "a", "reward": 0.0}


def test_a_call_written_twice_is_refused(tmp_path: Path) -> None:
    record = chat({"content": "a"}, {"content": "a"})
    with pytest.raises(LogProblem, match=r"line 2: a second record with id chat-1"):
        read(written(tmp_path, lines(record, record)))


# --- Rewards, wherever they are ----------------------------------------------------------------


def test_log_probs_of_tokens_are_summed(tmp_path: Path) -> None:
    values = [[-0.5, -0.25], [{"token": "a", "logprob": -0.5}], [None, -1.0], [-9999.0], [], -2]
    rows = [{"prompt": "p", "reward": 1, "logprobs": value} for value in values]
    table = read(written(tmp_path, lines(*rows)))
    np.testing.assert_array_equal(table["log_prob"], [-0.75, -0.5, NAN, NAN, NAN, -2])
    rows[1]["logprobs"] = [["a"]]
    with pytest.raises(LogProblem, match=r"line 2: field logprobs: expected token log-prob.*'a'"):
        read(written(tmp_path, lines(*rows)))


REWARD_PLACES: dict[str, tuple[Record, dict[str, str]]] = {
    "beside the text": (vllm(output(reward=2.0), output(reward=0.5)), {}),
    "another name": (
        vllm(*({"text": "a", "rm_score": r} for r in (2.0, 0.5))),
        {},
    ),
    "a list in the record": (vllm({"text": "a"}, {"text": "b"}, rewards=[2.0, 0.5]), {}),
    "one of several": (
        vllm(*({"text": "a", "reward": {"help": r, "safe": 0}} for r in (2.0, 0.5))),
        {"reward": "outputs[].reward.help"},
    ),
    "one of several, by its name": (
        vllm(*({"text": "a", "reward": {"help": r, "safe": 0}} for r in (2.0, 0.5))),
        {"reward": "help"},
    ),
    "deeper, beside other things": (
        vllm(*({"text": "a", "info": {"reward": {"value": r, "by": "rm"}}} for r in (2, 0.5))),
        {},
    ),
    "a name that is none of a reward": (
        vllm(*({"text": "a", "quality": r} for r in (2.0, 0.5))),
        {"reward": "quality"},
    ),
    "lists beside each other": (
        {"question": "p", "completions": ["a", "b"], "scores": [[2.0], [0.5]]},
        {},
    ),
    "objects in a list": (
        {"prompt": "p", "candidates": [{"answer": "a", "score": r} for r in ("2", "0.5")]},
        {},
    ),
    "deep": (
        {"meta": {"prompt": "p"}, "gens": [{"out": {"t": "a"}, "m": {"v": r}} for r in (2, 0.5)]},
        {"prompt": "meta.prompt", "response": "gens[].out.t", "reward": "gens[].m.v"},
    ),
}


@pytest.mark.parametrize("case", REWARD_PLACES)
def test_rewards_are_found_or_chosen(tmp_path: Path, case: str) -> None:
    record, columns = REWARD_PLACES[case]
    table = read(written(tmp_path, lines(record)), columns=columns)
    assert table["reward"].tolist() == [2.0, 0.5]
    assert table["prompt"].tolist() == ["p", "p"]


def test_several_rewards_within_one_must_be_chosen(tmp_path: Path) -> None:
    record = vllm({"text": "a", "reward": {"help": 1, "safe": 0}})
    with pytest.raises(LogProblem, match=r"outputs\[\]\.reward\.help, outputs\[\]\.reward\.safe"):
        read(written(tmp_path, lines(record)))


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LogProblem, match=r"no field 'quality'.*prompt, response, log_prob"):
        read(written(tmp_path, GOOD), columns={"reward": "quality"})
    with pytest.raises(ValueError, match=r"columns\['rewards'\]: expected one of prompt"):
        read(written(tmp_path, GOOD), columns={"rewards": "reward"})


def test_verdicts_are_rewards(tmp_path: Path) -> None:
    values = [True, "C", "i", "true", "FALSE", "passed", 1, 0.5, None, "", "0.25"]
    path = written(tmp_path, lines(*({"prompt": "p", "reward": value} for value in values)))
    expected = [1, 1, 0, 1, 0, 1, 1, 0.5, NAN, NAN, 0.25]
    np.testing.assert_array_equal(read(path)["reward"], expected)


def test_large_integers_stay_apart(tmp_path: Path) -> None:
    rewards = [2**60 + i for i in range(4)]
    path = written(tmp_path, lines(*({"prompt": "p", "reward": value} for value in rewards)))
    assert read(path)["reward"].tolist() == rewards
    mixed = written(tmp_path, lines(*({"prompt": "p", "reward": v} for v in [*rewards, 0.5])))
    with pytest.raises(LogProblem, match="line 2: field reward: expected a number that a float"):
        read(mixed)


def test_no_prompt_is_one_prompt_if_told_so(tmp_path: Path) -> None:
    path = written(tmp_path, "reward\n1\n2\n")
    assert read(path, one_prompt=True)["prompt"].nunique() == 1


def test_half_a_surrogate_pair_is_kept_apart(tmp_path: Path) -> None:
    records = [{"prompt": "p", "response": text, "reward": 1} for text in ("\ud83d", "\ud83e")]
    assert read(written(tmp_path, lines(*records)))["response"].tolist() == ["\\ud83d", "\\ud83e"]


# --- Rewards in a second file ------------------------------------------------------------------

VLLM_FILE = DATA / "vllm_request_outputs.jsonl"
SCORES = [1.31, 0.72, 1.31, -0.4, 1, 1, 0, 1]
BY_INDEX = [
    {"request_id": str(i // 4), "index": i % 4, "score": score} for i, score in enumerate(SCORES)
]

JOINS = {
    "by ids, in another order": lines(*reversed(BY_INDEX)),
    "ids as numbers, CSV": pd.DataFrame(BY_INDEX).to_csv(index=False),
    "a list for each request": lines(
        {"request_id": 0, "rewards": SCORES[:4]}, {"request_id": 1, "rewards": SCORES[4:]}
    ),
    "by texts": (DATA / "openrlhf_batch_rm.jsonl").read_text(),
    "ids and more than is needed": lines(*BY_INDEX, {"request_id": "9", "index": 0, "score": 5}),
}


@pytest.mark.parametrize("case", JOINS)
def test_rewards_are_joined(tmp_path: Path, case: str) -> None:
    table = read(VLLM_FILE, rewards=written(tmp_path, JOINS[case]))
    assert table["reward"].tolist() == SCORES
    assert table["log_prob"].iloc[0] == -0.97


BAD_JOINS = {
    "one is missing": (
        lines(*BY_INDEX[1:]),
        r"outputs\.jsonl, line 1: no reward in .*request_id '0', index '0'",
    ),
    "two for one": (
        lines(*BY_INDEX, {**BY_INDEX[2], "score": 9}),
        r"line 9: another reward for the candidate of line 3",
    ),
    "nothing in common": (lines({"name": 1, "score": 2}), "nothing to join the rewards by"),
    "no reward": (lines({"request_id": "0", "index": 1}), "expected a reward of each candidate"),
}


@pytest.mark.parametrize("case", BAD_JOINS)
def test_rewards_that_do_not_match(tmp_path: Path, case: str) -> None:
    content, message = BAD_JOINS[case]
    with pytest.raises(LogProblem, match=message):
        read(VLLM_FILE, rewards=written(tmp_path, content))


def test_join_by_a_field_of_both(tmp_path: Path) -> None:
    log = written(tmp_path, lines({"key": "x", "prompt": "p"} | {"response": "a"}), "a.jsonl")
    scores = written(tmp_path, lines({"key": "x", "reward": 3}), "b.jsonl")
    assert read(log, rewards=scores, join_on=["key"])["reward"].tolist() == [3.0]


# --- Traps of single formats -------------------------------------------------------------------


def lm_eval(doc: int, texts: list[str], kind: str = "none", **metrics: float) -> Record:
    return {
        "doc_id": doc,
        "doc": {},
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": "2+2=", "arg_1": {"until": []}}},
        "resps": [texts],
        "filtered_resps": [texts[0]],
        "filter": kind,
        "metrics": list(metrics),
        **metrics,
    }


def test_lm_eval_rows_of_one_response(tmp_path: Path) -> None:
    path = written(tmp_path, lines(lm_eval(0, ["4"], exact=1.0), lm_eval(0, ["5"], exact=0.0)))
    table = read(path)
    assert table["response"].tolist() == ["4", "5"]
    assert table["reward"].tolist() == [1.0, 0.0]
    assert table["prompt"].tolist() == ["2+2="] * 2


def test_lm_eval_repeats_have_no_reward_of_their_own(tmp_path: Path) -> None:
    table = read(written(tmp_path, lines(lm_eval(0, ["4", "5", "4"], exact=1.0))))
    assert list(table) == ["prompt", "response"]
    assert len(table) == 3


def test_lm_eval_filters_are_not_draws(tmp_path: Path) -> None:
    rows = [lm_eval(0, ["4"], "strict", exact=0.0), lm_eval(0, ["4"], "flexible", exact=1.0)]
    path = written(tmp_path, lines(*rows))
    with pytest.raises(LogProblem, match=r"line 2: field filter: 'flexible' here and 'strict'"):
        read(path)
    assert read(path, where={"filter": "flexible"})["reward"].tolist() == [1.0]
    with pytest.raises(LogProblem, match=r"no candidates with the values asked for"):
        read(path, where={"filter": "other"})


def test_lm_eval_documents_of_one_text_stay_apart(tmp_path: Path) -> None:
    path = written(tmp_path, lines(lm_eval(0, ["4"], exact=1.0), lm_eval(1, ["4"], exact=0.0)))
    assert read(path)["prompt"].tolist() == ["2+2= [0]", "2+2= [1]"]


def inspect(epoch: int, scores: Record, **fields: Any) -> Record:  # noqa: ANN401
    choice = {"message": {"content": "4"}, "stop_reason": "stop"}
    answer = {"choices": [choice], "completion": "4"}
    base = {"id": 1, "epoch": epoch, "input": "2+2=", "output": answer, "scores": scores}
    return {**base, **fields}


def inspect_log(*samples: Record) -> Record:
    return {"version": 2, "status": "success", "eval": {"task": "t"}, "samples": list(samples)}


def test_inspect_scorers_must_be_chosen(tmp_path: Path) -> None:
    log = inspect_log(
        inspect(1, {"match": {"value": "C"}, "judge": {"value": {"tone": 0.5, "fact": 0.25}}}),
        inspect(2, {"match": {"value": "P"}, "judge": {"value": {"tone": 0.0, "fact": 1}}}),
    )
    path = written(tmp_path, json.dumps(log))
    with pytest.raises(LogProblem, match=r"scores\.match\.value, scores\.judge\.value\.tone"):
        read(path)
    assert read(path, columns={"reward": "match"})["reward"].tolist() == [1.0, 0.5]
    assert read(path, columns={"reward": "fact"})["reward"].tolist() == [0.25, 1.0]


def test_inspect_samples_that_failed_have_no_reward(tmp_path: Path) -> None:
    failed = {
        **inspect(2, {}),
        "output": {"choices": []},
        "scores": None,
        "error": {"message": "x"},
    }
    table = read(
        written(tmp_path, json.dumps(inspect_log(inspect(1, {"m": {"value": 1}}), failed)))
    )
    np.testing.assert_array_equal(table["reward"], [1, NAN])


def test_inspect_archive(tmp_path: Path) -> None:
    log = json.loads((DATA / "inspect_log.json").read_text())
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for sample in log.pop("samples"):
            archive.writestr(f"samples/1_epoch_{sample['epoch']}.json", json.dumps(sample))
        archive.writestr("header.json", json.dumps(log))
        archive.writestr("summaries.json", "[]")
    assert_table(read(path), GOLDEN["inspect_log.json"][1])


def test_steps_are_different_policies(tmp_path: Path) -> None:
    text = (DATA / "verl_generations_120.jsonl").read_text()
    first = written(tmp_path, text, "120.jsonl")
    second = written(tmp_path, text.replace("120", "140"), "140.jsonl")
    with pytest.raises(LogProblem, match=r"140\.jsonl, line 1: field step: '140' here and '120'"):
        read([first, second])
    assert len(read([first, second], where={"step": "140"})) == 4


def test_one_log_is_of_one_policy(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "reward": 1, "temperature": t} for t in (0.5, 0.5, 1.0)]
    path = written(tmp_path, lines(*rows))
    with pytest.raises(LogProblem, match=r"line 3: field temperature: '1.0' here and '0.5'"):
        read(path)
    assert len(read(path, where={"temperature": "0.5"})) == 2


def test_same_input_with_another_reference_answer_is_another_prompt(tmp_path: Path) -> None:
    row = {"input": "p", "output": "a", "score": 1.0, "step": 1}
    path = written(tmp_path, lines({**row, "gts": "a"}, {**row, "gts": "b", "score": 0.0}))
    assert read(path)["prompt"].tolist() == ["p [a]", "p [b]"]


def test_step_scores_are_aggregated_as_told(tmp_path: Path) -> None:
    record = json.loads((DATA / "search_and_learn_best_of_n.jsonl").read_text())
    del record["agg_scores"]
    path = written(tmp_path, lines(record))
    with pytest.raises(LogProblem, match=r"field scores\[1\]: expected one reward, got 2 scores"):
        read(path)
    for aggregate, expected in (
        ("last", [0.91, 0.93, 0.3, 0.96]),
        ("min", [0.91, 0.88, 0.3, 0.9]),
        ("prod", [0.91, 0.88 * 0.93, 0.3, 0.9 * 0.97 * 0.96]),
    ):
        np.testing.assert_allclose(read(path, aggregate=aggregate)["reward"], expected)
    with pytest.raises(ValueError, match="aggregate = 'median': expected one of last, min"):
        read(path, aggregate="median")


def test_rewardbench_2_repeats_ids(tmp_path: Path) -> None:
    log: Record = {
        "id": ["30", "30"],
        "subset": ["F", "F"],
        "text": [["a"], ["b"]],
        "scores": [[1], [2]],
    }
    table = read(written(tmp_path, json.dumps(log)))
    assert table["prompt"].tolist() == ["F/30 [0]", "F/30 [1]"]
    log["id"].append("31")
    with pytest.raises(LogProblem, match=r"columns of equal length, got .*'id': 3"):
        read(written(tmp_path, json.dumps(log)))
    log = {"id": ["1"], "subset": ["F"], "text": [["a", "b"]], "scores": [[1]]}
    with pytest.raises(LogProblem, match=r"in entry 0: field scores\[\]: expected 2 values"):
        read(written(tmp_path, json.dumps(log)))


def test_several_models_are_several_policies(tmp_path: Path) -> None:
    text = (DATA / "rewardbench_bon_v1.json").read_text()
    both = text + text.replace("example/policy", "example/other")
    with pytest.raises(LogProblem, match=r"field model: 'example/other' here"):
        read(written(tmp_path, both))
    with pytest.raises(LogProblem, match=r"a second record with model example/policy, id\[0\] 0"):
        read(written(tmp_path, text + text))


def test_candidates_of_vllm_may_come_one_by_one(tmp_path: Path) -> None:
    records = [vllm(output(reward=float(i)), request_id=str(i)) for i in range(3)]
    table = read(written(tmp_path, lines(*records)))
    assert table["prompt"].nunique() == 1
    assert table["reward"].tolist() == [0.0, 1.0, 2.0]


def test_prompts_of_token_ids_and_of_messages(tmp_path: Path) -> None:
    table = read(written(tmp_path, lines(vllm(output(), prompt=None, prompt_token_ids=[1, 5]))))
    assert table["prompt"].tolist() == ["[1,5]"]
    messages = [{"role": "user", "content": "p"}]
    row = {"prompt": messages, "completion": [{"role": "assistant", "content": "a"}], "reward": 1}
    table = read(written(tmp_path, lines(row)))
    assert table["response"].tolist() == ["a"]


def test_cut_off_responses_are_counted() -> None:
    said: list[str] = []
    read(VLLM_FILE, say=said.append)
    assert any(
        line.endswith("1 response cut off at the limit of tokens: part of that policy as drawn")
        for line in said
    )


# --- Anything at all ---------------------------------------------------------------------------

TEXT = st.text(max_size=5)
NUMBER = st.floats(-1e6, 1e6) | st.integers(-(2**53), 2**53)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"prompt": TEXT, "response": TEXT, "reward": NUMBER, "log_prob": st.floats(-900, 0)}
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.sampled_from([".jsonl", ".jsonl.gz", ".parquet"]))
def test_any_table_survives_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Record], ending: str
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    table = read(written(folder, lines(*rows)))
    np.testing.assert_array_equal(table["reward"], [float(row["reward"]) for row in rows])
    write_log(table, folder / f"again{ending}")
    again = read(folder / f"again{ending}")
    pd.testing.assert_frame_equal(
        again.astype({"prompt": str}), table.astype({"prompt": str}), check_exact=True
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "logprobs", "content", "reward", "a", "message", "index"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
SAMPLES = [path for path in sorted(DATA.iterdir()) if path.suffix != ".parquet"]


def read_or_none(log: Path) -> pd.DataFrame | None:
    """The table, or None if it was refused by a message that names the file."""
    try:
        return read(log)
    except LogProblem as problem:
        if str(log) not in str(problem):
            raise
        return None


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_mutilated_log_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(SAMPLES))
    with open_source(str(path)) as stream:
        records = [row.data for row in open_records(stream, path.name).rows]
    holder: Any = records
    for _ in range(data.draw(st.integers(1, 6))):
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(holder[key], dict | list) or not holder[key]:
            break
        holder = holder[key]
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = data.draw(st.sampled_from(keys))
    if data.draw(st.booleans()):
        del holder[key]
    else:
        holder[key] = data.draw(JSON)
    log = written(tmp_path_factory.mktemp("logs"), json.dumps(records))
    table = read_or_none(log)
    if table is not None:
        assert len(table) > 0
        assert table["prompt"].notna().all()


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    log = written(tmp_path_factory.mktemp("logs"), content)
    with pytest.raises(LogProblem, match=r"log\.jsonl"):
        read(log)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 3000), st.sampled_from(SAMPLES))
def test_a_log_cut_off_anywhere_is_never_read_in_part(
    tmp_path_factory: pytest.TempPathFactory, size: int, path: Path
) -> None:
    whole = path.read_bytes()
    log = written(tmp_path_factory.mktemp("logs"), whole[:size])
    table = read_or_none(log)
    if table is None:
        return
    with open_source(str(log)) as stream:
        kept = sum(1 for _ in open_records(stream, "").rows)
    assert len(table) >= kept  # whole records only
    assert whole[:size].rstrip().endswith((b"}", b"]"))
