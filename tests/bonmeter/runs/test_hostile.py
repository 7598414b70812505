"""Tables and logs that do not say what they seem to: refused, or read by a stated rule."""

import copy
import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bonmeter.logs.problems import LogProblem
from bonmeter.logs.read import read_log
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.estimate import kl_interval
from bonmeter.runs import compare, diagnose, summarise

pytestmark = pytest.mark.filterwarnings("ignore::bonmeter.pools.reliability.ThinPoolWarning")
LARGE = [2**60 + k for k in range(4)]
Frame = pd.DataFrame


def table(**columns: Any) -> Frame:  # noqa: ANN401
    return Frame({"prompt": ["a"] * 4, "reward": [0, 1, 2, 3], **columns})


def objects(*values: Any) -> "pd.Series[Any]":  # noqa: ANN401
    return pd.Series(list(values), dtype=object)


def value(frame: Frame, quantity: str = "win_rate", n: int = 2) -> float:
    return float(summarise(frame, n, quantities=[quantity])["estimate"].iloc[0])


REFUSED = {
    "large objects": (table(reward=objects(*LARGE)), r"\['reward'\], row 0: 1152.*up to 2\^53"),
    "large, one missing": (table(reward=objects(None, *LARGE[1:])), r"row 1: 1152.*up to 2\^53"),
    "large texts": (table(reward=list(map(str, LARGE))), r"row 0: '1152.*up to 2\^53"),
    "beyond int64": (table(reward=objects(0, 1, 2, 2**70)), r"row 3: 118.*up to 2\^53"),
    "the least integer": (table(reward=[0, 1, 2, -(2**63)]), r"row 3: -922.*up to 2\^53"),
    "dates": (table(reward=pd.date_range("2026", periods=4)), "row 0: Timestamp.* a number"),
    "one date": (table(reward=objects(0, 1, dt.date(2026, 1, 1), 2)), "row 2: .*a number"),
    "times": (table(reward=pd.to_timedelta([1, 2, 3, 4])), "row 0: Timedelta.* a number"),
    "complex": (table(reward=[0, 1, 2, 1j]), r"row 0: 0j, expected a number"),
    "grades": (table(reward=["C", "I", "C", "C"]), r"row 0: 'C', .*a grade as one"),
    "column twice": (
        Frame([["a", 1, 2]], columns=["prompt", "reward", "reward"]),
        "several columns 'reward'",
    ),
    "prompts of lists": (table(prompt=[[1]] * 4), r"\['prompt'\], row 0: \[1\], .*text"),
    "responses without order": (table(response=[{1}] * 4), r"\['response'\], row 0: \{1\}"),
    "truth values": (table(log_prob=[False] * 4), r"\['log_prob'\], row 0: False"),
    "some truth values": (table(log_prob=objects(-1, -2, True, -3)), "row 2: True"),
    "least float32": (table(log_prob=[-1, -2, -3.4e38, -4]), r"row 2: -3.4e\+38"),
    "least float16": (table(log_prob=[-1, -2, -65504.0, -4]), "row 2: -65504.0"),
    "no table": ([{"prompt": "a", "reward": 1}], "expected a DataFrame"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("call", [summarise, diagnose, lambda frame: compare(frame, frame)])
def test_what_would_be_misread_is_refused(name: str, call: Callable[[Frame], object]) -> None:
    frame, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call(frame)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantities": "kl"}, "quantities = 'kl': expected a list"),
        ({"quantities": []}, "quantities = "),
        ({"level": "x"}, "level must hold real numbers"),
        ({"precision": "x"}, "precision must hold real numbers"),
        ({"missing_reward": np.inf}, "missing_reward = inf: expected a finite"),
        ({"missing_reward": "0"}, "missing_reward must hold real numbers"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarise(table(), **options)


@pytest.mark.parametrize(
    "reward",
    [
        objects(True, False, False, None),
        objects(Decimal(1), Decimal(0), 0.0, None),
        pd.Categorical([1, 0, 0, None]),
        pd.array([1, 0, 0, None], dtype="Int64"),
        pd.array([1.0, 0.0, 0.0, None], dtype="double[pyarrow]"),
        np.array([1, 0, 0, np.nan], dtype=np.float16),
    ],
)
def test_numbers_of_any_type_are_the_same(reward: Any) -> None:  # noqa: ANN401
    frame = table(reward=reward)
    assert value(frame, "pass_rate") == pytest.approx(2 / 3)
    assert value(frame.astype({"reward": object}), "pass_rate") == pytest.approx(2 / 3)


def test_responses_may_be_token_ids() -> None:
    log_prob, reward = [-1.5, -2.0, -3.0, -1.5], [1, 2, 3, 1]
    lists: list[list[Any]] = [[[1], [2, 3], [4], [1]], [np.array([k]) for k in (1, 2, 4, 1)]]
    named = value(table(reward=reward, log_prob=log_prob, response=list("abca")), "kl")
    for response in lists:
        assert value(table(reward=reward, log_prob=log_prob, response=response), "kl") == named


def test_the_type_of_a_column_tells_its_precision() -> None:
    log_prob = np.array([-1.153, -1.427, -1.911, -2.187], dtype=np.float16)
    tables = [table(log_prob=log_prob.astype(kind)) for kind in (np.float16, np.float32)]
    half, single = (summarise(frame, 2, quantities=["kl"]).iloc[0] for frame in tables)
    own = kl_interval(log_prob, [0, 1, 2, 3], 2)
    assert (half["lower"], half["upper"]) == pytest.approx((own.lower, own.upper), abs=1e-12)
    assert half["upper"] - half["lower"] > single["upper"] - single["lower"]


def as_float32(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float32).astype(np.float64)


def test_rewards_that_came_in_float32_tie_as_they_do_there() -> None:
    near = float(np.nextafter(np.float32(0.1), np.float32(1)))
    reward = [*as_float32(0.1), near] * 16 + [0.0] * 32
    frame = Frame({"prompt": "a", "reward": reward})
    assert value(frame, "kl", 32) == pytest.approx(0.68533468)
    apart = frame.assign(reward=frame["reward"].replace(near, near + 1e-12))
    assert value(apart, "kl", 32) == pytest.approx(1.36285852)  # no numbers of float32


# where it stands


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / name
    if path.suffix == ".csv":
        Frame(rows).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        Frame(rows).to_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return path


def rows(**last: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    found: list[dict[str, Any]] = [
        {"prompt": f"p{k % 3}", "response": f"r{k}", "reward": k, "log_prob": -1.0 - k, "weight": 1}
        for k in range(12)
    ]
    return [*found[:-1], {**found[-1], **last}]


PLACE = {
    "log.jsonl": ("line 12", "line 3"),
    "log.json": ("line 1, item 12", "line 1, item 3"),
    "log.csv": ("line 13", "line 4"),
    "log.parquet": ("row 12", "row 3"),
}


@pytest.mark.parametrize("name", PLACE)
@pytest.mark.parametrize(
    ("last", "message"),
    [
        ({"weight": 3}, "{last}: field weight: 3.0, expected one weight"),
        ({"response": "r2"}, r"prompt 'p2' \({file}{first} and {last}\): reward: candidates 0 "),
        ({"response": "r2", "reward": 2}, r"prompt 'p2' \({file}{first} and {last}\): log_prob"),
        ({"log_prob": 0.0}, r"prompt 'p2' \({file}{first} on\): log_prob: the probabilities"),
    ],
)
def test_an_error_of_a_read_table_names_file_and_line(
    name: str, last: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, name, rows(**last))
    file = f"{path}, "
    expected = message.format(file=file, last=file + PLACE[name][0], first=PLACE[name][1])
    if "weight" not in last and "log_prob" not in last and "reward" in last:
        expected = expected.replace("log_prob", "log_prob: candidates 0 and 3 are one")
    frame = read_log(path, say=lambda line: None)
    for one in (frame, frame.astype({"prompt": str}), copy.deepcopy(frame)):
        with pytest.raises(ValueError, match=expected):
            summarise(one, 1)


def test_the_place_is_that_of_the_row_or_none(tmp_path: Path) -> None:
    path = written(tmp_path, "log.jsonl", rows(response="r2"))
    frame = read_log(path, say=lambda line: None)
    turned = frame[frame["prompt"] == "p2"].sort_values("reward", ascending=False)
    with pytest.raises(ValueError, match=r"line 12 and .*line 3\): reward: candidates 0 and 3"):
        summarise(turned, 1)
    for unknown in (
        turned.reset_index(drop=True),
        frame.assign(reward=frame["reward"] * 2),
        frame.set_index(frame.index + 5),
        Frame(frame.to_dict("list")),
    ):
        with pytest.raises(ValueError, match="prompt 'p2': reward: candidates"):
            summarise(unknown, 1)


def test_a_place_within_a_record_and_in_one_of_two_files(tmp_path: Path) -> None:
    record = {"prompt": "p", "request_id": "1"}
    outputs = [{"text": t, "reward": 1, "cumulative_logprob": -2.0} for t in "aba"]
    first = written(tmp_path, "a.jsonl", [{**record, "outputs": outputs[:2]}])
    last = {**record, "request_id": "2", "outputs": [{**outputs[2], "cumulative_logprob": -9.0}]}
    second = written(tmp_path, "b.jsonl", [last])
    frame = read_log([first, second], say=lambda line: None)
    with pytest.raises(ValueError, match=r"a.jsonl, line 1, candidate 0 and .*b.jsonl, line 1, ca"):
        summarise(frame, 1)


def test_places_take_little_and_hinder_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "log.jsonl", rows())
    frame = read_log(path, say=lambda line: None)
    places = frame.attrs["places"]
    assert copy.deepcopy(frame).attrs["places"] is places
    arrays = list(places._at.values())
    assert sum(array.nbytes for array in arrays) < 40
    assert [array.size for array in arrays] == [1, 12, 1, 1]  # what is alike is kept once
    frame.to_parquet(tmp_path / "out.parquet")
    frame.to_pickle(tmp_path / "out.pickle")
    assert pd.read_parquet(tmp_path / "out.parquet").equals(pd.read_pickle(tmp_path / "out.pickle"))
    assert len(pd.concat([frame, frame])) == 24


# logs


def read(folder: Path, *records: Any) -> Frame:  # noqa: ANN401
    path = folder / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return read_log(path, say=lambda line: None)


BASE = {"prompt": "p", "response": "a", "reward": 1}
MISREAD = {
    "a token above 0": ([{**BASE, "log_prob": [-3, 0.2]}], "line 1: field log_prob: .* got 0.2"),
    "half a token": ([{**BASE, "tokens": 1.5}], "line 1: field tokens: .*got 1.5"),
    "fewer than none": ([{**BASE, "tokens": -2.0}], "line 1: field tokens: .*got -2.0"),
    "no weight": ([BASE | {"weight": 1}, BASE | {"weight": 0}], "line 2: field weight: .*got 0"),
    "one metric for two": (
        [{"doc_id": 0, "resps": [["a", "b"]], "filtered_resps": ["a"], "reward": 1.0}],
        "line 1: field reward: expected a value for each of 2 candidates, got one for all",
    ),
}


@pytest.mark.parametrize("name", MISREAD)
def test_what_a_log_cannot_mean(name: str, tmp_path: Path) -> None:
    records, message = MISREAD[name]
    path = written(tmp_path, "log.jsonl", records)
    with pytest.raises(LogProblem, match=message):
        read_log(path, say=lambda line: None, columns={"reward": "reward"})


def test_a_list_that_is_not_of_the_candidates_is_left_aside(tmp_path: Path) -> None:
    record = {"prompt": "p", "responses": ["a", "b"], "rewards": [1, 2], "log_probs": [-1, -2, -3]}
    frame = read(tmp_path, record)
    assert "log_prob" not in frame  # it was -6 for both
    assert "log_probs is one value for several candidates: left aside" in frame.attrs["notes"][-1]
    path = written(tmp_path, "log.jsonl", [record])
    with pytest.raises(LogProblem, match="field log_probs: expected a value for each of 2"):
        read_log(path, say=lambda line: None, columns={"log_prob": "log_probs"})


@pytest.mark.parametrize("column", ["log_prob", "gold_reward", "tokens", "reward"])
def test_a_column_that_begins_late_is_not_lost(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"prompt": "p", "response": "b"}
    late = read(tmp_path, *[first] * 1500, {**first, column: -1 if column == "log_prob" else 1})
    assert late[column].notna().sum() == 1
    monkeypatch.setattr("bonmeter.logs.table.CHUNK", 1200)
    with pytest.raises(LogProblem, match=f"line 1501: field {column}: no {column} is among the fi"):
        read(tmp_path, *[first] * 1500, {**first, column: -1})


@pytest.mark.parametrize("value", [-9999.0, -65504.0, -1e9, -3.4e38, [-1.0, -9999.0]])
def test_a_stand_in_leaves_the_log_probability_unknown(value: Any, tmp_path: Path) -> None:  # noqa: ANN401
    frame = read(tmp_path, {**BASE, "log_prob": value}, {**BASE, "log_prob": -1.0})
    assert frame["log_prob"].isna().tolist() == [True, False]
    assert "1 candidate without log_prob" in " ".join(frame.attrs["notes"])


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-32"),
        lambda text: b"\x00\x00\xfe\xff" + text.encode("utf-32-be"),
        lambda text: text.replace("\n", "\n\ufeff").encode("utf-8-sig"),
    ],
    ids=["utf-32", "utf-32 big endian", "files with marks, appended"],
)
def test_encodings(encode: Callable[[str], bytes], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(encode("\n".join(json.dumps({**BASE, "response": t}) for t in "aéb")))
    assert read_log(path, say=lambda line: None)["response"].tolist() == ["a", "é", "b"]


# rewards in a second file

LOG = [{"id": name, "prompt": "p", "response": name} for name in "xy"]
SCORES = [{"id": name, "a_score": k, "b_score": -k} for k, name in enumerate("xy")]


def joined(folder: Path, log: Any, scores: Any, **options: Any) -> Frame:  # noqa: ANN401
    files = written(folder, "log.jsonl", log), written(folder, "scores.jsonl", scores)
    return read_log(files[0], rewards=files[1], say=lambda line: None, **options)


def test_the_reward_of_a_second_file_can_be_chosen(tmp_path: Path) -> None:
    options = {"columns": {"reward": "b_score", "gold_reward": "a_score"}}
    frame = joined(tmp_path, LOG, SCORES, **options)
    assert frame["reward"].tolist() == [0, -1]
    assert frame["gold_reward"].tolist() == [0, 1]


def test_gold_rewards_may_come_from_a_second_file(tmp_path: Path) -> None:
    scores = [{"id": row["id"], "gold_score": 7} for row in LOG]
    frame = joined(tmp_path, [{**row, "reward": 1} for row in LOG], scores)
    assert frame[["reward", "gold_reward"]].to_numpy().tolist() == [[1, 7], [1, 7]]


def test_rewards_that_are_replaced_are_said(tmp_path: Path) -> None:
    scores = [{"id": row["id"], "reward": 7} for row in LOG]
    frame = joined(tmp_path, [{**row, "reward": 1} for row in LOG], scores)
    assert frame["reward"].tolist() == [7, 7]
    assert frame.attrs["notes"][-1].endswith("joined by id; in place of reward of the log")


def test_nothing_identifies_nothing(tmp_path: Path) -> None:
    scores = [{"id": row["id"], "reward": 7} for row in LOG]
    with pytest.raises(LogProblem, match=r"log.jsonl, line 2: field id: expected what identifies"):
        joined(tmp_path, [LOG[0], {**LOG[1], "id": None}], scores)
    texts = [{"prompt": "p", "response": text} for text in ("a", None)]
    with pytest.raises(LogProblem, match="line 2: field response: expected what identifies"):
        joined(tmp_path, texts, [{**row, "reward": 1} for row in texts])


@pytest.mark.parametrize("at", ["n", "kl"])
def test_runs_that_weigh_prompts_differently_are_not_compared(at: str) -> None:
    first = Frame({"prompt": list("aabb"), "reward": [0, 1, 2, 3], "weight": [1, 1, 2, 2]})
    assert len(compare(first, first, at=at))
    with pytest.raises(ValueError, match=r"prompt 'b' has 2.0 in the first run and 1.0 in"):
        compare(first, first.assign(weight=1), at=at)
    with pytest.raises(ValueError, match="weight: one run has it"):
        compare(first.drop(columns="weight"), first, at=at)
