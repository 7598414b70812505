"""The page in a real Chromium: it fits, it can be read, it works from the keyboard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bonmeter.report.write import write_report
from tests.bonmeter.report.simulated import hostile, language_model, ranks_only, scaled, verifier

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
"""The system's, as playwright's own would have to be downloaded."""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no chromium on this machine"
)

LOGS: dict[str, Callable[[], pd.DataFrame]] = {
    "language model": lambda: language_model(prompts=12, candidates=160),
    "verifier": verifier,
    "ranks alone": ranks_only,
    "hostile": hostile,
    "tiny rewards": partial(scaled, ranks_only(), -1e-9),
    "huge rewards": partial(scaled, ranks_only(), 1e9),
}
SIZES = [(390, 844), (1280, 900)]

HERE = Path(__file__).parent
UNREADABLE, OVERLAPS = ((HERE / f"{name}.js").read_text() for name in ("contrast", "overlaps"))


class Open(Protocol):
    """Opens a page of a log in a window of a size."""

    def __call__(
        self,
        name: str,
        size: tuple[int, int] = ...,
        scheme: Literal["light", "dark"] = ...,
        *,
        scripts: bool = ...,
    ) -> Page: ...


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reports")
    for name, log in LOGS.items():
        write_report(log(), place / f"{name}.html")
    return place


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Open]:
    """The test fails if a page asks for anything, or says anything on its console."""
    said: list[str] = []
    contexts = []

    def open_page(
        name: str,
        size: tuple[int, int] = SIZES[1],
        scheme: Literal["light", "dark"] = "light",
        *,
        scripts: bool = True,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: said.append(request.url))
        page.goto((folder / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [text for text in said if not text.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("name", LOGS)
def test_it_fits_and_can_be_read(
    opened: Open, name: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    page = opened(name, size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    seen, bad = page.evaluate(UNREADABLE)
    assert seen > 200
    assert bad == []
    assert page.evaluate(OVERLAPS) == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_charts_are_shown_at_their_own_size(opened: Open, size: tuple[int, int]) -> None:
    page = opened("language model", size)
    scales = page.evaluate(
        "[...document.querySelectorAll('svg.chart')].filter(s => s.checkVisibility())"
        ".map(s => s.getBoundingClientRect().width / s.viewBox.baseVal.width)"
    )
    assert len(scales) == page.locator("figure").count() == 8
    assert min(scales) > 0.95
    assert max(scales) <= 1.0


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, as somebody without a mouse does."""
    page.evaluate("document.activeElement.blur()")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def column(page: Page, number: int) -> list[str]:
    cells = f"#prompt-table tbody tr > :nth-child({number})"
    values: list[str] = page.locator(cells).evaluate_all(
        "cells => cells.map(c => c.dataset.v ?? c.textContent.trim())"
    )
    return values


def test_sorting_works_from_the_keyboard(opened: Open) -> None:
    page = opened("language model")
    before = [float(v) for v in column(page, 3)]
    assert before != sorted(before)
    head = "#prompt-table th:nth-child(3)"
    tab_to(page, f"{head} button")
    page.keyboard.press("Enter")
    assert page.get_attribute(head, "aria-sort") == "descending"
    assert [float(v) for v in column(page, 3)] == sorted(before, reverse=True)
    page.keyboard.press("Space")
    assert page.get_attribute(head, "aria-sort") == "ascending"
    assert [float(v) for v in column(page, 3)] == sorted(before)
    names = "#prompt-table th:nth-child(1)"
    tab_to(page, f"{names} button")
    page.keyboard.press("Enter")
    assert page.locator("#prompt-table [aria-sort]").count() == 1
    assert column(page, 1)[0].startswith("A train leaves")


def test_what_is_not_known_is_sorted_last(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "ragged.html"
    write_report(language_model(prompts=5, candidates=60).iloc[:-50], path, n=[30])
    page = browser.new_page()
    page.goto(path.as_uri())
    assert column(page, 3).count("") == 1
    page.locator("#prompt-table th:nth-child(2) button").click()
    page.locator("#prompt-table th:nth-child(2) button").click()
    assert column(page, 3)[0] == ""  # the smallest pool
    for _ in range(2):
        page.locator("#prompt-table th:nth-child(3) button").click()
        assert column(page, 3)[-1] == ""
    page.close()


def test_searching_works_from_the_keyboard(opened: Open) -> None:
    page = opened("language model", SIZES[0])
    tab_to(page, "#search")
    page.keyboard.type("HAIKU winter")
    shown = page.locator("#prompt-table tbody tr:visible")
    assert shown.count() == 2
    assert all("haiku" in each for each in shown.all_inner_texts())
    assert page.inner_text("#matches") == "2 of 12 prompts"
    assert page.get_attribute("#matches", "role") == "status"
    page.fill("#search", "no such prompt")
    assert shown.count() == 0
    page.fill("#search", "")
    assert shown.count() == 12
    assert page.inner_text("#matches") == "12 prompts"


def test_what_has_the_focus_is_seen(opened: Open) -> None:
    page = opened("language model")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        outline = "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
        assert page.evaluate(outline) >= 2
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert reached >= {"A", "BUTTON", "INPUT", "DIV"}


def test_the_colours_can_be_changed(opened: Open) -> None:
    page = opened("verifier", scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    assert page.inner_text("#theme") == "Light"
    tab_to(page, "#theme")
    page.keyboard.press("Enter")
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    assert page.evaluate(UNREADABLE)[1] == []
    page.keyboard.press("Enter")
    assert page.evaluate(ground) == dark


def test_it_is_complete_without_scripts(opened: Open) -> None:
    page = opened("language model", scripts=False)
    assert page.locator("#prompt-table tbody tr:visible").count() == 12
    assert page.locator("button:visible").count() == 0
    assert page.locator("input:visible").count() == 0
    assert page.locator("svg.wide:visible").count() == 8


def test_screen_readers_find_their_way(opened: Open) -> None:
    tree = opened("language model").locator("body").aria_snapshot()
    for line in (
        "- banner",
        '- navigation "Sections"',
        "- main",
        "- contentinfo",
        '- heading "What best-of-n cost, and what it bought" [level=1]',
        'img "What it cost: KL divergence. KL divergence: at n = 1 0 nats',
        '- searchbox "Search prompts"',
        '- region "Checks of the log"',
    ):
        assert line in tree


def test_a_download_holds_the_table(opened: Open, folder: Path) -> None:
    page = opened("verifier")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="summary.csv").click()
    path = folder / "summary.csv"
    waiting.value.save_as(path)
    assert path.read_text().startswith("n,quantity,estimate,lower,upper")


def test_print_fits_the_paper(opened: Open) -> None:
    page = opened("language model", (718, 1000), "dark")  # A4 within its margins, at 96 dpi
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == 718
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav:visible, button#theme:visible, #search:visible").count() == 0


def test_the_measure_of_contrast_finds_what_is_unreadable(opened: Open) -> None:
    page = opened("verifier")
    page.add_style_tag(content=":root { --soft: light-dark(#aaa, #555) !important }")
    assert len(page.evaluate(UNREADABLE)[1]) > 10
