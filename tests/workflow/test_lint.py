import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent

ONE_ENVIRONMENT = "Specify a conda environment or container for each rule."
"""The one advice not taken: the pipeline has one environment, the locked one or environment.yml."""


def run(command: str, project: Path = ROOT) -> tuple[int, str]:
    """Return code and output of an installed command."""
    program, *arguments = command.split()
    done = subprocess.run(
        [SCRIPTS / program, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "ruff check",
        "ruff format --diff",
        "mypy",
        "snakefmt --check --diff Snakefile workflow/rules",
        "lint-imports --no-logo --no-cache",
    ],
)
def test_clean(command: str) -> None:
    code, output = run(command)
    if code:
        pytest.fail(output, pytrace=False)


def test_the_pipeline_is_linted() -> None:
    lints = re.findall(r"^ +\* (.*):$", run("snakemake --lint")[1], re.MULTILINE)
    assert set(lints) == {ONE_ENVIRONMENT}


@pytest.mark.parametrize(
    ("module", "imported", "broken"),
    [
        ("numerics/validation", "pandas", "The library's core needs numpy and scipy only"),
        ("numerics/validation", "bonmeter.exact.values", "The library's layers"),
        ("pools/subsets", "flint", "Only the certified values need ball arithmetic"),
        ("bounds/formulas", "replication.pipeline.io", "The replication imports the library"),
    ],
)
def test_contracts_can_be_broken(module: str, imported: str, broken: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / f"src/bonmeter/{module}.py").open("a", encoding="utf-8") as file:
        file.write(f"import {imported}\n")
    code, output = run("lint-imports --no-logo --no-cache", tmp_path)
    assert code == 1
    assert re.search(rf"{broken}.* BROKEN", output), output
