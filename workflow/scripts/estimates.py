"""The paper's estimator on simulated best-of-n selections: mean, bias, standard error, RMSE."""

from collections.abc import Mapping

import numpy as np

from bonmeter.policies.listed import Policy
from replication.pipeline.columns import Columns, Derived, derive
from replication.pipeline.digits import claimed
from replication.pipeline.io import read_table, write_table
from replication.pipeline.job import job
from replication.studies.derived import two_standard_errors
from replication.studies.simulate import EstimatorErrors, simulate_kl_estimator

COPIED = (
    *("n", "kl", "analytical_kl", "kl_gap", "expected_estimator", "estimator_bias"),
    "second_moment",
)
"""Columns of the exact table."""

DERIVED: Mapping[str, Derived] = {
    "two_standard_errors": Derived(two_standard_errors, ("standard_error", "repeats"))
}
"""Columns computed from the others."""

COLUMNS: Mapping[str, Columns] = {
    "estimates": {
        **dict.fromkeys(COPIED, "exact"),
        **dict.fromkeys(EstimatorErrors._fields, simulate_kl_estimator),
        **DERIVED,
    }
}


def estimate(
    name: str, policy: str, exact: str, selections: int, repeats: int, seed: int, output: str
) -> None:
    """Write one row per n: the errors over repeats beside the exact expectation and the formula."""
    responses, values = read_table(policy), read_table(exact)
    simulated = simulate_kl_estimator(
        Policy(responses["log_prob"], responses["reward"]),
        values["n"],
        selections=selections,
        repeats=repeats,
        seed=seed,
        name=name,
    )
    counts = {"selections": selections, "repeats": repeats}
    table = (
        {column: values[column] for column in COPIED}
        | simulated._asdict()
        | {count: np.full(values["n"].size, value) for count, value in counts.items()}
    )
    errors = {"estimator_bias", *EstimatorErrors._fields, *DERIVED}
    write_table(claimed(table | derive(DERIVED, table), differences=errors), output)


if __name__ == "__main__":
    with job(snakemake):
        estimate(
            snakemake.params.name,
            snakemake.input.policy,
            snakemake.input.exact,
            snakemake.params.simulation["selections"],
            snakemake.params.simulation["repeats"],
            snakemake.params.seed,
            snakemake.output.estimates,
        )
