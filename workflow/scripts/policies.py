"""Data generation: the responses of one policy, as the config declares it."""

from collections.abc import Mapping
from typing import Any

from replication.pipeline.io import write_table
from replication.pipeline.job import job
from replication.policies.families import make_responses


def make_policy(family: str, parameters: Mapping[str, Any], seed: int, output: str) -> None:
    """Write the log-probability and the reward of every response."""
    log_prob, reward = make_responses(family, parameters, seed)
    write_table({"log_prob": log_prob, "reward": reward}, output)


if __name__ == "__main__":
    with job(snakemake):
        make_policy(
            snakemake.params.policy["family"],
            snakemake.params.policy["parameters"],
            snakemake.params.seed,
            snakemake.output.policy,
        )
