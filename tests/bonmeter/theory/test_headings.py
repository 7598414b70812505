"""docs/theory.md: what is cited of it is there, and each file here is one of its headings."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def headings(page: str) -> set[str]:
    """Anchors as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def cited(page: str) -> set[str]:
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/bonmeter/theory/*.py")]
    claims = (ROOT / "config/claims.yaml").read_text(encoding="utf-8")
    return {
        *re.findall(r"\]\(#([^)]+)\)", page),
        *re.findall(r"^ +proof: (\S+)$", claims, flags=re.MULTILINE),
        *(x for f in sources for x in re.findall(r"theory\.md#([\w-]+)", f.read_text("utf-8"))),
    }


PAGE = (ROOT / "docs/theory.md").read_text(encoding="utf-8")


def test_every_section_cited_exists() -> None:
    assert "sharp-gap-bound" in cited(PAGE)
    assert cited(PAGE) <= headings(PAGE)
    assert not cited(PAGE) <= headings(PAGE.replace("## Sharp gap bound", "## Sharp bound"))


def test_each_file_is_named_as_the_heading_it_checks() -> None:
    names = {path.stem for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).stem}
    assert len(names) > 8
    for name in names:
        anchor = name.removeprefix("test_").replace("_", "-")
        assert anchor in headings(PAGE)
        assert f"theory.md#{anchor}" in (Path(__file__).parent / f"{name}.py").read_text("utf-8")
