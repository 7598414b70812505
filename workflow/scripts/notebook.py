"""Execute a notebook (jupytext, py:percent) and write it as a page that needs no network."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from replication.pipeline.io import atomic_path
from replication.pipeline.job import job

BACKEND = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
"""In the kernel, whatever the user's own plots ask for: figures become part of the page."""

IGNORED = frozenset({"MATPLOTLIBRC", "PYTHONWARNINGS"})
"""Settings of the user's that would change what a page shows."""

OWN_FOLDERS = ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
"""In place of those in the user's home, whose settings are theirs, or which may not be there."""

TEMPLATE = """
{%- extends "lab/index.html.j2" -%}
{%- block data_png -%}
<img src="data:image/png;base64,{{ output.data["image/png"] }}" alt="{{ output.metadata.alt }}">
{%- endblock -%}
"""
"""The usual page, but with the descriptions that the notebook gives its figures."""


def write_page(notebook: str, page: str) -> None:
    """Execute the notebook from the current folder; the page is written only if no cell fails."""
    html = to_html(execute(notebook))
    with atomic_path(page) as path:
        path.write_text(html, encoding="utf-8")


def execute(path: str) -> NotebookNode:
    """The notebook with its outputs, without anything that differs from run to run."""
    notebook: NotebookNode = jupytext.read(path)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        shutdown_kernel="immediate",  # it has nothing to put away
        resources={"metadata": {"path": os.getcwd()}},
    )
    environment = of_kernel()
    find_fonts(environment)
    # the kernel is a process with a log of its own
    client.execute(env=environment, stderr=sys.stderr)
    return notebook


def find_fonts(environment: Mapping[str, str]) -> None:
    """What matplotlib says while it looks for them is in the log, and not on the page."""
    package = distribution("matplotlib").locate_file("matplotlib/__init__.py")
    installed = os.stat(str(package)).st_mtime
    lists = Path(environment["MPLCONFIGDIR"]).glob("fontlist-*.json")
    if not any(each.stat().st_mtime > installed for each in lists):
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"], env=environment, check=True
        )


def of_kernel() -> dict[str, str]:
    """The environment variables of a kernel, in which the user's settings change nothing shown."""
    kept = {name: value for name, value in os.environ.items() if name not in IGNORED}
    return kept | BACKEND | {name: os.path.abspath(f".snakemake/{name}") for name in OWN_FOLDERS}


def to_html(notebook: NotebookNode) -> str:
    """One self-contained file, titled by the notebook's first heading."""
    title = notebook.cells[0].source.partition("\n")[0].lstrip("# ")
    exporter = HTMLExporter(raw_template=TEMPLATE)  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    # scripts for maths and diagrams, fetched from the network; a notebook here has neither
    return re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)


if __name__ == "__main__":
    os.environ.update(of_kernel())  # the kernel and the page's template are looked up here
    with job(snakemake):
        write_page(snakemake.input.notebook, snakemake.output.page)
