"""What is wrong with a log, said in one `ValueError`: the file, the line, the field, and why."""

from __future__ import annotations

from typing import Any

__all__ = ["FieldProblem", "LogProblem", "shown"]

Value = Any
"""Whatever a cell or a JSON document can hold."""

SHOWN = 60
"""Characters of an offending value that a message quotes."""


LONGEST = 1000
"""Characters of a message, whatever names the file has."""


class LogProblem(ValueError):
    """A log that cannot be read as it is; the message names file, line and field."""

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= LONGEST else f"{message[:LONGEST]}…")


class FieldProblem(ValueError):
    """A field that cannot be read, before it is known which line of which file holds it.

    Args:
        field: path of the field within its record.
        message: what is expected and what was found.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"field {field}: {message}")


def shown(value: Value) -> str:
    """`value` as a message quotes it, cut to a readable length.

    Examples:
        >>> shown("a" * 100)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"
    """
    text = repr(value) if not isinstance(value, list | dict) else repr(value)[: 2 * SHOWN]
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
