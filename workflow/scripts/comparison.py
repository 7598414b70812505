"""The study of estimators from one pool with the methods side by side."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from replication.audit.side_by_side import METHODS, is_large, side_by_side, visible_error
from replication.pipeline.io import log_to, write_table
from replication.studies.compare import errors_of

COLUMNS: Mapping[str, Callable[..., Any]] = {
    "pool_ratio": side_by_side,
    "large": is_large,
    **{
        f"{value}_{method}": function
        for method in METHODS.values()
        for value, function in (
            *(("rmse", visible_error), ("bias", visible_error)),
            *(("coverage", errors_of), ("df", errors_of)),
        )
    },
}
"""The function that each column is a value of."""


def compare(study: str, output: str) -> None:
    """Write one row for each policy, pool size and n, one column for each error of each method."""
    table = side_by_side(pd.read_csv(study))
    write_table({str(name): column.to_numpy() for name, column in table.items()}, output)


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        compare(snakemake.input.study, snakemake.output.comparison)
