"""Runs of the pipeline in a folder of their own, as a user would start them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TINY: dict[str, Any] = yaml.safe_load((ROOT / "tests/tiny.yaml").read_text(encoding="utf-8"))


def copy_project(folder: Path) -> Path:
    """All but what .gitignore names; it need not be a checkout."""
    shutil.copytree(ROOT, folder, ignore=_ignored, dirs_exist_ok=True)
    return folder


def _ignored(folder: str, names: list[str]) -> set[str]:
    """Of a folder's entries. A pattern that begins with a slash speaks of the top only."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    patterns = [".git", *(each.strip("/") for each in lines if not each.startswith("/"))]
    if Path(folder) == ROOT:
        patterns += [each.strip("/") for each in lines]
    return shutil.ignore_patterns(*patterns)(folder, names)


def configure(project: Path, config: Mapping[str, Any]) -> None:
    (project / "config/config.yaml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")


def run_snakemake(
    project: Path,
    *arguments: str,
    packages: str | None = None,
    python: str | Path = sys.executable,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """With the packages of the project, unless others are named, as if they had been installed."""
    return subprocess.run(
        [python, "-m", "snakemake", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": packages or str(project / "src")} | dict(variables or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )


def succeed(project: Path, *arguments: str) -> str:
    done = run_snakemake(project, *arguments)
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def planned(project: Path, *arguments: str) -> dict[str, int]:
    """Rules that a dry run would run, and how often."""
    output = succeed(project, "--dry-run", *arguments)
    stats = re.search(r"Job stats:\njob +count\n[- ]+\n(.*?)\n\n", output, re.DOTALL)
    if stats is None:
        assert "Nothing to be done" in output, output[-4000:]
        return {}
    rows = (line.split() for line in stats[1].splitlines())
    return {rule: int(count) for rule, count in rows if rule not in {"total", "all"}}
