"""Check every artifact, and name those that are altered, missing, extra or stale."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from replication.pipeline.io import DamagedFileError
from replication.pipeline.job import job
from replication.pipeline.verify import altered_of_kept, read_entries, verify


def check(expected: Sequence[str], outdated: Mapping[str, str], records: Sequence[str]) -> str:
    """Say how many files were checked.

    Raises:
        DamagedFileError: with a line for each file that is not what it should be.
    """
    entries, altered = read_entries()
    kept = [problem for record in records for problem in altered_of_kept(record)]
    problems = [*altered, *verify(entries, expected, outdated), *kept]
    if problems:
        raise DamagedFileError(f"{len(problems)} problems:\n" + "\n".join(map(str, problems)))
    count = sum(len(entry.outputs) for entry in entries)
    return f"{count} files of {len(entries)} jobs are what the jobs made"


def would_be_made_again(snakefile: str, config: Mapping[str, Any]) -> dict[str, str]:
    """By path, why Snakemake would make a file again, by its own rules."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(dict(config), file)
        file.flush()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", snakefile),
                *("--nolock", "--summary", "all", "--replace-workflow-config"),
                *("--configfile", file.name),
            ],
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    table = [row for row in rows if len(row) == len(SUMMARY)]
    records = [dict(zip(SUMMARY, row, strict=True)) for row in table]
    return {row["file"]: row["status"] for row in records if row["plan"] == "update pending"}


SUMMARY = ("file", "date", "rule", "logs", "status", "plan")
"""Columns of Snakemake's summary."""


if __name__ == "__main__":
    with job(snakemake):
        found = would_be_made_again(snakemake.params.snakefile, snakemake.params.config)
        print(check(snakemake.params.expected, found, snakemake.params.records))
