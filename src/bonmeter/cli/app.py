"""The commands, one for each question to a log."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bonmeter.cli.given import ESTIMATING, JOINING, PRINTING, READING, Given, with_options
from bonmeter.cli.output import one_line_problems, plain_text, summary_text
from bonmeter.cli.values import as_targets, reals, whole_numbers
from bonmeter.cli.work import shared_work

__all__ = ["app"]

STANDARD_INPUT = "-"

app = typer.Typer(
    help="What best-of-n sampling costs (KL divergence) and buys (win rate, reward), from a log.",
    epilog=(
        "Exit codes: 0 done; 1 unexpected error; 2 wrong usage; 3 a log or value that cannot be "
        "used; 4 an extra is not installed. Results go to standard output, the rest to standard "
        "error."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Files = Annotated[
    list[Path], typer.Argument(help="Logs of candidates; - is standard input.", show_default=False)
]
N = Annotated[
    list[str],
    typer.Option("--n", "-n", help="4, or 1,2,4, or 1-64; by default powers of two."),
]
Quantities = Annotated[
    list[str], typer.Option("--quantity", "-q", help="Only this quantity; may be repeated.")
]
Workers = Annotated[
    int, typer.Option(min=0, help="Processes for long work; 0 for as many as there are cores.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]


@app.command(
    epilog="Examples: bonmeter report runs.jsonl -o report.html; "
    "bonmeter report vllm.jsonl --rewards rm.jsonl -n 1-64 -o report.html --tables tables/"
)
@with_options(ESTIMATING, READING)
def report(
    files: Files,
    *,
    output: Output,
    n: N = [],
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "",
    tables: Annotated[
        Path | None, typer.Option(help="Folder for the tables as CSV.", show_default=False)
    ] = None,
    workers: Workers = 0,
    given: Given,
) -> None:
    """One page to put before colleagues: the answer, figures, every prompt, diagnostics."""
    numbers = whole_numbers(n)
    with one_line_problems(), shared_work(workers) as each:
        candidates = given.read(files)
        from bonmeter.report.write import write_report

        heading: dict[str, Any] = {"title": title} if title else {}
        write_report(
            candidates,
            output,
            n=numbers,
            sources=[file for file in files if str(file) != STANDARD_INPUT],
            notes=given.notes,
            command=shlex.join(["bonmeter", *sys.argv[1:]]),
            tables=tables,
            each=each,
            **heading,
            **given.how,
        )


@app.command(epilog="Examples: bonmeter table runs.jsonl; bonmeter table a.csv b.csv -n 1-64 -q kl")
@with_options(ESTIMATING, PRINTING, READING)
def table(
    files: Files,
    *,
    n: N = [],
    quantity: Quantities = [],
    per_prompt: Annotated[bool, typer.Option("--per-prompt", help="Prompt by prompt.")] = False,
    workers: Workers = 0,
    given: Given,
) -> None:
    """What each n costs and buys: KL, win rate, reward, pass rate, with intervals.

    Of a folder written by convert --by-prompt, some prompts at a time are in memory.
    """
    numbers = whole_numbers(n)
    with one_line_problems(), shared_work(workers) as each:
        from bonmeter.runs.summary import per_prompt as by_prompt
        from bonmeter.runs.summary import summarise

        how: dict[str, Any] = {"quantities": quantity or None, "each": each, **given.how}
        result = (
            by_prompt(given.read(files), numbers, **how)
            if per_prompt
            else summarise(given.tables(files), numbers, **how)
        )
        rows = ["prompt", "n"] if per_prompt else ["n"]
        given.emit(result, lambda: summary_text(result, rows))


@app.command(
    epilog="Examples: bonmeter compare a.jsonl b.jsonl; bonmeter compare a.jsonl b.jsonl --at kl"
)
@with_options(ESTIMATING, PRINTING, {n: o for n, o in READING.items() if n not in JOINING})
def compare(
    first: Annotated[Path, typer.Argument(help="Log of the first run.", show_default=False)],
    second: Annotated[Path, typer.Argument(help="Log of the second run.", show_default=False)],
    *,
    at: Annotated[str, typer.Option(help="What is equal: n or kl.")] = "n",
    n: N = [],
    quantity: Quantities = [],
    given: Given,
) -> None:
    """The second run minus the first on the prompts that both have, at equal n or equal KL."""
    numbers = whole_numbers(n)
    with one_line_problems():
        tables = given.read([first]), given.read([second])
        from bonmeter.runs.compare import compare as compared

        result = compared(*tables, numbers, at=at, quantities=quantity or None, **given.how)
        given.emit(result, lambda: summary_text(result, ["n"]))


@app.command(epilog="Example: bonmeter frontier runs.jsonl -n 1,4,16,64")
@with_options(ESTIMATING, PRINTING, READING)
def frontier(files: Files, *, n: N = [], given: Given) -> None:
    """Reward against KL, and what the KL-regularised optimum could have bought."""
    numbers = whole_numbers(n)
    with one_line_problems():
        candidates = given.read(files)
        from bonmeter.runs.frontier import frontier as against_kl

        result = against_kl(candidates, numbers, **given.how)
        given.emit(result, lambda: plain_text(result))


@app.command(
    epilog="Examples: bonmeter plan runs.jsonl --target win_rate=0.9 --target kl=3; "
    "bonmeter plan runs.jsonl --width 0.02 -n 16 -q pass_rate"
)
@with_options(ESTIMATING, PRINTING, READING)
def plan(
    files: Files,
    *,
    target: Annotated[
        list[str],
        typer.Option(help="QUANTITY=VALUE to be reached by the smallest n; may be repeated."),
    ] = [],
    width: Annotated[
        float | None, typer.Option(help="Width of interval for which to count candidates.")
    ] = None,
    n: N = [],
    quantity: Quantities = [],
    given: Given,
) -> None:
    """The smallest n for a target, with its price; or how many candidates an interval needs."""
    numbers, targets = whole_numbers(n), as_targets(target)
    if bool(targets) == (width is not None):
        raise typer.BadParameter("expected either --target QUANTITY=VALUE or --width")
    if width is not None and not (numbers and quantity):
        raise typer.BadParameter("--width needs -n and --quantity")
    with one_line_problems():
        candidates = given.read(files)
        from bonmeter.runs.plan import plan as smallest_n
        from bonmeter.runs.plan import pool_size

        if width is None or numbers is None:
            result = smallest_n(candidates, targets, **given.how)
        else:
            result = pool_size(candidates, numbers, width, quantities=quantity, **given.how)
        given.emit(result, lambda: plain_text(result))


@app.command(epilog="Example: bonmeter diagnose runs.jsonl")
@with_options({"missing_reward": ESTIMATING["missing_reward"]}, PRINTING, READING)
def diagnose(files: Files, *, given: Given) -> None:
    """What in a log may mislead: ties, duplicates, log-probabilities that cannot be right."""
    with one_line_problems():
        candidates = given.read(files)
        from bonmeter.runs.diagnose import diagnose as checked

        result = checked(candidates, **given.how)
        given.emit(result, lambda: plain_text(result))


@app.command(
    epilog="Examples: bonmeter convert vllm.jsonl --rewards rm.jsonl -o runs.parquet; "
    "bonmeter convert log.json -o -; bonmeter convert huge.jsonl --by-prompt -o runs"
)
@with_options(READING)
def convert(
    files: Files,
    *,
    output: Output,
    by_prompt: Annotated[
        bool,
        typer.Option(
            "--by-prompt", help="A folder for logs larger than memory, which table reads."
        ),
    ] = False,
    given: Given,
) -> None:
    """Logs of any known format as one canonical JSON Lines, CSV or Parquet file."""
    with one_line_problems():
        if by_prompt:
            given.group(files, output)
            return
        candidates = given.read(files, need_rewards=False)
        from bonmeter.logs.write import write_log

        write_log(candidates, output)


@app.command(epilog="Examples: bonmeter kl --n 16; bonmeter kl --n 16 --log-prob -5")
@with_options(PRINTING)
def kl(
    *,
    n: Annotated[list[str], typer.Option("--n", "-n", help="n, any real number from 1: 16, 1,2.5")],
    log_prob: Annotated[
        float | None,
        typer.Option(help="Log-probability of the response that was selected, nats."),
    ] = None,
    given: Given,
) -> None:
    """KL of best-of-n by the formula; with --log-prob also by the paper's estimator (Eq. 25)."""
    numbers = reals(n)
    with one_line_problems():
        import pandas as pd

        from bonmeter import analytical_kl, kl_estimator

        result = pd.DataFrame({"n": numbers, "kl_formula": analytical_kl(numbers)})
        if log_prob is not None:
            result["kl_estimator"] = kl_estimator(log_prob, numbers)
        given.emit(result, lambda: plain_text(result))
