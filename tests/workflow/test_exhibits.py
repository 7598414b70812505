"""The page of exhibits: where each figure comes from, and how long it took."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.scripts.exhibits import Exhibit, render_exhibits, render_stages


@pytest.fixture
def benchmarks(tmp_path: Path) -> str:
    for job, seconds, memory in (("figures/a", 1.26, 90), ("exact/x", 2.5, 70), ("exact/y", 4, 80)):
        path = tmp_path / f"{job}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{memory}\n", encoding="utf-8")
    return str(tmp_path)


def test_a_figure_leads_to_its_rule_script_and_tables(benchmarks: str) -> None:
    tables = ["results/exact/x.parquet", "results/exact/y.parquet", "study/z.csv"]
    exhibits = {"a": Exhibit(rule="draw_a", script="figure_a.py", tables=tables)}
    assert render_exhibits(exhibits, benchmarks).splitlines()[2] == (
        "| [a](../figures/a.svg) | `draw_a` | [figure_a.py](../workflow/scripts/figure_a.py) "
        "| `results/exact/` (2), `study/z.csv` | 1.3 |"
    )


def test_a_stage_counts_its_jobs(benchmarks: str) -> None:
    rows = render_stages(benchmarks).splitlines()[2:]
    assert rows == ["| exact | 2 | 6 | 4.0 | 80 |", "| figures | 1 | 1 | 1.3 | 90 |"]


def test_what_was_not_measured_is_named(benchmarks: str, tmp_path: Path) -> None:
    unknown = {"b": Exhibit(rule="draw_b", script="figure_b.py", tables=[])}
    with pytest.raises(ValueError, match=r"figures/b\.tsv: expected the benchmark of a full run"):
        render_exhibits(unknown, benchmarks)
    with pytest.raises(ValueError, match="expected the benchmarks of a full run"):
        render_stages(str(tmp_path / "none"))
