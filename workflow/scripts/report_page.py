"""The report: every figure with its caption, the audit, how it was made, in one file."""

import base64
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from replication.audit.summary import summarise_audit
from replication.audit.verdicts import disagreements
from replication.pipeline.captions import read_caption
from replication.pipeline.io import atomic_path, read_frame
from replication.pipeline.job import job
from replication.pipeline.pages import fill
from replication.pipeline.runtimes import measured, of_stages
from replication.pipeline.typeset import typeset_line
from replication.pipeline.widths import WIDTHS

PACKAGES = ("numpy", "scipy", "python-flint", "pandas", "pyarrow", "matplotlib", "snakemake")
"""Whose versions are named: those that results or figures could depend on."""

SECTIONS = ("The paper's figures", "Beyond the paper")


def write_page(
    figures: Sequence[str],
    claims: str,
    templates: str,
    config: Mapping[str, Any],
    params: Mapping[str, Mapping[str, Any]],
    benchmarks: str,
    output: str,
) -> None:
    """Write the page.

    Args:
        figures: SVG files, in order; the caption of each is in the folder of templates.
        claims: table of the audit.
        templates: folder of the captions and the template.
        config: of the run.
        params: by the name of a figure, those of the rule that draws it, which captions name.
        benchmarks: folder of the times measured.
        output: the page.
    """
    table = read_frame(claims)
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=select_autoescape(["jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template("report.html.jinja").render(
        sections=sections(
            [exhibit(path, templates, config, params[Path(path).stem]) for path in figures]
        ),
        summary=summarise_audit(table),
        wrong=disagreements(table),
        claims=[
            row | {"typeset": Markup(typeset_line(row["tex"] or row["statement"]))}
            for row in table.to_dict("records")
        ],
        config=config,
        versions={name: version(name) for name in PACKAGES},
        stages=of_stages(measured(benchmarks)).reset_index(names="stage").to_dict("records"),
        machine=f"{os.cpu_count()} cores, {platform.machine()}",
        python=platform.python_version(),
    )
    with atomic_path(output) as path:
        path.write_text(page, encoding="utf-8")


def exhibit(
    figure: str, templates: str, config: Mapping[str, Any], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Of a figure its name, its caption in parts, and the picture as the address of itself."""
    name = Path(figure).stem
    source = Path(templates, f"{name}.rst").read_text(encoding="utf-8")
    caption = read_caption(fill(source, snakemake=SimpleNamespace(config=config, params=params)))
    drawing = Path(figure).read_bytes()
    picture = base64.b64encode(drawing).decode("ascii")
    return caption._asdict() | {
        "name": name,
        "wide": _width(drawing) > WIDTHS["single"],
        "picture": Markup(f"data:image/svg+xml;base64,{picture}"),
    }


def _width(drawing: bytes) -> float:
    """Of an SVG, in inches; its own unit is the point."""
    _, root = next(ElementTree.iterparse(BytesIO(drawing), ["start"]))  # not all of it is parsed
    return float(root.attrib["width"].removesuffix("pt")) / 72


def sections(exhibits: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The paper's figures, and the others."""
    parts: dict[str, list[Mapping[str, Any]]] = {title: [] for title in SECTIONS}
    for each in exhibits:
        parts[SECTIONS[not each["name"].startswith("figure_")]].append(each)
    return parts


if __name__ == "__main__":
    with job(snakemake):
        write_page(
            snakemake.input.figures,
            snakemake.input.claims,
            str(Path(snakemake.input.template).parent),
            snakemake.config,
            snakemake.params.drawing,
            snakemake.params.benchmarks,
            snakemake.output.page,
        )
