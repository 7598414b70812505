"""From a table of candidates to a page in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from numpy.typing import ArrayLike

from bonmeter.pools.intervals import Each
from bonmeter.report.files import save_tables, sources_of
from bonmeter.report.findings import Findings, find
from bonmeter.report.page import page

__all__ = ["render", "write_report", "write_tables"]

TITLE = "What best-of-n cost, and what it bought"
PathLike = str | os.PathLike[str]


def render(
    candidates: pd.DataFrame,
    *,
    title: str = TITLE,
    n: ArrayLike | None = None,
    level: float = 0.95,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
    sources: Sequence[PathLike] = (),
    notes: Sequence[str] | None = None,
    command: str | None = None,
) -> str:
    """The report of a run as one HTML page that needs no network.

    It speaks first of n = 64, or of the largest n that the pools can vouch for. The same
    candidates, files and versions make the same page, byte for byte.

    Args:
        candidates: one row for each candidate (the columns of `bonmeter.runs`).
        title: heading of the page.
        n: whole numbers from 1 to the largest pool, 1 being added; powers of two up to the median
            pool if None.
        level: coverage of the intervals, strictly between 0 and 1.
        method: of the KL, as for `bonmeter.runs.summarise`.
        precision: as for `bonmeter.runs.summarise`.
        missing_reward: reward of candidates without one; left out if None.
        sources: the files the candidates were read from: their names, sizes and SHA-256 are stated.
        notes: what was recognised and assumed about them; by default `candidates.attrs["notes"]`,
            which `bonmeter.logs.read_log` leaves there.
        command: the command that makes this page, to be stated.

    Raises:
        ValueError: as `bonmeter.runs.summarise`.
        OSError: if a source cannot be read.

    Examples:
        >>> frame = pd.DataFrame({"prompt": ["p"] * 40, "reward": range(40)})
        >>> html = render(frame, title="Scores & more")
        >>> "Scores &amp; more</h1>" in html, "Best-of-4 cost" in html
        (True, True)
    """
    found = find(
        candidates,
        n,
        level=level,
        method=method,
        precision=precision,
        missing_reward=missing_reward,
    )
    return _page(found, candidates, title, sources, notes, command)


def write_report(
    candidates: pd.DataFrame,
    path: PathLike,
    *,
    title: str = TITLE,
    n: ArrayLike | None = None,
    level: float = 0.95,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
    sources: Sequence[PathLike] = (),
    notes: Sequence[str] | None = None,
    command: str | None = None,
    tables: PathLike | None = None,
    each: Each = map,
) -> None:
    """Write the report of a run, whole or not at all.

    Args:
        candidates: as for `render`.
        path: the file, overwritten if it exists.
        title: as for `render`.
        n: as for `render`.
        level: as for `render`.
        method: as for `render`.
        precision: as for `render`.
        missing_reward: as for `render`.
        sources: as for `render`.
        notes: as for `render`.
        command: as for `render`.
        tables: a folder for the tables as CSV; none are written if None.
        each: as for `bonmeter.runs.summarise`.

    Raises:
        ValueError: as `bonmeter.runs.summarise`.
        OSError: if a source cannot be read, or the file not written.

    Examples:
        >>> import tempfile
        >>> frame = pd.DataFrame({"prompt": ["p"] * 40, "reward": range(40)})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_report(frame, f"{folder}/report.html", tables=folder)
        ...     sorted(os.listdir(folder))[-2:]
        ['steps.csv', 'summary.csv']
    """
    found = find(
        candidates,
        n,
        level=level,
        method=method,
        precision=precision,
        missing_reward=missing_reward,
        each=each,
    )
    html = _page(found, candidates, title, sources, notes, command)
    if tables is not None:
        save_tables(found, tables)
    _write(Path(path), html)


def write_tables(
    candidates: pd.DataFrame,
    folder: PathLike,
    *,
    n: ArrayLike | None = None,
    level: float = 0.95,
    method: str | None = None,
    precision: float | None = None,
    missing_reward: float | None = None,
) -> list[Path]:
    """Write the tables of the report as CSV files, numbers with 12 digits.

    Args:
        candidates: as for `render`.
        folder: made if it does not exist; files in it are overwritten.
        n: as for `render`.
        level: as for `render`.
        method: as for `render`.
        precision: as for `render`.
        missing_reward: as for `render`.

    Returns:
        Paths of `summary.csv`, `steps.csv`, `frontier.csv`, `per_prompt.csv` (at the n that the
        report speaks of first) and `diagnostics.csv`.

    Raises:
        ValueError: as `bonmeter.runs.summarise`.
        OSError: if a file cannot be written.

    Examples:
        >>> import tempfile
        >>> frame = pd.DataFrame({"prompt": ["p"] * 40, "reward": range(40)})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paths = write_tables(frame, folder)
        ...     table = pd.read_csv(paths[0])
        >>> table["n"].unique().tolist()
        [1, 2, 4, 8, 16, 32]
    """
    found = find(
        candidates,
        n,
        level=level,
        method=method,
        precision=precision,
        missing_reward=missing_reward,
    )
    return save_tables(found, folder)


def _page(
    found: Findings,
    candidates: pd.DataFrame,
    title: str,
    sources: Sequence[PathLike],
    notes: Sequence[str] | None,
    command: str | None,
) -> str:
    return page(
        found,
        title=title,
        sources=sources_of(sources),
        notes=list(candidates.attrs.get("notes", ()) if notes is None else notes),
        command=command,
        snippet=_snippet(found, [Path(source).name for source in sources]),
    )


def _snippet(found: Findings, names: Sequence[str]) -> str:
    """The page again, in Python."""
    log = repr(names[0] if len(names) == 1 else list(names)) if names else "'runs.jsonl'"
    asked = {name: value for name, value in found.asked.items() if value is not None}
    how = ", ".join(f"{name}={value!r}" for name, value in asked.items())
    return (
        "from bonmeter import read_log, write_report\n\n"
        f"candidates = read_log({log})\n"
        f'write_report(candidates, "report.html", {how})'
    )


def _write(path: Path, text: str) -> None:
    """A reader never finds half a file."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    partial.replace(path)
