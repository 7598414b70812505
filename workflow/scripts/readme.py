"""The README's table of claims, from the audit: what stands in the paper, and what is ours."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bestofn.io import atomic_path, log_to

BEGIN, END = "<!-- claims: begin -->\n", "<!-- claims: end -->\n"


def update(readme: str, claims: str) -> None:
    """Replace what stands between the markers.

    Raises:
        ValueError: if a marker is missing.
    """
    text = Path(readme).read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"{readme}: expected the markers {BEGIN.strip()} and {END.strip()}")
    table = render(pd.read_parquet(claims))
    with atomic_path(readme) as path:
        path.write_text(before + BEGIN + table + END + after, encoding="utf-8")


def render(claims: pd.DataFrame) -> str:
    """The table in Markdown, without what may differ between machines."""
    shown = claims[claims.standing != "negative control"]
    rows = [_row(row) for row in shown.to_dict("records")]
    controls = claims[claims.standing == "negative control"]
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
    if "conjecture" in claim["standing"]:
        where += f" ({claim['standing']})"
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
        update(snakemake.params.readme, snakemake.input.claims)
