"""The pipeline on a Slurm of one node, which the tests start: the same bytes as a local run."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runs import ROOT, TINY, configure, copy_project, run_snakemake, succeed

PROFILE = ROOT / "workflow/profiles/slurm/config.yaml"
ON_SLURM = (
    *("--workflow-profile", "workflow/profiles/slurm"),
    *("--cores", str(os.cpu_count())),
    *("--slurm-init-seconds-before-status-checks", "2"),
)
TARGET = "results/study/concentration.parquet"
SCRIPT = "workflow/scripts/concentration.py"
SECONDS = 600

MISSING = [name for name in ("slurmctld", "slurmd", "munged") if shutil.which(name) is None]
MISSING += [] if find_spec("snakemake_executor_plugin_slurm") else ["the extra cluster"]
MISSING += [] if os.geteuid() == 0 else ["root"]


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a shell that uses it."""
    if MISSING:
        pytest.skip(f"a Slurm of its own needs {', '.join(MISSING)}")
    folder = tmp_path_factory.mktemp("slurm")
    start = f'eval "$("{ROOT}/tests/slurm/up.sh" "{folder}")" && echo "$SLURM_CONF" && echo "$PATH"'
    ports = {"SLURMCTLD_PORT": free_port(), "SLURMD_PORT": free_port()}
    done = subprocess.run(
        ["bash", "-c", start], env=os.environ | ports, capture_output=True, text=True, check=False
    )
    try:
        if done.returncode:
            pytest.skip(f"Slurm does not start on this machine: {done.stderr}")
        settings, path = done.stdout.splitlines()
        yield {"SLURM_CONF": settings, "PATH": path}
    finally:
        subprocess.run([ROOT / "tests/slurm/down.sh", folder], check=True)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory, slurm: dict[str, str]) -> list[Path]:
    """Two projects without results, for a run on Slurm and a local one."""
    projects = [copy_project(tmp_path_factory.mktemp(name)) for name in ("slurm_run", "local_run")]
    for project in projects:
        configure(project, TINY)
        shutil.rmtree(project / "figures", ignore_errors=True)
    return projects


@pytest.fixture(scope="module")
def finished(copies: list[Path], slurm: dict[str, str]) -> Path:
    """A project after a full run on Slurm. Tests leave it finished."""
    project, _ = copies
    done = run_snakemake(project, *ON_SLURM, variables=slurm)
    assert done.returncode == 0, done.stdout[-8000:]
    (project / "logs/terminal.txt").write_text(done.stdout, encoding="utf-8")
    return project


def digests(project: Path) -> dict[str, str]:
    """Of all that a run makes, but for the page that tells how long it took."""
    files = [path for name in ("results", "figures") for path in (project / name).rglob("*.*")]
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file() and path.name not in {"report.html", "report_page.json"}
    }


@pytest.mark.slurm
def test_a_run_on_slurm_makes_the_same_bytes_as_a_local_one(
    finished: Path, copies: list[Path]
) -> None:
    _, local = copies
    succeed(local)
    assert digests(finished) == digests(local)
    assert len(digests(local)) > 100


@pytest.mark.slurm
def test_slurm_ran_the_jobs_in_groups(finished: Path, slurm: dict[str, str]) -> None:
    jobs = command(slurm, "squeue", "--noheader", "--states=all", "--format=%i %T").splitlines()
    assert {job.split()[1] for job in jobs} == {"COMPLETED"}
    entries = len([*(finished / "results/manifest").glob("*.json")])
    assert 10 < len(jobs) < entries / 2
    shown = (finished / "logs/terminal.txt").read_text(encoding="utf-8")
    assert "each with the expected verdict" in shown


def command(variables: dict[str, str], *words: str) -> str:
    return subprocess.run(
        words, env=os.environ | variables, capture_output=True, text=True, check=True
    ).stdout


def once(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


class Changed:
    """The script of `TARGET` with a statement before all else; put back at the end."""

    def __init__(self, project: Path, statement: str) -> None:
        self.path, self.statement = project / SCRIPT, statement

    def __enter__(self) -> None:
        self.original, self.stat = self.path.read_text(encoding="utf-8"), self.path.stat()
        text = f"{self.original}\n".replace(
            "    with job(snakemake):\n", f"    with job(snakemake):\n        {self.statement}\n"
        )
        self.path.write_text(text, encoding="utf-8")

    def __exit__(self, *_: object) -> None:
        self.path.write_text(self.original, encoding="utf-8")
        os.utime(self.path, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))


WAIT = f'open("running", "w").close(); import time; time.sleep({SECONDS})'


def start(project: Path, slurm: dict[str, str]) -> subprocess.Popen[str]:
    """A run that waits in the job of `TARGET`."""
    (project / "running").unlink(missing_ok=True)
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", *ON_SLURM, "--", TARGET],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src")} | slurm,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    once((project / "running").exists)
    return run


def make_again(project: Path, slurm: dict[str, str]) -> None:
    done = run_snakemake(project, *ON_SLURM, "--", TARGET, variables=slurm)
    assert done.returncode == 0, done.stdout[-8000:]


@pytest.mark.slurm
def test_a_failing_job_fails_the_run_and_says_why(finished: Path, slurm: dict[str, str]) -> None:
    before = digests(finished)
    with Changed(finished, 'raise RuntimeError("broken here")'):
        done = run_snakemake(finished, *ON_SLURM, "--", TARGET, variables=slurm)
    assert done.returncode != 0
    assert "FAILED: concentration" in done.stdout
    assert "RuntimeError: broken here" in done.stdout
    assert not (finished / TARGET).exists()
    make_again(finished, slurm)
    assert digests(finished) == before


@pytest.mark.slurm
def test_a_cancelled_job_fails_the_run(finished: Path, slurm: dict[str, str]) -> None:
    before = digests(finished)
    with Changed(finished, WAIT):
        run = start(finished, slurm)
        command(slurm, "scancel", "--state=RUNNING", "--user=root")
        shown, _ = run.communicate(timeout=SECONDS)
    assert run.returncode != 0
    assert "FAILED: concentration" in shown
    make_again(finished, slurm)
    assert digests(finished) == before


@pytest.mark.slurm
def test_a_run_goes_on_where_its_main_process_was_killed(
    finished: Path, slurm: dict[str, str]
) -> None:
    before = digests(finished)
    with Changed(finished, WAIT):
        run = start(finished, slurm)
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=SECONDS)
        running = ("squeue", "--noheader", "--states=RUNNING")
        assert command(slurm, *running)  # the job outlives it
        command(slurm, "scancel", "--user=root")
        once(lambda: not command(slurm, *running))
    succeed(finished, "--unlock")
    make_again(finished, slurm)
    assert digests(finished) == before


def test_the_profile_groups_rules_that_exist() -> None:
    profile = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    grouped = dict(entry.split("=") for entry in profile["groups"])
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    for rule in grouped:
        assert f"rule {rule}:" in rules or f" as {rule} with:" in rules
    assert {entry.split("=")[0] for entry in profile["group-components"]} == set(
        grouped.values()
    ) - {"audit"}


def rules_that_run_scripts() -> dict[str, str]:
    """The text of each, by name."""
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    found = re.findall(r"(?ms)^rule (\w+):\n(.*?)(?=^\S|\Z)", text)
    return {name: body for name, body in found if "    script:\n" in body}


def test_every_rule_asks_for_memory_and_time() -> None:
    rules = rules_that_run_scripts()
    assert {"policy", "draw_ties", "llm_draw", "verify"} <= set(rules)
    for name, body in rules.items():
        asked = "draw" if name.startswith("draw_") else name
        assert f'    resources:\n        **asked("{asked}"),\n' in body, name


def test_what_jobs_ask_for_covers_what_was_measured() -> None:
    names: dict[str, Any] = {}
    exec((ROOT / "workflow/rules/resources.smk").read_text(encoding="utf-8"), names)
    for name, (memory, seconds) in names["MEASURED"].items():
        asked = names["asked"](name)
        assert asked["mem_mb"] >= 2 * memory
        assert asked["runtime"] * 60 >= 30 * seconds
    with pytest.raises(KeyError):
        names["asked"]("unknown")
    table = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    for name, (memory, seconds) in names["MEASURED"].items():
        asked = names["asked"](name)
        row = f"| `{name}` | {memory} | {seconds:g} | {asked['mem_mb']} | {asked['runtime']} |"
        assert row in table
