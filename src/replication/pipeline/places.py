"""Where a run keeps what it makes on the way."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["keep_inside"]

FOLDERS = {"TMPDIR": "tmp", "MPLCONFIGDIR": "MPLCONFIGDIR"}
"""By the variable that names it to jobs; the second holds matplotlib's cache of fonts."""


def keep_inside(folder: Path) -> None:
    """Keep temporary files and caches in a folder, of this process and those it starts.

    Neither a home nor the system's temporary folder is needed then.

    Args:
        folder: the one of Snakemake's own, which it may write to.
    """
    for variable, name in FOLDERS.items():
        place = folder.absolute() / name
        place.mkdir(parents=True, exist_ok=True)
        os.environ[variable] = str(place)
    tempfile.tempdir = os.environ["TMPDIR"]  # what Snakemake asks for on behalf of jobs
