"""Exact values: KL, win rate, their gaps and every bound on them, over the grid of n."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bestofn.bounds import float_quantities
from bestofn.io import log_to, read_table, write_table
from bestofn.policy import Policy


def compute_exact(policy: str, n: Sequence[float], output: str) -> None:
    """Write one row per n and one column per quantity of `bestofn.certify.QUANTITIES`."""
    responses = read_table(policy)
    values = float_quantities(Policy(responses["log_prob"], responses["reward"]), n)
    write_table({"n": np.asarray(n, dtype=np.float64)} | values, output)


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        compute_exact(snakemake.input.policy, snakemake.params.n, snakemake.output.exact)
