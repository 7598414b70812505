"""The audit's table: one verdict per claim, from the cells of all policies."""

from collections.abc import Mapping, Sequence
from typing import Any

from replication.audit.claims import load_claims
from replication.audit.summary import to_json
from replication.audit.tables import Inputs, load_tables
from replication.audit.verdicts import audit_claims
from replication.pipeline.io import atomic_path
from replication.pipeline.job import job


def audit(
    claims: str,
    policies: Sequence[str],
    inputs: Inputs,
    kept: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, str],
) -> None:
    """Write the claims table, and the cells; `policies` names the tables of policies in order."""
    evidence = load_tables(policies, inputs, kept)
    table = audit_claims(load_claims(claims), *evidence)
    for written, target in ((table, outputs["parquet"]), (evidence.cells, outputs["cells"])):
        with atomic_path(target) as path:
            written.to_parquet(path, index=False, write_page_checksum=True)
    with atomic_path(outputs["csv"]) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    with atomic_path(outputs["json"]) as path:
        path.write_text(to_json(table), encoding="utf-8")


if __name__ == "__main__":
    with job(snakemake):
        audit(
            snakemake.input.claims,
            snakemake.params.policies,
            snakemake.input,
            snakemake.params.kept,
            snakemake.output,
        )
