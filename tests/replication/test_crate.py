"""A run's crate names every file with its checksum, holds it, and refuses what was altered."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from replication.pipeline.crate import METADATA, describe, place, write_crate
from replication.pipeline.manifest import Entry, fingerprint, write_entry

SCRIPTS = {"draw": "workflow/scripts/draw.py", "fit": "../clone/fit.py"}


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """Two jobs, the second of which reads what the first made."""
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    for path in ("Snakefile", "config/config.yaml", "study/kept.csv", "a.csv", *SCRIPTS.values()):
        write(path)
    write("results/b.txt")
    return [
        entry("draw", ["study/kept.csv"], ["a.csv"]),
        entry("fit", ["a.csv"], ["results/b.txt"]),
    ]


def write(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(f"the content of {path}", encoding="utf-8")


def entry(rule: str, inputs: list[str], outputs: list[str]) -> Entry:
    made = Entry(
        rule=rule,
        wildcards={},
        params={"seed": 7},
        code={SCRIPTS[rule]: fingerprint(SCRIPTS[rule])},
        inputs={path: fingerprint(path) for path in inputs},
        outputs={path: fingerprint(path) for path in outputs},
        versions={"python": "3.11.7", "numpy": "2.4.6"},
    )
    write_entry(made)
    return made


def metadata_of(entries: list[Entry]) -> dict[str, Any]:
    workflow = {path: fingerprint(path) for path in ("Snakefile", "config/config.yaml")}
    return describe(entries, workflow, snakefile="Snakefile", code_version="abc", name="a study")


SOURCES = ["Snakefile", "config/config.yaml", "study/kept.csv", "a.csv", "results/b.txt"]


def test_a_crate_holds_the_files_that_it_names(entries: list[Entry]) -> None:
    write_crate(metadata_of(entries), [*SOURCES, *SCRIPTS.values()], "crate.zip")
    with ZipFile("crate.zip") as archive:
        graph = {each["@id"]: each for each in json.loads(archive.read(METADATA))["@graph"]}
        files = {key: each for key, each in graph.items() if "File" in each["@type"]}
        assert {*archive.namelist()} == {METADATA, *files}
        for name, file in files.items():
            content = archive.read(name)
            assert file["sha256"] == hashlib.sha256(content).hexdigest()
            assert file["contentSize"] == str(len(content))
    assert "clone/fit.py" in files
    assert {each["@id"] for each in graph["./"]["hasPart"]} == {*files}


def test_a_crate_says_what_each_job_read_and_made(entries: list[Entry]) -> None:
    graph = {each["@id"]: each for each in metadata_of(entries)["@graph"]}
    fit = graph["#fit"]
    assert fit["instrument"] == {"@id": "clone/fit.py"}
    assert fit["object"] == [{"@id": "a.csv"}, {"@id": "#fit-parameters"}]
    assert fit["result"] == {"@id": "results/b.txt"}
    assert json.loads(graph["#fit-parameters"]["value"]) == {"seed": 7}
    run = graph["#run"]
    assert run["instrument"] == {"@id": "Snakefile"} == graph["./"]["mainEntity"]
    assert run["object"] == [{"@id": "config/config.yaml"}, {"@id": "study/kept.csv"}]
    assert run["result"] == [{"@id": "a.csv"}, {"@id": "results/b.txt"}]
    assert graph["#numpy-2.4.6"]["softwareVersion"] == "2.4.6"
    assert graph["Snakefile"]["version"] == "abc"


def test_all_that_is_referred_to_is_there(entries: list[Entry]) -> None:
    graph = metadata_of(entries)["@graph"]
    assert len({each["@id"] for each in graph}) == len(graph)
    known = {each["@id"] for each in graph} | {"LICENSE", "https://w3id.org/ro/crate/1.1"}
    assert set(references(graph)) <= known


def references(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    if isinstance(value, dict):
        own = [value["@id"]] if set(value) == {"@id"} else []
        return own + [found for each in value.values() for found in references(each)]
    return []


def test_an_altered_file_is_refused(entries: list[Entry]) -> None:
    metadata = metadata_of(entries)
    Path("a.csv").write_text("altered", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.csv was altered"):
        write_crate(metadata, [*SOURCES, *SCRIPTS.values()], "crate.zip")
    assert not Path("crate.zip").exists()


def test_two_files_in_one_place_are_refused(entries: list[Entry]) -> None:
    write("clone/fit.py")
    assert place("clone/fit.py") == place(SCRIPTS["fit"])
    with pytest.raises(ValueError, match="the same place"):
        metadata_of([*entries, entry("draw", ["clone/fit.py"], ["a.csv"])])
