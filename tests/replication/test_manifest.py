"""What jobs record of themselves, and what is found wrong with what lies there later."""

from __future__ import annotations

import os
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from replication.pipeline.job import job
from replication.pipeline.manifest import Entry, read_entry
from replication.pipeline.verify import (
    INCOMPLETE,
    Problem,
    damaged,
    mark_unsound,
    read_entries,
    upstream,
    verify,
)

RAW, TABLE, PICTURE = "results/raw.txt", "results/table.txt", "figures/picture.txt"


class Names(dict[str, object]):
    """A list of Snakemake's with names."""

    def __iter__(self) -> Iterator[object]:  # type: ignore[override]
        for value in self.values():
            yield from value if isinstance(value, list) else [value]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which three jobs have run, one after the other."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "script.py"
    script.write_text("1 + 1")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    Path("library.py").write_text("library")
    Path("config.txt").write_text("config")
    run("raw", [], "config.txt", RAW)
    run("table", [], RAW, TABLE)
    run("picture", ["library.py"], TABLE, PICTURE)
    return tmp_path


def run(rule: str, library: list[str], read: str, made: str, content: str = "") -> None:
    snakemake = SimpleNamespace(
        rule=rule,
        wildcards=Names(size="2", chunk="1"),
        params=Names(seed=1),
        input=Names(data=read, library=library),
        output=Names(out=made),
        log=[f"logs/{rule}.log"],
    )
    with job(snakemake):
        Path(made).parent.mkdir(parents=True, exist_ok=True)
        Path(made).write_text(content or f"{Path(read).read_text()}, then {rule}")


def found(*, outdated: dict[str, str] | None = None) -> list[Problem]:
    entries, altered = read_entries()
    return [*altered, *verify(entries, [RAW, TABLE, PICTURE], outdated or {})]


def kinds() -> set[tuple[str, str]]:
    return {(problem.kind, problem.path) for problem in found()}


def flip(path: str | Path, place: int) -> None:
    """One bit, the time of modification kept."""
    file = Path(path)
    stat, content = file.stat(), bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_nothing_is_wrong_after_a_run(project: Path) -> None:
    assert found() == []
    assert mark_unsound() == []
    assert not INCOMPLETE.exists()


def test_an_entry_says_what_a_job_read_and_made(project: Path) -> None:
    entry = read_entry("results/manifest/picture.1.2.json")
    assert entry.rule == "picture"
    assert (entry.wildcards, entry.params) == ({"size": "2", "chunk": "1"}, {"seed": 1})
    assert set(entry.code) == {"script.py", "library.py"}
    table = read_entry("results/manifest/table.1.2.json")
    assert entry.inputs == table.outputs
    assert entry.versions["python"] == ".".join(map(str, sys.version_info[:3]))


def test_every_flipped_bit_of_an_artifact_is_found(project: Path) -> None:
    for path in (RAW, TABLE, PICTURE):
        for place in range(Path(path).stat().st_size):
            flip(path, place)
            assert ("altered", path) in kinds()
            flip(path, place)
    assert found() == []


def test_every_flipped_bit_of_an_entry_is_found(project: Path) -> None:
    path = Path("results/manifest/table.1.2.json")
    for place in range(path.stat().st_size):
        flip(path, place)
        with pytest.raises(ValueError, match=r"table\.1\.2\.json was altered"):
            read_entry(path)
        flip(path, place)
    assert isinstance(read_entry(path), Entry)
    flip(path, 5)
    assert ("altered", str(path)) in kinds()
    assert ("missing", TABLE) in kinds()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda: Path(TABLE).unlink(), {("missing", TABLE)}),
        (lambda: Path("results/new.txt").touch(), {("extra", "results/new.txt")}),
        (lambda: Path("figures/.1f-old.txt").touch(), {("extra", "figures/.1f-old.txt")}),
        (lambda: Path("library.py").write_text("changed"), {("stale", PICTURE)}),
        (lambda: Path("config.txt").unlink(), {("stale", RAW)}),
        (lambda: Path("script.py").touch(), set()),
    ],
)
def test_what_is_wrong_is_named(
    project: Path, spoil: Callable[[], object], expected: set[tuple[str, str]]
) -> None:
    spoil()
    assert kinds() == expected


def test_what_rests_on_another_table_is_stale(project: Path) -> None:
    run("raw", [], "config.txt", RAW, content="made differently")
    assert kinds() == {("stale", TABLE)}
    assert "results/raw.txt is not what it was made from" in found()[0].cause


def test_what_snakemake_would_make_again_is_stale(project: Path) -> None:
    (problem,) = found(outdated={TABLE: "params changed"})
    assert str(problem) == "stale: results/table.txt: params changed"


def test_a_job_does_not_read_what_was_altered(project: Path) -> None:
    flip(TABLE, 0)
    with pytest.raises(SystemExit):
        run("picture", [], TABLE, PICTURE)
    log = Path("logs/picture.log").read_text()
    assert "results/table.txt was altered after rule table made it" in log


def test_the_altered_the_stale_and_the_unrecorded_are_made_again(project: Path) -> None:
    flip(RAW, 0)
    Path("library.py").write_text("changed")
    Path("results/new.txt").touch()
    assert [str(each) for each in mark_unsound()] == [
        "altered: results/raw.txt: it is not what rule raw made"
    ]
    marked = {urlsafe_b64decode(mark.name).decode() for mark in INCOMPLETE.iterdir()}
    assert marked == {RAW, PICTURE, "results/new.txt"}


def test_marks_go_when_what_they_marked_is_sound_again(project: Path) -> None:
    flip(RAW, 0)
    mark_unsound()
    other = INCOMPLETE / "of Snakemake"
    other.write_text('{"external_jobid": null}')
    flip(RAW, 0)
    assert mark_unsound() == []
    assert list(INCOMPLETE.iterdir()) == [other]


def test_a_missing_file_needs_no_mark(project: Path) -> None:
    Path(RAW).unlink()
    assert [problem.kind for problem in mark_unsound()] == ["missing"]
    assert not INCOMPLETE.exists()


def test_all_that_a_file_rests_on_is_followed(project: Path) -> None:
    entries = read_entries()[0]
    assert [entry.rule for entry in upstream(PICTURE, entries)] == ["picture", "table", "raw"]
    assert damaged(upstream(TABLE, entries)) == []
    flip(RAW, 0)
    assert [problem.path for problem in damaged(upstream(PICTURE, entries))] == [RAW]
    with pytest.raises(ValueError, match="no job has made it"):
        upstream("results/other.txt", entries)
