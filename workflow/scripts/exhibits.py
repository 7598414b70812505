"""The page of exhibits: what each figure is drawn from, by which rule and script, and how long."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypedDict

import pandas as pd

from replication.pipeline.io import log_to
from replication.pipeline.pages import update


class Exhibit(TypedDict):
    """What draws a figure: the rule, its script, and the tables it reads."""

    rule: str
    script: str
    tables: Sequence[str]


def render_exhibits(exhibits: Mapping[str, Exhibit], benchmarks: str) -> str:
    """A row for each figure, in Markdown; `benchmarks` is the folder of the measured times.

    Raises:
        ValueError: naming the benchmark that is missing.
    """
    seconds = measured(benchmarks).seconds
    for figure in exhibits:
        if ("figures", figure) not in seconds:
            raise ValueError(
                f"{benchmarks}/figures/{figure}.tsv: expected the benchmark of a full run"
            )
    rows = (
        f"| [{figure}](../figures/{figure}.svg) | `{each['rule']}` "
        f"| [{each['script']}](../workflow/scripts/{each['script']}) "
        f"| {', '.join(_folders(each['tables']))} | {seconds['figures', figure]:.1f} |\n"
        for figure, each in exhibits.items()
    )
    return "| figure | rule | script | tables | seconds |\n|---|---|---|---|---|\n" + "".join(rows)


def render_stages(benchmarks: str) -> str:
    """A row for each stage: its jobs, and what they took together and at most."""
    stages = measured(benchmarks).groupby(level=0)
    rows = (
        f"| {stage} | {len(jobs)} | {jobs.seconds.sum():.0f} | {jobs.seconds.max():.1f} "
        f"| {jobs.mebibytes.max():.0f} |\n"
        for stage, jobs in stages
    )
    return (
        "| stage | jobs | seconds, all | seconds, longest | MiB, largest |\n|---|---|---|---|---|\n"
        + "".join(rows)
    )


def measured(folder: str) -> pd.DataFrame:
    """Seconds and peak memory of every job, by the stage and the name of its benchmark file.

    Raises:
        ValueError: if there is none: they are written as the jobs run.
    """
    files = sorted(Path(folder).glob("*/*.tsv"))
    if not files:
        raise ValueError(f"{folder}: expected the benchmarks of a full run")
    jobs = pd.concat([pd.read_csv(file, sep="\t") for file in files], ignore_index=True)
    jobs.index = pd.MultiIndex.from_tuples([(file.parent.name, file.stem) for file in files])
    return jobs.rename(columns={"s": "seconds", "max_rss": "mebibytes"})


def _folders(tables: Sequence[str]) -> Iterator[str]:
    """Single tables by their path, several of a folder as one."""
    for folder, files in groupby(tables, key=lambda path: str(Path(path).parent)):
        paths = list(files)
        yield f"`{paths[0]}`" if len(paths) == 1 else f"`{folder}/` ({len(paths)})"


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        folder = snakemake.params.benchmarks
        exhibits = render_exhibits(snakemake.params.exhibits, folder)
        update(snakemake.params.page, "exhibits", exhibits)
        update(snakemake.params.page, "stages", render_stages(folder))
