"""The whole pipeline on a tiny configuration: what runs, what reruns, and what is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.runs import ROOT, TINY, configure, copy_project, planned, run_snakemake, succeed

FIGURES = [path.stem for path in (ROOT / "workflow/report").glob("*.rst")]


def digests(project: Path, folder: str) -> dict[str, str]:
    files = sorted(path for path in (project / folder).rglob("*") if path.is_file())
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_everything_is_made(finished: Path) -> None:
    for policy in TINY["policies"]:
        for stage in ("policies", "exact", "estimates", "checks"):
            assert (finished / f"results/{stage}/{policy}.parquet").stat().st_size > 0
    drawn = {path.name for path in (finished / "figures").iterdir()}
    stems = {Path(name).stem for name in drawn}
    assert {"figure_1_binary", "figure_5_tradeoff", "regime_map", "estimator_errors"} <= stems
    assert drawn == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "pdf", "png")}
    for page in (
        "audit/claims.html",
        "audit/theory.html",
        "notebooks/tour.html",
        "notebooks/audit.html",
    ):
        assert "<html" in (finished / "results" / page).read_text(encoding="utf-8")


def test_every_claim_has_the_expected_verdict(finished: Path) -> None:
    claims = pd.read_parquet(finished / "results/audit/claims.parquet")
    assert claims.as_expected.all()
    assert claims.id.is_unique
    assert set(claims.verdict) == {
        "certified",
        "holds within a stated numerical error",
        "not studied",
        "refuted",
        "unknown",
    }
    listed = pd.read_csv(finished / "results/audit/claims.csv")
    columns = [
        "id",
        "source",
        "statement",
        "standing",
        "method",
        "cells",
        "worst_margin",
        "worst_at",
        "verdict",
    ]
    assert set(columns) <= set(listed.columns)
    assert listed.id.tolist() == claims.id.tolist()


def test_the_audit_ranks_by_outcomes_not_responses(finished: Path) -> None:
    cells = pd.read_parquet(finished / "results/audit/cells.parquet")
    outcomes = cells.groupby("policy").outcomes.agg(["min", "max"])
    assert (outcomes["min"] == outcomes["max"]).all()
    found = outcomes["min"].to_dict()
    assert {name: found[name] for name in ("binary", "uniform_10", "tiny_verifier", "zipf")} == {
        "binary": 2,
        "uniform_10": 10,
        "tiny_verifier": 2,
        "zipf": 300,
    }


def test_the_page_of_exhibits_is_renewed(finished: Path) -> None:
    succeed(finished, "exhibits")
    page = (finished / "docs/exhibits.md").read_text(encoding="utf-8")
    drawn = {path.stem for path in (finished / "figures").glob("*.svg")}
    assert drawn == set(re.findall(r"`draw_(\w+)`", page))
    assert "| `results/curves/binary.parquet` |" in page
    assert "| estimates | 7 |" in page


@pytest.mark.parametrize(
    ("folder", "found"), [(".", True), ("notebooks", True), ("workflow/rules", False)]
)
def test_a_notebook_finds_the_results(finished: Path, folder: str, found: bool) -> None:
    done = subprocess.run(
        [sys.executable, finished / "notebooks/audit.py"],
        cwd=finished / folder,
        env=os.environ | {"PYTHONPATH": str(finished / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == found, done.stdout


def test_a_run_fits_on_a_screen_and_ends_with_the_results(finished: Path) -> None:
    shown = (finished / "logs/terminal.txt").read_text(encoding="utf-8").splitlines()
    assert len(shown) < 60
    assert max(map(len, shown)) <= 120
    claims = len(yaml.safe_load((finished / "config/claims.yaml").read_text(encoding="utf-8")))
    drawn = len(list((finished / "figures").glob("*.svg")))
    *_, verdict, figures, audit, _, page, _ = shown
    assert verdict == (
        f"verdict    {claims} claims, each with the expected verdict, but for 6 that this "
        "configuration does not study"
    )
    assert figures == f"figures    figures/ ({drawn})"
    assert audit == "audit      results/audit/claims.html"
    assert page == "report     results/report.html"
    assert sum(" jobs   " in line for line in shown) in range(5, 12)


class Parts(HTMLParser):
    """Of a page the pictures, the headings of captions, and what it would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.pictures: list[bytes] = []
        self.named: list[str | None] = []
        self.fetched: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "figure":
            self.named.append(values["id"])
        if tag == "img":
            kind, _, picture = (values["src"] or "").partition(";base64,")
            assert kind == "data:image/svg+xml"
            assert values["alt"]
            self.pictures.append(base64.b64decode(picture))
        self.fetched += [tag] * (tag in {"script", "link", "iframe"})


def test_the_report_has_every_figure_with_its_caption_and_the_audit(finished: Path) -> None:
    page = (finished / "results/report.html").read_text(encoding="utf-8")
    parts = Parts(page)
    drawn = {path.stem: path.read_bytes() for path in (finished / "figures").glob("*.svg")}
    assert dict(zip(parts.named, parts.pictures, strict=True)) == drawn
    assert page.count("<figcaption>") == len(drawn)
    assert not parts.fetched
    assert "{{" not in page
    assert "every verdict is the expected one" in page
    claims = pd.read_parquet(finished / "results/audit/claims.parquet")
    assert re.findall(r'href="audit/claims.html#(\w+)"', page) == claims.id.tolist()
    audit = (finished / "results/audit/claims.html").read_text(encoding="utf-8")
    assert all(f'id="{claim}"' in audit for claim in claims.id)
    assert "F_below^" not in page
    assert f"<dt>numpy</dt><dd>{metadata.version('numpy')}</dd>" in page
    assert "<td>estimates</td>" in page


HOSTILE = {
    "MPLBACKEND": "qtagg",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONWARNINGS": "default",
    "HOME": "/dev/null/nowhere",
    "COLUMNS": "20",
    "TZ": "Asia/Kolkata",
    "PYTHONHASHSEED": "7",
    "SOURCE_DATE_EPOCH": "1",
}
MATPLOTLIBRC = "font.size: 30\naxes.grid: True\nfont.family: monospace\nno.such: key\n"


def test_the_environment_of_the_user_changes_nothing_that_is_shown(
    finished: Path, tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "secret place")
    configure(project, TINY)
    shutil.rmtree(project / "figures", ignore_errors=True)
    settings = tmp_path / "matplotlibrc"
    settings.write_text(MATPLOTLIBRC, encoding="utf-8")
    (project / "docutils.conf").write_text("[html writers]\ntable_style: borderless\n")
    done = run_snakemake(project, variables=HOSTILE | {"MATPLOTLIBRC": str(settings)})
    assert done.returncode == 0, done.stdout[-8000:]
    assert shown(project) == shown(finished)
    everything = b"".join((project / name).read_bytes() for name in shown(project))
    assert b"secret place" not in everything
    assert b"nowhere" not in everything


def shown(project: Path) -> dict[str, str]:
    """Digests of all figures, tables and pages; the report's without the times."""
    page = (project / "results/report.html").read_text(encoding="utf-8")
    lasting, times = page.split('<section id="times">')
    assert "seconds, longest" in times
    found = digests(project, "figures") | digests(project, "results")
    del found["results/manifest/report_page.json"]  # of the whole page
    return found | {"results/report.html": hashlib.sha256(lasting.encode()).hexdigest()}


def test_each_rule_wrote_its_log(finished: Path) -> None:
    assert (finished / "logs/exact/binary.log").is_file()
    assert "Traceback" not in "".join(p.read_text() for p in (finished / "logs").rglob("*.log"))


def test_a_second_run_does_nothing(finished: Path) -> None:
    assert planned(finished) == {}
    assert planned(finished, "audit") == {}
    assert planned(finished, "figures") == {}


def edit(path: Path) -> None:
    """Another content of the same meaning."""
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


def after(finished: Path, path: str) -> set[str]:
    """Rules that an edit of a file makes Snakemake plan; the edit is undone."""
    file = finished / path
    original, stat = file.read_bytes(), file.stat()
    edit(file)
    try:
        return set(planned(finished))
    finally:
        file.write_bytes(original)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_editing_the_figure_style_redraws_only_figures(finished: Path) -> None:
    rerun = after(finished, "src/replication/pipeline/plotting.py")
    assert rerun
    assert {rule for rule in rerun if not rule.startswith("draw_")} <= {
        *("notebook", "audit_report", "report_page"),
    }


def test_editing_a_figure_script_redraws_its_figure(finished: Path) -> None:
    assert after(finished, "workflow/scripts/figure_binary.py") == {
        *("draw_figure_1_binary", "report_page"),
    }


def test_editing_the_simulation_reruns_estimates_and_what_follows(finished: Path) -> None:
    rerun = after(finished, "src/replication/studies/simulate.py")
    assert {"estimates", "claims", "audit_gate", "draw_estimator_errors"} <= rerun
    assert rerun.isdisjoint({"policy", "exact", "checks", "draw_figure_1_binary"})


def test_editing_the_words_of_a_claim_only_reruns_the_audit(finished: Path) -> None:
    rerun = after(finished, "config/claims.yaml")
    assert rerun == {"claims", "audit_report", "audit_gate", "notebook", "report_page"}


def after_renaming(finished: Path, key: str) -> set[str]:
    """Rules that another label or standing of a policy makes Snakemake plan."""
    config = copy.deepcopy(TINY)
    config["policies"]["tiny_verifier"][key] = "exact"
    configure(finished, config)
    try:
        return set(planned(finished))
    finally:
        configure(finished, TINY)


def test_editing_what_a_policy_is_called_reruns_what_shows_it(finished: Path) -> None:
    shown = after_renaming(finished, "label")
    assert {"draw_ties", "report_page"} <= shown
    assert all(rule.startswith("draw_") for rule in shown - {"report_page"})
    assert after_renaming(finished, "standing") == set()


def after_locking(finished: Path, package: str) -> set[str]:
    """Rules that another version of a package in the lock makes Snakemake plan."""
    path = finished / "requirements.txt"
    original = path.read_text(encoding="utf-8")
    edited = re.sub(rf"(?m)^{package}==[^ ]+", f"{package}==999", original)
    assert edited != original
    path.write_text(edited, encoding="utf-8")
    try:
        return set(planned(finished))
    finally:
        path.write_text(original, encoding="utf-8")


def test_an_edit_of_the_lock_reruns_what_the_package_can_change(finished: Path) -> None:
    everything = after_locking(finished, "numpy")
    assert {"policy", "exact", "adversary", "claims", "draw_ties", "notebook"} <= everything
    drawing = after_locking(finished, "pillow")  # which matplotlib needs
    assert {"draw_ties", "notebook", "report_page"} <= drawing
    assert drawing.isdisjoint({"policy", "exact", "estimates", "checks"})
    assert after_locking(finished, "jupytext") == {"notebook"}
    assert after_locking(finished, "pytest") == set()


def test_an_upgrade_without_the_lock_reruns_as_much(finished: Path, tmp_path: Path) -> None:
    newer = tmp_path / "jupytext-999.dist-info"
    newer.mkdir()
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: jupytext\nVersion: 999\n")
    first = os.pathsep.join([str(tmp_path), str(finished / "src")])
    done = run_snakemake(finished, "--dry-run", packages=first)
    assert re.search(r"^notebook +4$", done.stdout, re.M), done.stdout[-3000:]


def test_figures_are_drawn_again_byte_for_byte(finished: Path) -> None:
    first = digests(finished, "figures")
    shutil.rmtree(finished / "figures")
    succeed(finished, "figures")
    assert digests(finished, "figures") == first


def test_another_run_gives_the_same_results(
    finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On one core, in another folder, from nothing."""
    other = copy_project(tmp_path_factory.mktemp("other"))
    configure(other, TINY)
    succeed(other, "--cores", "1", "audit")
    again = digests(other, "results")
    assert {name: digests(finished, "results")[name] for name in again} == again


def test_a_policy_is_added_by_one_entry(finished: Path) -> None:
    config = copy.deepcopy(TINY)
    config["policies"]["newcomer"] = {
        "family": "probabilities",
        "label": "a newcomer",
        "standing": "ours",
        "parameters": {"probabilities": [0.5, 0.3, 0.2]},
    }
    configure(finished, config)
    try:
        rerun = planned(finished)
    finally:
        configure(finished, TINY)
    assert {
        rule: rerun[rule] for rule in ("policy", "exact", "estimates", "checks")
    } == dict.fromkeys(("policy", "exact", "estimates", "checks"), 1)


Break = Callable[[dict[str, Any]], object]

BROKEN: dict[str, tuple[Break, str]] = {
    "typo": (lambda c: c.update(sead=1), "sead"),
    "unknown family": (
        lambda c: c["policies"]["binary"].update(family="binari"),
        r"policies\.binary\.family",
    ),
    "negative probability": (
        lambda c: c["policies"]["counterexample"]["parameters"].update(probabilities=[1.5, -0.5]),
        r"policies\.counterexample\.parameters\.probabilities\[1\]|probabilities",
    ),
    "sum is not one": (
        lambda c: c["policies"]["counterexample"]["parameters"].update(probabilities=[0.5, 0.4]),
        r"policies\.counterexample.*sum",
    ),
    "empty policy": (
        lambda c: c["policies"]["counterexample"]["parameters"].update(probabilities=[]),
        r"policies\.counterexample\.parameters\.probabilities",
    ),
    "nan": (
        lambda c: c["policies"]["binary"]["parameters"].update(p=float("nan")),
        r"policies\.binary\.parameters\.p",
    ),
    "n below 1": (lambda c: c["certification"].update(n=[0.5]), r"certification\.n"),
    "no staircase": (lambda c: c["policies"].pop("staircase"), "policies: .*staircase"),
    "no binary": (lambda c: c["policies"].pop("binary"), r"binary"),
    "no policy": (lambda c: c.update(policies={}), "policies"),
}


@pytest.mark.parametrize(("break_it", "named"), BROKEN.values(), ids=BROKEN)
def test_a_broken_config_is_refused_before_any_job(
    finished: Path, break_it: Break, named: str
) -> None:
    config = copy.deepcopy(TINY)
    break_it(config)
    configure(finished, config)
    try:
        done = run_snakemake(finished)
    finally:
        configure(finished, TINY)
    assert done.returncode != 0
    assert re.search(named, done.stdout), done.stdout
    assert "expected" in done.stdout
    assert "jobs to run" not in done.stdout


def test_a_key_given_twice_is_refused_before_any_job(finished: Path) -> None:
    path = finished / "config/config.yaml"
    with path.open("a", encoding="utf-8") as file:
        file.write("seed: 2\n")
    try:
        done = run_snakemake(finished)
    finally:
        configure(finished, TINY)
    assert done.returncode != 0
    assert re.search(r"config\.yaml, line \d+: the key 'seed' appears again", done.stdout)
    assert "jobs to run" not in done.stdout


def test_code_in_the_config_is_refused_before_it_runs(finished: Path, tmp_path: Path) -> None:
    path, ran = finished / "config/config.yaml", tmp_path / "ran"
    original = path.read_text(encoding="utf-8")
    code = f"__use_yte__: true\nseed: ?open({str(ran)!r}, 'w').close() or 1\n"
    path.write_text(code + original.replace("seed: 1\n", ""), encoding="utf-8")
    try:
        done = run_snakemake(finished)
    finally:
        path.write_text(original, encoding="utf-8")
    assert done.returncode != 0
    assert "config.yaml, line 1: the key '__use_yte__'" in done.stdout
    assert not ran.exists()


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_code_in_another_config_is_refused_before_it_runs(
    finished: Path, tmp_path: Path, ending: str
) -> None:
    path, ran = tmp_path / f"evil.{ending}", tmp_path / "ran"
    keys = {"__use_yte__": True, "seed": f"?open({str(ran)!r}, 'w').close() or 1"}
    path.write_text(json.dumps(keys) if ending == "json" else yaml.safe_dump(keys))
    done = run_snakemake(finished, "--dry-run", "--configfile", str(path))
    assert done.returncode != 0
    assert f"evil.{ending}, line 1: the key '__use_yte__'" in done.stdout
    assert not ran.exists()


def test_without_the_profile_the_code_of_a_config_would_run(finished: Path, tmp_path: Path) -> None:
    path, ran = tmp_path / "evil.yaml", tmp_path / "ran"
    path.write_text(f"__use_yte__: true\nseed: ?open({str(ran)!r}, 'w').close() or 1\n")
    run_snakemake(finished, "--dry-run", "--workflow-profile", "none", "--configfile", str(path))
    assert ran.exists()


@pytest.mark.parametrize("text", ["[" * 5000, "a: &a {b: *a}", "seed: 2020-13-01", "\0", ""])
def test_another_config_that_is_none_gives_one_error(
    finished: Path, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text(text, encoding="utf-8")
    done = run_snakemake(finished, "--dry-run", "--configfile", str(path))
    assert done.returncode != 0
    assert f"WorkflowError:\n{path}" in done.stdout
    assert "Traceback" not in done.stdout
    assert len(done.stdout) < 1000


def test_an_entry_of_a_mapping_can_be_set_on_the_command_line(finished: Path) -> None:
    assert planned(finished, "--config", "n_grid={largest: 100}")["exact"] == len(TINY["policies"])
    done = run_snakemake(finished, "--dry-run", "--config", "n_grid={largest: many}")
    assert "n_grid.largest = 'many': expected a whole number" in done.stdout


def test_another_config_is_merged_or_taken_whole(finished: Path, tmp_path: Path) -> None:
    names = ("binary", "uniform_10", "staircase", "zipf", "counterexample", "tiny_language_model")
    mine = TINY | {"seed": 5, "policies": {name: TINY["policies"][name] for name in names}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(mine), encoding="utf-8")
    elsewhere = ("--directory", str(tmp_path), "--configfile", str(path))
    assert planned(finished, *elsewhere)["policy"] == len(TINY["policies"])
    assert planned(finished, *elsewhere, "--replace-workflow-config")["policy"] == len(names)


def test_an_environment_without_the_packages_says_what_to_do(
    finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "replication").mkdir()
    (tmp_path / "replication/__init__.py").touch()
    done = run_snakemake(finished, packages=str(tmp_path))
    assert done.returncode != 0
    assert "No module named 'replication.pipeline'" in done.stdout
    assert "Run `make`" in done.stdout
    assert "Traceback" not in done.stdout


def test_missing_claims_are_named_before_any_job(finished: Path) -> None:
    path = finished / "config/claims.yaml"
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        done = run_snakemake(finished)
    finally:
        hidden.rename(path)
    assert done.returncode != 0
    assert re.search(r"claims\.yaml: No such file or directory: expected", done.stdout)


def test_results_can_go_elsewhere(tmp_path: Path, finished: Path) -> None:
    elsewhere = ("--directory", str(tmp_path))
    succeed(finished, *elsewhere, "audit", "figures/regime_map.png")
    assert (tmp_path / "results/audit/passed.txt").is_file()
    assert planned(finished, *elsewhere, "audit") == {}


def test_what_is_deleted_is_made_again(finished: Path) -> None:
    table = finished / "results/exact/zipf.parquet"
    content = table.read_bytes()
    table.unlink()
    assert planned(finished)["exact"] == 1
    succeed(finished, "results/exact/zipf.parquet")
    assert table.read_bytes() == content


def test_an_unexpected_verdict_fails_the_build(tmp_path: Path, finished: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished, project)
    path = project / "config/claims.yaml"
    claims = yaml.safe_load(path.read_text(encoding="utf-8"))
    control = next(claim for claim in claims if claim["id"] == "control_reversed_bound")
    control["expected"] = "holds"
    path.write_text(yaml.safe_dump(claims), encoding="utf-8")
    done = run_snakemake(project, "audit")
    assert done.returncode != 0
    assert "control_reversed_bound: expected holds, found refuted (" in done.stdout
    assert "FAILED: audit_gate\n  to make results/audit/passed.txt\n" in done.stdout
    assert "The end of its log, logs/audit/gate.log:" in done.stdout
    assert "verdict " not in done.stdout
    assert (project / re.findall(r"^log +(\S+)$", done.stdout, re.MULTILINE)[0]).is_file()
    assert not (project / "results/audit/passed.txt").exists()
    assert (project / "results/audit/claims.md").exists()


def test_a_misspelt_claim_is_refused_before_any_job(tmp_path: Path, finished: Path) -> None:
    path = finished / "config/claims.yaml"
    original = path.read_text(encoding="utf-8")
    misspelt = original.replace("inequality: theorem_3_1 }", "inequality: theorem_31 }", 1)
    assert misspelt != original
    path.write_text(misspelt, encoding="utf-8")
    try:
        done = run_snakemake(finished)
    finally:
        path.write_text(original, encoding="utf-8")
    assert done.returncode != 0
    assert re.search(r"theorem_3_1.*inequality = 'theorem_31'.*expected one of", done.stdout)
    assert "jobs to run" not in done.stdout


USED = """
module replication:
    snakefile:
        "../project/Snakefile"
    config:
        config["theirs"]
    prefix:
        "theirs"


use rule * from replication as replication_*


rule ours:
    input:
        rules.replication_audit_gate.output,
    output:
        "ours.txt",
    shell:
        "cp {input} {output}"
"""


def test_another_workflow_uses_the_rules(tmp_path: Path) -> None:
    copy_project(tmp_path / "project")
    caller = tmp_path / "caller"
    caller.mkdir()
    (caller / "Snakefile").write_text(USED, encoding="utf-8")
    (caller / "config.yaml").write_text(yaml.safe_dump({"theirs": TINY}), encoding="utf-8")
    arguments = ("ours", "--cores", "all", "--configfile", "config.yaml")
    packages = str(tmp_path / "project/src")
    done = run_snakemake(caller, *arguments, packages=packages)
    assert done.returncode == 0, done.stdout[-8000:]
    assert (caller / "ours.txt").read_bytes() == (
        caller / "theirs/results/audit/passed.txt"
    ).read_bytes()
    assert sorted(path.name for path in caller.iterdir() if not path.name.startswith(".")) == [
        *("Snakefile", "config.yaml", "ours.txt", "theirs"),
    ]
    again = run_snakemake(caller, *arguments, packages=packages)
    assert "Nothing to be done" in again.stdout
    assert not (tmp_path / "project/results").exists()


def test_quotes_in_a_path_do_no_harm(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "o'make")
    configure(project, TINY)
    (project / ".venv").symlink_to(sys.prefix)
    figure = project / "figures/figure_1_binary.svg"
    figure.unlink()
    done = run_snakemake(
        project, "figures/figure_1_binary.svg", python=project / ".venv/bin/python"
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert figure.is_file()
    made = subprocess.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", "environment"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install" in made.stdout
    assert "o'make" not in made.stdout
