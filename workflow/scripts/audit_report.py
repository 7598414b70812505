"""The audit as pages to read: Markdown, HTML with a map for each claim, and the proofs."""

import json
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from replication.audit.findings import VERDICTS
from replication.audit.heat_map import LEVELS, heat_map
from replication.audit.overview import draw_overview, worst_margins
from replication.audit.recompute import command
from replication.audit.summary import summarise_audit
from replication.audit.verdicts import disagreements, worst_cell
from replication.pipeline.io import atomic_path, read_frame
from replication.pipeline.job import job
from replication.pipeline.pages import cell
from replication.pipeline.typeset import typeset, typeset_line

SECTIONS = {
    "Of the paper": ("paper",),
    "Ours": ("ours",),
    "Must be refuted": ("misconception", "negative control"),
}
"""Title of each section, and the origins of its claims."""

MARKS = dict(
    zip(
        VERDICTS,
        (
            ("certified", "✓", "certified"),
            ("numerical", "≈", "numerical"),
            ("refuted", "✗", "refuted"),
            ("unknown", "?", "unknown"),
            ("unknown", "–", "not studied"),
        ),
        strict=True,
    )
)
"""Of each verdict its name in the templates, a sign and a word, so that colour is not all."""

TICKS = (1, 2, 5, 10, 32, 100, 1000, 10_000, 1e12)
"""The n that stand under a map, where it has them."""


def write_report(
    claims: str, cells: str, schema: str, templates: str, project: str, outputs: Mapping[str, str]
) -> None:
    """Write the forms of the report; `project` is the root, relative to the current folder."""
    table, decided = read_frame(claims), read_frame(cells)
    environment = _environment(templates)
    above = posixpath.normpath(posixpath.join("../..", project))
    theory = Path(project, "docs/theory.md").read_text(encoding="utf-8")
    pages = {
        "markdown": render(table, environment),
        "html": render_page(table, decided, _columns(schema), environment, above),
        "theory": environment.get_template("theory.html.jinja").render(
            body=Markup(typeset(theory, lambda link: _move(link, f"{above}/docs")))
        ),
    }
    for name, text in pages.items():
        with atomic_path(outputs[name]) as path:
            path.write_text(text, encoding="utf-8")


def render(table: pd.DataFrame, environment: Environment) -> str:
    """The report in Markdown."""
    rows = [_row(row) for row in table.to_dict("records")]
    return environment.get_template("audit.md.jinja").render(
        rows=rows,
        sections=[{"title": title, "rows": each} for title, each in _sections(rows).items()],
        counts=summarise_audit(table),
        wrong=disagreements(table),
    )


def render_page(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    columns: Mapping[str, Any],
    environment: Environment,
    project: str,
) -> str:
    """The page; `project` is the way from it to the root of the project."""
    n, policies = sorted(cells.n.unique().tolist()), list(dict.fromkeys(cells.policy))
    by_claim = dict(list(cells.groupby("claim")))
    rows = [
        _row(row) | _details(row, by_claim.get(row["id"]), n, policies, project)
        for row in table.to_dict("records")
    ]
    overview = Markup(draw_overview(worst_margins(cells, table.id.tolist()))) if rows else ""
    return environment.get_template("audit.html.jinja").render(
        sections=_sections(rows),
        summary=summarise_audit(table),
        wrong=disagreements(table),
        verdicts=VERDICTS,
        columns=columns,
        overview=overview,
        levels=LEVELS,
        ticks=TICKS,
        project=project,
    )


def format_margin(margin: float) -> str:
    """Three digits; what underflows is not 0; a dash where there is none."""
    if pd.isna(margin):
        return "–"
    return f"{margin:.3g}" if margin else "below 1e-300"


def _environment(templates: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"margin": format_margin, "cell": cell}
    return environment


def _columns(schema: str) -> Mapping[str, Any]:
    """What each column holds, from the schema of the JSON."""
    document = json.loads(Path(schema).read_text(encoding="utf-8"))
    columns: Mapping[str, Any] = document["properties"]["claims"]["items"]["properties"]
    return columns


def _sections(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {
        title: [row for row in rows if row["origin"] in origins]
        for title, origins in SECTIONS.items()
    }


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    margins = {"margin": "worst_margin", "search": "search_margin"}
    return {**row, **{name: format_margin(row[column]) for name, column in margins.items()}}


def _details(
    row: Mapping[Any, Any],
    cells: pd.DataFrame | None,
    n: Sequence[float],
    policies: Sequence[str],
    project: str,
) -> dict[str, Any]:
    """What the page adds: typeset statement, map, command, the file of the function."""
    key, mark, word = MARKS[row["verdict"]]
    worst = None if cells is None else worst_cell(cells)
    module = row["function"].rpartition(".")[0].replace(".", "/")
    return {
        "key": key,
        "mark": mark,
        "word": word,
        "margin": "" if pd.isna(row["worst_margin"]) else format_margin(row["worst_margin"]),
        "search": "" if pd.isna(row["search_margin"]) else format_margin(row["search_margin"]),
        "typeset": Markup(typeset_line(row["tex"] or row["statement"])),
        "map": None if cells is None else heat_map(cells, n, policies),
        "command": "" if worst is None else command(row["id"], str(worst.policy), float(worst.n)),
        "code": f"{project}/src/{module}.py",
    }


def _move(link: str, folder: str) -> str:
    """A link of a page in another folder, as it is from here."""
    return link if link.startswith(("#", "http")) else posixpath.normpath(f"{folder}/{link}")


if __name__ == "__main__":
    with job(snakemake):
        write_report(
            snakemake.input.claims,
            snakemake.input.cells,
            snakemake.input.schema,
            posixpath.dirname(snakemake.input.templates[0]),
            snakemake.params.project,
            snakemake.output,
        )
