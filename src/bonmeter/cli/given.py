"""Options that many commands share: how to read logs, how to estimate, how to print."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bonmeter.cli.output import Form, emit, say
from bonmeter.cli.values import as_pairs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ESTIMATING", "JOINING", "PRINTING", "READING", "Given", "with_options"]

COLUMNS = {
    "prompt": "The prompt: candidates of one prompt make up a pool.",
    "response": "The response.",
    "reward": "The reward that best-of-n selects by.",
    "log_prob": "Log-probability of the whole response (nats), or of its tokens.",
    "gold_reward": "The reward by which the selected candidate is judged.",
    "tokens": "Number of tokens of the response.",
    "weight": "Weight of the prompt.",
}
"""Canonical column -> help of the option that chooses its field."""

Options = dict[str, tuple[Any, Any]]
"""Parameter -> its type with its help, and its default."""


def _option(kind: Any, default: Any, text: str, panel: str | None, *names: str) -> tuple[Any, Any]:  # noqa: ANN401 # of any option
    about = typer.Option(*names, help=text, rich_help_panel=panel, show_default=bool(default))
    return Annotated[kind, about], default


LOG = "Reading the log"

READING: Options = {
    **{f"{name}_column": _option(str, "", text, LOG) for name, text in COLUMNS.items()},
    "where": _option(list[str], [], "Only records with FIELD=VALUE; may be repeated.", LOG),
    "rewards": _option(Path | None, None, "A second file, with the rewards.", LOG),
    "join_on": _option(
        str, "", "Fields by which to join it, comma between; by default ids, else texts.", LOG
    ),
    "aggregate": _option(
        str, "", "One reward of scores of steps: last, min, max, mean, sum or prod.", LOG
    ),
    "one_prompt": _option(bool, False, "All candidates belong to one prompt.", LOG, "--one-prompt"),
    "quiet": _option(bool, False, "Do not say what was recognised.", LOG, "--quiet"),
}

JOINING = ("rewards", "join_on")
"""Options that only make sense for a single log."""

ESTIMATING: Options = {
    "level": _option(float, 0.95, "Coverage of the intervals.", None),
    "method": _option(str, "", "How to estimate KL: rank-corrected, paper or rank-only.", None),
    "precision": _option(
        float | None,
        None,
        "Largest error of a log-probability (nats); else that of its type.",
        None,
    ),
    "missing_reward": _option(
        float | None, None, "Reward of candidates without one; they are left out otherwise.", None
    ),
}

PRINTING: Options = {
    "json": _option(bool, False, "Print JSON.", None, "--json"),
    "csv": _option(bool, False, "Print CSV.", None, "--csv"),
}


@dataclass(frozen=True)
class Given:
    """What the shared options of a command say.

    Attributes:
        columns: canonical name -> field, as chosen.
        reading: the other arguments of `bonmeter.logs.read_log`.
        how: arguments of the functions of `bonmeter.runs`.
        form: how to print.
        notes: what reading had to say.
    """

    columns: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    how: dict[str, Any] = field(default_factory=dict)
    form: Form = Form.TEXT
    notes: list[str] = field(default_factory=list)

    def tables(self, files: Sequence[Path]) -> Iterator[pd.DataFrame]:
        """The candidates of the files, those of a folder some prompts at a time.

        Raises:
            ValueError: as `read`, or if a folder is given with anything besides.
        """
        folder = next((file for file in files if file.is_dir()), None)
        if folder is None:
            yield self.read(files)
            return
        asked = [
            name for name in ("where", "rewards", "join_on", "aggregate") if self.reading[name]
        ]
        if len(files) > 1 or self.columns or asked:
            raise ValueError(
                f"{folder}: a folder as `bonmeter convert --by-prompt` writes it is read alone "
                "and as it is: choose columns, records and rewards there"
            )
        from bonmeter.logs.grouped import read_grouped

        yield from read_grouped(folder)

    def read(self, files: Sequence[Path], *, need_rewards: bool = True) -> pd.DataFrame:
        """The candidates of the files.

        Raises:
            ValueError: if the files cannot be read, or hold no rewards though these are needed.
        """
        import pandas as pd

        if any(file.is_dir() for file in files):
            return pd.concat([*self.tables(files)], ignore_index=True)
        from bonmeter.logs.read import read_log

        candidates = read_log(files, columns=self.columns, **self.reading)
        self.notes.extend(candidates.attrs["notes"])
        if need_rewards and "reward" not in candidates:
            names = ", ".join(map(str, files))
            raise ValueError(
                f"{names}: no rewards: score the responses and give the file with --rewards, or "
                "choose the field with --reward-column"
            )
        return candidates

    def group(self, files: Sequence[Path], folder: Path) -> None:
        """Write the files as a folder, candidates of a prompt together.

        Raises:
            ValueError: if the files cannot be read, or rewards are to be joined.
        """
        joining = {name: self.reading[name] for name in JOINING}
        if any(joining.values()):
            raise ValueError("--by-prompt: expected logs with their rewards, without --rewards")
        from bonmeter.logs.grouped import group_log

        others = {name: value for name, value in self.reading.items() if name not in JOINING}
        group_log(files, folder, columns=self.columns, **others)

    def emit(self, table: pd.DataFrame, text: Callable[[], str]) -> None:
        """Print a result."""
        emit(table, self.form, text, self.notes)


def with_options(
    *groups: Options,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of some groups; it gets what they say as `given`.

    Args:
        groups: such as `READING`.

    Examples:
        >>> @with_options(PRINTING)
        ... def command(n: int, *, given: Given) -> None:
        ...     print(n, given.form.value)
        >>> command(n=2, json=True, csv=False)
        2 json
    """
    options = {name: option for group in groups for name, option in group.items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        shared = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=d, annotation=kind)
            for n, (kind, d) in options.items()
        ]
        parameters = [*(p for p in own if p.name != "given"), *shared]

        @functools.wraps(command)
        def run(**values: Any) -> None:  # noqa: ANN401 # those of any command
            said = {name: values.pop(name) for name in options}
            command(**values, given=_given(said))

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _given(said: dict[str, Any]) -> Given:
    if said.get("json") and said.get("csv"):
        raise typer.BadParameter("--json and --csv exclude each other")
    form = Form.JSON if said.get("json") else Form.CSV if said.get("csv") else Form.TEXT
    how = {name: said[name] for name in ESTIMATING if name in said}
    if "method" in how:
        how["method"] = how["method"] or None
    if "where" not in said:
        return Given(how=how, form=form)
    chosen = {name: said[f"{name}_column"] for name in COLUMNS}
    return Given(
        columns={name: path for name, path in chosen.items() if path},
        reading={
            "where": as_pairs(said["where"]),
            "rewards": said.get("rewards"),
            "join_on": [name for name in said.get("join_on", "").split(",") if name],
            "aggregate": said["aggregate"] or None,
            "one_prompt": said["one_prompt"],
            "say": (lambda line: None) if said["quiet"] else say,
        },
        how=how,
        form=form,
    )
