"""What a run shows: its progress, warnings and errors, and at the end where the results are.

Snakemake's own messages, nine lines a job, stay in the log of the run.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

__all__ = ["Terminal", "ending", "show_briefly"]

ROUTINE = (
    *("Building DAG of jobs", "Using shell: ", "Provided cores: ", "Provided resources: "),
    *("Rules claiming more threads", "Select jobs to execute", "Execute ", "Elapsed time: "),
    *("Complete log(s): ", "Shutting down, this might", "Exiting because a job execution failed"),
    "Assuming unrestricted shared filesystem usage",
)
"""How messages begin that a reader of the terminal does not need."""

FAILED = re.compile(
    r"RuleException:\nCalledProcessError in .* returned non-zero exit status 1\.", re.S
)
"""The message before that of a failed job, which adds nothing to it."""

SILENT = frozenset(
    {"workflow_started", "shellcmd", "job_started", "resources_info", "rulegraph", "group_info"}
)
"""Kinds of Snakemake's messages that are not shown."""

TAIL = 15
"""Lines of a failed job's log that are shown."""

RESULTS: Mapping[str, str] = {
    "figures": "figures/",
    "audit": "results/audit/claims.html",
    "notebooks": "results/notebooks/",
    "report": "results/report.html",
}
"""Where a reader looks, in order: a file, or the folder of several."""

PASSED = "results/audit/passed.txt"


class Terminal(logging.Handler):
    """Shows messages of Snakemake: a bar that moves, or a line for each tenth of the jobs.

    Args:
        stream: where to; the bar needs a terminal.
        closing: of the seconds since the run began, what to say when there is nothing to do.
        clock: seconds from any start.

    Examples:
        >>> import sys
        >>> shown = Terminal(sys.stdout, closing=str, clock=lambda: 0.0)
        >>> record = logging.makeLogRecord({"event": "progress", "done": 1, "total": 4})
        >>> shown.handle(record) and None
         1 of 4 jobs   0:00
    """

    def __init__(
        self,
        stream: TextIO,
        closing: Callable[[float], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.stream, self.closing, self.clock = stream, closing, clock
        self.started = clock()
        self.tenths = 0
        self.last = ""
        self.names: dict[int, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Show a message, or keep what it says for a later one."""
        try:
            self._show(record)
        except Exception:
            self.handleError(record)

    def seconds(self) -> float:
        """Since the run began."""
        return self.clock() - self.started

    def _show(self, record: logging.LogRecord) -> None:
        fields = vars(record)
        match str(fields.get("event")):
            case "job_info":
                self.names[fields["jobid"]] = _name(fields)
            case "job_finished":
                self.last = self.names.pop(fields["job_id"], "")
            case "progress":
                self._progress(fields["done"], fields["total"])
            case "run_info":
                self._write(f"jobs to run: {fields['stats']['total']}")
            case "job_error":
                self._write("\n".join(_failure(fields, self.names)))
            case event if event not in SILENT:
                self._message(record)

    def _message(self, record: logging.LogRecord) -> None:
        text = record.getMessage() if record.msg else ""
        if text and not text.startswith(ROUTINE) and not FAILED.fullmatch(text.strip()):
            self._write(text)
        if text.startswith("Nothing to be done"):
            self._write(self.closing(self.seconds()))

    def _progress(self, done: int, total: int) -> None:
        line = f"{done:{len(str(total)) + 1}} of {total} jobs   {_clock(self.seconds())}"
        if self.last and self.last != "all":
            line += f"   {self.last}"
        if self.stream.isatty():
            width = os.get_terminal_size(self.stream.fileno()).columns
            self.stream.write(f"\r\x1b[K{line[: width - 1]}" + ("\n" if done == total else ""))
            self.stream.flush()
        elif (tenths := 10 * done // total) > self.tenths or done == total:
            self.tenths = tenths
            self._write(line)

    def _write(self, text: str) -> None:
        clear = "\r\x1b[K" if self.stream.isatty() else ""
        self.stream.write(f"{clear}{text.rstrip()}\n")
        self.stream.flush()


def show_briefly(
    logger: logging.Logger, closing: Callable[[float], str], *, quiet: bool = False
) -> Terminal | None:
    """Put a `Terminal` in the place of Snakemake's own handler.

    Args:
        logger: Snakemake's.
        closing: of the seconds since the run began, what to say at its end.
        quiet: show warnings and errors only.

    Returns:
        The handler; none if Snakemake's is not there, because a logger plugin shows the messages.

    Examples:
        >>> show_briefly(logging.Logger("a"), closing=str) is None
        True
    """
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and isinstance(handler, logging.StreamHandler):
            shown = Terminal(handler.stream, closing)
            shown.setLevel(logging.WARNING if quiet else logging.INFO)
            logger.removeHandler(handler)
            logger.addHandler(shown)
            return shown
    return None


def ending(made: Collection[str], seconds: float, log: str = "") -> str:
    """What a run says at its end: the audit's verdict, where the results are, and the time.

    Args:
        made: files of the run, of which only those are named that exist.
        seconds: that it took.
        log: Snakemake's log of the run.

    Examples:
        >>> print(ending([], 96.0))
        time       1 min 36 s
    """
    there = [path for path in made if Path(path).is_file()]
    rows = [("verdict", Path(path).read_text("utf-8").strip()) for path in there if path == PASSED]
    for name, place in RESULTS.items():
        found = {Path(path).stem for path in there if path.startswith(place)}
        if found:
            rows.append((name, f"{place} ({len(found)})" if place.endswith("/") else place))
    minutes, rest = divmod(round(seconds), 60)
    rows.append(("time", f"{minutes} min {rest} s" if minutes else f"{rest} s"))
    if log:
        rows.append(("log", os.path.relpath(log)))
    return "\n".join(f"{name:10} {text}" for name, text in rows)


def _name(fields: Mapping[str, Any]) -> str:
    """Of a job: its rule and the values of its wildcards."""
    return " ".join(
        [fields["rule_name"], *(str(value) for _, value in fields["wildcards"].items())]
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _failure(fields: Mapping[str, Any], names: Mapping[int, str]) -> Iterable[str]:
    """A failed job: what it should have made, and the end of its log if it came to write one."""
    yield f"FAILED: {names.get(fields['jobid'], fields['rule_name'])}"
    yield f"  to make {', '.join(fields['output']) or 'nothing'}"
    if fields["shellcmd"]:
        yield f"  by {fields['shellcmd']}"
    logs = [path for path in fields["log"] if Path(path).is_file() and Path(path).stat().st_size]
    if not logs:
        yield "  It wrote no log: its message stands above."
    for path in logs:
        yield f"  The end of its log, {path}:"
        with open(path, encoding="utf-8", errors="replace") as lines:
            yield from (f"  | {line.rstrip()}" for line in deque(lines, TAIL))
