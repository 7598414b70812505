"""Adversarial search for a violation of every claimed inequality."""

import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from replication.audit.claims import InequalityCheck
from replication.pipeline.io import read_table, write_csv, write_table
from replication.pipeline.job import job
from replication.studies.adversary import Attack, attack, attack_one_outcome

__all__ = ["save_csv", "search"]

ONE_OUTCOME = "square_root_of_one_outcome"


def search(
    checks: Mapping[str, Mapping[str, Any]], evaluations: int, seed: int, output: str
) -> None:
    """Attack every inequality on all policies, and the square-root bound on one outcome.

    Args:
        checks: id of a claim -> fields of `replication.audit.claims.InequalityCheck`.
        evaluations: margins to compute for each.
        seed: seed of each search.
        output: a table of `claim, evaluations, best_margin, n, outcomes, masses, verdict`; the
            margin is relative, `masses` is the worst policy for
            `replication.studies.adversary.parse_masses`.
    """
    attacks = {
        claim: _attack(InequalityCheck(**check), evaluations, seed)
        for claim, check in tqdm(checks.items(), desc="attacks", unit="claim", file=sys.stderr)
        if check.get("policies") is None
    }
    attacks[ONE_OUTCOME] = attack_one_outcome(evaluations=evaluations, seed=seed)
    rows = list(attacks.values())
    write_table(
        {
            "claim": list(attacks),
            "evaluations": [row.evaluations for row in rows],
            "best_margin": [row.margin for row in rows],
            "n": [float(row.n) for row in rows],
            "outcomes": [row.outcomes for row in rows],
            "masses": [row.masses for row in rows],
            "verdict": [row.verdict for row in rows],
        },
        output,
    )


def _attack(check: InequalityCheck, evaluations: int, seed: int) -> Attack:
    return attack(
        check.statement,
        evaluations=evaluations,
        seed=seed,
        n=check.n,
        extrapolate=check.extrapolate,
    )


def save_csv(table: str, path: str) -> None:
    """The same table as text, to be kept under version control."""
    write_csv({name: column.tolist() for name, column in read_table(table).items()}, path)


if __name__ == "__main__":
    with job(snakemake):
        search(
            snakemake.params.checks,
            snakemake.params.study["evaluations"],
            snakemake.params.seed,
            snakemake.output.parquet,
        )
        save_csv(snakemake.output.parquet, snakemake.output.csv)
