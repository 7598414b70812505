"""Estimators on a real policy as pools grow: bias, RMSE and coverage against the proved KL."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bonmeter.exact.top import Bracket, TopPolicy, kl_bracket
from bonmeter.pools.estimate import Interval, kl_interval
from replication.llm.settings import load_settings
from replication.llm.tables import read_pools
from replication.pipeline.columns import Columns
from replication.pipeline.digits import claimed
from replication.pipeline.io import read_frame, write_table
from replication.pipeline.job import job
from replication.studies.errors import typical_df
from replication.studies.proved import bias, coverage, distance, rmse

SIZES = (64, 256, 1024, 4096)
N = (4, 16, 64, 256, 1024)
SUMMARIES = {"bias": bias, "rmse": rmse}

COLUMNS: Mapping[str, Columns] = {
    "llm/growth": {
        "proved_lower": kl_bracket,
        "proved_upper": kl_bracket,
        **SUMMARIES,
        "bias_standard_error": distance,
        "coverage": coverage,
        "df": kl_interval,
    }
}

METHODS = {"paper": "paper", "rank_corrected": "rank-corrected"}


def measure(config: str, pools: str, found: str, output: str) -> None:
    """Write one row per prompt, method, pool size and n; the reward is the log-likelihood.

    The pools are disjoint parts of the candidates at temperature 1, so that they are independent:
    there are as many as fit.

    Args:
        config: the settings.
        pools: table of the candidates.
        found: table of all responses of at least the threshold probability.
        output: the table.
    """
    settings = load_settings(config)
    candidates = read_pools(pools).query("temperature == 1")
    listed = read_frame(found).query("temperature == 1").groupby("prompt")
    rows = []
    for prompt, pool in candidates.groupby("prompt"):
        log_prob = listed.get_group(prompt)["log_prob"]
        top = TopPolicy(log_prob, float(np.log(settings.threshold)), error=settings.log_prob_error)
        rows += [
            {"prompt": prompt, "method": method} | row
            for size in SIZES
            if len(pool) >= 2 * size
            for method, name in METHODS.items()
            for row in _errors(pool, size, name, top)
        ]
    table = pd.DataFrame(rows)
    columns = {str(name): column.to_numpy() for name, column in table.items()}
    write_table(claimed(columns, differences={*SUMMARIES, "bias_standard_error"}), output)


def _errors(pool: pd.DataFrame, size: int, method: str, top: TopPolicy) -> list[dict[str, Any]]:
    n = np.array([k for k in N if k < size])
    parts = len(pool) // size
    log_prob, response = (
        pool[column].to_numpy()[: parts * size].reshape(parts, size)
        for column in ("log_prob", "response")
    )
    found = kl_interval(
        log_prob, log_prob, n, method=method, response=response, precision=top.error
    )
    truth = kl_bracket(top, n)
    return [
        {"pool_size": size, "n": int(k), "pools": parts} | _summary(found, truth, i)
        for i, k in enumerate(n)
    ]


def _summary(found: Interval, truth: Bracket, i: int) -> dict[str, float]:
    lower, upper = float(truth.lower[i]), float(truth.upper[i])
    estimate, ends = found.estimate[:, i], (found.lower[:, i], found.upper[:, i])
    off = distance(estimate, lower, upper)
    return {
        "proved_lower": lower,
        "proved_upper": upper,
        **{name: of(estimate, lower, upper) for name, of in SUMMARIES.items()},
        "bias_standard_error": float(off.std(ddof=1) / np.sqrt(off.size)),
        "coverage": coverage(ends, lower, upper),
        "df": typical_df(found)[i],
    }


if __name__ == "__main__":
    with job(snakemake):
        measure(
            snakemake.input.config,
            snakemake.input.pools,
            snakemake.input.found,
            snakemake.output.growth,
        )
