"""What a report is made of, as files: tables as CSV, inputs by their SHA-256, versions."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from bonmeter.report.findings import TABLES, Findings

__all__ = ["Download", "Source", "csv_of", "downloads", "save_tables", "sources_of", "versions"]

LARGEST_PLAIN = 64_000
"""Bytes of a CSV file that a page holds as it is; larger ones are compressed."""
ABOUT = {
    "summary": "means over prompts, every n",
    "steps": "what each step in n adds",
    "frontier": "reward against KL, and the optimum",
    "per_prompt": "every prompt, with its full text",
    "diagnostics": "the checks",
}
PACKAGES = ("bonmeter", "numpy", "scipy", "pandas")


class Download(NamedTuple):
    """A file within a page."""

    name: str
    href: str
    size: str
    about: str


class Source(NamedTuple):
    """An input file."""

    name: str
    size: int
    sha256: str


def csv_of(found: Findings, name: str) -> str:
    """A table as CSV, numbers with 12 significant digits.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> print(csv_of(found, "steps").splitlines()[0])
        n_from,n,quantity,estimate,lower,upper,kl,share
    """
    table = getattr(found, name)
    return str(table.to_csv(index=False, lineterminator="\n", float_format="%.12g"))


def save_tables(found: Findings, folder: str | os.PathLike[str]) -> list[Path]:
    """Write every table of `Findings` into a folder, which is made if need be; their paths.

    Examples:
        >>> import tempfile
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in save_tables(found, folder)][:2]
        ['summary.csv', 'steps.csv']
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    paths = [place / f"{name}.csv" for name in TABLES]
    for name, path in zip(TABLES, paths, strict=True):
        path.write_bytes(_encoded(csv_of(found, name)))
    return paths


def downloads(found: Findings) -> list[Download]:
    """The same tables as links that need no network.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.report.findings import find
        >>> frame = pd.DataFrame({"prompt": 1, "reward": [0.0, 0.0, 1.0, 1.0] * 10})
        >>> found = find(frame)
        >>> downloads(found)[0].name, downloads(found)[0].href[:21]
        ('summary.csv', 'data:text/csv;base64,')
    """
    return [_download(name, _encoded(csv_of(found, name))) for name in TABLES]


def sources_of(paths: Sequence[str | os.PathLike[str]]) -> list[Source]:
    """Name, size and SHA-256 of files; folders are not named, they are nobody else's.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     [source] = sources_of([file.name])
        >>> source.size, source.sha256[:8]
        (0, 'e3b0c442')
    """
    return [_source(Path(path)) for path in paths]


def versions() -> dict[str, str]:
    """Versions of what a report is computed with.

    Examples:
        >>> list(versions())
        ['Python', 'bonmeter', 'numpy', 'scipy', 'pandas']
    """
    return {"Python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair is no character


def _download(name: str, data: bytes) -> Download:
    kind, suffix, size = "text/csv", ".csv", len(data)
    if size > LARGEST_PLAIN:
        # without the time, so that equal tables make equal pages
        data, kind, suffix = gzip.compress(data, mtime=0), "application/gzip", ".csv.gz"
    text = base64.b64encode(data).decode("ascii")
    shown = f"{max(len(data) / 1000, 0.1):,.1f}\u00a0kB"
    return Download(f"{name}{suffix}", f"data:{kind};base64,{text}", shown, ABOUT[name])


def _source(path: Path) -> Source:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Source(path.name, path.stat().st_size, digest)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # used from its source tree
        return "(source tree)"
