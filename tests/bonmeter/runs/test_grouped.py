"""Logs larger than memory: the same numbers as in one piece, and memory that does not grow."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bonmeter.cli.app import app
from bonmeter.logs.grouped import group_log, read_grouped
from bonmeter.logs.problems import LogProblem
from bonmeter.logs.read import read_log
from bonmeter.runs import summarise

pytestmark = pytest.mark.filterwarnings("ignore::bonmeter.pools.reliability.ThinPoolWarning")
DATA = Path(__file__).parents[1] / "data" / "logs"


def quiet(line: str) -> None:
    """Say nothing."""


def run(prompts: int, candidates: int, seed: int = 0) -> pd.DataFrame:
    """Rows in no order, pools of several sizes; verdicts, ties, and prompts without log_prob."""
    rng = np.random.default_rng(seed)
    size = rng.integers(candidates // 2, candidates + 1, prompts)
    prompt = np.repeat(np.arange(prompts), size)
    response = rng.geometric(0.05, prompt.size)
    reward = np.where(prompt % 3 == 0, response % 2, np.sin(response * 1.7 + prompt))
    log_prob = np.log(0.05) + (response - 1) * np.log(0.95)
    frame = pd.DataFrame(
        {
            "prompt": [f"prompt {p}" for p in prompt],
            "response": [f"response {r}" for r in response],
            "reward": reward,
            "log_prob": np.where(prompt % 5 == 0, np.nan, log_prob),
            "gold_reward": np.where(prompt % 7 == 0, np.nan, response % 3),
            "tokens": response + 3,
            "weight": 1.0 + prompt % 4,
        }
    )
    return frame.sample(frac=1, random_state=seed)


def parts(frame: pd.DataFrame, size: int) -> "list[pd.DataFrame]":
    prompts = frame["prompt"].unique()
    groups = [prompts[k : k + size] for k in range(0, len(prompts), size)]
    return [frame[frame["prompt"].isin(group)] for group in groups]


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal up to rounding."""
    pd.testing.assert_frame_equal(one, other, rtol=1e-12, atol=1e-13, check_exact=False)


@pytest.mark.parametrize("n", [None, [1, 2, 5, 16]])
@pytest.mark.parametrize("size", [1, 7, 40])
def test_table_by_table_is_as_in_one(n: Any, size: int) -> None:  # noqa: ANN401
    frame = run(40, 32)
    same(summarise(iter(parts(frame, size)), n), summarise(frame, n))


@pytest.mark.parametrize("reward", ["constant", "binary", "one verdict that is none"])
def test_where_only_all_tables_together_tell(reward: str) -> None:
    """All prompts alike, all binary: known of each table, true of the whole only at its end."""
    frame = run(24, 12, seed=1)
    values: dict[str, Any] = {
        "constant": 1.0,
        "binary": frame["tokens"] % 2,
        "one verdict that is none": 0.0,
    }
    frame["reward"] = values[reward]
    if reward.startswith("one"):
        last = frame.iloc[-1]
        one = (frame["prompt"] == last["prompt"]) & (frame["response"] == last["response"])
        frame.loc[one, "reward"] = 0.5
    whole = summarise(frame)
    assert ("pass_rate" in set(whole["quantity"])) == (not reward.startswith("one"))
    same(summarise(parts(frame, 5)), whole)
    if reward == "constant":  # the reward too, by the pools' own intervals
        assert whole.loc[whole["quantity"] == "reward", "lower"].notna().all()


def test_a_prompt_in_two_tables_is_refused() -> None:
    frame = run(4, 8)
    halves = [frame.iloc[: len(frame) // 2], frame.iloc[len(frame) // 2 :]]
    with pytest.raises(ValueError, match=r"prompt 'prompt .': in several of the tables"):
        summarise(halves)
    whole = parts(frame, 2)
    with pytest.raises(ValueError, match="some tables have a column 'weight'"):
        summarise([whole[0], whole[1].drop(columns="weight")])
    with pytest.raises(ValueError, match="expected at least one table"):
        summarise([])
    with pytest.raises(ValueError, match=r"n = 99.* from 1 to 8"):
        summarise(parts(frame, 2), 99)
    with pytest.raises(ValueError, match="quantities: 'best' cannot be told"):
        summarise(parts(frame, 2), quantities=["best"])


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv", "log.parquet"])
def test_a_grouped_log_has_the_same_candidates_and_numbers(name: str, tmp_path: Path) -> None:
    frame = run(50, 16).dropna(subset="gold_reward")
    log, folder = tmp_path / name, tmp_path / "grouped"
    if log.suffix == ".jsonl":
        frame.to_json(log, orient="records", lines=True, double_precision=15)
    elif log.suffix == ".csv":
        frame.to_csv(log, index=False)
    else:
        frame.to_parquet(log, index=False)
    group_log(log, folder, parts=4, say=quiet)
    whole = read_log(log, say=quiet)
    tables = list(read_grouped(folder, rows=20))
    assert sum(table["prompt"].nunique() for table in tables) == whole["prompt"].nunique()
    joined = pd.concat(tables, ignore_index=True)
    columns = [str(name) for name in whole]
    one, other = (
        x.astype({"prompt": str}).sort_values(columns).reset_index(drop=True)[columns]
        for x in (whole, joined)
    )
    pd.testing.assert_frame_equal(one, other)
    same(summarise(iter(tables)), summarise(whole))


def test_candidates_keep_their_order_and_files_are_one_log(tmp_path: Path) -> None:
    frame = run(20, 10)
    for k, half in enumerate((frame.iloc[:90], frame.iloc[90:].drop(columns="tokens"))):
        half.to_json(tmp_path / f"{k}.jsonl", orient="records", lines=True, double_precision=15)
    files = [tmp_path / "0.jsonl", tmp_path / "1.jsonl"]
    group_log(files, tmp_path / "grouped", parts=4, say=quiet)
    whole = read_log(files, say=quiet)
    for table in read_grouped(tmp_path / "grouped"):
        for prompt, rows in table.groupby("prompt", observed=True):
            kept = whole.loc[whole["prompt"] == prompt, "response"]
            assert rows["response"].tolist() == kept.tolist()


def test_known_formats_are_grouped_too(tmp_path: Path) -> None:
    for path in sorted(DATA.glob("vllm*reward.jsonl")):
        group_log(path, tmp_path / "grouped", parts=2, say=quiet)
        whole = read_log(path, say=quiet)
        table = pd.concat(read_grouped(tmp_path / "grouped"))
        assert sorted(table["response"]) == sorted(whole["response"])
        same(summarise(read_grouped(tmp_path / "grouped"), [1, 2]), summarise(whole, [1, 2]))


def test_what_is_wrong_leaves_no_folder(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rows = [{"prompt": "p", "id": k, "response": "a", "reward": 1} for k in (1, 2, 1)]
    log.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(LogProblem, match=r"line 3: a second record with id 1, .* line 1"):
        group_log(log, tmp_path / "grouped", parts=2, say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    with pytest.raises(ValueError, match="exists"):
        group_log(log, tmp_path, say=quiet)


def test_a_copy_in_another_chunk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bonmeter.logs.table.CHUNK", 2)
    test_what_is_wrong_leaves_no_folder(tmp_path)


def test_errors_name_the_file_of_the_folder_and_the_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"prompt": list("aabb"), "response": list("xyzz"), "reward": [1, 2, 3, 4]})
    frame.assign(log_prob=-2.0).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet, row 3 and .*a.parquet, row 4\): reward: can"):
        summarise(read_grouped(tmp_path, rows=1), 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "expected a folder with files"), (b"text", "a.parquet: not a readable Parquet file")],
)
def test_what_is_no_such_folder(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(LogProblem, match=message):
        summarise(read_grouped(tmp_path))


def test_command_line(tmp_path: Path) -> None:
    log, folder = tmp_path / "log.csv", tmp_path / "grouped"
    run(20, 16).to_csv(log, index=False)

    def printed(*arguments: object) -> Any:  # noqa: ANN401
        result = CliRunner().invoke(app, [*map(str, arguments)])
        assert result.exit_code == 0, result.stderr
        return result

    made = printed("convert", log, "--by-prompt", "-o", folder)
    assert re.search(r"grouped: \d+ candidates of 20 prompts", made.stderr)
    tables = [json.loads(printed("table", x, "--json").stdout)["rows"] for x in (log, folder)]
    same(*map(pd.DataFrame, tables))
    for command in ("diagnose", "frontier"):
        printed(command, folder)
    for wrong in (
        ["table", folder, log],
        ["table", folder, "--where", "a=b"],
        ["convert", log, "--by-prompt", "-o", folder],
        ["convert", log, "--by-prompt", "--rewards", log, "-o", tmp_path / "other"],
    ):
        assert CliRunner().invoke(app, [*map(str, wrong)]).exit_code == 3


MEASURE = """
import resource, sys
from bonmeter.logs.grouped import group_log, read_grouped
from bonmeter.runs import summarise
group_log(sys.argv[1], sys.argv[2], parts=16, say=lambda line: None)
summarise(read_grouped(sys.argv[2], rows=10_000), [1, 2, 4], quantities=["reward", "win_rate"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """Six times the candidates, whose responses alone are 280 MB more."""
    peaks = []
    for prompts in (40, 240):
        log = tmp_path / f"{prompts}.jsonl"
        with log.open("w") as file:
            for k in range(prompts * 200):
                row = {"prompt": k % prompts, "reward": k * 7 % 13, "response": f"{k}" + "x" * 7000}
                print(json.dumps(row), file=file)
        arguments = [sys.executable, "-c", MEASURE, str(log), str(tmp_path / f"folder {prompts}")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 140


@pytest.mark.parametrize("asked", [{"n": 99}, {"quantities": ["kl", "tokens"]}])
def test_what_one_table_cannot_tell_is_said_before_the_work(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    def work(*arguments: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("bonmeter.runs.parts.told", work)
    table = pd.DataFrame({"prompt": "a", "reward": [0.0, 1.0, 5.0]})
    with pytest.raises(ValueError, match=next(iter(asked))):
        summarise(table, **asked)
    with pytest.raises(AssertionError):
        summarise(table, 2)
