import ast
import os
import re
import tomllib
from pathlib import Path

import jupytext
import matplotlib
import pytest
from nbclient.exceptions import CellExecutionError

from replication.pipeline.provenance import SOURCE, library_modules
from workflow.scripts import notebook
from workflow.scripts.notebook import write_page

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))

SMALL = """
# %% [markdown]
# # A *small* notebook & more
#
# Text.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import display

import bonmeter
from bonmeter import Policy

# %%
Path("input.txt").read_text(), Path(bonmeter.__file__).parent.name

# %%
figure, axes = plt.subplots()
axes.plot([1, 2])
display(figure, metadata={"alt": "a line"})
plt.close(figure)

# %%
os.write(2, b"said by the kernel")
Policy.from_probabilities([0.5, 0.5])
"""

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The same notebook, executed twice, whatever backend the user has chosen."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "small.py").write_text(SMALL.lstrip(), encoding="utf-8")
    (folder / "input.txt").write_text("read from the current folder", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, backend in (("first", "agg"), ("second", "no_such_backend")):
            patch.setenv("MPLBACKEND", backend)
            write_page("small.py", f"pages/{name}.html")
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("pages/*"))]


def test_page_is_the_same_each_time(pages: list[str]) -> None:
    assert len(pages) == 2
    assert pages[0] == pages[1]


def test_page_shows_what_the_cells_show(pages: list[str]) -> None:
    assert "<title>A *small* notebook &amp; more</title>" in pages[0]
    assert "('read from the current folder', 'bonmeter')" in pages[0]
    assert "Policy(2 outcomes, delta=0.5, top_mass=0.5)" in pages[0]


def test_page_needs_no_network(pages: list[str]) -> None:
    assert "<script" not in pages[0]
    loaded = re.findall(r"""(?:src=|@import|url\()\s*["']?([^"')\s>]*)""", pages[0])
    assert loaded
    assert [each for each in loaded if not each.startswith(("data:", "#"))] == []
    assert re.findall(r"<link\b[^>]*>", pages[0]) == []


def test_figures_are_embedded_with_their_description(pages: list[str]) -> None:
    assert '<img alt="a line"' in pages[0]
    assert "No description" not in pages[0]


def test_a_failing_cell_leaves_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("# %%\n1 / 0\n", encoding="utf-8")
    Path("broken.html").write_text("old", encoding="utf-8")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        write_page("broken.py", "broken.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(".snakemake", "broken.html", "broken.py"),
    ]
    assert Path("broken.html").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_its_figures_itself(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ("pyplot" in text) == ("\n# %matplotlib inline\n" in text)


def test_scripts_are_paired_with_notebooks() -> None:
    config = tomllib.loads((ROOT / "notebooks/jupytext.toml").read_text(encoding="utf-8"))
    assert config == {"formats": "ipynb,py:percent"}


def test_there_are_notebooks() -> None:
    assert {"audit", "tour"} <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_only_call_the_library(path: Path) -> None:
    notebook = jupytext.read(path)
    assert notebook.metadata["jupytext"]["text_representation"]["format_name"] == "percent"
    assert notebook.cells[0].source.startswith("# ")
    definitions = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
    cells = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    code = ast.parse(cells.replace("%matplotlib inline", ""))
    assert [ast.unparse(node) for node in ast.walk(code) if isinstance(node, definitions)] == []
    assert str(SOURCE / "bonmeter/exact/values.py") in library_modules(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_use_no_tex(path: Path) -> None:
    cells = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown"]
    assert [text for text in cells if "$" in text or "\\(" in text] == []


@pytest.mark.parametrize(("age", "looked"), [(None, 1), (-1e9, 1), (1e9, 0)])
def test_fonts_are_looked_for_unless_this_version_has(
    age: float | None, looked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if age is not None:
        fonts = tmp_path / "fontlist-v1.json"
        fonts.touch()
        installed = os.stat(matplotlib.__file__).st_mtime
        os.utime(fonts, (installed + age, installed + age))
    calls: list[object] = []
    monkeypatch.setattr("subprocess.run", lambda *each, **_: calls.append(each))
    notebook.find_fonts({"MPLCONFIGDIR": str(tmp_path)})
    assert len(calls) == looked
