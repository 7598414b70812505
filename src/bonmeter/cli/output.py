"""What commands print: a table to read, or JSON or CSV to go on with."""

from __future__ import annotations

import enum
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unicodedata import category

import typer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Form", "emit", "one_line_problems", "plain_text", "say", "summary_text", "visible"]

UNSEEN = {"Cc", "Cs", "Zl", "Zp"}
"""Categories of Unicode: control characters, half characters, separators of lines."""

BIDI = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows, and so can disguise it."""

UNUSABLE = 3
"""Exit code where a log or a value cannot be used."""


class Form(enum.StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def say(line: str) -> None:
    """Print a line on standard error.

    Examples:
        >>> say("on standard error, which doctest does not see")  # so nothing is seen
        >>> print("seen")
        seen
    """
    typer.echo(visible(line), err=True)


def visible(text: str) -> str:
    r"""Text whose control characters are written out: a log must not steer the terminal (ours).

    Examples:
        >>> visible("a\x1b[31mb\nc")
        'a\\x1b[31mb\nc'
    """
    return "".join(
        ascii(each)[1:-1] if each in BIDI or (category(each) in UNSEEN and each != "\n") else each
        for each in text
    )


@contextmanager
def one_line_problems() -> Iterator[None]:
    """A `ValueError` becomes one line and exit code 3, a warning one line.

    Examples:
        >>> try:
        ...     with one_line_problems():
        ...         raise ValueError("what is wrong")
        ... except typer.Exit as end:
        ...     print(end.exit_code)
        3
    """
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: say(f"warning: {message}")
        warnings.simplefilter("once", UserWarning)
        try:
            yield
        except ValueError as error:
            say(f"bonmeter: {error}")
            raise typer.Exit(UNUSABLE) from None
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            say(f"bonmeter: {error.filename}: {error.strerror}")
            raise typer.Exit(UNUSABLE) from None
        except MemoryError:
            say("bonmeter: not enough memory for this log: give it in parts, or fewer columns")
            raise typer.Exit(UNUSABLE) from None


def emit(
    table: pd.DataFrame, form: Form, text: Callable[[], str], notes: Sequence[str] = ()
) -> None:
    """Print a result on standard output.

    Args:
        table: the result, tidy.
        form: how.
        text: makes the result to read, for `Form.TEXT`.
        notes: what reading the log had to say; part of the JSON.

    Examples:
        >>> import pandas as pd
        >>> emit(pd.DataFrame({"n": [4], "kl": [float("nan")]}), Form.CSV, str)
        n,kl
        4,
    """
    if form is Form.JSON:
        rows = [_plain(row) for row in table.to_dict("records")]
        document = {"rows": rows, "notes": list(notes)}
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1))
    elif form is Form.CSV:
        table.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        typer.echo(visible(text()))


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as JSON has it: null for what is missing, "inf" for infinity."""
    return {str(name): _json_value(value) for name, value in row.items()}


def _json_value(value: Any) -> Any:  # noqa: ANN401 # a cell of any column
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return None if value is not None and value != value else value


def summary_text(table: pd.DataFrame, rows: Sequence[str]) -> str:
    """A tidy table with a line for each value of `rows` and a column for each quantity.

    Numbers are followed by their interval; what there is to know about them stands below.

    Args:
        table: as `bonmeter.runs.summary.summarise` returns it.
        rows: columns that tell the lines.

    Examples:
        >>> import pandas as pd
        >>> row = {"n": 2, "quantity": "kl", "estimate": 0.2, "lower": 0.1, "upper": 0.3}
        >>> print(summary_text(pd.DataFrame([row | {"reliable": True, "note": ""}]), ["n"]))
        n             kl
        2 0.2 [0.1, 0.3]
    """
    import pandas as pd

    cells = pd.DataFrame({name: table[name].astype(str) for name in (*rows, "quantity")})
    cells["cell"] = [_cell(*values) for values in _estimates(table)]
    wide = cells.pivot(index=list(rows), columns="quantity", values="cell")
    wide = wide.reindex(index=pd.MultiIndex.from_frame(cells[rows].drop_duplicates()))
    wide = wide[list(dict.fromkeys(cells["quantity"]))].fillna("").rename_axis(columns=None)
    return "\n".join([wide.reset_index().to_string(index=False), *_below(table)])


def _estimates(table: pd.DataFrame) -> Iterator[tuple[float, float, float, bool]]:
    columns = (table[name] for name in ("estimate", "lower", "upper", "reliable"))
    return zip(*columns, strict=True)


def _cell(estimate: float, lower: float, upper: float, reliable: bool) -> str:
    """An estimate with its interval."""
    mark = "" if reliable else "*"
    if lower == upper or math.isnan(lower):
        return f"{_number(estimate)}{mark}"
    return f"{_number(estimate)}{mark} [{_number(lower)}, {_number(upper)}]"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"


def _below(table: pd.DataFrame) -> list[str]:
    """Each note once, with the quantities and the n it is about."""
    about: dict[str, list[tuple[str, int]]] = {}
    for notes, quantity, n in zip(table["note"], table["quantity"], table["n"], strict=True):
        for note in filter(None, notes.split("; ")):
            about.setdefault(note, []).append((quantity, n))
    lines = [f"{note} ({_span(cells)})" for note, cells in about.items()]
    if not table["reliable"].all():
        lines.append("* less reliable: n exceeds a tenth of a pool of candidates")
    return ["", *lines] if lines else []


def _span(cells: Sequence[tuple[str, int]]) -> str:
    names = ", ".join(dict.fromkeys(quantity for quantity, _ in cells))
    n = sorted({n for _, n in cells})
    return f"{names}; n = {n[0]}" + (f" to {n[-1]}" if len(n) > 1 else "")


def plain_text(table: pd.DataFrame) -> str:
    """A table as it is, its notes below.

    Examples:
        >>> import pandas as pd
        >>> print(plain_text(pd.DataFrame({"n": [4], "kl": [1.23456], "note": ["why"]})))
         n    kl
         4 1.235
        <BLANKLINE>
        why
    """
    shown = table.drop(columns="note", errors="ignore").copy()
    for name in shown:
        if shown[name].dtype.kind == "f":
            shown[name] = [_number(value) for value in shown[name]]
    notes = list(dict.fromkeys(table["note"])) if "note" in table else []
    lines = [note for note in notes if note]
    return "\n".join([shown.to_string(index=False), *([""] if lines else []), *lines])
