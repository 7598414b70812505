"""The study of estimators from one pool: every policy, pool size, n and method."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from replication.pipeline.io import read_table, save_csv, write_table
from replication.pipeline.job import job
from replication.studies.compare import compare_methods

__all__ = ["save_csv", "study"]


def study(
    policies: Mapping[str, str],
    pool_sizes: Sequence[int],
    n: Sequence[int],
    repeats: int,
    seed: int,
    output: str,
) -> None:
    """Compare the methods on pools of every policy and size.

    Args:
        policies: name of a policy -> its table of responses.
        pool_sizes: numbers of candidates N.
        n: whole numbers; those up to N/2 are studied.
        repeats: number of pools for each policy and size.
        seed: seed of the study.
        output: a table with the columns of `replication.studies.compare.compare_methods`.
    """
    cells = [(name, path, size) for name, path in policies.items() for size in pool_sizes]
    tables = [
        _compare(name, path, size, n, repeats, seed)
        for name, path, size in tqdm(cells, desc="study", unit="cell", file=sys.stderr)
    ]
    write_table({key: np.concatenate([t[key] for t in tables]) for key in tables[0]}, output)


def _compare(
    name: str, path: str, pool_size: int, n: Sequence[int], repeats: int, seed: int
) -> dict[str, np.ndarray]:
    policy = read_table(path)
    return compare_methods(
        name,
        policy["log_prob"],
        policy["reward"],
        pool_size=pool_size,
        n=n,
        repeats=repeats,
        seed=seed,
    )


if __name__ == "__main__":
    with job(snakemake):
        study(
            dict(zip(snakemake.params.policies, snakemake.input.policies, strict=True)),
            snakemake.params.study["pool_sizes"],
            snakemake.params.study["n"],
            snakemake.params.study["repeats"],
            snakemake.params.seed,
            snakemake.output.parquet,
        )
        save_csv(snakemake.output.parquet, snakemake.output.csv)
