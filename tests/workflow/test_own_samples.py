"""The page about your own samples says what is so."""

from __future__ import annotations

import re

from bonmeter.cli.app import app
from bonmeter.logs.formats.known import FORMATS
from bonmeter.logs.generic import CANONICAL
from tests.runs import ROOT

TEXT = (ROOT / "docs/own_samples.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]


def test_every_format_has_a_row() -> None:
    assert sorted(first_cells(section("Formats"))[1:]) == sorted(kind.name for kind in FORMATS)


def test_every_column_has_a_row() -> None:
    assert first_cells(section("The table"))[1:] == [f"`{name}`" for name in CANONICAL]


def test_every_command_is_shown() -> None:
    shown = set(re.findall(r"^bonmeter (\w+)", TEXT, re.MULTILINE))
    assert shown == {c.callback.__name__ for c in app.registered_commands if c.callback}


def test_options_exist() -> None:
    source = (ROOT / "src/bonmeter/cli").glob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in source)
    options = {name.removeprefix("--") for name in re.findall(r"--[a-z][a-z-]+", TEXT)}
    options -= {"config", "cores"}  # Snakemake's
    columns = {f"{name.replace('_', '-')}-column" for name in CANONICAL}
    for option in options - columns:
        assert re.search(rf"[\"-]{option}\"|\b{option.replace('-', '_')}\b", code), option


def test_exit_codes() -> None:
    assert first_cells(section("Exit codes"))[1:] == ["0", "1", "2", "3", "4"]
