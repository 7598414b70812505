"""Adversarial search for a violation of every claimed inequality, a chunk of them."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from replication.audit.checks import InequalityCheck
from replication.pipeline.io import write_table
from replication.pipeline.job import job
from replication.studies.adversary import Attack, attack, attack_one_outcome
from replication.studies.chunks import Table, deal, stack

__all__ = ["search"]

ONE_OUTCOME = "square_root_of_one_outcome"


def search(
    checks: Mapping[str, Mapping[str, Any]],
    evaluations: int,
    seed: int,
    *,
    chunk: int = 1,
    chunks: int = 1,
) -> Table:
    """Attack the inequalities of a chunk, the square-root bound on one outcome among all of them.

    Args:
        checks: id of a claim -> fields of `replication.audit.checks.InequalityCheck`.
        evaluations: margins to compute for each.
        seed: seed of each search.
        chunk: which, from 1.
        chunks: how many.

    Returns:
        A table of `cell, claim, evaluations, best_margin, n, outcomes, masses, verdict`; the margin
        is relative, `masses` is the worst policy for `replication.studies.adversary.parse_masses`.
    """
    claims = [claim for claim, check in checks.items() if check.get("policies") is None]
    units = [*enumerate([*claims, ONE_OUTCOME])]
    dealt = tqdm(deal(units, chunk, chunks), desc="attacks", unit="claim", file=sys.stderr)
    return stack(
        [_row(cell, claim, _attack(claim, checks, evaluations, seed)) for cell, claim in dealt]
    )


def _row(cell: int, claim: str, found: Attack) -> Table:
    values = {
        "cell": cell,
        "claim": claim,
        "evaluations": found.evaluations,
        "best_margin": found.margin,
        "n": float(found.n),
        "outcomes": found.outcomes,
        "masses": found.masses,
        "verdict": found.verdict,
    }
    return {name: np.array([value]) for name, value in values.items()}


def _attack(
    claim: str, checks: Mapping[str, Mapping[str, Any]], evaluations: int, seed: int
) -> Attack:
    if claim == ONE_OUTCOME:
        return attack_one_outcome(evaluations=evaluations, seed=seed)
    check = InequalityCheck(**checks[claim])
    return attack(
        check.statement,
        evaluations=evaluations,
        seed=seed,
        n=check.n,
        extrapolate=check.extrapolate,
    )


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        table = search(
            params.checks,
            params.study["evaluations"],
            params.seed,
            chunk=int(params.chunk),
            chunks=int(params.chunks),
        )
        write_table(table, snakemake.output.table)
