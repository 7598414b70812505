"""What runs here is what was locked: hashes, commits, rights and licences."""

import re
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.licences import COPYLEFT, locked, rejected, stated, table
from tests.runs import ROOT

LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PINS = [Requirement(line.rstrip("\\")) for line in LOCK.splitlines() if line[:1].isalnum()]
UV = (ROOT / "requirements-uv.txt").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PYTHONS = ("3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0")
PLATFORMS = ({"sys_platform": "linux"}, {"sys_platform": "darwin"}, {"sys_platform": "win32"})


def of_python(version: str, platform: dict[str, str]) -> list[str]:
    minor = ".".join(version.split(".")[:2])
    environment = {"python_version": minor, "python_full_version": version, **platform}
    return [
        pin.name for pin in PINS if pin.marker is None or pin.marker.evaluate(dict(environment))
    ]


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda each: each["sys_platform"])
def test_every_python_has_one_version_of_each_package(
    version: str, platform: dict[str, str]
) -> None:
    names = of_python(version, platform)
    assert len(names) == len(set(names))
    everywhere = {pin.name for pin in PINS if pin.marker is None}
    by_python = {pin.name for pin in PINS if "python_full_version" in str(pin.marker)}
    assert everywhere | by_python <= set(names)


def test_the_installer_itself_has_hashes() -> None:
    assert re.fullmatch(r"uv==[\d.]+( \\\n    --hash=sha256:[0-9a-f]{64})+\n", UV)
    assert f"uv=={metadata.version('uv')} " in UV


def test_whatever_make_installs_for_a_run_has_hashes() -> None:
    rule = MAKEFILE[MAKEFILE.index("$(VENV)/.locked:") : MAKEFILE.index("llm: ")]
    installs = [line for line in rule.splitlines() if "pip install" in line]
    assert len(installs) == 3
    *locks, own = installs
    assert all("--require-hashes -r requirements" in line for line in locks)
    assert "--no-deps --editable ." in own


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_commits_with_few_rights(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    assert "pull_request_target" not in text
    assert "secrets." not in text
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [
        each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", each)
    ] == []
    checkouts = [step for step in steps(workflow) if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_locked_package_has_a_licence_that_is_allowed() -> None:
    assert rejected({package: stated(package) for package in locked()}) == {}


@pytest.mark.parametrize(
    ("package", "licence"),
    [
        *[
            ("new", ""),
            ("new", "Proprietary"),
            ("new", "GPL-3.0-only"),
            ("new", "MIT AND AGPL-3.0"),
        ],
        *[("new", "MPL-2.0"), ("new", "LGPL-3.0-or-later")],  # one by one only
    ],
)
def test_another_licence_is_rejected(package: str, licence: str) -> None:
    assert rejected({package: licence, "numpy": "BSD-3-Clause"}) == {package: licence}


def test_the_exceptions_are_those_that_are_locked() -> None:
    assert {package: stated(package) for package in COPYLEFT} == COPYLEFT
    assert set(COPYLEFT) <= set(locked())


def test_a_package_that_is_not_there_has_no_licence() -> None:
    assert stated("no-such-package") == ""


def test_the_table_of_licences_is_that_of_the_lock() -> None:
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8").splitlines()
    made = table().splitlines()
    several = {package for package, versions in locked().items() if len(versions) > 1}
    # of a version for another Python the licence may be written otherwise
    assert [row.rpartition(" | ")[0] for row in page] == [row.rpartition(" | ")[0] for row in made]
    assert {row for row in made if row.split(" ")[1:2] not in [[name] for name in several]} <= set(
        page
    )
