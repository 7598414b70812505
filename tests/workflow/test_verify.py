"""Nothing false survives: what is altered is found, told, and made again."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from replication.pipeline.io import read_table, write_table
from replication.pipeline.manifest import fingerprint, producers, write_entry
from replication.pipeline.verify import damaged, read_entries
from tests.runs import planned, run_snakemake, succeed


@pytest.fixture
def inside(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(finished)
    return finished


def flip(path: Path) -> None:
    """One bit in the middle, the time of modification kept."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_bit_flipped_in_any_artifact_is_found(inside: Path) -> None:
    entries, altered = read_entries()
    assert altered == []
    assert damaged(entries) == []
    artifacts = [path for folder in ("results", "figures") for path in Path(folder).rglob("*")]
    files = [path for path in artifacts if path.is_file()]
    assert len(files) > 150
    for path in files:
        flip(path)
        entries, altered = read_entries()
        assert [problem.path for problem in [*altered, *damaged(entries)]] == [str(path)]
        flip(path)


def test_what_was_altered_is_told_and_made_again(inside: Path) -> None:
    table = Path("results/exact/zipf.parquet")
    content = table.read_bytes()
    flip(table)
    assert planned(inside)["exact"] == 1
    assert planned(inside, "results/llm/curves.parquet") == {}
    told = succeed(inside, "results/exact/zipf.parquet")
    assert f"altered: {table}: it is not what rule exact made, so it is made again" in told
    assert table.read_bytes() == content
    assert planned(inside) == {}


def test_verify_finds_nothing_after_a_run(inside: Path) -> None:
    assert "jobs are what the jobs made" in succeed(inside, "verify")


def test_verify_names_each_file_and_its_cause(inside: Path) -> None:
    table, figure, extra = (
        Path("results/study/concentration.parquet"),
        "ties.svg",
        Path("results/x"),
    )
    content = table.read_bytes()
    table.unlink()
    flip(inside / "figures" / figure)
    extra.touch()
    done = run_snakemake(inside, "verify", "--config", "concentration={repeats: 101}")
    table.write_bytes(content)
    flip(inside / "figures" / figure)
    extra.unlink()
    assert done.returncode != 0
    log = Path("logs/verify.log").read_text(encoding="utf-8")
    assert "missing: results/study/concentration.parquet: rule concentration made it" in log
    assert "altered: figures/ties.svg: it is not what rule draw_ties made" in log
    assert "extra: results/x: no job has recorded it" in log


def test_verify_says_what_a_change_of_the_config_makes_stale(inside: Path) -> None:
    done = run_snakemake(inside, "verify", "--config", "concentration={repeats: 101}")
    assert done.returncode != 0
    log = Path("logs/verify.log").read_text(encoding="utf-8")
    assert "stale: results/study/concentration.parquet: " in log
    assert "results/exact" not in log


def forge(path: Path, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> None:
    """Alter a table, and its record as well."""
    entry = producers(read_entries()[0])[str(path)]
    write_table(change(dict(read_table(path))), path)
    outputs = {**entry.outputs, str(path): fingerprint(path)}
    write_entry(dataclasses.replace(entry, outputs=outputs))


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        (
            "results/exact/zipf.parquet",
            lambda columns: columns | {"kl": columns["kl"] * 0.99},
            "kl of estimators_quick",
        ),
        (
            "results/policies/zipf.parquet",
            lambda columns: columns | {"log_prob": columns["log_prob"] - 0.01},
            "zipf: the probabilities sum to 0.99",
        ),
        (
            "results/checks/zipf.parquet",
            lambda columns: (
                columns | {"verdict": np.where(columns["claim"] == "theorem_3_1", "fails", "holds")}
            ),
            "the verdict is not that of its margin",
        ),
        (
            "results/checks/zipf.parquet",
            lambda columns: {name: column[1:] for name, column in columns.items()},
            "cells: expected",
        ),
        (
            "results/estimates/zipf.parquet",
            lambda columns: columns | {"kl": columns["kl"] * 1.001},
            "zipf, kl of estimates",
        ),
    ],
)
def test_a_forged_record_does_not_get_past_the_gate(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    said: str,
) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished, project)
    monkeypatch.chdir(project)
    forge(Path(table), change)
    done = run_snakemake(project, "results/audit/passed.txt")
    assert done.returncode != 0
    assert said in Path("logs/audit/gate.log").read_text(encoding="utf-8")
    assert not Path("results/audit/passed.txt").exists()


def test_turned_verdicts_in_the_claims_table_do_not_get_past_the_gate(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished, project)
    monkeypatch.chdir(project)
    path = Path("results/audit/claims.parquet")
    entry = producers(read_entries()[0])[str(path)]
    claims = pd.read_parquet(path)
    claims["verdict"] = claims.verdict.replace({"refuted": "certified"})
    claims.to_parquet(path)
    outputs = {**entry.outputs, str(path): fingerprint(path)}
    write_entry(dataclasses.replace(entry, outputs=outputs))
    done = run_snakemake(project, "results/audit/passed.txt")
    assert done.returncode != 0
    log = Path("logs/audit/gate.log").read_text(encoding="utf-8")
    assert "results/audit/claims.parquet: not what follows" in log
