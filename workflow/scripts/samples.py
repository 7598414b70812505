"""Logs of best-of-n runs: what they cost and bought, as tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bonmeter import read_log
from bonmeter.runs.diagnose import diagnose
from bonmeter.runs.frontier import frontier
from bonmeter.runs.summary import per_prompt, summarise
from replication.pipeline.io import log_to, write_frame

PROMPTS_AT = (1, 4, 16, 64)
"""n at which prompts are told one by one, unless others are asked for."""


def analyse(
    logs: Sequence[str], reading: Mapping[str, Any], n: Sequence[int] | None, outputs: Mapping[str, str]
) -> None:
    """Read logs as one, and write what can be said of them.

    Args:
        logs: files of any format that `bonmeter.read_log` knows.
        reading: its other arguments.
        n: the n to tell of; powers of two if None.
        outputs: `summary`, `per_prompt`, `frontier`, `diagnosis` and `notes` -> file.
    """
    candidates = read_log(logs, say=print, **reading)
    tables = {
        "summary": summarise(candidates, n),
        "per_prompt": per_prompt(candidates, n),
        "frontier": frontier(candidates, n),
        "diagnosis": diagnose(candidates),
    }
    for name, table in tables.items():
        table.to_csv(outputs[name], index=False, lineterminator="\n")
    Path(outputs["notes"]).write_text("\n".join(candidates.attrs["notes"]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with log_to(snakemake.log[0]):
        analyse(
            snakemake.input.logs,
            snakemake.params.reading,
            snakemake.params.n,
            dict(snakemake.output.items()),
        )
