"""What the jobs of a run took, as Snakemake's benchmarks say."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

__all__ = ["measured", "of_stages"]


def measured(folder: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Seconds and peak memory of every job, by stage and name of its benchmark file (ours).

    Args:
        folder: of the benchmarks, with a folder for each stage.

    Raises:
        ValueError: if there is none: they are written as the jobs run.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "exact").mkdir()
        ...     _ = Path(folder, "exact/zipf.tsv").write_text("s\tmax_rss\n1.5\t80.0\n")
        ...     measured(folder).seconds["exact", "zipf"].item()
        1.5
    """
    files = sorted(Path(folder).glob("*/*.tsv"))
    if not files:
        raise ValueError(f"{folder}: expected the benchmarks of a full run")
    jobs = pd.concat([pd.read_csv(file, sep="\t") for file in files], ignore_index=True)
    jobs.index = pd.MultiIndex.from_tuples([(file.parent.name, file.stem) for file in files])
    return jobs.rename(columns={"s": "seconds", "max_rss": "mebibytes"})


def of_stages(jobs: pd.DataFrame) -> pd.DataFrame:
    """Of each stage: its jobs, their seconds together and at most, and the largest memory (ours).

    Args:
        jobs: as `measured` gives them.

    Examples:
        >>> index = pd.MultiIndex.from_tuples([("exact", "a"), ("exact", "b")])
        >>> jobs = pd.DataFrame({"seconds": [1.0, 2.0], "mebibytes": [5.0, 4.0]}, index)
        >>> of_stages(jobs).loc["exact"].tolist()
        [2.0, 3.0, 2.0, 5.0]
    """
    stages = jobs.groupby(level=0)
    return pd.DataFrame(
        {
            "jobs": stages.size(),
            "seconds": stages.seconds.sum(),
            "longest": stages.seconds.max(),
            "mebibytes": stages.mebibytes.max(),
        }
    )
