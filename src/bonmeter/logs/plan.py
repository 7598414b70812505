"""Which format a file has, and where its columns are: decided on its first records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bonmeter.logs.discover import candidate_paths
from bonmeter.logs.formats.base import Column, Derived, Format
from bonmeter.logs.formats.known import FORMATS
from bonmeter.logs.generic import generic
from bonmeter.logs.paths import Getter, Record, getter, has, is_spread
from bonmeter.logs.problems import LogProblem, shown
from bonmeter.logs.records import NESTED_OTHERWISE, Records, Row

__all__ = ["PER_CANDIDATE", "Choices", "Field", "Plan", "late_columns", "make_plan", "parts"]

POLICY = ("model", "step", "temperature", "top_p", "top_k")
"""Fields of a record that make another policy of the model: each must have one value in a log."""

UNCHANGED = {"temperature": (None, 1), "top_p": (None, 1), "top_k": (None, 0, -1)}
"""Settings of sampling -> values at which the distribution is that of the model itself."""

PER_CANDIDATE = ("response", "reward", "log_prob", "gold_reward", "tokens", "token_ids")
"""Columns in which a record of several candidates has several values."""

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
        joining: whether these, or else those of the format, are read.
        need_prompt: whether a file that names no prompt is refused.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    aggregate: str | None = None
    one_prompt: bool = False
    ids: tuple[str, ...] = ()
    joining: bool = False
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

    Args:
        records: the file, for messages.
        rows: its first records; a thousand are enough.
        choices: what the user chose.

    Raises:
        LogProblem: if it holds no candidates, or something must be chosen first.

    Examples:
        >>> row = Row(1, 0, {"input": "p", "output": "a", "reward": 1})
        >>> plan = make_plan(Records("log", "JSON Lines", iter(())), [row], Choices())
        >>> plan.format.name, plan.columns["response"].path
        ('OpenRLHF batch rewards', 'output')
    """
    head = [*rows[:HEAD], *_with_new_fields(rows, HEAD)]
    known = recognise([row.data for row in head])
    inner = head
    if known is not None:
        fitting = (row for row in head if known.fits(row.data))
        inner = [part for row in fitting for part in parts(records, row, known)][:HEAD]
    held = [row.data for row in inner]
    kind = known or generic(held)
    rewards = _asked(records, inner, kind.rewards)
    resolve = _resolver(records, held, [*rewards, *candidate_paths(held, _axis(kind))])
    columns = {name: resolve(path) for name, path in choices.columns.items()}
    for name, column in kind.columns.items():
        if name not in columns and _present(held, column):
            columns[name] = _field(column)
    for name, places in {**kind.ambiguous, "reward": rewards}.items():
        if name not in columns and len(places) > 1:
            raise records.problem(None, _choose(name, places))
        if name not in columns and places:
            columns[name] = _field(places[0])
    once = [] if known else _once(columns, choices)
    if choices.need_prompt:
        _reject_nothing(records, held, columns, choices.one_prompt)
    fixed = {path: resolve(path) for path in choices.where}
    single = {*kind.single, *(name for name in POLICY if any(name in r for r in held))}
    return Plan(
        format=kind,
        columns=columns,
        ids=_ids(held, kind, choices, resolve) if choices.joining else {},
        unique={path: _field(path) for path in kind.unique},
        single={path: _field(path) for path in single if path not in fixed},
        where=fixed,
        notes=(
            *kind.assumed,
            *_asked(records, head, kind.remarks),
            *(_sampling([row.data for row in head]) if "log_prob" in columns else ()),
            *(f"{path} is one value for several candidates: left aside" for path in once),
        ),
    )


def _with_new_fields(rows: Sequence[Row], begin: int) -> Iterator[Row]:
    """The rows from `begin` on that have a field which none before has."""
    known = {name for row in rows[:begin] for name in row.data}
    for row in rows[begin:]:
        if not known.issuperset(row.data):
            known.update(row.data)
            yield row


def late_columns(record: Record, plan: Plan) -> dict[str, str]:
    """Columns of a record that the first records had not, so that they would not be read.

    Examples:
        >>> row = Row(1, 0, {"input": "p", "answer": "a", "reward": 1})
        >>> plan = make_plan(Records("log", "JSON Lines", iter(())), [row], Choices())
        >>> late_columns({**row.data, "log_prob": -1.0}, plan)
        {'log_prob': 'log_prob'}
    """
    kind = plan.format if plan.format.holds else generic([record])
    found = {name: column for name, column in kind.columns.items() if _present([record], column)}
    rewards = list(kind.rewards([record]))
    paths = {name: _field(column).path for name, column in found.items()}
    paths |= {"reward": rewards[0]} if rewards else {}
    return {name: paths[name] for name in PER_CANDIDATE if name in paths.keys() - plan.columns}


def _once(columns: dict[str, Field], choices: Choices) -> list[str]:
    """Takes out columns, found by name, with one value for several candidates; their fields."""
    if not any(field.spread for field in columns.values()):
        return []
    found = [name for name in PER_CANDIDATE if name in columns.keys() - choices.columns.keys()]
    return [columns.pop(name).path for name in found if not columns[name].spread]


def _reject_nothing(
    records: Records, held: Sequence[Record], columns: Mapping[str, Field], one_prompt: bool
) -> None:
    """Refuse a file that names no prompt, or has nothing to say of it."""
    fields = ", ".join(candidate_paths(held)[:20])
    if "prompt" not in columns and not one_prompt:
        raise records.problem(
            None,
            f"no field names the prompt (found: {fields}): choose one with "
            "--prompt-column, or say --one-prompt if all candidates belong to one prompt",
        )
    if "reward" not in columns and "response" not in columns:
        raise records.problem(None, f"neither responses nor rewards are among its fields: {fields}")


def parts(records: Records, row: Row, kind: Format) -> list[Row]:
    """The records within one of a known format.

    Raises:
        LogProblem: if it is one that holds no candidates.

    Examples:
        >>> log = Row(1, 0, {"samples": [{"id": 1}, {"id": 2}]})
        >>> inspect = next(kind for kind in FORMATS if kind.name == "Inspect log")
        >>> [part.within for part in parts(Records("log", "JSON", iter(())), log, inspect)]
        ['samples[0]', 'samples[1]']
    """
    if kind.refused is not None:
        with records.locating(row):
            why = kind.refused(row.data)
        if why:
            raise records.problem(row, f"recognised {kind.name}: {why}")
    if kind.rows is None:
        return [row]
    with records.locating(row):
        return [row._replace(within=w, data=part) for w, part in kind.rows(row.data)]


def _asked(
    records: Records, rows: Sequence[Row], ask: Callable[[Sequence[Record]], Iterable[str]]
) -> list[str]:
    """What a function of the first records says, or which of them it stumbles over."""
    try:
        return list(ask([row.data for row in rows]))
    except (ValueError, *NESTED_OTHERWISE):
        for row in rows:
            with records.locating(row):
                list(ask([row.data]))
        raise


def _axis(kind: Format) -> str | None:
    """The list of objects in which a format has its candidates, None if it has no such list."""
    response = kind.columns.get("response", "")
    path = response.path if isinstance(response, Derived) else response
    axis, _, below = path.partition("[].")
    return axis if below else None


def _field(column: Column) -> Field:
    if isinstance(column, Derived):
        return Field(column.path, column.function, is_spread(column.path))
    return Field(column, getter(column), is_spread(column))


def _present(held: Sequence[Record], column: Column) -> bool:
    return isinstance(column, Derived) or any(has(record, column) for record in held)


def _sampling(whole: Sequence[Record]) -> Iterator[str]:
    """What the log says of how it was sampled, where that changes the distribution."""
    paths = [path for path in candidate_paths(whole) if not is_spread(path)]
    for name, unchanged in UNCHANGED.items():
        values = [
            _field(path).get(record)
            for path in paths
            if path.rpartition(".")[2] == name
            for record in whole
            if has(record, path)
        ]
        for value in dict.fromkeys(shown(value) for value in values if value not in unchanged):
            yield (
                f"sampled with {name} {value}: log-probs are taken to be those of that "
                "distribution, which by default many tools do not report"
            )


def _resolver(
    records: Records, held: Sequence[Record], paths: Sequence[str]
) -> Callable[[str], Field]:
    """A function that finds a field by path, or by a name that only one path has."""
    known = dict.fromkeys(paths)

    def resolve(name: str) -> Field:
        if any(name in record for record in held) and f"{name}[]" not in known:
            return Field(name, lambda record: record.get(name), spread=False)
        matches = [path for path in known if path.replace("[]", "") == name]
        matches = matches or [path for path in known if name in path.replace("[]", "").split(".")]
        if len(matches) == 1:
            return _field(matches[0])
        if not matches and any(has(record, name) for record in held):
            return _field(name)
        places = f"it may be {' or '.join(matches)}" if matches else f"found: {', '.join(known)}"
        raise records.problem(None, f"no field {shown(name)} can be told ({places})")

    return resolve


def _ids(
    held: Sequence[Record], kind: Format, choices: Choices, resolve: Callable[[str], Field]
) -> dict[str, Field]:
    """Fields that identify a candidate, by the last part of their path."""
    wanted = choices.ids or kind.ids
    found: dict[str, Field] = {}
    for path in wanted:
        try:
            found[path.rpartition(".")[2]] = (
                _field(path) if held and has(held[0], path) else resolve(path)
            )
        except LogProblem:
            continue
    return found


def _choose(name: str, places: Sequence[str]) -> str:
    return (
        f"several fields could be the {name} ({', '.join(places)}): "
        f"choose one with --{name.replace('_', '-')}-column"
    )
