"""What a format of logs is: data that say how its records are told and read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bonmeter.logs.paths import Record, has

__all__ = ["Column", "Derived", "Format"]


@dataclass(frozen=True)
class Derived:
    """A column that a function makes of a record.

    Attributes:
        path: the field it comes from, `[]` in it if the function gives one value per candidate.
        function: record -> value, or list of values.
    """

    path: str
    function: Callable[[Record], Any]


Column = str | Derived
"""Where a column comes from: a path within the record, or a function of the record."""


def nothing(_: object) -> tuple[str, ...]:
    """No entry."""
    return ()


@dataclass(frozen=True)
class Format:
    """A kind of log: how its records are recognised and where each column is.

    Attributes:
        name: what messages call it.
        holds: paths of which each has a value in every record.
        lacks: paths that have none.
        rows: record -> the parts that are records themselves, with their paths.
        columns: canonical name -> where it is.
        rewards: records -> paths of everything that could be the reward.
        ids: paths that identify a candidate, for joining rewards from a second file.
        unique: paths that identify a record for good: one that comes twice was copied.
        single: paths that must have one value in the whole log (a policy's step, a filter).
        assumed: what is taken for granted, to be printed.
        ambiguous: canonical name -> several places where it may be.
        remarks: records -> more to be printed.
        refused: record -> why it holds no candidates, "" if it does.
    """

    name: str
    holds: tuple[str, ...]
    columns: dict[str, Column]
    lacks: tuple[str, ...] = ()
    rows: Callable[[Record], Iterable[tuple[str, Record]]] | None = None
    rewards: Callable[[Sequence[Record]], Iterable[str]] = nothing
    ids: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    remarks: Callable[[Sequence[Record]], Iterable[str]] = nothing
    refused: Callable[[Record], str] | None = None

    def fits(self, record: Record) -> bool:
        """Whether the record is one of this format."""
        return all(has(record, path) for path in self.holds) and not any(
            has(record, path) for path in self.lacks
        )
