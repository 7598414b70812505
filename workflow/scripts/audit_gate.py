"""The gate of the audit: it takes no table on trust, and a verdict other than expected fails."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bonmeter.policies.listed import Policy
from replication.audit.checks import InequalityCheck
from replication.audit.claims import load_claims
from replication.audit.cross_check import (
    KEPT_DIGITS,
    check_cells,
    check_exact,
    check_normalised,
    check_same,
)
from replication.audit.findings import NOT_STUDIED
from replication.audit.tables import Tables, load_tables
from replication.audit.verdicts import audit_claims, disagreements
from replication.pipeline.io import atomic_path, read_frame, read_table
from replication.pipeline.job import job
from replication.pipeline.manifest import folder_beside
from replication.pipeline.verify import damaged, read_entries, upstream

COPIED = ("kl", "analytical_kl", "kl_gap", "expected_estimator", "estimator_bias", "second_moment")
"""Columns that the estimates share with the exact values."""


def gate(
    claims: str,
    written: str,
    evidence: Tables,
    policies: Mapping[str, str],
    checks: Mapping[str, InequalityCheck],
    certification: Mapping[str, Any],
) -> str:
    """Say how many claims have the expected verdict.

    Args:
        claims: what is claimed, and expected.
        written: the table of verdicts, which must be what follows from the evidence.
        evidence: what the verdicts follow from.
        policies: by name, the table of each.
        checks: what was to be decided in cells, by id of the claim.
        certification: the `n` and `largest_policy` of ball arithmetic.

    Raises:
        ValueError: naming each file that is not what its job made, each table that contradicts
            another, and each claim that should hold and does not, or the reverse.
    """
    table = audit_claims(load_claims(claims), *evidence)
    wrong = [
        *altered(written),
        *contradictions(evidence, policies, checks, certification),
        *([] if table.equals(read_frame(written)) else [f"{written}: not what follows"]),
        *disagreements(table),
    ]
    if wrong:
        raise ValueError("the audit fails:\n" + "\n".join(wrong))
    missing = int((table.verdict == NOT_STUDIED).sum())
    note = f", but for {missing} that this configuration does not study" if missing else ""
    return f"{len(table)} claims, each with the expected verdict{note}\n"


def altered(path: str) -> list[str]:
    """What the file rests on, up to its sources, that is not what its job made."""
    return [
        str(problem) for problem in damaged(upstream(path, read_entries(folder_beside(path))[0]))
    ]


def contradictions(
    evidence: Tables,
    policies: Mapping[str, str],
    checks: Mapping[str, InequalityCheck],
    certification: Mapping[str, Any],
) -> Iterator[str]:
    """Tables that hold the same quantity and disagree."""
    exact = dict(list(evidence.tables["exact"].groupby("policy")))
    estimates = dict(list(evidence.tables["estimates"].groupby("policy")))
    cells = dict(list(evidence.cells.groupby("policy")))
    for name, path in policies.items():
        responses = read_table(path)
        policy = Policy(responses["log_prob"], responses["reward"])
        small = len(policy) <= certification["largest_policy"]
        yield from check_normalised(name, responses["log_prob"])
        if small:
            yield from check_exact(name, policy, exact[name])
        certified_n = certification["n"] if small else ()
        yield from check_cells(name, cells[name], exact[name], checks, certified_n)
        for column in COPIED:
            yield from check_same(
                f"{name}, {column} of estimates", estimates[name][column], exact[name][column]
            )
    for name in ("estimators_quick", "estimators"):
        if name in evidence.tables:
            yield from _check_study(name, evidence.tables[name], evidence.tables["exact"])


def _check_study(name: str, study: pd.DataFrame, exact: pd.DataFrame) -> Iterator[str]:
    both = study.merge(exact[["policy", "n", "kl"]], on=["policy", "n"], suffixes=("", "_exact"))
    yield from check_same(f"kl of {name}", both.kl, both.kl_exact, KEPT_DIGITS)


if __name__ == "__main__":
    with job(snakemake):
        given, params = snakemake.input, snakemake.params
        message = gate(
            given.claims,
            given.written[0],
            load_tables(params.policies, given, params.kept),
            dict(zip(params.policies, given.policies, strict=True)),
            {claim: InequalityCheck(**check) for claim, check in params.checks.items()},
            params.certification,
        )
        with atomic_path(snakemake.output.passed) as path:
            Path(path).write_text(message, encoding="utf-8")
