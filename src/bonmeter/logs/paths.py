"""Fields of a nested record by path: `prompt`, `outputs[].text`, `resps[0][]`, `scores.match`.

A path is a chain of keys; `[2]` takes one entry of a list, and `[]` all of them: that is where the
candidates lie, so such a path gives a list with one value for each candidate.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bonmeter.logs.problems import FieldProblem, Value, shown

__all__ = ["Getter", "Record", "field_at", "getter", "has", "is_spread"]

Record = dict[str, Any]
Getter = Callable[[Record], Any]

STEP = re.compile(r"([^.\[\]]+)|\[(\d*)\]")


def is_spread(path: str) -> bool:
    """Whether the path gives one value for each candidate of a record.

    Examples:
        >>> is_spread("outputs[].text"), is_spread("prompt")
        (True, False)
    """
    return "[]" in path


def field_at(path: str, index: int) -> str:
    """The path of one candidate's value, for messages.

    Examples:
        >>> field_at("outputs[].text", 2)
        'outputs[2].text'
    """
    return path.replace("[]", f"[{index}]", 1)


def getter(path: str) -> Getter:
    """A function from a record to the value, or list of values, that `path` names.

    What is absent is None; so is everything below it.

    Raises:
        FieldProblem: by the function, if a list or an object is expected and something else found.

    Examples:
        >>> record = {"prompt": "p", "outputs": [{"text": "a"}, {"text": "b"}, {}]}
        >>> getter("prompt")(record), getter("outputs[].text")(record), getter("x.y")(record)
        ('p', ['a', 'b', None], None)
    """
    steps = _steps(path)
    if len(steps) == 1 and isinstance(key := steps[0], str):
        return lambda record: record.get(key)
    return lambda record: _walk(path, record, steps)


def has(record: Record, path: str) -> bool:
    """Whether the record has the field, be it null; with `[]`, in every entry of the list.

    Examples:
        >>> has({"outputs": [{"text": None}]}, "outputs[].text"), has({"prompt": "a"}, "prompt.x")
        (True, False)
    """
    return _exists(record, _steps(path))


def _steps(path: str) -> list[str | int | None]:
    return [key or (int(index) if index else None) for key, index in STEP.findall(path)]


def _exists(value: Value, steps: list[str | int | None]) -> bool:
    if not steps:
        return True
    step, *rest = steps
    if step is None:
        return isinstance(value, list) and all(_exists(entry, rest) for entry in value)
    if isinstance(step, str):
        return isinstance(value, dict) and step in value and _exists(value[step], rest)
    return isinstance(value, list) and step < len(value) and _exists(value[step], rest)


def _walk(path: str, value: Value, steps: list[str | int | None]) -> Value:
    for depth, step in enumerate(steps):
        if value is None:
            return None
        if isinstance(step, str):
            if not isinstance(value, dict):
                raise FieldProblem(path, f"expected an object to hold it, got {shown(value)}")
            value = value.get(step)
        elif not isinstance(value, list):
            raise FieldProblem(path, f"expected a list to hold it, got {shown(value)}")
        elif step is None:
            return [_walk(path, entry, steps[depth + 1 :]) for entry in value]
        else:
            value = value[step] if step < len(value) else None
    return value
