import io
import os
import sys
from pathlib import Path

import pytest

from replication.pipeline.io import DamagedFileError
from replication.pipeline.job import log_to


def test_an_error_is_logged_with_its_traceback_and_ends_the_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = sys.stderr
    with pytest.raises(SystemExit) as ended, log_to(tmp_path / "logs/a.log"):
        raise KeyError("lost")
    assert sys.stderr is usual
    assert ended.value.code == 1
    text = (tmp_path / "logs/a.log").read_text()
    assert text.startswith("Traceback")
    assert text.endswith("KeyError: 'lost'\n")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.csv"), "'a.csv'\n"),
        (DamagedFileError("a.parquet: no footer"), "DamagedFileError: a.parquet: no footer\n"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, error: Exception, line: str) -> None:
    with pytest.raises(SystemExit), log_to(tmp_path / "a.log"):
        raise error
    text = (tmp_path / "a.log").read_text()
    assert text.endswith(line)
    assert text.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_log_that_cannot_be_written_hides_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", terminal)
    with pytest.raises(OSError, match="No space left"), log_to("/dev/full"):
        raise KeyError("lost")
    assert terminal.getvalue().endswith("KeyError: 'lost'\n")
