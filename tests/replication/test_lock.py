"""One run at a time in a folder; what a killed one leaves; jobs that outlive their run."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replication.pipeline.io import atomic_path, write_table
from replication.pipeline.lock import JOBS, RECORD, TOKEN, begin, recorded, refuse_unlock

RUN = """
import sys, time
from pathlib import Path
from replication.pipeline.lock import begin
begin(Path.cwd())
print("begun", flush=True)
sys.stdin.read()
"""

JOB = """
import subprocess, sys, time
from pathlib import Path
from replication.pipeline.lock import begin
begin(Path.cwd())
work = "from replication.pipeline.orphans import end_with_run; import time; end_with_run();"
work += "print('working', flush=True); time.sleep(60)"
subprocess.run([sys.executable, "-c", work])
"""


@contextmanager
def process(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """In the folder, after it has said that it is there."""
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes) as run:  # type: ignore[call-overload]
        try:
            assert run.stdout is not None
            assert run.stdout.readline()
            yield run
        finally:
            run.kill()


BEGIN = """
from pathlib import Path
from replication.pipeline.lock import begin
begin(Path.cwd(), patience=5)
"""


def starts(folder: Path, code: str = BEGIN) -> subprocess.CompletedProcess[str]:
    """A run that begins and ends by itself."""
    return python(code, folder)


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        text=True,
    )


def leave(folder: Path) -> list[Path]:
    """What a killed run leaves, Snakemake's lock first."""
    names = [".snakemake/locks/0.input.lock", "results/exact/.0123abcd-a.parquet"]
    names += ["figures/.0123abcd-a.svg", ".snakemake/scripts/tmp1.exact.py", ".snakemake/tmp/a"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return [folder / name for name in names]


def test_a_second_run_is_told_of_the_first(tmp_path: Path) -> None:
    with process(RUN, tmp_path) as run:
        first = recorded(tmp_path)
        assert first is not None
        assert first.pid == run.pid
        second = starts(tmp_path)
        assert second.returncode == 1
        assert f"{tmp_path}: a run is going on here ({first})" in second.stderr
        assert f"process {run.pid} on " in second.stderr
        with pytest.raises(ValueError, match="a run is going on here"):
            refuse_unlock(tmp_path)
        assert recorded(tmp_path) == first


def test_a_killed_run_is_recovered_from(tmp_path: Path) -> None:
    left, kept = leave(tmp_path), tmp_path / "results/.0123abcd"
    kept.write_text("of the user")
    with process(RUN, tmp_path) as run:
        assert left[0].exists()  # a lock of somebody else's, who may be alive
        assert not any(path.exists() for path in left[1:])
        leave(tmp_path)
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert recorded(tmp_path)
    assert starts(tmp_path).returncode == 0
    assert not any(path.exists() for path in left)
    assert recorded(tmp_path) is None
    assert kept.exists()


def test_a_run_of_another_host_is_left_alone(tmp_path: Path) -> None:
    record = {"run": "1", "host": "elsewhere", "pid": 7, "since": "noon"}
    (lock, *_), path = leave(tmp_path), tmp_path / RECORD
    path.write_text(json.dumps(record))
    refused = starts(tmp_path)
    assert refused.returncode == 1
    assert "did not end by itself (process 7 on elsewhere, since noon)" in refused.stderr
    assert lock.exists()
    refuse_unlock(tmp_path)
    assert starts(tmp_path).returncode == 0


def test_a_job_ends_with_its_run(tmp_path: Path) -> None:
    with process(JOB, tmp_path) as run:
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert starts(tmp_path).returncode == 0  # not before the job is gone
        assert run.stdout is not None
        assert run.stdout.read() == ""  # closed by the last that had it


def test_no_run_begins_while_a_job_of_a_killed_one_is_alive(tmp_path: Path) -> None:
    (tmp_path / ".snakemake").mkdir()
    descriptor = os.open(tmp_path / JOBS, os.O_RDONLY | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        refused = starts(tmp_path, BEGIN.replace("5", "0.1"))
        assert refused.returncode == 1
        assert "jobs of a run that was killed do not stop" in refused.stderr
    finally:
        os.close(descriptor)
    assert starts(tmp_path).returncode == 0


def test_a_job_of_an_earlier_run_moves_nothing_into_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.parquet"
    with process(RUN, tmp_path):
        run = recorded(tmp_path)
        assert run is not None
        monkeypatch.setenv(TOKEN, f"{run.run} {tmp_path}")
        write_table({"n": [1]}, file)
        before = file.read_bytes()
        monkeypatch.setenv(TOKEN, f"another {tmp_path}")
        with pytest.raises(RuntimeError, match="the run of this job is over"):
            write_table({"n": [2]}, file)
        assert file.read_bytes() == before
        assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", ".snakemake"}


def test_where_there_are_no_locks_a_run_begins_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: int) -> None:
        raise OSError(38, "not here")

    monkeypatch.setattr(fcntl, "flock", none)
    lock, *rest = leave(tmp_path)
    assert begin(tmp_path) is None
    assert lock.exists()
    assert all(path.exists() for path in rest)


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    limited = """
import resource, sys
from replication.pipeline.io import write_table
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_table({"n": range(10_000)}, "a.parquet")
except OSError as error:
    print(error)
"""
    done = python(limited, tmp_path)
    assert done.stdout == "[Errno 27] File too large: 'a.parquet'\n"
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_is_missing_keeps_its_own_name(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match=r"input\.txt"),
        atomic_path(tmp_path / "a.txt") as path,
    ):
        path.write_text((tmp_path / "input.txt").read_text())
