"""Is what study/ keeps what would be made now?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from replication.audit.claims import Claim
from replication.audit.findings import NOT_STUDIED, UNKNOWN
from replication.audit.tables import Kept, differences
from replication.audit.verdicts import audit_claims, disagreements
from replication.pipeline.manifest import fingerprint
from replication.pipeline.provenance import code_digest, library_modules

NOW: dict[str, Any] = {
    "seed": 1,
    "settings": {"n": [2, 3], "repeats": 10},
    "code": "abc",
    "policies": {"binary": {"p": 0.5}, "zipf": {"size": 9}},
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "estimators.csv"
    path.write_text("policy\nbinary\n")
    return path


def against(table: Path, **then: object) -> list[str]:
    record = table.with_suffix(".json")
    record.write_text(
        json.dumps({**NOW, "sha256": {table.name: fingerprint(table)}, "versions": {}, **then})
    )
    return differences(Kept(str(record), NOW))


def test_what_would_be_made_now_does_not_differ(table: Path) -> None:
    assert against(table) == []
    assert against(table, versions={"numpy": "1"}) == []


@pytest.mark.parametrize(
    ("then", "named"),
    [
        ({"seed": 2}, "seed"),
        ({"code": "abd"}, "code"),
        ({"settings": {"n": [2], "repeats": 10}}, "settings.n"),
        ({"settings": {"n": [2, 3]}}, "settings.repeats"),
        ({"policies": {"binary": {"p": 0.4}, "zipf": {"size": 9}}}, "policies.binary"),
    ],
)
def test_what_differs_is_named(table: Path, then: dict[str, object], named: str) -> None:
    assert against(table, **then) == [named]


def test_a_policy_that_was_not_studied_is_no_difference(table: Path) -> None:
    assert against(table, policies={"binary": {"p": 0.5}, "other": {}}) == []


def test_an_altered_table_is_named(table: Path) -> None:
    assert against(table, sha256={table.name: "0"}) == [str(table)]


@pytest.mark.parametrize(
    ("why", "verdict", "fails"),
    [
        ("stale: `make study` (code)", UNKNOWN, True),
        ("this configuration has no full study", NOT_STUDIED, False),
    ],
)
def test_a_stale_study_fails_and_a_missing_one_is_said(why: str, verdict: str, fails: bool) -> None:
    claim = Claim(
        id="c",
        source="ours",
        statement="it covers",
        origin="ours",
        status="measured",
        expected="holds",
        check={"run": "interval_coverage"},  # type: ignore[arg-type]
    )
    row = audit_claims([claim], None, {}, {"estimators": why})  # type: ignore[arg-type]
    assert (row.verdict.item(), row.method.item()) == (verdict, why)
    assert bool(disagreements(row)) is fails
    with pytest.raises(KeyError, match="estimators"):
        audit_claims([claim], None, {}, {"other": why})  # type: ignore[arg-type]


def test_only_what_the_code_does_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(content: str) -> str:
        package = tmp_path / "bonmeter"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / "a.py").write_text(content)
        monkeypatch.setattr("replication.pipeline.provenance.SOURCE", tmp_path)
        return code_digest("bonmeter.a")

    plain = digest("def f(x):\n    return 2 * x\n")
    assert digest('"""Text."""\n\ndef f(x):\n    """Text."""\n    return 2*x  # why\n') == plain
    assert digest("def f(x):\n    return 3 * x\n") != plain


def test_the_code_of_a_study_is_all_that_it_runs_on() -> None:
    modules = library_modules("src/replication/studies/compare.py")
    assert any(path.endswith("pools/inversion.py") for path in modules)
    assert any(path.endswith("pools/estimate.py") for path in modules)
