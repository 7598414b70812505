"""The command of a cell decides that cell, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from replication.audit.recompute import command, main
from replication.pipeline.io import write_table


@pytest.fixture
def results(tmp_path: Path) -> Path:
    table = {"log_prob": np.log([0.5, 0.5]), "reward": np.array([0.0, 1.0])}
    (tmp_path / "policies").mkdir()
    write_table(table, tmp_path / "policies/binary.parquet")
    return tmp_path


def run(results: Path, line: str) -> None:
    main([*line.split()[3:], "--results", str(results)])


@pytest.mark.parametrize(("n", "verdict"), [(2.0, "holds"), (316.5, "holds")])
def test_command_decides_the_cell(
    results: Path, capsys: pytest.CaptureFixture[str], n: float, verdict: str
) -> None:
    run(results, command("theorem_3_1", "binary", n))
    fields = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (fields["claim"], fields["verdict"]) == ("theorem_3_1", verdict)
    assert float(fields["n"]) == n
    kl = (1 - 2.0**-n) * np.log(2 * (1 - 2.0**-n)) + 2.0**-n * np.log(2 * 2.0**-n)
    assert float(fields["lhs"]) == pytest.approx(kl, rel=1e-12)
    assert float(fields["rhs"]) == pytest.approx(np.log(n) - (n - 1) / n, rel=1e-12)


def test_a_control_fails(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(results, command("control_reversed_bound", "binary", 2.0))
    assert "verdict         fails" in capsys.readouterr().out


def test_command_names_n_in_full() -> None:
    assert float(command("a", "b", 1258925.25).split()[-1]) == 1258925.25


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("python -m x theorem_9 binary 2", "theorem_9: expected the id of a claim"),
        ("python -m x ties binary 2", "ties: expected the id of a claim"),
        ("python -m x theorem_3_1 none 2", r"none\.parquet: expected a policy"),
    ],
)
def test_what_cannot_be_recomputed_is_refused(
    results: Path, capsys: pytest.CaptureFixture[str], line: str, named: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(results, line)
    assert re.search(named, capsys.readouterr().err)


def test_a_cell_the_claim_does_not_speak_of(results: Path) -> None:
    with pytest.raises(ValueError, match="policy binary, n = 3: expected a cell"):
        run(results, command("control_reversed_conjecture", "binary", 3.0))
