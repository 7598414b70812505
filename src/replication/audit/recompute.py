"""Decide one cell of the audit again: `python -m replication.audit.recompute CLAIM POLICY N`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bonmeter.policies.listed import Policy
from replication.audit.cells import Cell, check_policy
from replication.audit.checks import InequalityCheck
from replication.audit.claims import load_claims
from replication.pipeline.io import read_table

__all__ = ["command", "recompute"]

CLAIMS = Path(__file__).parents[3] / "config/claims.yaml"


def command(claim: str, policy: str, n: float) -> str:
    """What to type, in the folder of the results, to decide a cell again.

    Ours.

    Examples:
        >>> command("theorem_3_1", "binary", 2.0)
        'python -m replication.audit.recompute theorem_3_1 binary 2'
    """
    return f"python -m {__name__} {claim} {policy} {n:.17g}"


def recompute(check: InequalityCheck, name: str, policy: Policy, n: float) -> Cell:
    """The cell by ball arithmetic, whatever decided it in the audit.

    Ours.

    Args:
        check: of the claim.
        name: of the policy.
        policy: the reference policy.
        n: number of draws.

    Raises:
        ValueError: if the claim does not speak of this policy and n.

    Examples:
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> recompute(InequalityCheck(inequality="theorem_3_1"), "binary", binary, 2).verdict
        'holds'
    """
    nothing = {"n": np.array([])}
    cells = check_policy(name, policy, {"claim": check}, [n], nothing, len(policy))
    if not cells:
        raise ValueError(f"policy {name}, n = {n:g}: expected a cell that the claim speaks of")
    return cells[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the cell, a field a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claim", help="id of a claim about an inequality")
    parser.add_argument("policy", help="name of a policy of the config")
    parser.add_argument("n", type=float, help="number of draws")
    parser.add_argument("--results", type=Path, default=Path("results"), help="of a finished run")
    chosen = parser.parse_args(arguments)
    checks = {each.id: each.check for each in load_claims(CLAIMS)}
    check = checks.get(chosen.claim)
    if not isinstance(check, InequalityCheck):
        parser.error(f"{chosen.claim}: expected the id of a claim that cells decide")
    path = chosen.results / "policies" / f"{chosen.policy}.parquet"
    if not path.is_file():
        parser.error(f"{path}: expected a policy of a finished run")
    table = read_table(path)
    policy = Policy(table["log_prob"], table["reward"])
    cell = recompute(check, chosen.policy, policy, chosen.n)._replace(claim=chosen.claim)
    for field, value in cell._asdict().items():
        print(f"{field:15} {value}")


if __name__ == "__main__":
    main()
