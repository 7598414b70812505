"""Data generation: the responses of one policy, as the config declares it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from replication.pipeline.io import write_table
from replication.pipeline.job import job
from replication.policies.families import make_responses

DECIMALS = 12
"""Of a log-probability: the last digits of a logarithm differ between processors."""


def make_policy(family: str, parameters: Mapping[str, Any], seed: int, output: str) -> None:
    """Write the log-probability and the reward of every response."""
    log_prob, reward = make_responses(family, parameters, seed)
    write_table({"log_prob": np.round(log_prob, DECIMALS), "reward": reward}, output)


if __name__ == "__main__":
    with job(snakemake):
        make_policy(
            snakemake.params.family,
            snakemake.params.parameters,
            snakemake.params.seed,
            snakemake.output.policy,
        )
