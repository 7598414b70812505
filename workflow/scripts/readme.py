"""Tables in the pages: the README's claims, from the audit, and the study of estimators."""

from pathlib import Path

import pandas as pd

from replication.pipeline.io import read_frame
from replication.pipeline.job import job
from replication.pipeline.pages import fill, update

POOL_SIZE, N = 512, 32
"""The cells shown of the study: one for each policy."""

CLAIMS = (
    *("theorem_3_1", "counterexample_binary", "theorem_3_4_delta", "sharp_kl_gap_delta"),
    *("conjecture_4_4", "theorem_5_3", "small_n_suffices", "language_model_enclosed"),
)
"""What a reader comes for; the others are on the audit's page."""

METHODS = ("rank-corrected", "paper", "rank-only", "formula")
"""Columns of the study's table, with the names of the methods."""


def render_study(study: pd.DataFrame, template: str) -> str:
    """Errors of every method, policy by policy, in Markdown."""
    cells = study[(study.pool_size == POOL_SIZE) & (study.n == N)]
    if cells.empty:
        raise ValueError(f"study: no row with N = {POOL_SIZE}, n = {N}: expected one per policy")
    wide = cells.pivot(index="policy", columns="method", values=["kl", "rmse", "bias", "coverage"])
    return fill(
        template,
        pool_size=POOL_SIZE,
        n=N,
        methods=METHODS,
        ours=METHODS[0],
        paper=METHODS[1],
        rows=[(policy, wide.loc[policy]) for policy in dict.fromkeys(cells.policy)],
    )


def render(claims: pd.DataFrame, template: str) -> str:
    """The table in Markdown, without what may differ between machines."""
    false = claims.expected == "refuted"
    return fill(
        template,
        rows=claims.set_index("id", drop=False).loc[list(CLAIMS)].to_dict("records"),
        others=len(claims) - len(CLAIMS) - int(false.sum()),
        untrue=int(false.sum()),
        refuted=int((claims[false].verdict == "refuted").sum()),
    )


def update_claims(claims: str, claims_template: str, readme: str) -> None:
    """The table of claims in a page."""
    template = Path(claims_template).read_text(encoding="utf-8")
    update(readme, "claims", render(read_frame(claims), template))


def update_study(study: str, study_template: str, page: str) -> None:
    """The table of estimators in a page."""
    template = Path(study_template).read_text(encoding="utf-8")
    update(page, "study", render_study(pd.read_csv(study), template))


if __name__ == "__main__":
    with job(snakemake):
        given, pages = snakemake.input, snakemake.params
        update_claims(given.claims, given.claims_template, pages.readme)
        update_study(given.study, given.study_template, pages.study)
