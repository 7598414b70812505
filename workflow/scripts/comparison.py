"""The study of estimators from one pool with the methods side by side."""

from collections.abc import Mapping

import pandas as pd

from replication.audit.function_checks import is_large
from replication.audit.side_by_side import METHODS, side_by_side, visible_error
from replication.pipeline.columns import Columns
from replication.pipeline.io import write_table
from replication.pipeline.job import job
from replication.studies.errors import errors_of

ERRORS: Columns = {
    "rmse": visible_error,
    "bias": visible_error,
    "coverage": errors_of,
    "df": errors_of,
}

COLUMNS: Mapping[str, Columns] = {
    "study/comparison": {
        "pool_ratio": side_by_side,
        "large": is_large,
        **{f"{error}_{each}": of for error, of in ERRORS.items() for each in METHODS.values()},
    }
}


def compare(study: str, output: str) -> None:
    """Write one row for each policy, pool size and n, one column for each error of each method."""
    table = side_by_side(pd.read_csv(study))
    write_table({str(name): column.to_numpy() for name, column in table.items()}, output)


if __name__ == "__main__":
    with job(snakemake):
        compare(snakemake.input.study, snakemake.output.comparison)
