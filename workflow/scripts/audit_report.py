"""The audit as a page to read: Markdown, and the same as self-contained HTML."""

from pathlib import Path

import pandas as pd
from markdown import markdown

from replication.audit.findings import VERDICTS
from replication.audit.verdicts import disagreements
from replication.pipeline.io import atomic_path, log_to
from replication.pipeline.pages import fill

SECTIONS = {
    "Of the paper": ("paper",),
    "Ours": ("ours",),
    "Must be refuted": ("misconception", "negative control"),
}
"""Title of each section, and the origins of its claims."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit: best-of-n</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 75em; margin: 2em auto;
       padding: 0 1em; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-size: 0.85em; }}
th, td {{ border-bottom: 1px solid #ccc; padding: 0.4em 0.7em; text-align: left;
          vertical-align: top; }}
th {{ background: #f2f2f2; position: sticky; top: 0; }}
td:nth-child(2) {{ min-width: 18em; }}
code {{ font-size: 0.95em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def write_report(claims: str, template: str, markdown_path: str, html_path: str) -> None:
    """Write both forms of the report."""
    text = render(pd.read_parquet(claims), Path(template).read_text(encoding="utf-8"))
    with atomic_path(markdown_path) as path:
        path.write_text(text, encoding="utf-8")
    with atomic_path(html_path) as path:
        body = markdown(text, extensions=["tables"])
        path.write_text(PAGE.format(body=body), encoding="utf-8")


def render(table: pd.DataFrame, template: str) -> str:
    """The report in Markdown."""
    rows = [
        row
        | {
            "margin": format_margin(row["worst_margin"]),
            "search": format_margin(row["search_margin"]),
        }
        for row in table.to_dict("records")
    ]
    counts = table.verdict.value_counts()
    return fill(
        template,
        rows=rows,
        sections=[
            {"title": title, "rows": [row for row in rows if row["origin"] in origins]}
            for title, origins in SECTIONS.items()
        ],
        counts={
            key: int(counts.get(verdict, 0))
            for key, verdict in zip(
                ("certified", "numerical", "refuted", "unknown"), VERDICTS, strict=True
            )
        },
        wrong=disagreements(table),
    )


def format_margin(margin: float) -> str:
    """Three digits; what underflows is not 0; a dash where there is none."""
    if pd.isna(margin):
        return "–"
    return f"{margin:.3g}" if margin else "below 1e-300"


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        write_report(
            snakemake.input.claims,
            snakemake.input.template,
            snakemake.output.markdown,
            snakemake.output.html,
        )
