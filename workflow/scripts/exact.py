"""Exact values: KL, win rate, their gaps and every bound on them, over the grids of n."""

from collections.abc import Mapping, Sequence

import numpy as np

from bonmeter.bounds.evaluate import float_quantities
from bonmeter.bounds.formulas import FORMULAS
from bonmeter.bounds.quantities import bounds_on
from bonmeter.exact.estimator import kl_estimator_second_moment
from bonmeter.exact.ties import expected_estimator_of_responses, kl_as_if_distinct
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from replication.pipeline.columns import Columns, Derived, derive
from replication.pipeline.digits import claimed
from replication.pipeline.io import read_table, write_table
from replication.pipeline.job import job
from replication.studies.derived import (
    estimator_bias,
    n_delta,
    n_squared_delta,
    over_exact_gap,
    per_continuous_loss_rate,
)

DERIVED: Mapping[str, Derived] = {
    "estimator_bias": Derived(estimator_bias, ("kl_gap", "expected_estimator_gap")),
    "n_delta": Derived(n_delta, ("n", "delta")),
    "n_squared_delta": Derived(n_squared_delta, ("n", "delta")),
    **{
        f"{name}_per_loss": Derived(per_continuous_loss_rate, (name, "n"))
        for name in ("win_rate_gap", "theorem_5_4_delta", "sharp_win_rate_gap_delta")
    },
    **{
        f"{bound}_over_gap": Derived(over_exact_gap, (bound, gap))
        for gap in ("kl_gap", "win_rate_gap")
        for bound in bounds_on(gap)
    },
}
"""Columns computed from the others."""

VALUES: Columns = {
    **FORMULAS,
    "second_moment": kl_estimator_second_moment,
    "distinct_kl": kl_as_if_distinct,
    "distinct_estimator": expected_estimator_of_responses,
    **DERIVED,
}

COLUMNS: Mapping[str, Columns] = {"exact": VALUES, "curves": VALUES}
"""The same at whole n and, for smooth curves, at real n."""


def compute_exact(policy: str, grids: Mapping[str, Sequence[float]]) -> None:
    """Write one row per n and one column per quantity of `bonmeter.bounds.quantities`.

    Further columns: the second moment of the estimator, what forgetting ties gives, and `DERIVED`.

    Args:
        policy: table of the responses.
        grids: the tables to write, with the n of each; all are computed together.
    """
    responses = read_table(policy)
    order = np.argsort(responses["reward"], kind="stable")  # once, for all that sort by it
    n = np.concatenate([np.asarray(grid, dtype=np.float64) for grid in grids.values()])
    values = {"n": n} | _values(responses["log_prob"][order], responses["reward"][order], n)
    starts = np.cumsum([0, *map(len, grids.values())]).tolist()
    for output, rows in zip(grids, map(slice, starts, starts[1:]), strict=False):
        table = {name: column[rows] for name, column in values.items()}
        table |= derive(DERIVED, table)
        write_table(claimed(table, differences={"estimator_bias"}), output)


def _values(log_prob: FloatArray, reward: FloatArray, n: FloatArray) -> dict[str, FloatArray]:
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
    return values


if __name__ == "__main__":
    with job(snakemake):
        params, output = snakemake.params, snakemake.output
        grids = {output.exact: params.exact, output.curves: params.curves}
        compute_exact(snakemake.input.policy, grids)
