"""The page of the audit: nothing in a claim can harm it, everything in a claim can be reached."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from playwright.sync_api import Page as Window
from playwright.sync_api import expect, sync_playwright

from replication.audit.claims import Claim, load_claims
from replication.audit.summary import to_json
from replication.audit.verdicts import COLUMNS, audit_claims
from tests.runs import ROOT
from workflow.scripts.audit_report import write_report

SCHEMA = ROOT / "workflow/schemas/claims.schema.json"
HOSTILE = (
    "<script>alert(1)</script> \" onmouseover='alert(2)' {{ 7 * 7 }} ≤ [x](javascript:alert(3))"
)
WIDE = r"\frac{a + b + c + d + e}{f + g + h + i + j} + " * 9 + "1"
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Page(HTMLParser):
    """Ids, links, tags, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= set(found)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parse(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def cell(claim: str, policy: str, n: float, margin: float) -> dict[str, object]:
    return {
        "claim": claim,
        "policy": policy,
        "outcomes": 2,
        "n": n,
        "relative_margin": margin,
        "verdict": "holds" if margin >= 0 else "fails",
        "method": "ball arithmetic",
    }


def claim(name: str, **fields: object) -> Claim:
    record = {
        "id": name,
        "source": "ours",
        "statement": "s",
        "origin": "ours",
        "status": "proved",
        "expected": "holds",
        "check": {"inequality": "theorem_3_1"},
    }
    return Claim.model_validate(record | fields)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    claims = [
        claim("hostile", statement=HOSTILE, source=HOSTILE, figure=HOSTILE, function=HOSTILE),
        claim("formula", tex=r"$\text{<script>alert(4)</script>} \le \frac{1}{n}$, <b>bold</b>"),
        claim("false", origin="negative control", status="untrue", expected="refuted"),
        claim("open", check=None, expected="unknown", status="wording unknown", origin="paper"),
        claim("wide", check=None, expected="unknown", tex=f"${WIDE}$"),
    ]
    return audit_claims(claims, CELLS, {})


CELLS = pd.DataFrame(
    [
        cell("hostile", "<i>policy</i>", 2.0, 0.5),
        cell("formula", "binary", 2.0, 0.25),
        cell("formula", "binary", 1258925.25, 0.125),
        cell("false", "binary", 3.0, -0.5),
    ]
)


@pytest.fixture(scope="module")
def pages(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "results/audit"
    folder.mkdir(parents=True)
    table.to_parquet(folder / "claims.parquet")
    CELLS.to_parquet(folder / "cells.parquet")
    names = {"markdown": "claims.md", "html": "claims.html", "theory": "theory.html"}
    write_report(
        str(folder / "claims.parquet"),
        str(folder / "cells.parquet"),
        str(SCHEMA),
        str(ROOT / "workflow/report"),
        str(ROOT),
        {key: str(folder / name) for key, name in names.items()},
    )
    return folder


def test_a_claim_is_one_cell_of_markdown(pages: Path) -> None:
    lines = (pages / "claims.md").read_text(encoding="utf-8").splitlines()
    [row] = [line for line in lines if line.startswith("| `hostile` | &lt;script&gt;")]
    assert "<" not in row
    assert "](javascript" not in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 8


def test_nothing_in_a_claim_runs(pages: Path) -> None:
    page = parse(pages / "claims.html")
    assert page.tags.count("script") == 1  # the page's own
    assert {"b", "i"} & set(page.tags) <= {"i"}
    assert not any(name.startswith("on") for name in page.attributes)
    assert not any(link.startswith("javascript") for link in page.links)
    text = (pages / "claims.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7 * 7 }}" in text
    assert "<i>policy" not in text


def test_every_claim_has_a_permanent_anchor(pages: Path, table: pd.DataFrame) -> None:
    page = parse(pages / "claims.html")
    assert set(table.id) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {f"#{name}" for name in table.id} <= set(page.links)
    local = {link[1:] for link in page.links if link.startswith("#")}
    assert local <= set(page.ids)


def test_page_can_be_filtered_by_origin_verdict_and_text(pages: Path) -> None:
    text = (pages / "claims.html").read_text(encoding="utf-8")
    assert re.search(r'id="false" data-origin="Must be refuted" data-verdict="refuted"', text)
    for option in ("Of the paper", "Ours", "Must be refuted", "certified", "unknown"):
        assert f"<option>{option}</option>" in text
    assert '<form id="filter" hidden>' in text  # of no use without the script


def test_page_needs_no_network(pages: Path) -> None:
    for name in ("claims.html", "theory.html"):
        text = (pages / name).read_text(encoding="utf-8")
        assert "MathJax" not in text
        assert re.findall(r"(?:src=|@import|url\()\s*[\"']?(?!data:|#)[^\"') ]+", text) == []
        assert "<link" not in text


def test_worst_cell_has_its_command(pages: Path) -> None:
    text = (pages / "claims.html").read_text(encoding="utf-8")
    assert "<pre>python -m replication.audit.recompute formula binary 1258925.25</pre>" in text
    assert "<pre>python -m replication.audit.recompute false binary 3</pre>" in text


def test_proofs_are_a_page_beside_it(pages: Path) -> None:
    proofs = parse(pages / "theory.html")
    named = {claim.proof for claim in load_claims(ROOT / "config/claims.yaml") if claim.proof}
    assert named <= set(proofs.ids)
    files = [link.partition("#")[0] for link in proofs.links if not link.startswith(("#", "http"))]
    moved = [link for link in files if link != "claims.html"]
    assert moved
    assert [link for link in moved if not (pages / link).resolve().exists()] == []


def test_summary_counts_the_claims(pages: Path) -> None:
    text = " ".join((pages / "claims.html").read_text(encoding="utf-8").split())
    assert "Of 5 claims, 2 are certified by ball arithmetic" in text
    assert "over 4 cells" in text
    assert "Every verdict is the expected one" in text


def test_json_follows_its_schema(table: pd.DataFrame) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    document = json.loads(to_json(table))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert tuple(document["claims"][0]) == COLUMNS
    assert tuple(schema["properties"]["claims"]["items"]["properties"]) == COLUMNS
    assert document["claims"][0]["statement"] == HOSTILE
    assert document["claims"][3]["worst_margin"] is None
    assert document["claims"][1]["worst_margin"] == 0.125


def test_schema_refuses_another_verdict(table: pd.DataFrame) -> None:
    document = json.loads(to_json(table.assign(verdict="perhaps")))
    with pytest.raises(jsonschema.ValidationError, match="perhaps"):
        jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
in_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no chromium on this machine"
)


@pytest.fixture(params=[390, 1280])
def window(request: pytest.FixtureRequest, pages: Path) -> Iterator[Window]:
    """The page at the width of a phone and of a desk; it asks for nothing and says nothing."""
    said: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": request.param, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda sent: said.append(sent.url))
        page.goto((pages / "claims.html").as_uri())
        yield page
        chromium.close()
    assert [text for text in said if not text.startswith(("file:", "data:"))] == []


def shown(page: Window) -> list[str | None]:
    return [each.get_attribute("id") for each in page.locator(".claim:visible").all()]


@in_chromium
def test_filter_search_and_anchors_work(window: Window) -> None:
    width = window.viewport_size["width"] if window.viewport_size else 0
    assert window.evaluate("document.documentElement.scrollWidth") == width
    assert len(shown(window)) == 5
    window.get_by_label("verdict").select_option("refuted")
    assert shown(window) == ["false"]
    expect(window.locator("output")).to_have_text("1 of 5")
    window.get_by_label("verdict").select_option("")
    window.get_by_label("origin").select_option("Of the paper")
    assert shown(window) == ["open"]
    window.get_by_label("origin").select_option("")
    window.get_by_label("search").fill("formula arithmetic")
    assert shown(window) == ["formula"]
    window.get_by_label("search").fill("no such word")
    assert shown(window) == []
    # an anchor shows its claim, opened, also where the filter hides it
    window.evaluate("location.hash = '#false'")
    expect(window.locator("#false pre")).to_be_visible()
    assert shown(window) == ["false"]


@in_chromium
def test_a_claim_opens_from_the_keyboard(window: Window) -> None:
    window.locator("#formula summary").focus()
    expect(window.locator("#formula pre")).to_be_hidden()
    window.keyboard.press("Enter")
    expect(window.locator("#formula pre")).to_be_visible()
    assert window.evaluate("document.documentElement.scrollWidth") == (
        window.viewport_size["width"] if window.viewport_size else 0
    )
