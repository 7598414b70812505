"""A study from the tables of its chunks: the whole, and the same as text."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from replication.pipeline.digits import claimed
from replication.pipeline.io import read_table, save_csv, write_csv, write_table
from replication.pipeline.job import job
from replication.studies.chunks import Table, in_order
from replication.studies.errors import Errors, gather

__all__ = ["STUDIES", "save_exactly"]


def save_exactly(table: str, path: str) -> None:
    """The same table as text, every digit, since verdicts are those of exactly these masses."""
    write_csv({name: column.tolist() for name, column in read_table(table).items()}, path)


class Study(NamedTuple):
    """How the chunks of a study become one table, and that a text."""

    gather: Callable[[Sequence[Table]], Table]
    save: Callable[[str, str], None]


STUDIES = {
    "estimators": Study(gather, save_csv),
    "classes": Study(gather, save_csv),
    "adversary": Study(in_order, save_exactly),
}

if __name__ == "__main__":
    with job(snakemake):
        study = STUDIES[snakemake.wildcards.study]
        tables = [read_table(path) for path in snakemake.input.chunks]
        table = claimed(study.gather(tables), differences=Errors._fields)
        write_table(table, snakemake.output.parquet)
        study.save(snakemake.output.parquet, snakemake.output.csv)
