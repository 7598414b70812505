import io
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from replication.pipeline.terminal import Terminal, ending, show_briefly


def show(shown: Terminal, message: str = "", level: int = logging.INFO, **fields: object) -> str:
    """What the terminal adds when Snakemake logs a message."""
    assert isinstance(shown.stream, io.StringIO)
    before = len(shown.stream.getvalue())
    shown.handle(logging.makeLogRecord({"msg": message, "levelno": level} | fields))
    return shown.stream.getvalue()[before:]


@pytest.fixture
def shown() -> Terminal:
    return Terminal(io.StringIO(), closing=lambda _: "the end", clock=lambda: 0.0)


def job(number: int) -> dict[str, Any]:
    return {"jobid": number, "rule_name": "exact", "wildcards": {"policy": f"zipf_{number}"}}


def failure(**fields: object) -> dict[str, Any]:
    told = {"event": "job_error", "output": ["results/a.parquet"], "log": [], "shellcmd": None}
    return job(3) | told | fields


def test_a_run_of_many_jobs_takes_a_line_for_each_tenth(shown: Terminal) -> None:
    lines = []
    for number in range(1, 201):
        show(shown, event="job_info", **job(number))
        show(shown, event="job_finished", job_id=number)
        lines.append(show(shown, event="progress", done=number, total=200))
    said = [line for line in lines if line]
    assert len(said) == 10
    assert said[0] == "  20 of 200 jobs   0:00   exact zipf_20\n"
    assert said[-1].startswith(" 200 of 200 jobs")


def test_what_goes_without_saying_is_not_said(shown: Terminal) -> None:
    for message in ("Building DAG of jobs...", "Select jobs to execute...", "Execute 2 jobs..."):
        assert not show(shown, message)
    assert not show(shown, event="shellcmd", cmd=None)
    assert show(shown, "Unlocked working directory.") == "Unlocked working directory.\n"


def test_warnings_and_errors_are_whole(shown: Terminal) -> None:
    text = "x" * 5000 + "\nsecond line"
    assert show(shown, text, logging.WARNING) == f"{text}\n"
    assert show(shown, text, logging.ERROR, event="error") == f"{text}\n"
    assert show(shown, "Command was '100 %s'", logging.ERROR) == "Command was '100 %s'\n"


def test_a_run_with_nothing_to_do_says_where_the_results_are(shown: Terminal) -> None:
    text = show(shown, "Nothing to be done (all requested files are present and up to date).")
    assert text.splitlines()[1:] == ["the end"]


def test_a_failed_job_is_named_with_the_end_of_its_log(shown: Terminal, tmp_path: Path) -> None:
    log = tmp_path / "exact.log"
    log.write_text("\n".join(f"line {i}" for i in range(100)), encoding="utf-8")
    show(shown, event="job_info", **job(3))
    missing = str(tmp_path / "none.log")
    text = show(shown, "", logging.ERROR, **failure(log=[missing, str(log)]))
    assert text.startswith("FAILED: exact zipf_3\n  to make results/a.parquet\n")
    assert text.endswith("  | line 98\n  | line 99\n")
    assert f"The end of its log, {log}:" in text
    assert "line 84\n" not in text
    assert missing not in text


def test_what_a_failed_job_says_is_said_once(shown: Terminal) -> None:
    failed = "RuleException:\nCalledProcessError in file \"a.smk\", line 1:\nCommand 'python a' "
    assert not show(shown, f"{failed}returned non-zero exit status 1.", logging.ERROR)
    killed = f"{failed}died with <Signals.SIGKILL: 9>."
    assert show(shown, killed, logging.ERROR) == f"{killed}\n"


def test_a_failed_job_without_a_log_says_so(shown: Terminal) -> None:
    text = show(shown, "", logging.ERROR, **failure(shellcmd="false"))
    assert "by false" in text
    assert "It wrote no log: its message stands above." in text


def test_a_terminal_has_a_bar_no_wider_than_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(stream, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((20, 24)))
    shown = Terminal(stream, closing=str, clock=lambda: 0.0)
    first = show(shown, event="progress", done=1, total=100)
    assert first.startswith("\r\x1b[K")
    assert len(first.removeprefix("\r\x1b[K")) == 19
    assert show(shown, "trouble", logging.ERROR) == "\r\x1b[Ktrouble\n"


def test_who_asks_for_quiet_still_sees_errors() -> None:
    logger = logging.Logger("snakemake")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.name = "DefaultStreamHandler"
    logger.addHandler(handler)
    assert show_briefly(logger, closing=str, quiet=True) is not None
    logger.info("Unlocked working directory.")
    logger.error("trouble")
    assert stream.getvalue() == "trouble\n"


def test_the_end_names_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = ["figures/a.svg", "figures/a.png", "figures/b.svg", "results/audit/passed.txt"]
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("61 claims, each with the expected verdict\n")
    lines = ending([*made, "results/report.html"], 59.7).splitlines()
    assert lines == [
        "verdict    61 claims, each with the expected verdict",
        "figures    figures/ (2)",
        "time       1 min 0 s",
    ]
    assert ending(made[:1], 3.0, log=f"{tmp_path}/a.log").endswith("log        a.log")
