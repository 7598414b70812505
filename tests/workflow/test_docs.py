"""The documentation site: no warning, nothing from the network, and no link into the void."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from bonmeter import PUBLIC
from tests.runs import ROOT

OUTSIDE = ("http:", "https:", "mailto:")


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """As `make docs`, elsewhere."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    paths = [f"--conf-dir={ROOT / 'docs'}", str(source), str(target)]
    return subprocess.run(
        [*command, *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


class Page(HTMLParser):
    """Where a page links to, what can be linked to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found["id"]} if "id" in found else set()
        self.links += [found["href"]] if tag == "a" and "href" in found else []
        self.loaded += [found["src"]] if "src" in found else []
        self.loaded += [found["href"]] if tag == "link" else []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.links:
            if link.startswith(OUTSIDE):
                continue
            file, _, anchor = unquote(link).partition("#")
            target = (path.parent / file).resolve() if file else path
            known = pages[target].ids | {""} if target in pages else {""}
            if not target.exists() or anchor not in known:
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        assert [each for each in page.loaded if each.startswith((*OUTSIDE, "//"))] == [], path
        files = [
            each.partition("?")[0] for each in page.loaded if not each.startswith(("data:", "#"))
        ]
        assert [each for each in files if not (path.parent / each).exists()] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles) == []


def test_mathematics_is_typeset(site: Path) -> None:
    theory = (site / "theory.html").read_text(encoding="utf-8")
    assert theory.count("<math ") > 900
    assert "\\frac" not in theory
    numbers = re.findall(r"<strong>Theorem B(\d) ", theory)
    assert numbers == [str(i + 1) for i in range(len(numbers))]
    assert len(numbers) >= 8


def test_every_public_name_is_documented(pages: dict[Path, Page]) -> None:
    documented = set().union(
        *(page.ids for path, page in pages.items() if path.parent.name == "api")
    )
    assert {f"bonmeter.{module}.{name}" for name, module in PUBLIC.items()} <= documented


def test_every_figure_has_its_caption(site: Path) -> None:
    gallery = (site / "gallery.html").read_text(encoding="utf-8")
    figures = sorted(path.name for path in (ROOT / "figures").glob("*.svg"))
    assert figures
    assert sorted(re.findall(r'src="_images/(\w+\.svg)"', gallery)) == figures
    assert gallery.count("What is drawn") >= len(figures) - 1
    assert "{{" not in gallery


def test_search_finds_words_of_the_pages(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert '"telescop' in index or "telescop:" in index
    assert "exact_kl" in index


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (
            ["[a](nowhere.md)", "[a](#nothing)", "![a](none.svg)", "[a](other.py)"],
            ["nowhere", "nothing", "none.svg", "other.py"],
        ),
        ([r"$\frac{1}$"], ["mfrac of 1 part"]),
    ],
)
def test_what_is_broken_fails(tmp_path: Path, lines: list[str], named: list[str]) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "index.md").write_text("\n\n".join(["# Title", *lines]), encoding="utf-8")
    done = build(source, tmp_path / "site")
    assert done.returncode != 0
    assert [name for name in named if name not in done.stdout] == []
