"""Exact values: KL, win rate, their gaps and every bound on them, over the grid of n."""

from collections.abc import Sequence

import numpy as np

from bonmeter.bounds.evaluate import float_quantities
from bonmeter.exact.estimator import kl_estimator_second_moment
from bonmeter.exact.ties import expected_estimator_of_responses, kl_as_if_distinct
from bonmeter.policies.listed import Policy
from replication.pipeline.io import log_to, read_table, write_table


def compute_exact(policy: str, n: Sequence[float], output: str) -> None:
    """Write one row per n and one column per quantity of `bonmeter.bounds.quantities`.

    Further columns: the second moment of the estimator, and what forgetting ties gives.
    """
    responses = read_table(policy)
    log_prob, reward = responses["log_prob"], responses["reward"]
    reference = Policy(log_prob, reward)
    values = float_quantities(reference, n)
    values["second_moment"] = kl_estimator_second_moment(reference, n)
    tied = len(reference) < log_prob.size
    values["distinct_kl"] = kl_as_if_distinct(log_prob, reward, n) if tied else values["kl"]
    values["distinct_estimator"] = (
        expected_estimator_of_responses(log_prob, reward, n)
        if tied
        else values["expected_estimator"]
    )
    write_table({"n": np.asarray(n, dtype=np.float64)} | values, output)


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        compute_exact(snakemake.input.policy, snakemake.params.n, snakemake.output.exact)
