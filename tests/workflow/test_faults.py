"""Runs that are killed, started twice, or lack room and rights: `make faults` has more of them."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from replication.pipeline.lock import recorded
from tests.faults.kills import ATTACKS, Outcome, Scene, _faults, plan, scenes, strike, table
from tests.runs import run_snakemake

TARGET = "results/exact/binary.parquet"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Exact values and verdicts of some policies, made from nothing."""
    return scenes(tmp_path_factory.mktemp("faults"), leaves=False)[0]


@pytest.mark.parametrize(
    "attack",
    ["SIGKILL to the main process", "SIGKILL to one job", "SIGHUP to the group"],
)
def test_the_same_command_recovers(tables: Scene, attack: str) -> None:
    outcome = strike(tables, attack, share=0.3, delay=0.2)
    assert not outcome.before
    assert outcome.faults == ()


def test_faults_are_found(tables: Scene) -> None:
    """In a finished folder there are none, and then one after the other."""
    finish(tables)
    assert list(_faults(tables, 0, "")) == []
    file = tables.folder / TARGET
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    assert list(_faults(tables, 0, "")) == [f"{TARGET} differs"]
    file.unlink()
    left = file.with_name(".0123abcd-binary.parquet")
    left.write_bytes(b"")
    assert set(_faults(tables, 0, "")) == {
        *(f"{TARGET} is missing", f"results/exact/{left.name} is new"),
        f"results/exact/{left.name} stays",
    }
    left.unlink()
    file.write_bytes(content)
    assert list(_faults(tables, 1, "no")) == ["the second run failed: no"]


def test_two_runs_in_one_folder(tables: Scene) -> None:
    tables.clear()
    first = tables.start()
    while not (run := recorded(tables.folder)):
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # alive, and not done before the last of the others
    for arguments in ((), ("--quiet", "all"), ("--unlock",)):
        second = run_snakemake(tables.project, *tables.targets, *arguments)
        assert second.returncode == 1
        assert f"{tables.folder}: a run is going on here ({run})" in second.stdout
        assert "Traceback" not in second.stdout
    assert run_snakemake(tables.project, *tables.targets, "--dry-run").returncode == 0
    first.send_signal(signal.SIGCONT)
    output, _ = first.communicate()
    assert first.returncode == 0, output
    assert list(_faults(tables, 0, "")) == []


def test_neither_home_nor_cache_is_needed(tables: Scene) -> None:
    tables.clear()
    nowhere = {"HOME": "/dev/null/nowhere", "TMPDIR": "/dev/null/nowhere"}
    missing = [name for name in os.environ if name.startswith("XDG_")]
    assert not missing, "a test of XDG's defaults needs an environment without them"
    done = run_snakemake(tables.project, *tables.targets, variables=nowhere)
    assert done.returncode == 0, done.stdout
    assert list(_faults(tables, 0, "")) == []


def test_a_truncated_table_is_made_again(tables: Scene) -> None:
    finish(tables)
    policy = tables.folder / "results/policies/binary.parquet"
    stat = policy.stat()
    policy.write_bytes(policy.read_bytes()[:100])
    os.utime(policy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (tables.folder / TARGET).unlink()
    again = run_snakemake(tables.project, *tables.targets)
    assert again.returncode == 0, again.stdout
    assert again.stdout.count("results/policies/binary.parquet") == 1
    assert list(_faults(tables, 0, "")) == []


def test_a_truncated_input_is_named_once(tables: Scene) -> None:
    """One that no job can make again."""
    kept = tables.project / "study/llm/pools.parquet"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:1000])
    try:
        _, folder, *_ = tables.targets
        target = "results/llm/curves.parquet"
        failed = run_snakemake(tables.project, "--directory", folder, target)
    finally:
        kept.write_bytes(whole)
    assert failed.returncode == 1
    assert len(re.findall(r"DamagedFileError: \S*/study/llm/pools.parquet: ", failed.stdout)) == 1
    assert "Traceback" not in failed.stdout
    assert "RuleException" not in failed.stdout
    assert not (tables.folder / target).exists()


def finish(tables: Scene) -> None:
    done = run_snakemake(tables.project, *tables.targets)
    assert done.returncode == 0, done.stdout


def test_the_plan_is_that_of_its_seed() -> None:
    assert list(plan(14, 1)) == list(plan(14, 1)) != list(plan(14, 2))
    assert [attack for attack, *_ in plan(14, 1)] == [*ATTACKS, *ATTACKS]


def test_the_table_counts_what_struck() -> None:
    first, second, *_ = ATTACKS
    outcomes = [
        *(Outcome(first, 0.1, False, ()), Outcome(first, 0.2, False, ("a differs",))),
        Outcome(second, 1.0, True, ()),
    ]
    lines = table(outcomes, 5).splitlines()
    assert lines[2:4] == [f"| {first} | 2 | 1 | 1 |", f"| {second} | 0 | 0 | 0 |"]
    assert lines[-1] == "| all, seed 5 | 2 | 1 | 1 |"
