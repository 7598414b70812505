"""Whole starts of Snakemake on spoilt configs: `python -m tests.fuzz.runs`, a dry run each.

Snakemake is imported once; each start is its command line in a process of its own, forked, with a
config file of its own. A dry run reads and checks everything and plans every job, and runs none.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import snakemake.cli
import snakemake.workflow

from tests.fuzz.targets import config_bytes
from tests.runs import TINY, configure, copy_project

SECONDS = 60
"""After them a start hangs."""

OWN = {".snakemake", "logs"}
"""Folders that a start may write."""


def main() -> int:
    """Start so many times, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.runs", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600.0, help="at most")
    given = parser.parse_args()
    counts = {"planned": 0, "refused": 0, "crashed": 0}
    begin, lost = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder, "project"))
        configure(project, TINY)
        before = _files(Path(folder))
        for number in range(given.runs):
            if time.perf_counter() - begin > given.seconds:
                break
            config = Path(folder, "config.yaml")
            config.write_bytes(config_bytes(Random(f"{given.seed} run {number}")))
            code, output = start(project, ["--configfile", str(config)])
            kind = judge(code, output)
            counts[kind] += 1
            config.unlink()
            if number % 100 == 99:
                print(number + 1, counts, flush=True)
            left = _files(Path(folder)) - before
            if kind == "crashed" or left:
                print(f"{given.seed} run {number}: {code}, {left}\n{output[-2000:]}", flush=True)
                before |= left
                lost += len(left)
        counts["files left"] = lost
    print(counts, f"{time.perf_counter() - begin:.0f} s")
    return 1 if counts["crashed"] or counts["files left"] else 0


def judge(code: int, output: str) -> str:
    """A dry run plans, or gives one error without a traceback."""
    if code == 0:
        return "planned"
    refused = code == 1 and "Traceback" not in output and "WorkflowError" in output
    return "refused" if refused and len(output) < 5000 else "crashed"


def start(project: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """The exit code of a dry run, and what it printed; -14 if it hangs."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        child = os.fork()
        if not child:
            signal.alarm(SECONDS)
            _run(project, arguments, output.fileno())
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


def _run(project: Path, arguments: Sequence[str], output: int) -> None:
    """In the forked process, which it ends."""
    code = 3
    try:
        os.chdir(project)
        os.dup2(output, 1)
        os.dup2(output, 2)
        snakemake.cli.main(["--dry-run", "--quiet", "--cores", "1", *arguments])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _files(folder: Path) -> set[str]:
    """All but what Snakemake keeps for itself."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not OWN & set(path.relative_to(folder).parts)
    }


if __name__ == "__main__":
    sys.exit(main())
