"""Logs made to do harm: bombs, endless nesting, and text that would steer a terminal or a page."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bonmeter.cli.app import app
from bonmeter.logs import sources
from bonmeter.logs.problems import LogProblem
from bonmeter.logs.read import read_log

ZEROS = bytes(8 << 20)
STEERING = ("\x1b", "\x07", "\x9b", "\u202e", "\x00")
EVIL = "<script>alert(1)</script> ]]> \x1b[31m\x07\x9b \u202e {{7*7}} <img src=x onerror=alert(2)>"
pytestmark = pytest.mark.filterwarnings("ignore::bonmeter.pools.reliability.ThinPoolWarning")


def zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        archive.writestr("samples/1.json", data)
    return packed.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip twice": lambda data: gzip.compress(gzip.compress(data)),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("data", [ZEROS, b'{"prompt": "' + b"x" * (8 << 20)], ids=["zeros", "line"])
def test_a_bomb_is_refused_before_it_is_unpacked(
    pack: Callable[[bytes], bytes], data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "HARMLESS", 1 << 20)
    path = tmp_path / "bomb"
    path.write_bytes(pack(data))
    with pytest.raises(LogProblem, match=r"bomb: .*bytes unpack to .* or more: expected 200 times"):
        read_log(path, say=lambda line: None)


def test_a_log_that_shrinks_well_is_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "HARMLESS", 1 << 16)
    rows = (json.dumps({"prompt": "p", "response": str(i), "reward": i}) for i in range(5000))
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    assert len(read_log(path, say=lambda line: None)) == 5000


@pytest.mark.parametrize(
    "content",
    [
        b'{"prompt": "p", "x": ' + b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"prompt": "p", "reward": ' + b"1" * 5000 + b"}",
        b'{"prompt": "p", "reward": 1}\n\0',
        b'{"prompt": "p", "reward": 1}\n\xff\xfe',
        '{"prompt": "p", "reward": 1}'.encode("utf-16-be"),
        b"\0" * 1000,
        b"",
    ],
    ids=[
        "lists",
        "objects",
        "digits",
        "nul",
        "two encodings",
        "utf-16 without mark",
        "nuls",
        "none",
    ],
)
def test_what_is_no_log_is_one_short_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"log\.jsonl") as caught:
        read_log(path, say=lambda line: None)
    assert len(str(caught.value)) < 1100


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evil") / "evil.jsonl"
    rows = [
        {"prompt": f"{EVIL}{i % 2}", "response": f"{EVIL}{i}", "reward": i / 2, "log_prob": -4.0}
        for i in range(80)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "-n", "2", "--per-prompt", "-q", "reward"],
        ["diagnose"],
        ["table", "-n", "2", "--reward-column", EVIL],
        ["table", "-n", "2", "--where", "prompt=\x1b[2J"],
    ],
)
def test_a_log_does_not_steer_the_terminal(evil: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, str(evil)])
    assert result.exit_code in (0, 3)
    assert [each for each in STEERING if each in result.stdout + result.stderr] == []


def test_control_characters_are_shown_written_out(evil: Path) -> None:
    arguments = ["table", "-n", "2", "--per-prompt", "-q", "reward", str(evil)]
    assert r"\x1b[31m" in CliRunner().invoke(app, arguments).stdout


def test_the_report_shows_texts_and_runs_none(evil: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["report", str(evil), "-n", "1-4", "-o", str(page)])
    assert result.exit_code == 0, result.stderr
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "49" not in text.partition("&lt;script&gt;alert(1)")[2][:80]
    assert "\x1b" not in text


def test_an_exported_table_is_what_was_read(evil: Path, tmp_path: Path) -> None:
    """Also a cell that a spreadsheet takes for a formula: import such columns as text."""
    source, target = tmp_path / "a.jsonl", tmp_path / "a.csv"
    source.write_text(json.dumps({"prompt": "=1+1", "response": "@x", "reward": 1}))
    assert CliRunner().invoke(app, ["convert", str(source), "-o", str(target)]).exit_code == 0
    assert target.read_text().splitlines()[1].startswith("=1+1,@x,1")
