"""The audit's table: one verdict per claim, from the cells of all policies."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import pandas as pd

from replication.audit.claims import load_claims
from replication.audit.summary import to_json
from replication.audit.verdicts import audit_claims
from replication.pipeline.io import atomic_path
from replication.pipeline.job import job


class Inputs(Protocol):
    """The paths that the audit reads, by name; those of studies are quick and full."""

    checks: Sequence[str]
    exact: Sequence[str]
    estimates: Sequence[str]
    concentration: str
    curves: str
    rivals: str
    language_model: str
    language_model_growth: str
    adversary: Sequence[str]
    estimators: Sequence[str]
    classes: Sequence[str]


def audit(claims: str, policies: Sequence[str], inputs: Inputs, outputs: Mapping[str, str]) -> None:
    """Write the claims table, and the cells; `policies` names the tables of policies in order."""
    cells = _concatenated(policies, inputs.checks)
    quick, full = map(pd.read_csv, inputs.estimators)
    tables = {
        "exact": _concatenated(policies, inputs.exact),
        "estimates": _concatenated(policies, inputs.estimates),
        "concentration": pd.read_parquet(inputs.concentration),
        "curves": pd.read_parquet(inputs.curves),
        "rivals": pd.read_parquet(inputs.rivals),
        "language_model": pd.read_parquet(inputs.language_model),
        "language_model_growth": pd.read_parquet(inputs.language_model_growth),
        "adversary": pd.concat(map(pd.read_csv, inputs.adversary), ignore_index=True),
        "estimators": full,
        "estimators_quick": quick,
        "classes": pd.read_csv(inputs.classes[-1]),
    }
    table = audit_claims(load_claims(claims), cells, tables)
    for written, target in ((table, outputs["parquet"]), (cells, outputs["cells"])):
        with atomic_path(target) as path:
            written.to_parquet(path, index=False)
    with atomic_path(outputs["csv"]) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    with atomic_path(outputs["json"]) as path:
        path.write_text(to_json(table), encoding="utf-8")


def _concatenated(policies: Sequence[str], paths: Sequence[str]) -> pd.DataFrame:
    tables = [
        pd.read_parquet(path).assign(policy=name)
        for name, path in zip(policies, paths, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    with job(snakemake):
        audit(
            snakemake.input.claims,
            snakemake.params.policies,
            snakemake.input,
            snakemake.output,
        )
