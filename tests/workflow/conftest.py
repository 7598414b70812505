"""One finished run of the tiny configuration, which tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.runs import TINY, configure, copy_project, succeed


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after a full run. Tests leave it finished."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    configure(project, TINY)
    shutil.rmtree(project / "figures", ignore_errors=True)
    (project / "logs").mkdir()
    (project / "logs/terminal.txt").write_text(succeed(project), encoding="utf-8")
    return project
