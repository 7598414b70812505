"""Your own logs of best-of-n runs: the page that says what they cost and bought, and its tables."""

from collections.abc import Sequence
from pathlib import Path

from bonmeter import read_log, write_report
from replication.pipeline.job import job


def main(logs: Sequence[str], page: str) -> None:
    """Read `logs` as one and write its report; the tables go to the same folder."""
    write_report(read_log(logs), page, sources=logs, tables=Path(page).parent)


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.logs, snakemake.output.page)
