"""The study of estimators from one pool, a chunk of it: policies, pool sizes, n and methods."""

import sys
from collections.abc import Mapping, Sequence
from functools import cache

from tqdm import tqdm

from replication.pipeline.io import read_table, write_table
from replication.pipeline.job import job
from replication.studies.chunks import Table, deal, stack
from replication.studies.compare import Studied, compare_block, studied
from replication.studies.errors import blocks_of

__all__ = ["study"]


def study(
    policies: Mapping[str, str],
    pool_sizes: Sequence[int],
    n: Sequence[int],
    repeats: int,
    seed: int,
    *,
    chunk: int = 1,
    chunks: int = 1,
) -> Table:
    """Compare the methods on pools of every policy and size, as far as they fall to a chunk.

    Args:
        policies: name of a policy -> its table of responses.
        pool_sizes: numbers of candidates N.
        n: whole numbers; those up to N/2 are studied.
        repeats: number of pools for each policy and size.
        seed: seed of the study.
        chunk: which, from 1.
        chunks: how many.

    Returns:
        A table for `replication.studies.errors.gather`.
    """
    cells = [(name, size) for name in policies for size in pool_sizes]
    units = [
        (cell, block, pools)
        for cell in sorted(range(len(cells)), key=lambda cell: -cells[cell][1])
        for block, pools in enumerate(blocks_of(repeats))
    ]

    @cache  # the blocks of a policy do not follow each other
    def policy(name: str) -> Studied:
        table = read_table(policies[name])
        return studied(name, table["log_prob"], table["reward"])

    tables = []
    for cell, block, pools in tqdm(deal(units, chunk, chunks), desc="study", file=sys.stderr):
        name, size = cells[cell]
        tables.append(
            compare_block(cell, block, policy(name), pool_size=size, n=n, repeats=pools, seed=seed)
        )
    return stack(tables)


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        table = study(
            dict(zip(params.policies, snakemake.input.policies, strict=True)),
            params.study["pool_sizes"],
            params.study["n"],
            params.study["repeats"],
            params.seed,
            chunk=int(params.chunk),
            chunks=int(params.chunks),
        )
        write_table(table, snakemake.output.table)
