"""The audit's table: one verdict per claim, from the cells of all policies."""

from collections.abc import Sequence

import pandas as pd
import pyarrow.parquet as pq

from bestofn.audit import audit_claims
from bestofn.claims import load_claims
from bestofn.io import atomic_path, log_to


def audit(
    claims: str,
    policies: Sequence[str],
    sizes: Sequence[str],
    checks: Sequence[str],
    estimates: Sequence[str],
    parquet: str,
    csv: str,
) -> None:
    """Write the claims table; the files are in the order of the names in `policies`."""
    cells = _concatenated(policies, checks)
    responses = {
        name: pq.read_metadata(path).num_rows for name, path in zip(policies, sizes, strict=True)
    }
    cells["outcomes"] = cells.policy.map(responses)
    table = audit_claims(
        load_claims(claims), cells, {"estimates": _concatenated(policies, estimates)}
    )
    with atomic_path(parquet) as path:
        table.to_parquet(path, index=False)
    with atomic_path(csv) as path:
        table.to_csv(path, index=False, lineterminator="\n")


def _concatenated(policies: Sequence[str], paths: Sequence[str]) -> pd.DataFrame:
    tables = [
        pd.read_parquet(path).assign(policy=name)
        for name, path in zip(policies, paths, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        audit(
            snakemake.input.claims,
            snakemake.params.policies,
            snakemake.input.policies,
            snakemake.input.checks,
            snakemake.input.estimates,
            snakemake.output.parquet,
            snakemake.output.csv,
        )
