"""How often the mean of the paper's estimator is off, for as many selections as it needs."""

from collections.abc import Sequence

from bonmeter.exact.concentration import selections_needed
from bonmeter.policies.listed import Policy
from replication.pipeline.io import read_table, write_table
from replication.pipeline.job import job
from replication.studies.simulate import simulate_failures, stream

COLUMNS = (
    *("policy", "n", "accuracy", "failure", "repeats"),
    *("selections", "failures", "failures_of_few"),
)
FEW = 250
"""By it the number of selections is divided for the negative control."""

LARGEST_DELTA = 1 - 1e-12
"""Beyond it the number of selections is not one of 64 bits."""


def concentrate(
    names: Sequence[str],
    policies: Sequence[str],
    n: Sequence[float],
    accuracy: float,
    failure: float,
    repeats: int,
    seed: int,
    output: str,
) -> None:
    """Write a row per policy and n: the number of selections, and how many means were off.

    The last column is how many were with a 250th of the selections. Policies of one outcome, or
    nearly, have no row.
    """
    rows: list[tuple[str | float, ...]] = []
    for name, path in zip(names, policies, strict=True):
        responses = read_table(path)
        policy = Policy(responses["log_prob"], responses["reward"])
        if policy.delta > LARGEST_DELTA:
            continue
        needed = selections_needed(policy.delta, n, accuracy=accuracy, failure=failure)
        for each, enough in zip(n, needed.astype(int).tolist(), strict=True):
            counts = [
                simulate_failures(
                    policy,
                    each,
                    selections=selections,
                    accuracy=accuracy,
                    repeats=repeats,
                    rng=stream(seed, "concentration", name, each, selections),
                )
                for selections in (enough, -(-enough // FEW))
            ]
            rows.append((name, float(each), accuracy, failure, repeats, enough, *counts))
    write_table(dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True)), output)


if __name__ == "__main__":
    with job(snakemake):
        concentrate(
            snakemake.params.policies,
            snakemake.input.policies,
            **snakemake.params.concentration,
            seed=snakemake.params.seed,
            output=snakemake.output.parquet,
        )
