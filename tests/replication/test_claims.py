from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from bonmeter.bounds.inequalities import PROVED
from bonmeter.bounds.quantities import in_domain
from replication.audit.checks import InequalityCheck
from replication.audit.claims import Claim, FunctionCheck, load_claims
from replication.audit.function_checks import CHECKS
from tests.runs import ROOT

CLAIMS = load_claims(ROOT / "config/claims.yaml")
THEORY = ROOT / "docs/theory.md"


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.id for claim in CLAIMS])
def test_what_a_claim_points_to_exists(claim: Claim) -> None:
    if claim.function:
        module, _, name = claim.function.rpartition(".")
        assert callable(getattr(import_module(module), name))
    if claim.test:
        assert (ROOT / claim.test).is_file()
    if claim.figure:
        assert (ROOT / f"workflow/report/{claim.figure}.rst").is_file()
        assert f"draw_{claim.figure}" in (ROOT / "workflow/rules/figures.smk").read_text()
    if claim.proof:
        assert claim.proof in anchors(THEORY)
    if isinstance(claim.check, FunctionCheck):
        assert claim.check.run in CHECKS


def anchors(path: Path) -> set[str]:
    """Of the headings, as they are made from their text."""
    headings = (
        line.lstrip("#").strip() for line in path.read_text().splitlines() if line[:1] == "#"
    )
    return {
        "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")
        for heading in headings
    }


CHECKED = {claim.id: claim.check for claim in CLAIMS if isinstance(claim.check, InequalityCheck)}


def test_every_proved_inequality_is_claimed_or_says_why_not() -> None:
    plain = {check.inequality for check in CHECKED.values() if not check.reversed}
    assert {name for name in PROVED if name not in plain} == {
        name for name, proved in PROVED.items() if proved.unclaimed
    } | {"continuous_optimum"}
    # of that one a claim states the converse, with a factor
    assert CHECKED["small_n_suffices"].inequality == "continuous_optimum"


def test_what_is_claimed_to_hold_is_proved_where_it_is_checked() -> None:
    for claim in CLAIMS:
        if isinstance(claim.check, InequalityCheck) and claim.expected == "holds":
            restricted = claim.check.n is not None
            example = claim.check.policies is not None
            proved = claim.check.inequality in PROVED and not claim.check.reversed
            assert proved or restricted or example, claim.id
            assert not claim.check.extrapolate or restricted


NARROW = {
    "above_continuous_curve",
    "counterexample_binary",
    "example_1",
    "sharp_win_rate_gap_reversed",
    "small_n_suffices",
}
"""Claims that speak of single policies or n."""


def test_other_claims_speak_of_every_policy_and_n() -> None:
    narrow = {
        claim.id
        for claim in CLAIMS
        if claim.expected == "holds"
        and isinstance(claim.check, InequalityCheck)
        and (claim.check.policies is not None or claim.check.n is not None)
    }
    assert narrow == NARROW


def test_checks_named_are_those_there_are() -> None:
    named = {claim.check.run for claim in CLAIMS if isinstance(claim.check, FunctionCheck)}
    assert named == set(CHECKS)


def test_there_are_negative_controls_of_each_kind() -> None:
    refuted = [claim for claim in CLAIMS if claim.expected == "refuted"]
    assert {"misconception", "negative control"} == {claim.origin for claim in refuted}
    assert "misconception_equality" in {claim.id for claim in refuted}


def test_unknown_wording_has_no_verdict() -> None:
    unknown = [claim for claim in CLAIMS if claim.expected == "unknown"]
    assert [claim.id for claim in unknown] == ["conjecture_7_2"]
    assert unknown[0].check is None


RECORD = (
    "{id: a, source: s, statement: t, origin: ours, status: proved, expected: holds, "
    "check: {inequality: theorem_3_1}}"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a list of at least one claim"),
        ("{}", "expected a list"),
        (f"- {RECORD}\n- {RECORD}", "id 'a' appears 2 times: expected once"),
        (f"- {RECORD}".replace("id: a", "id: A b"), r"claim 0 \(A b\): id = 'A b'"),
        (f"- {RECORD}".replace("theorem_3_1", "KL"), r"claim 0 \(a\): check.*inequality = 'KL'"),
        (f"- {RECORD}".replace("theorem_3_1", "theorem_3_1, factor: x"), r"factor = 'x'"),
        (f"- {RECORD}".replace("theorem_3_1", "theorem_3_1, factor: 1/0"), r"factor = '1/0'"),
        (
            f"- {RECORD}".replace("{inequality: theorem_3_1}", "{run: x}"),
            r"claim 0 \(a\): check.FunctionCheck.run = 'x'",
        ),
        ("- {id: a", "expected YAML"),
        (f"- {RECORD}".replace("holds", "hold"), r"expected = 'hold'"),
        (f"- {RECORD}".replace("source", "sauce"), r"claim 0 \(a\)"),
    ],
)
def test_bad_claims_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_claims(path)


def test_bounds_are_checked_only_in_their_domain() -> None:
    check = InequalityCheck(inequality="sharp_win_rate_gap")
    assert not check.applies("binary", 2.5)
    assert not in_domain("sharp_win_rate_gap", 2.5)
    assert check.applies("binary", 3)
