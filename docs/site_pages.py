"""What the site adds to Sphinx: MathML, pages of docstrings and captions, links to proofs."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import yaml
from docutils import nodes
from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.ext.autodoc.mock import mock  # type: ignore[attr-defined]  # not in its __all__
from sphinx.writers.html5 import HTML5Translator

import bonmeter
from replication.llm.settings import load_settings
from replication.pipeline.typeset import to_mathml

HERE = Path(__file__).parent
ROOT = HERE.parent
PACKAGES = ("bonmeter", "replication")
TITLES = {
    "figure_": "The paper's figures",
    "": "Beyond the paper",
}

MOVED = {
    "../README.md": "index.md",
    "../CHANGELOG.md": "changes.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../config/README.md": "configuration.md",
}
"""Pages that lie elsewhere in the project, and what they are called here."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("builder-inited", _write_pages)
    app.connect("source-read", _adapt)
    app.connect("autodoc-process-docstring", _read_docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(to_mathml(node.astext()))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{to_mathml(node.astext(), display=True)}</div>')
    raise nodes.SkipNode


def _write_pages(app: Sphinx) -> None:
    _write(HERE / "gallery.rst", gallery())
    with mock(app.config.autodoc_mock_imports):
        _write(HERE / "api/index.rst", overview())
        for package in PACKAGES:
            for title, modules in modules_of(package).items():
                _write(HERE / f"api/{title}.rst", reference(title, modules))


def _write(path: Path, text: str) -> None:
    """Only if it says something new: Sphinx reads again what has a new date."""
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def heading(title: str, mark: str) -> str:
    """A heading of reStructuredText."""
    return f"{title}\n{mark * len(title)}\n\n"


def gallery() -> str:
    """Every figure with its caption, the paper's first."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    names = sorted(path.stem for path in (ROOT / "figures").glob("*.svg"))
    text = heading("Figures", "=")
    for prefix, title in TITLES.items():
        chosen = [name for name in names if name.startswith("figure_") == bool(prefix)]
        text += heading(title, "-") + "".join(figure(name, config) for name in chosen)
    return text


def figure(name: str, config: Mapping[str, str]) -> str:
    """One figure, under the words that its caption begins with in bold."""
    source = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    template = Environment(undefined=StrictUndefined).from_string(source)
    model = load_settings(ROOT / config["llm"])
    params = {"settings": model.model_dump(mode="json"), "model": model.model}
    params["prompts"] = list(model.prompts)
    caption = template.render(snakemake=SimpleNamespace(config=config, params=params))
    _, title, said = caption.split("**", 2)
    title = " ".join(title.split()).removesuffix(".")
    image = f".. image:: ../figures/{name}.svg\n   :alt: {title}\n\n"
    return f"{heading(title, '~')}{image}{said.strip()}\n\n"


def modules_of(package: str) -> dict[str, list[ModuleType]]:
    """The modules that say what they offer, by the package they are in."""
    found: dict[str, list[ModuleType]] = {}
    for module in _walk(package):
        if hasattr(module, "__all__") and not hasattr(module, "__path__"):
            found.setdefault(module.__name__.rpartition(".")[0], []).append(module)
    return found


def _walk(package: str) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        yield import_module(found.name)


def reference(title: str, modules: list[ModuleType]) -> str:
    """The reference of one package: each module with all that it offers."""
    text = heading(title, "=") + f".. automodule:: {title}\n   :no-index:\n\n"
    for module in modules:
        text += heading(module.__name__, "-")
        text += f".. automodule:: {module.__name__}\n   :members:\n\n"
    return text


def overview() -> str:
    """The names that `from bonmeter import …` knows, each with its first sentence."""
    text = heading("Reference", "=")
    text += "What ``from bonmeter import …`` knows; each name is loaded when it is first used.\n\n"
    text += ".. list-table::\n\n"
    for name, module in bonmeter.PUBLIC.items():
        summary = (inspect.getdoc(getattr(bonmeter, name)) or "").partition("\n\n")[0]
        text += f"   * - :py:obj:`{name} <bonmeter.{module}.{name}>`\n"
        text += f"     - {' '.join(summary.split())}\n"
    pages = [title for package in PACKAGES for title in modules_of(package)]
    text += "\nEverything, by package:\n\n.. toctree::\n   :maxdepth: 2\n\n"
    return text + "".join(f"   {page}\n" for page in pages)


def _adapt(_: Sphinx, page: str, source: list[str]) -> None:
    """Links that are for the code host: to pages that lie elsewhere, and to folders."""
    source[0] = re.sub(r"\[([^\]]*)\]\((\.\./[^)#]+)\)", _relink, source[0])


def _relink(link: re.Match[str]) -> str:
    text, path = link.groups()
    if (HERE / path).is_dir():
        return text
    return f"[{text}]({MOVED.get(path, path)})"


def _read_docstring(
    _: Sphinx, what: str, name: str, obj: object, opts: object, lines: list[str]
) -> None:
    """What a docstring cites of docs/ becomes a link; a section that is not there fails."""
    text = re.sub(r"docs/(\w+)\.md#([\w-]+)", _link, "\n".join(lines))
    text = re.sub(r"(?:^\|.*\|\n?)+", _table, text + "\n", flags=re.MULTILINE)
    # bars around a name are an absolute value, no substitution
    lines[:] = [
        line if ">>>" in line else re.sub(r"\|(\w+)\|", r"\|\1\|", line)
        for line in text.splitlines()
    ]


def _table(found: re.Match[str]) -> str:
    """A table of Markdown, as editors show it, for Sphinx."""
    rows = [line.strip("|").split("|") for line in found[0].splitlines()]
    cells = [[cell.strip() for cell in row] for row in (rows[0], *rows[2:])]
    items = ["   * - " + "\n     - ".join(row) for row in cells]
    return ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(items) + "\n"


def _link(cited: re.Match[str]) -> str:
    page, anchor = cited.groups()
    if anchor not in anchors(page):
        raise ExtensionError(f"{cited[0]}: expected a section of that page")
    return f"`{page}: {anchor.replace('-', ' ')} <../{page}.html#{anchor}>`__"


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings."""
    parser = MarkdownIt().use(anchors_plugin, max_level=4)
    tokens = parser.parse((HERE / f"{page}.md").read_text(encoding="utf-8"))
    return {str(token.attrGet("id")) for token in tokens if token.type == "heading_open"}
