"""The archive of a finished run, as a Workflow Run RO-Crate."""

import subprocess
from collections.abc import Sequence

from replication.pipeline.crate import describe, write_crate
from replication.pipeline.job import job
from replication.pipeline.manifest import fingerprint
from replication.pipeline.verify import read_entries

__all__ = ["pack"]

NAME = "Theoretical guarantees on the best-of-n alignment policy, replicated"


def code_version(project: str) -> str:
    """The commit, and whether files differ from it; empty where there is no checkout."""
    described = ["git", "-C", project, "describe", "--always", "--dirty", "--abbrev=40"]
    done = subprocess.run(described, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def pack(workflow: Sequence[str], project: str, output: str) -> None:
    """Write the archive.

    Args:
        workflow: files that define the run, the main Snakefile first.
        project: the folder of the project.
        output: the archive.

    Raises:
        ValueError: if a record or a file is not what the jobs wrote.
    """
    entries, altered = read_entries()
    if altered:
        raise ValueError(str(altered[0]))
    entries = [entry for entry in entries if output not in entry.outputs]
    named = {path for each in entries for path in (*each.code, *each.inputs, *each.outputs)}
    own = {path: fingerprint(path) for path in workflow if path not in named}
    metadata = describe(
        entries, own, snakefile=workflow[0], code_version=code_version(project), name=NAME
    )
    write_crate(metadata, named | set(own), output)


if __name__ == "__main__":
    with job(snakemake):
        pack(snakemake.input.workflow, snakemake.params.project, snakemake.output.crate)
