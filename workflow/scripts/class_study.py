"""Intervals where likelihoods say nothing, a chunk of random policies of a few reward classes."""

import sys

from tqdm import tqdm

from replication.pipeline.io import write_table
from replication.pipeline.job import job
from replication.studies.chunks import Table, deal, stack
from replication.studies.classes import study_block
from replication.studies.errors import blocks_of

__all__ = ["study_classes"]


def study_classes(
    policies: int, repeats: int, seed: int, *, chunk: int = 1, chunks: int = 1
) -> Table:
    """Study the intervals of random policies, as far as they fall to a chunk.

    Args:
        policies: how many.
        repeats: pools of each.
        seed: seed of the study.
        chunk: which, from 1.
        chunks: how many.

    Returns:
        A table for `replication.studies.errors.gather`.
    """
    units = [
        (number, block, pools)
        for number in range(policies)
        for block, pools in enumerate(blocks_of(repeats))
    ]
    dealt = tqdm(deal(units, chunk, chunks), desc="classes", file=sys.stderr)
    return stack([study_block(number, block, pools, seed) for number, block, pools in dealt])


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        table = study_classes(
            params.study["class_policies"],
            params.study["repeats"],
            params.seed,
            chunk=int(params.chunk),
            chunks=int(params.chunks),
        )
        write_table(table, snakemake.output.table)
