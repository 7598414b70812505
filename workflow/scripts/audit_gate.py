"""The gate of the audit: a verdict other than the expected one fails the build."""

import pandas as pd

from replication.audit.verdicts import disagreements
from replication.pipeline.io import atomic_path
from replication.pipeline.job import job


def gate(claims: str, passed: str) -> None:
    """Write the success file.

    Raises:
        ValueError: naming each claim that should hold and does not, or the reverse.
    """
    table = pd.read_parquet(claims)
    wrong = disagreements(table)
    if wrong:
        raise ValueError("the audit fails:\n" + "\n".join(wrong))
    with atomic_path(passed) as path:
        path.write_text(f"{len(table)} claims, each with the expected verdict\n", encoding="utf-8")


if __name__ == "__main__":
    with job(snakemake):
        gate(snakemake.input.claims, snakemake.output.passed)
