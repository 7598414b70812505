"""The paper's estimator on simulated best-of-n selections: mean, bias, standard error, RMSE."""

import numpy as np

from bonmeter.policies.listed import Policy
from replication.pipeline.io import log_to, read_table, write_table
from replication.studies.simulate import simulate_kl_estimator


def estimate(
    name: str, policy: str, exact: str, selections: int, repeats: int, seed: int, output: str
) -> None:
    """Write one row per n: the errors over repeats beside the exact expectation and the formula."""
    responses, values = read_table(policy), read_table(exact)
    errors = simulate_kl_estimator(
        Policy(responses["log_prob"], responses["reward"]),
        values["n"],
        selections=selections,
        repeats=repeats,
        seed=seed,
        name=name,
    )
    columns = ("n", "kl", "analytical_kl", "expected_estimator", "second_moment")
    counts = {"selections": selections, "repeats": repeats}
    write_table(
        {column: values[column] for column in columns}
        | errors._asdict()
        | {count: np.full(values["n"].size, value) for count, value in counts.items()},
        output,
    )


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        estimate(
            snakemake.params.name,
            snakemake.input.policy,
            snakemake.input.exact,
            snakemake.params.simulation["selections"],
            snakemake.params.simulation["repeats"],
            snakemake.params.seed,
            snakemake.output.estimates,
        )
