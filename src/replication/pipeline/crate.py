"""A finished run as a Workflow Run RO-Crate: what others' tools read of its provenance.

The records of the jobs (`replication.pipeline.manifest`) say what read and made what; here they are
put in the terms of RO-Crate 1.1 and the profile Workflow Run Crate 0.5, as JSON-LD in an archive
with every file they name.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from replication.pipeline.io import atomic_path
from replication.pipeline.manifest import Entry, fingerprint, producers

__all__ = ["METADATA", "describe", "place", "write_crate"]

METADATA = "ro-crate-metadata.json"

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
RUN = "#run"
UNKNOWN = "application/octet-stream"

Entity = dict[str, Any]


def place(path: str) -> str:
    """Where a file lies in the crate: as in the run, but never outside.

    Examples:
        >>> place("results/a.csv"), place("../clone/src/b.py")
        ('results/a.csv', 'clone/src/b.py')
    """
    return str(PurePosixPath(*(part for part in Path(path).parts if part not in ("..", "/"))))


def describe(
    entries: Sequence[Entry],
    workflow: Mapping[str, str],
    *,
    snakefile: str,
    code_version: str,
    name: str,
) -> Entity:
    """The metadata of a crate.

    Args:
        entries: the records of all jobs.
        workflow: SHA-256 of the files that define the run and that no job read, by path.
        snakefile: which of them is the main one.
        code_version: of the workflow.
        name: of the run.

    Raises:
        ValueError: if two files would lie in the same place.
    """
    known, digests = producers(entries), _digests(entries, workflow)
    software = {f"#{k}-{v}": (k, v) for entry in entries for k, v in entry.versions.items()}
    ended = {entry.path.name: _ended(entry) for entry in entries}
    read = {path for entry in entries for path in entry.inputs} - set(known)
    scripts = {next(iter(entry.code)) for entry in entries}
    files = [_file(path, digest, code=path in scripts) for path, digest in digests.items()]
    main = next(file for file in files if file["@id"] == place(snakefile))
    main |= {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": name,
        "version": code_version,
        "programmingLanguage": _id(SNAKEMAKE),
        "softwareRequirements": _ids(software),
    }
    run = {
        "@id": RUN,
        "@type": "CreateAction",
        "name": f"A run of {name}",
        "instrument": _id(main["@id"]),
        "object": _ids(map(place, sorted(read | set(workflow) - {snakefile}))),
        "result": _ids(map(place, sorted(known))),
        "endTime": max(ended.values()),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    jobs = [entity for entry in entries for entity in _job(entry, ended[entry.path.name])]
    actions = [RUN, *(entity["@id"] for entity in jobs if entity["@type"] == "CreateAction")]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"A run of {name}",
        "description": "All that a run of the workflow read and made, job by job.",
        "datePublished": run["endTime"],
        "license": _id("LICENSE"),
        "conformsTo": _ids(PROFILES),
        "hasPart": _ids(file["@id"] for file in files),
        "mainEntity": _id(main["@id"]),
        "mentions": _ids(actions),
    }
    return {
        "@context": CONTEXT,
        "@graph": [*_fixed(), root, run, *files, *jobs, *_made_by(software)],
    }


def write_crate(metadata: Entity, sources: Iterable[str], path: str | Path) -> None:
    """Write the archive of a crate.

    Args:
        metadata: of `describe`.
        sources: every file that it names.
        path: the archive; replaced if it exists.

    Raises:
        ValueError: if a file is no longer what its job read or made.
    """
    digests = {each["@id"]: each["sha256"] for each in metadata["@graph"] if "sha256" in each}
    with atomic_path(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
        archive.writestr(METADATA, json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
        for source in sorted(sources):
            if fingerprint(source) != digests[place(source)]:
                raise ValueError(f"{source} was altered: run again to make it anew")
            archive.write(source, place(source))


def _digests(entries: Iterable[Entry], workflow: Mapping[str, str]) -> dict[str, str]:
    named = [files for each in entries for files in (each.code, each.inputs, each.outputs)]
    digests = dict(sorted((path, d) for files in [*named, workflow] for path, d in files.items()))
    if len({*map(place, digests)}) < len(digests):
        raise ValueError("two files would lie in the same place of the crate")
    return digests


def _ended(entry: Entry) -> str:
    """When a job ended: its record is the last that it writes."""
    return datetime.fromtimestamp(entry.path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _job(entry: Entry, ended: str) -> list[Entity]:
    job = f"#{entry.path.stem}"
    script, *modules = entry.code
    action = {
        "@id": job,
        "@type": "CreateAction",
        "name": " ".join([entry.rule, *entry.wildcards.values()]),
        "instrument": _id(place(script)),
        "object": _ids([*map(place, [*entry.inputs, *modules]), f"{job}-parameters"]),
        "result": _ids(map(place, entry.outputs)),
        "endTime": ended,
    }
    parameters = {
        "@id": f"{job}-parameters",
        "@type": "PropertyValue",
        "name": f"parameters of {action['name']}",
        "value": json.dumps(entry.params, ensure_ascii=False, sort_keys=True),
    }
    return [action, parameters]


def _file(path: str, digest: str, *, code: bool) -> Entity:
    return {
        "@id": place(path),
        "@type": ["File", "SoftwareSourceCode"] if code else "File",
        "name": place(path),
        "contentSize": str(Path(path).stat().st_size),
        "sha256": digest,
        "encodingFormat": guess_type(path)[0] or UNKNOWN,
    }


def _made_by(software: Mapping[str, tuple[str, str]]) -> list[Entity]:
    return [
        {"@id": key, "@type": "SoftwareApplication", "name": name, "softwareVersion": number}
        for key, (name, number) in software.items()
    ]


def _fixed() -> list[Entity]:
    """The entities of every crate."""
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _id("./"),
        "conformsTo": _ids(["https://w3id.org/ro/crate/1.1", *list(PROFILES)[2:]]),
    }
    profiles = [
        {"@id": url, "@type": "CreativeWork", "name": name, "version": number}
        for url, (name, number) in PROFILES.items()
    ]
    language = {
        "@id": SNAKEMAKE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "url": "https://snakemake.github.io",
        "version": version("snakemake"),
        "description": f"on Python {platform.python_version()}",
    }
    return [descriptor, *profiles, language]


def _id(name: str) -> dict[str, str]:
    return {"@id": name}


def _ids(names: Iterable[str]) -> dict[str, str] | list[dict[str, str]]:
    """What JSON-LD recommends: one is no list."""
    listed = [_id(name) for name in names]
    return listed[0] if len(listed) == 1 else listed
