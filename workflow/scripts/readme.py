"""Tables in the pages: the README's claims, from the audit, and the study of estimators."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from replication.pipeline.io import log_to
from replication.pipeline.pages import update

POOL_SIZE, N = 512, 32
"""The cells shown of the study: one for each policy."""

METHODS = ("rank-corrected", "paper", "rank-only", "formula")
"""Columns of the study's table, with the names of the methods."""


def render_study(study: pd.DataFrame) -> str:
    """Errors of every method, policy by policy, in Markdown."""
    cells = study[(study.pool_size == POOL_SIZE) & (study.n == N)]
    if cells.empty:
        raise ValueError(f"study: no row with N = {POOL_SIZE}, n = {N}: expected one per policy")
    wide = cells.pivot(index="policy", columns="method", values=["kl", "rmse", "bias", "coverage"])
    rows = [_study_row(policy, wide.loc[policy]) for policy in dict.fromkeys(cells.policy)]
    names = " | ".join(("KL", *(f"RMSE, {method}" for method in METHODS)))
    return (
        f"| N = {POOL_SIZE}, n = {N} | {names} | bias, {METHODS[0]} | bias, paper | coverage |\n"
        f"|---|{'---|' * (len(METHODS) + 4)}\n" + "".join(rows)
    )


def _study_row(policy: str, cell: pd.Series) -> str:
    ours, paper = METHODS[:2]
    errors = [cell["rmse", method] for method in METHODS]
    values = [f"{value:.2g}" for value in (*errors, cell["bias", ours], cell["bias", paper])]
    columns = (f"{cell['kl', ours]:.3f}", *values, f"{cell['coverage', ours]:.1%}")
    return f"| {policy} | {' | '.join(columns)} |\n"


def render(claims: pd.DataFrame) -> str:
    """The table in Markdown, without what may differ between machines."""
    shown = claims[claims.origin != "negative control"]
    rows = [_row(row) for row in shown.to_dict("records")]
    controls = claims[claims.origin == "negative control"]
    refuted = int((controls.verdict == "refuted").sum())
    return (
        "| claim | where | verdict | cells (certified / all) | figure |\n|---|---|---|---|---|\n"
        + "".join(rows)
        + f"\nBesides, {refuted} of {len(controls)} negative controls (reversed or shrunk bounds) "
        "are refuted, as they must be.\n"
    )


def _row(claim: Mapping[Hashable, Any]) -> str:
    statement = claim["statement"].replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
    where = f"**{claim['source']}**" if claim["source"] == "ours" else claim["source"]
    if "conjecture" in claim["status"]:
        where += f" ({claim['origin']}'s {claim['status']})"
    if claim["proof"]:
        where += f" ([proof](docs/theory.md#{claim['proof']}))"
    cells = (
        f"{claim['certified_cells']} / {claim['cells']}"
        if claim["certified_cells"]
        else claim["cells"]
    )
    link = f"[{claim['figure']}](figures/{claim['figure']}.svg)" if claim["figure"] else ""
    return f"| {statement} | {where} | {claim['verdict']} | {cells} | {link} |\n"


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        update(snakemake.params.readme, "claims", render(pd.read_parquet(snakemake.input.claims)))
        update(snakemake.params.study, "study", render_study(pd.read_csv(snakemake.input.study)))
