"""Bound checks: the verdict on every claimed inequality at every n, for one policy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bonmeter.bounds.evaluate import float_quantities
from bonmeter.policies.listed import Policy
from replication.audit.cells import Cell, check_policy
from replication.audit.checks import InequalityCheck
from replication.pipeline.digits import claimed
from replication.pipeline.io import read_table, write_table
from replication.pipeline.job import job


def check_bounds(
    name: str,
    policy: str,
    n: Sequence[float],
    checks: Mapping[str, Mapping[str, Any]],
    certified_n: Sequence[float],
    largest_certified: int,
    output: str,
) -> None:
    """Write one row per claim and n: both sides, the margin, the verdict and its method.

    Sides are computed anew: those in the exact table have lost the digits that verdicts rest on.
    A further column holds the number of outcomes, tied responses being one.
    """
    responses = read_table(policy)
    reference = Policy(responses["log_prob"], responses["reward"])
    order = np.asarray(n, dtype=np.float64)
    cells = check_policy(
        name,
        reference,
        {claim: InequalityCheck(**check) for claim, check in checks.items()},
        certified_n,
        {"n": order} | float_quantities(reference, order),
        largest_certified,
    )
    columns = dict(zip(Cell._fields, map(list, zip(*cells, strict=True)), strict=True))
    columns["outcomes"] = [len(reference)] * len(cells)
    write_table(claimed(columns, exact={"margin_lower", "margin_upper"}), output)


if __name__ == "__main__":
    with job(snakemake):
        check_bounds(
            snakemake.params.name,
            snakemake.input.policy,
            snakemake.params.n,
            snakemake.params.checks,
            snakemake.params.certification["n"],
            snakemake.params.certification["largest_policy"],
            snakemake.output.checks,
        )
