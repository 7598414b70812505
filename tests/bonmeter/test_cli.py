"""The command line: through its runner, and as a process."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from bonmeter import analytical_kl, kl_estimator, read_log
from bonmeter.cli.app import app
from bonmeter.runs.compare import compare
from bonmeter.runs.diagnose import diagnose
from bonmeter.runs.frontier import frontier
from bonmeter.runs.plan import plan, pool_size
from bonmeter.runs.summary import per_prompt, summarise

DATA = Path(__file__).parent / "data" / "logs"
SCORED = str(DATA / "vllm_request_outputs_with_reward.jsonl")
UNSCORED = str(DATA / "vllm_request_outputs.jsonl")
REWARDS = str(DATA / "openrlhf_batch_rm.jsonl")

pytestmark = pytest.mark.filterwarnings("ignore::bonmeter.pools.reliability.ThinPoolWarning")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def rows(result: Result) -> pd.DataFrame:
    assert result.exit_code == 0, result.stderr
    return pd.DataFrame(json.loads(result.stdout)["rows"])


def assert_same(printed: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(printed) == list(expected)
    for name in expected:
        if expected[name].dtype.kind == "f":
            values = pd.to_numeric(printed[name]).to_numpy(float)
            np.testing.assert_array_equal(values, expected[name].to_numpy())
        else:
            assert printed[name].tolist() == expected[name].tolist()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log of three prompts with 40 candidates each."""
    rng = np.random.default_rng(np.random.SeedSequence(5))
    size, prompts = 40, ["a", "b", "c"]
    response = rng.integers(0, 30, (len(prompts), size))
    path = tmp_path_factory.mktemp("log") / "runs.csv"
    pd.DataFrame(
        {
            "prompt": np.repeat(prompts, size),
            "response": response.ravel(),
            "reward": (response % 7).ravel() / 2,
            "log_prob": -math.log(30),
        }
    ).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def candidates(log: str) -> pd.DataFrame:
    return read_log(log, say=lambda line: None)


def test_table_prints_what_summarise_returns(log: str, candidates: pd.DataFrame) -> None:
    result = run("table", log, "-n", "1-3,8", "-n", "4", "--json", "--level", "0.9")
    expected = summarise(candidates, [1, 2, 3, 4, 8], level=0.9)
    assert_same(rows(result), expected)
    assert json.loads(result.stdout)["notes"][0].startswith(log)


def test_table_of_each_prompt_as_csv(log: str, candidates: pd.DataFrame) -> None:
    result = run("table", log, "-n", "4", "-q", "reward", "--per-prompt", "--csv")
    expected = per_prompt(candidates, 4, quantities=["reward"])
    assert result.stdout == expected.to_csv(index=False, lineterminator="\n")


def test_table_to_read(log: str) -> None:
    result = run("table", log, "-n", "2,40", "-q", "kl", "-q", "win_rate")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["n", "kl", "win_rate"]
    assert lines[1].split()[0] == "2"
    assert "[" in lines[1]
    assert "too few candidates" in result.stdout
    assert "recognised columns by name (CSV): 120 candidates of 3 prompts" in result.stderr
    assert "warning: n exceeds a tenth" in result.stderr or "warning:" in result.stderr


def test_compare_frontier_plan_and_diagnose(
    log: str, candidates: pd.DataFrame, tmp_path: Path
) -> None:
    other = candidates.assign(reward=candidates["reward"] + 0.25)
    second = tmp_path / "second.parquet"
    other.astype({"prompt": str}).to_parquet(second)
    assert_same(
        rows(run("compare", log, str(second), "-n", "2", "--json")),
        compare(candidates, other, [2]),
    )
    assert_same(rows(run("frontier", log, "-n", "2", "--json")), frontier(candidates, [2]))
    assert_same(
        rows(run("plan", log, "--target", "win_rate=0.7", "--target", "kl=1", "--json")),
        plan(candidates, {"win_rate": 0.7, "kl": 1.0}),
    )
    assert_same(
        rows(run("plan", log, "--width", "0.5", "-n", "2", "-q", "reward", "--json")),
        pool_size(candidates, [2], 0.5, quantities=["reward"]),
    )
    assert_same(rows(run("diagnose", log, "--json")), diagnose(candidates))
    for command in (["compare", log, str(second)], ["plan", log, "--target", "kl=1"]):
        assert run(*command).exit_code == 0


def test_kl_without_a_log() -> None:
    result = rows(run("kl", "--n", "16", "--log-prob", "-5", "--json"))
    assert result["kl_formula"].tolist() == [float(analytical_kl(16))]
    assert result["kl_estimator"].tolist() == [float(kl_estimator(-5.0, 16))]
    assert run("kl", "--n", "1,2.5").stdout.split() == [
        "n",
        "kl_formula",
        "1",
        "0",
        "2.5",
        "0.3163",
    ]


def test_report(log: str, tmp_path: Path) -> None:
    page, tables = tmp_path / "report.html", tmp_path / "tables"
    asked = ["report", log, "-o", str(page), "--title", "A & B", "--tables", str(tables), "-n", "4"]
    result = run(*asked)
    assert result.exit_code == 0, result.stderr
    html = page.read_text(encoding="utf-8")
    assert "A &amp; B</h1>" in html
    assert "120 candidates of 3 prompts" in html  # what reading said
    assert (tables / "summary.csv").is_file()
    assert run("report", "-", "-o", str(page), stdin=Path(log).read_bytes()).exit_code == 0
    assert run("report", UNSCORED, "-o", str(tmp_path / "none.html")).exit_code == 3
    assert not (tmp_path / "none.html").exists()


def test_rewards_from_a_second_file() -> None:
    first = rows(run("table", UNSCORED, "--rewards", REWARDS, "--json"))
    second = rows(run("table", SCORED, "--json"))
    pd.testing.assert_frame_equal(first, second)


def test_convert(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert run("convert", SCORED, "-o", str(path)).exit_code == 0
    expected = read_log(SCORED, say=lambda line: None)
    again = read_log(path, say=lambda line: None)
    pd.testing.assert_frame_equal(again.astype({"prompt": str}), expected.astype({"prompt": str}))
    printed = run("convert", UNSCORED, "-o", "-")  # without rewards, to be scored
    assert len(printed.stdout.splitlines()) == 8
    assert json.loads(printed.stdout.splitlines()[0])["response"] == "Danube"
    assert run("convert", SCORED, "-o", str(tmp_path / "a.txt")).exit_code == 3


def test_standard_input() -> None:
    result = run("table", "-", "--json", stdin=Path(SCORED).read_bytes())
    pd.testing.assert_frame_equal(rows(result), rows(run("table", SCORED, "--json")))
    assert "<stdin>: recognised vLLM request outputs" in result.stderr


def test_columns_and_values_are_chosen(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [{"q": "p", "a": str(i), "s": i, "model": "m" if i < 4 else "k"} for i in range(8)]
    path.write_text("\n".join(map(json.dumps, lines)))
    chosen = ["--prompt-column", "q", "--response-column", "a", "--reward-column", "s"]
    result = run("table", str(path), *chosen, "--where", "model=m", "-q", "reward", "--json")
    assert rows(result)["estimate"].tolist()[0] == 1.5


WRONG = {
    "no command": ([], 2, "Usage"),
    "no such file": (["table", "none.jsonl"], 3, "none.jsonl: cannot be read"),
    "no rewards": (["table", UNSCORED], 3, "no rewards: score the responses"),
    "no such quantity": (["table", SCORED, "-q", "maj"], 3, "maj"),
    "no such method": (["table", SCORED, "--method", "x"], 3, "method"),
    "n of words": (["table", SCORED, "-n", "two"], 2, "expected numbers like 4"),
    "n falling": (["table", SCORED, "-n", "4-2"], 2, "rising"),
    "n too large": (["table", SCORED, "-n", "5"], 3, "n"),
    "n below 1": (["kl", "--n", "0.5"], 3, "n"),
    "two forms": (["table", SCORED, "--json", "--csv"], 2, "exclude each other"),
    "where without value": (["table", SCORED, "--where", "a"], 2, "expected NAME=VALUE"),
    "where twice": (["table", SCORED, "--where", "a=1", "--where", "a=2"], 2, "twice"),
    "target of words": (["plan", SCORED, "--target", "kl=low"], 2, "QUANTITY=NUMBER"),
    "no target": (["plan", SCORED], 2, "--target"),
    "width alone": (["plan", SCORED, "--width", "1"], 2, "--width needs"),
    "unknown option": (["table", SCORED, "--nope"], 2, "nope"),
}


@pytest.mark.parametrize("case", WRONG)
def test_exit_codes(case: str) -> None:
    arguments, code, message = WRONG[case]
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output
    if code == 3:
        assert result.stdout == ""
        assert result.stderr.splitlines()[-1].startswith("bonmeter: ")


@pytest.mark.parametrize(
    "command", [c.callback.__name__ for c in app.registered_commands if c.callback]
)
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"bonmeter {command}" in result.stdout.split("Example")[1]


def process(
    *arguments: str, code: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    source = str(Path(__file__).parents[2] / "src")
    command = ["-c", code] if code else ["-m", "bonmeter.cli"]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": source, **environment},
    )


def test_as_a_process() -> None:
    done = process("table", SCORED, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["rows"][0]["n"] == 1
    assert process("table", "none.jsonl").returncode == 3
    assert process("nonsense").returncode == 2


def test_help_starts_fast_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['bonmeter', '--help']\n"
        "from bonmeter.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'numpy', 'scipy', 'pandas', 'pyarrow', 'pandera'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    assert process(code=code).returncode == 0
    begin = time.perf_counter()
    assert process("--help").returncode == 0
    assert time.perf_counter() - begin < 5  # a tenth of it on an idle machine


@pytest.mark.parametrize(("package", "extra"), [("typer", "cli"), ("pandas", "logs")])
def test_a_missing_extra_is_named(package: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"sys.argv = ['bonmeter', 'table', {SCORED!r}]\n"
        "from bonmeter.cli.main import main\nmain()\n"
    )
    done = process(code=code)
    assert done.returncode == 4
    assert f'pip install "bonmeter[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr
