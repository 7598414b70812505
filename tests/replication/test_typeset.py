"""Mathematics as MathML: escaped, spaced, the same as the plain text beside it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from replication.audit.claims import Claim, load_claims
from replication.pipeline.typeset import to_mathml, typeset, typeset_line

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = load_claims(ROOT / "config/claims.yaml")
TYPESET = [claim for claim in CLAIMS if claim.tex]
PLAIN = str.maketrans("₀₁₂²", "0122")


@pytest.mark.parametrize("hostile", [r"\text{<script>alert(1)</script>}", r"\mathrm{<b>} & x", "<"])
def test_no_formula_becomes_a_tag(hostile: str) -> None:
    html = typeset_line(f"${hostile}$")
    assert "<script" not in html
    assert "<b>" not in html
    ElementTree.fromstring(to_mathml(hostile))


def test_html_in_a_page_is_shown() -> None:
    assert "<img" not in typeset("# a <img src=x onerror=alert(1)>\n\n<script>alert(1)</script>")
    assert "javascript:" not in typeset("[a](javascript:alert(1))").replace(">[a](javascript:", "")


def test_a_function_stands_off_its_argument() -> None:
    assert "<mi>log</mi><mspace" in to_mathml(r"\log n")
    assert "mspace" not in to_mathml(r"\log(n)")
    assert re.search(
        "<mi>g</mi><mspace [^>]*><msup><mi>sinh</mi><mn>2</mn></msup><mspace",
        to_mathml(r"g\sinh^2 h"),
    )


def test_headings_of_the_theory_have_the_anchors_that_claims_name() -> None:
    page = typeset((ROOT / "docs/theory.md").read_text(encoding="utf-8"))
    anchors = set(re.findall(r'<h\d id="([^"]+)"', page))
    assert [claim.proof for claim in CLAIMS if claim.proof and claim.proof not in anchors] == []
    assert page.count("<math") > 900
    assert "$" not in page


@pytest.mark.parametrize("claim", TYPESET, ids=lambda claim: claim.id)
def test_both_forms_of_a_statement_agree(claim: Claim) -> None:
    def numbers(text: str) -> set[str]:
        powers = re.sub(r"(?<=\d)e-", " 10 -", re.sub(r"(?<!\.)\b1e-", "10 -", text))
        return set(re.findall(r"\d+", powers.translate(PLAIN)))

    assert claim.tex is not None
    assert numbers(claim.tex) == numbers(claim.statement)
    words = re.findall(r"[a-zé-]{4,}", re.sub(r"\$[^$]*\$", " ", claim.tex))
    assert [word for word in words if word not in claim.statement] == []


def test_every_statement_with_a_formula_is_typeset() -> None:
    formula = re.compile(r"[≤≥²Σδε^]|\b[nNK] [<=]")
    assert [claim.id for claim in CLAIMS if formula.search(claim.statement) and not claim.tex] == []
