"""Which format a file has, and where its columns are: decided on its first records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bonmeter.logs.formats import FORMATS, Column, Derived, Format
from bonmeter.logs.generic import candidate_paths, generic
from bonmeter.logs.paths import Getter, Record, getter, has, is_spread
from bonmeter.logs.problems import LogProblem, shown
from bonmeter.logs.records import Records, Row

__all__ = ["Choices", "Field", "Plan", "make_plan"]

HEAD = 1_000
"""How many of the first records decide."""


@dataclass(frozen=True)
class Choices:
    """What the user chose, in place of what a file says of itself.

    Attributes:
        columns: canonical name -> field.
        where: field -> the value, as text, that the records to be read have.
        aggregate: how to make one reward of the scores of steps.
        one_prompt: whether all candidates belong to one prompt that the file does not name.
        ids: fields that identify a candidate.
        need_prompt: whether a file that names no prompt is refused.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    aggregate: str | None = None
    one_prompt: bool = False
    ids: tuple[str, ...] = ()
    need_prompt: bool = True


@dataclass(frozen=True)
class Field:
    """Where a column is read from.

    Attributes:
        path: the field.
        get: record -> value, or list of values.
        spread: whether a record gives a list with one value for each candidate.
    """

    path: str
    get: Getter
    spread: bool


@dataclass(frozen=True)
class Plan:
    """How the records of one file are read.

    Attributes:
        format: what was recognised.
        columns: canonical name (and `prompt_key`, `token_ids`, `finish`) -> where it is.
        ids: name -> where each field is that identifies a candidate.
        unique: likewise for the fields that no two records may share.
        single: likewise for the fields that must have one value.
        where: likewise for the fields by which records are left out.
        notes: what to say about it.
    """

    format: Format
    columns: dict[str, Field]
    ids: dict[str, Field]
    unique: dict[str, Field]
    single: dict[str, Field]
    where: dict[str, Field]
    notes: tuple[str, ...]


def recognise(records: Sequence[Record]) -> Format | None:
    """The format that the first record has, if it is one known by name."""
    return next((known for known in FORMATS if known.fits(records[0])), None)


def make_plan(records: Records, rows: Sequence[Row], choices: Choices) -> Plan:
    """How to read a file, from its first rows.

    Raises:
        LogProblem: if it holds no candidates, or something must be chosen first.
    """
    head = rows[:HEAD]
    whole = [row.data for row in head]
    known = recognise(whole)
    if known is not None and (why := known.refused(whole[0])):
        raise records.problem(head[0], f"recognised {known.name}: {why}")
    parts = whole if known is None else _parts(records, head, known)
    kind = known or generic(parts)
    resolve = _resolver(records, parts, kind)
    columns = {name: resolve(path) for name, path in choices.columns.items()}
    for name, column in kind.columns.items():
        if name not in columns and _present(parts, column):
            columns[name] = _field(column)
    for name, places in kind.ambiguous.items():
        if name not in columns:
            raise records.problem(None, _choose(name, places))
    if "reward" not in columns:
        found = list(kind.rewards(parts))
        if len(found) > 1:
            raise records.problem(None, _choose("reward", found))
        if found:
            columns["reward"] = _field(found[0])
    if "prompt" not in columns and choices.need_prompt and not choices.one_prompt:
        raise records.problem(
            None,
            f"no field names the prompt (found: {_listed(parts)}): choose one with "
            "--prompt-column, or say --one-prompt if all candidates belong to one prompt",
        )
    if "reward" not in columns and "response" not in columns and choices.need_prompt:
        raise records.problem(
            None, f"neither responses nor rewards are among its fields ({_listed(parts)})"
        )
    fixed = {path: resolve(path) for path in choices.where}
    return Plan(
        format=kind,
        columns=columns,
        ids=_ids(parts, kind, choices, resolve),
        unique={path: _field(path) for path in kind.unique},
        single={path: _field(path) for path in kind.single if path not in fixed},
        where=fixed,
        notes=(*kind.assumed, *kind.remarks(whole)),
    )


def _parts(records: Records, rows: Sequence[Row], kind: Format) -> list[Record]:
    parts: list[Record] = []
    for row in rows:
        if kind.fits(row.data):
            try:
                parts.extend(part for _, part in kind.parts(row.data))
            except ValueError as error:
                raise records.problem(row, error) from None
    return parts[:HEAD]


def _field(column: Column) -> Field:
    if isinstance(column, Derived):
        return Field(column.path, column.function, is_spread(column.path))
    return Field(column, getter(column), is_spread(column))


def _present(parts: Sequence[Record], column: Column) -> bool:
    return isinstance(column, Derived) or any(has(part, column) for part in parts)


def _resolver(records: Records, parts: Sequence[Record], kind: Format) -> Callable[[str], Field]:
    """A function that finds a field by path, or by a name that only one path has."""
    known = dict.fromkeys([*kind.rewards(parts), *candidate_paths(parts)])

    def resolve(name: str) -> Field:
        if any(name in part for part in parts) and f"{name}[]" not in known:
            return Field(name, lambda record: record.get(name), spread=False)
        matches = [path for path in known if path.replace("[]", "") == name]
        matches = matches or [path for path in known if name in path.replace("[]", "").split(".")]
        if len(matches) == 1:
            return _field(matches[0])
        if not matches and any(has(part, name) for part in parts):
            return _field(name)
        places = f"it may be {' or '.join(matches)}" if matches else f"found: {', '.join(known)}"
        raise records.problem(None, f"no field {shown(name)} can be told ({places})")

    return resolve


def _ids(
    parts: Sequence[Record], kind: Format, choices: Choices, resolve: Callable[[str], Field]
) -> dict[str, Field]:
    """Fields that identify a candidate, by the last part of their path."""
    wanted = choices.ids or kind.ids
    found: dict[str, Field] = {}
    for path in wanted:
        try:
            found[path.rpartition(".")[2]] = _field(path) if has(parts[0], path) else resolve(path)
        except LogProblem:
            continue
    return found


def _choose(name: str, places: Sequence[str]) -> str:
    return (
        f"several fields could be the {name} ({', '.join(places)}): "
        f"choose one with --{name.replace('_', '-')}-column"
    )


def _listed(parts: Sequence[Record]) -> str:
    return ", ".join(candidate_paths(parts)[:20])
