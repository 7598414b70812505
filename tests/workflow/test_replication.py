"""The replication itself, at full size: every verdict, and nothing that is kept gone stale."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from replication.pipeline.pages import markers
from tests.runs import ROOT, copy_project, planned, run_snakemake, succeed
from workflow.scripts.readme import render, render_study


@pytest.fixture(scope="module")
def replication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = copy_project(tmp_path_factory.mktemp("replication"))
    shutil.rmtree(project / "figures", ignore_errors=True)
    succeed(project)
    return project


@pytest.fixture(scope="module")
def claims(replication: Path) -> pd.DataFrame:
    return pd.read_parquet(replication / "results/audit/claims.parquet")


def test_every_verdict_is_the_expected_one(claims: pd.DataFrame) -> None:
    assert claims[~claims.as_expected].id.tolist() == []
    assert len(claims) > 30


def test_proved_inequalities_are_certified(claims: pd.DataFrame) -> None:
    by_inequality = claims[claims.method.str.contains("ball arithmetic")]
    holding = by_inequality[by_inequality.expected == "holds"]
    assert set(holding.verdict) == {"certified"}
    assert len(holding) > 20


def test_a_second_run_does_nothing(replication: Path) -> None:
    assert planned(replication) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("studies={full: {repeats: 1999}}", "stale: `make study` (settings.repeats)"),
        ("studies={full: {evaluations: 9999}}", "stale: `make study` (settings.evaluations)"),
    ],
)
def test_a_kept_study_of_other_settings_fails_the_audit(
    replication: Path, change: str, said: str
) -> None:
    done = run_snakemake(replication, "results/audit/passed.txt", "--config", change)
    assert done.returncode != 0
    assert said in (replication / "logs/audit/gate.log").read_text(encoding="utf-8")
    succeed(replication)


def template(name: str) -> str:
    return (ROOT / f"workflow/report/{name}.md.jinja").read_text(encoding="utf-8")


def between_markers(page: str, name: str, project: Path = ROOT) -> str:
    begin, end = markers(name)
    return (project / page).read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]


def test_the_readme_shows_these_verdicts(claims: pd.DataFrame) -> None:
    shown = between_markers("README.md", "claims")
    assert shown == render(claims, template("claims")), (
        "the README's table is stale: run `make readme`"
    )


def test_the_page_on_estimators_shows_the_kept_study() -> None:
    shown = between_markers("docs/estimators.md", "study")
    kept = render_study(pd.read_csv(ROOT / "study/estimators.csv"), template("estimators"))
    assert shown == kept, "the table is stale: run `make readme`"
    assert kept.count("\n") == 2 + 20


def test_the_page_of_exhibits_is_fresh_but_for_its_times(replication: Path) -> None:
    succeed(replication, "exhibits")
    for name in ("exhibits", "stages"):
        kept, shown = (
            re.sub(
                r"(?<=\| )[\d.]+(?= \|)", "#", between_markers("docs/exhibits.md", name, project)
            )
            for project in (ROOT, replication)
        )
        assert shown == kept, "the page is stale: run `make readme`"
        assert kept.count("\n") > 8


def test_all_figures_are_committed(replication: Path) -> None:
    drawn = {path.name for path in (replication / "figures").iterdir()}
    assert {path.name for path in (ROOT / "figures").iterdir()} == drawn


def test_the_report_holds_figures_and_audit(replication: Path) -> None:
    succeed(replication, "--report", "report.html")
    report = (replication / "report.html").read_text(encoding="utf-8")
    for name in ("figure_1_binary", "regime_map", "claims.html", "tour.html"):
        assert name in report
