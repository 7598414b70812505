"""Your own logs of best-of-n runs: the page that says what they cost and bought, and its tables."""

from collections.abc import Sequence
from pathlib import Path

from bonmeter import read_log, write_report
from replication.pipeline.io import log_to


def main(logs: Sequence[str], page: str) -> None:
    """Read `logs` as one and write its report; the tables go to the same folder."""
    write_report(read_log(logs), page, sources=logs, tables=Path(page).parent)


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        main(snakemake.input.logs, snakemake.output.page)
