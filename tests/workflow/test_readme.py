"""The README says what is so: its examples run, its links lead somewhere."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from tests.runs import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_examples_print_what_they_claim() -> None:
    blocks = "".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    parsed = doctest.DocTestParser().get_doctest(blocks, {}, "README", "README.md", 0)
    result = doctest.DocTestRunner().run(parsed)
    assert result.attempted >= 5
    assert result.failed == 0


def test_relative_links_lead_to_files() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?<![a-z])make ([a-z]+)", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "make test" in Path(ROOT / ".ci/run").read_text(encoding="utf-8")
