"""The page of exhibits: what each figure is drawn from, by which rule and script, and how long."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypedDict

from replication.pipeline.job import job
from replication.pipeline.pages import update
from replication.pipeline.runtimes import measured, of_stages


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
    stages = of_stages(measured(benchmarks))
    rows = (
        f"| {each.Index} | {each.jobs} | {each.seconds:.0f} | {each.longest:.1f} "
        f"| {each.mebibytes:.0f} |\n"
        for each in stages.itertuples()
    )
    return (
        "| stage | jobs | seconds, all | seconds, longest | MiB, largest |\n|---|---|---|---|---|\n"
        + "".join(rows)
    )


def _folders(tables: Sequence[str]) -> Iterator[str]:
    """Single tables by their path, several of a folder as one."""
    for folder, files in groupby(tables, key=lambda path: str(Path(path).parent)):
        paths = list(files)
        yield f"`{paths[0]}`" if len(paths) == 1 else f"`{folder}/` ({len(paths)})"


if __name__ == "__main__":
    with job(snakemake):
        folder = snakemake.params.benchmarks
        exhibits = render_exhibits(snakemake.params.exhibits, folder)
        update(snakemake.params.page, "exhibits", exhibits)
        update(snakemake.params.page, "stages", render_stages(folder))
