import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")

CONDA_NAMES = {"playwright": "playwright-python", "snakemake": "snakemake-minimal"}
"""Where conda's name is not the one of the Python package."""


def by_name(requirements: list[str]) -> dict[str, SpecifierSet]:
    parsed = [Requirement(text) for text in requirements]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
[LOCKED] = re.findall(r"^LOCKED := (.*)$", MAKEFILE, re.MULTILINE)

DECLARED = by_name(
    [
        *PROJECT["dependencies"],
        *(
            text
            for extra in LOCKED.split()
            for text in PROJECT["optional-dependencies"][extra]
            if Requirement(text).name != PROJECT["name"]  # one extra includes another
        ),
    ]
)
DECLARED.pop(PROJECT["name"], None)  # an extra may ask for another


ENTRIES = re.split(r"\n(?=\S)", LOCK.strip())
"""One locked version each: the pin, its hashes, and comments on what needs it."""


def pin(entry: str) -> Requirement:
    return Requirement(entry.split("\\", maxsplit=1)[0])


def test_conda_environment_is_that_of_pyproject() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python = f"python{PROJECT['requires-python']}"
    declared = {CONDA_NAMES.get(name, name): bounds for name, bounds in DECLARED.items()}
    *packages, installed = conda["dependencies"]
    assert conda["name"] == PROJECT["name"]
    assert by_name(packages) == declared | by_name([python, "pip"])
    assert installed == {"pip": ["--editable ."]}


@pytest.mark.parametrize(("name", "bounds"), DECLARED.items())
def test_each_requirement_has_a_lower_bound_and_is_met(name: str, bounds: SpecifierSet) -> None:
    assert [bound.operator for bound in bounds] == [">="]
    assert metadata.version(name) in bounds


def test_python_is_recent_enough() -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    assert python in SpecifierSet(PROJECT["requires-python"])


def test_lock_is_hashed_pins_and_nothing_else() -> None:
    entry = re.compile(r"[\w.-]+==[\w.]+( ; .*)?( \\\n    --hash=sha256:[0-9a-f]{64})+(\n    #.*)+")
    assert [text for text in ENTRIES if not entry.fullmatch(text)] == []


def test_lock_was_made_from_pyproject() -> None:
    direct = [pin(text) for text in ENTRIES if f" {PROJECT['name']} (pyproject.toml)" in text]
    assert {canonicalize_name(each.name) for each in direct} == set(DECLARED)
    versions = [(each.name, bound.version) for each in direct for bound in each.specifier]
    assert [pair for pair in versions if pair[1] not in DECLARED[canonicalize_name(pair[0])]] == []


def test_make_asks_for_the_same_python() -> None:
    asked = re.search(r"version_info < \((\d+), (\d+)\)", MAKEFILE)
    assert asked is not None
    assert f">={asked[1]}.{asked[2]}" == PROJECT["requires-python"]


def test_the_library_needs_numpy_and_scipy_only() -> None:
    assert set(by_name(PROJECT["dependencies"])) == {"numpy", "scipy"}
    assert set(by_name(PROJECT["optional-dependencies"]["certify"])) == {"python-flint"}
