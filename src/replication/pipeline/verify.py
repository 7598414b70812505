"""Is every artifact what its job made, of what lies here now: altered, missing, extra or stale."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from replication.pipeline.manifest import FOLDER, Entry, fingerprint, producers, read_entry

__all__ = [
    "ARTIFACTS",
    "Problem",
    "altered_of_kept",
    "damaged",
    "mark_unsound",
    "read_entries",
    "upstream",
    "verify",
]

ARTIFACTS = ("results", "figures")
"""Folders that hold nothing but what jobs make."""

INCOMPLETE = Path(".snakemake/incomplete")
"""Where Snakemake marks the files of jobs that did not end."""

MARK = {"unsound": True}
"""By it our marks are told from Snakemake's."""


class Problem(NamedTuple):
    """A file that is not what it should be.

    Attributes:
        path: the file.
        kind: in one word.
        cause: in one sentence.
    """

    path: str
    kind: Literal["altered", "missing", "extra", "stale"]
    cause: str

    def __str__(self) -> str:
        """In a line."""
        return f"{self.kind}: {self.path}: {self.cause}"


def read_entries(
    folder: Path = FOLDER, makers_of: Collection[str] | None = None
) -> tuple[list[Entry], list[Problem]]:
    """The entries of all jobs, and those that are not what was written.

    Args:
        folder: of the entries.
        makers_of: read no more than the entries of the jobs that made these files.
    """
    entries, problems = [], []
    wanted = [json.dumps(file, ensure_ascii=False).encode() for file in makers_of or ()]
    for path in sorted(folder.glob("[!.]*")):
        if makers_of is not None and not _names_output(path, wanted):
            continue
        try:
            entries.append(read_entry(path))
        except ValueError:
            problems.append(Problem(str(path), "altered", "it is not the entry that a job wrote"))
    return entries, problems


def _names_output(path: Path, files: Iterable[bytes]) -> bool:
    """Told from the text, in a twentieth of the time that checking the entry takes."""
    text = path.read_bytes().partition(b'\n "outputs": {')[2].partition(b"\n }")[0]
    return any(file in text for file in files)


def damaged(entries: Iterable[Entry]) -> list[Problem]:
    """Files that are not, or no longer, what their job made."""
    return [
        problem
        for entry in entries
        for path, digest in entry.outputs.items()
        if (problem := _damage(path, digest, entry.rule))
    ]


def _damage(path: str, digest: str, rule: str) -> Problem | None:
    if not Path(path).is_file():
        return Problem(path, "missing", f"rule {rule} made it")
    if not _lies_there(path, digest):
        return Problem(path, "altered", f"it is not what rule {rule} made")
    return None


def _lies_there(path: str, digest: str) -> bool:
    return Path(path).is_file() and fingerprint(path) == digest


def verify(
    entries: Collection[Entry], expected: Iterable[str], outdated: Mapping[str, str]
) -> list[Problem]:
    """All that is wrong with the artifacts.

    Args:
        entries: of all jobs.
        expected: files that a full run makes.
        outdated: by path, why Snakemake would make a file again.
    """
    return [
        *damaged(entries),
        *_never_made(expected, producers(entries)),
        *_unrecorded(entries),
        *_stale(entries, outdated),
    ]


def _never_made(expected: Iterable[str], known: Mapping[str, Entry]) -> Iterator[Problem]:
    for path in expected:
        if path not in known:
            yield Problem(path, "missing", "no job has made it")


def _unrecorded(entries: Collection[Entry]) -> Iterator[Problem]:
    known = {*producers(entries), *(str(entry.path) for entry in entries)}
    for folder in ARTIFACTS:
        for path in sorted(Path(folder).rglob("*")):
            if str(path) not in known and not path.is_dir():
                yield Problem(str(path), "extra", "no job has recorded it")


def _stale(entries: Collection[Entry], outdated: Mapping[str, str]) -> Iterator[Problem]:
    known = producers(entries)
    now = cache(lambda path: fingerprint(path) if Path(path).is_file() else "")
    for entry in entries:
        changed = [
            path
            for path, digest in {**entry.code, **entry.inputs}.items()
            if (known[path].outputs[path] if path in known else now(path)) != digest
        ]
        for path in entry.outputs:
            if changed:
                yield Problem(path, "stale", f"{changed[0]} is not what it was made from")
            elif path in outdated:
                yield Problem(path, "stale", outdated[path])


def altered_of_kept(record: str | os.PathLike[str]) -> list[Problem]:
    """Files kept beside a record of what they were made of that are not those it speaks of.

    Args:
        record: a JSON file with the fingerprints (`sha256`) of files in its folder, by name.
    """
    fingerprints = json.loads(Path(record).read_text("utf-8"))["sha256"]
    beside = {str(Path(record).parent / name): digest for name, digest in fingerprints.items()}
    return [
        Problem(path, "altered", f"{record} speaks of another")
        for path, digest in beside.items()
        if not _lies_there(path, digest)
    ]


def mark_unsound() -> list[Problem]:
    """Have Snakemake make again what is altered, unrecorded or stale, wherever it is needed.

    Ours: each such file gets the mark of an incomplete one, which Snakemake makes again whatever
    its time says (`rerun-incomplete` in the profile). A missing file needs no mark.

    Returns:
        Files that are not what their job made; edits that make others stale are no surprise.
    """
    for mark in INCOMPLETE.glob("*"):  # of an earlier start, perhaps of a dry run
        if mark.is_file() and MARK.items() <= json.loads(mark.read_text("utf-8") or "{}").items():
            mark.unlink()
    entries, altered = read_entries()
    surprises = [*altered, *damaged(entries)]
    for problem in [*surprises, *_unrecorded(entries), *_stale(entries, {})]:
        if problem.kind != "missing":
            _mark(problem.path)
    return surprises


def _mark(path: str) -> None:
    mark = INCOMPLETE / urlsafe_b64encode(path.encode()).decode()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"external_jobid": None} | MARK), encoding="utf-8")


def upstream(path: str, entries: Iterable[Entry]) -> list[Entry]:
    """The entries of the jobs that a file rests on, its own first.

    Raises:
        ValueError: if no job has made the file.
    """
    known = producers(entries)
    if path not in known:
        raise ValueError(f"{path}: no job has made it")
    found = {known[path].path: known[path]}
    pending = [known[path]]
    while pending:
        for read in pending.pop().inputs:
            if read in known and known[read].path not in found:
                found[known[read].path] = known[read]
                pending.append(known[read])
    return list(found.values())
