"""The page about your own samples says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bonmeter.cli.app import app
from bonmeter.logs.formats.known import FORMATS
from bonmeter.logs.generic import CANONICAL
from tests.runs import ROOT, copy_project, planned, run_snakemake, succeed

TEXT = (ROOT / "docs/own_samples.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]


def test_every_format_has_a_row() -> None:
    assert sorted(first_cells(section("Formats"))[1:]) == sorted(kind.name for kind in FORMATS)


def test_every_column_has_a_row() -> None:
    assert first_cells(section("The table"))[1:] == [f"`{name}`" for name in CANONICAL]


def test_every_command_is_shown() -> None:
    shown = set(re.findall(r"^bonmeter (\w+)", TEXT, re.MULTILINE))
    assert shown == {c.callback.__name__ for c in app.registered_commands if c.callback}


def test_options_exist() -> None:
    source = (ROOT / "src/bonmeter/cli").glob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in source)
    options = {name.removeprefix("--") for name in re.findall(r"--[a-z][a-z-]+", TEXT)}
    options -= {"config", "cores"}  # Snakemake's
    columns = {f"{name.replace('_', '-')}-column" for name in CANONICAL}
    for option in options - columns:
        assert re.search(rf"[\"-]{option}\"|\b{option.replace('-', '_')}\b", code), option


def test_exit_codes() -> None:
    assert first_cells(section("Exit codes"))[1:] == ["0", "1", "2", "3", "4"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("samples"))


def test_the_pipeline_reports_on_logs(project: Path) -> None:
    logs = "[tests/bonmeter/data/logs/vllm_request_outputs_with_reward.jsonl, more.csv]"
    (project / "more.csv").write_text("prompt,reward\nWhat is 17 + 25?,0\n", encoding="utf-8")
    asked = ("samples", "--config", f"samples={logs}")
    succeed(project, *asked)
    page = (project / "results/samples/report.html").read_text(encoding="utf-8")
    assert "more.csv" in page
    assert (project / "results/samples/summary.csv").is_file()
    said = (project / "logs/samples.log").read_text(encoding="utf-8")
    assert "recognised vLLM request outputs (JSON Lines): 8 candidates" in said
    assert planned(project, *asked) == {}
    (project / "more.csv").write_text("prompt,reward\nWhat is 17 + 25?,1\n", encoding="utf-8")
    assert planned(project, *asked) == {"samples": 1}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "samples: expected a log, as in --config samples=my.jsonl"),
        (["--config", "samples=3"], "samples = 3: expected the path of a log, or a list"),
        (["--config", "samples=[a, a]"], "expected the path of a log, or a list of different"),
        (["--config", "samples=none.jsonl"], "none.jsonl"),
    ],
)
def test_what_is_no_log_is_refused(project: Path, config: list[str], message: str) -> None:
    done = run_snakemake(project, "samples", *config)
    assert done.returncode == 1
    assert message in done.stdout
