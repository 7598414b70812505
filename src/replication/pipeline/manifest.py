"""What each job made, and of what: entries chained by digests, so that no file is taken on trust.

A job writes one entry when it is done. It names every file it made and every file it read by their
SHA-256, so what one job read is what another made, up to the audit; nothing in it depends on the
machine or the time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.pipeline.io import atomic_path

if TYPE_CHECKING:
    from snakemake.script import Snakemake

__all__ = [
    "FOLDER",
    "Entry",
    "fingerprint",
    "folder_beside",
    "made_by",
    "producers",
    "read_entry",
    "versions",
    "write_entry",
]

FOLDER = Path("results/manifest")
"""Where the entries lie, one file for each job."""

PACKAGES = {
    **{name: name for name in ("jupytext", "matplotlib", "nbconvert", "numpy", "pandas")},
    **{name: name for name in ("pyarrow", "pydantic", "scipy", "seaborn", "statsmodels", "torch")},
    "flint": "python-flint",
}
"""Packages that results rest on, by the module they are imported as."""


@dataclass(frozen=True)
class Entry:
    """What one job made.

    Attributes:
        rule: its rule.
        wildcards: of the job, by name.
        params: of the job, by name, the seed among them.
        code: SHA-256 of the script and of each library module it runs on, by path.
        inputs: SHA-256 of every other file it read, by path.
        outputs: SHA-256 of every file it made, by path.
        versions: of Python and the packages that were loaded.
    """

    rule: str
    wildcards: Mapping[str, str]
    params: Mapping[str, Any]
    code: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The file of the entry."""
        values = [value for _, value in sorted(self.wildcards.items())]
        return folder_beside(next(iter(self.outputs))) / (".".join([self.rule, *values]) + ".json")

    def text(self) -> str:
        """The entry as it is written, with a digest of itself."""
        body = {**vars(self), "digest": self.digest}
        return json.dumps(body, ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of all that the entry says."""
        body = json.dumps(vars(self), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()


def folder_beside(path: str) -> Path:
    """The folder of entries that speaks of a file of a run, whose files may have a prefix.

    Args:
        path: of a result, a figure or a log.

    Examples:
        >>> folder_beside("theirs/figures/a.svg").as_posix()
        'theirs/results/manifest'
    """
    parts = Path(path).parts
    named = [parts.index(name) for name in ("results", "figures", "logs") if name in parts]
    place = max(named, default=0)
    return Path(*parts[:place], FOLDER)


def fingerprint(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, as hexadecimal digits.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     fingerprint(file.name)[:12]
        'e3b0c44298fc'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the loaded packages that results rest on.

    Examples:
        >>> import numpy as np
        >>> versions()["numpy"] == np.__version__
        True
    """
    loaded = {
        package: version(package) for name, package in PACKAGES.items() if name in sys.modules
    }
    return {"python": platform.python_version(), **loaded}


def made_by(snakemake: Snakemake, inputs: Mapping[str, str]) -> Entry:
    """The entry of a job that is done.

    Args:
        snakemake: what Snakemake handed to its script.
        inputs: fingerprints of its inputs when it began.
    """
    modules = set(snakemake.input.get("library", ())) | set(snakemake.input.get("used", ()))
    script = os.path.relpath(sys.modules["__main__"].__file__ or "")
    code = {script: fingerprint(script), **{path: inputs[path] for path in modules}}
    return Entry(
        rule=snakemake.rule,
        wildcards=dict(snakemake.wildcards.items()),
        params=json.loads(json.dumps(dict(snakemake.params.items()))),
        code=code,
        inputs={path: digest for path, digest in inputs.items() if path not in code},
        outputs={path: fingerprint(path) for path in map(str, snakemake.output)},
        versions=versions(),
    )


def write_entry(entry: Entry) -> None:
    """Write an entry to its file, in place of an earlier one."""
    with atomic_path(entry.path) as path:
        path.write_text(entry.text(), encoding="utf-8")


def read_entry(path: str | os.PathLike[str]) -> Entry:
    """Read an entry.

    Raises:
        ValueError: if the file is not, byte for byte, what `write_entry` wrote.
    """
    try:
        text = Path(path).read_bytes().decode()
        entry = Entry(
            **{name: value for name, value in json.loads(text).items() if name != "digest"}
        )
        whole = entry.text() == text and entry.path.name == Path(path).name
    except (ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ValueError(f"{path} was altered: expected what the job wrote")
    return entry


def producers(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entry that speaks of each file."""
    return {path: entry for entry in entries for path in entry.outputs}
