"""Bound checks: the verdict on every claimed inequality at every n, for one policy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bonmeter.policies.listed import Policy
from replication.audit.cells import Cell, check_policy
from replication.audit.claims import InequalityCheck
from replication.pipeline.io import read_table, write_table
from replication.pipeline.job import job


def check_bounds(
    name: str,
    policy: str,
    exact: str,
    checks: Mapping[str, Mapping[str, Any]],
    certified_n: Sequence[float],
    largest_certified: int,
    output: str,
) -> None:
    """Write one row per claim and n: both sides, the margin, the verdict and its method.

    A further column holds the number of outcomes, tied responses being one.
    """
    responses = read_table(policy)
    reference = Policy(responses["log_prob"], responses["reward"])
    cells = check_policy(
        name,
        reference,
        {claim: InequalityCheck(**check) for claim, check in checks.items()},
        certified_n,
        read_table(exact),
        largest_certified,
    )
    columns = dict(zip(Cell._fields, map(list, zip(*cells, strict=True)), strict=True))
    write_table(columns | {"outcomes": np.full(len(cells), len(reference))}, output)


if __name__ == "__main__":
    with job(snakemake):
        check_bounds(
            snakemake.params.name,
            snakemake.input.policy,
            snakemake.input.exact,
            snakemake.params.checks,
            snakemake.params.certification["n"],
            snakemake.params.certification["largest_policy"],
            snakemake.output.checks,
        )
