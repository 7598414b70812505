"""The configuration of the pipeline, checked whole before any job starts."""

from __future__ import annotations

import reprlib
from functools import cache
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from replication.pipeline.labels import unprintable
from replication.pipeline.reach import reject_out_of_reach
from replication.pipeline.settings import Config, PolicyOf
from replication.policies.families import make_responses

__all__ = ["validate_config"]


def validate_config(config: object) -> None:
    """Reject a configuration that cannot be run, naming the first wrong key (ours).

    What the models cannot say (probabilities that sum to 1, say) is found by building the responses
    of every policy: a tenth of a second for a million of them.

    Args:
        config: the content of config/config.yaml.

    Raises:
        ValueError: if a key is unknown, is missing, or has a value that is not allowed; nan and
            infinity are no numbers, and a whole number has no decimal point.

    Examples:
        >>> validate_config({"sead": 0})
        Traceback (most recent call last):
        ValueError: config has the unknown key 'sead': expected a mapping with ...
    """
    try:
        checked = Config.model_validate(config)
    except ValidationError as error:
        first = min(map(_fault, error.errors()), key=_outermost_first)
        raise ValueError(f"{first.subject}: expected {_description(first.described)}") from None
    reject_out_of_reach(checked)
    for name, policy in checked.policies.items():
        if fault := unprintable(policy.label):
            raise ValueError(f"policies.{name}.label = {policy.label!r}: {fault}")
        try:
            make_responses(policy.family, policy.parameters.model_dump(), checked.seed)
        except ValueError as error:
            raise ValueError(f"policies.{name}.parameters.{error}") from None


Location = tuple[int | str, ...]
"""Keys and positions that lead to an entry; after a policy's name comes that of its family."""


class _Fault(NamedTuple):
    subject: str
    """What is wrong."""

    described: Location
    """The entry whose description says what is expected."""

    unknown: bool = False
    """It is a key that is wrong, not its value."""


def _fault(error: ErrorDetails) -> _Fault:
    location, found = error["loc"], error["input"]
    outer, last = location[:-1], location[-1] if location else ""
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            return _unknown_key(outer, last)
        case "missing":
            return _missing_key(outer, last)
        case "union_tag_not_found":  # and nothing else was looked at
            unknown = (key for key in found if key not in PolicyOf.model_fields)
            return next(
                (_unknown_key(location, key) for key in unknown), _missing_key(location, "family")
            )
        case "union_tag_invalid":
            return _wrong_value((*location, "any", "family"), found["family"])
    if last == "[key]":
        mapping = outer[:-1]
        return _Fault(
            f"{_path(mapping)} has the key {_shown(found)}", (*mapping, last), unknown=True
        )
    return _wrong_value(location, found)


def _unknown_key(mapping: Location, key: object) -> _Fault:
    return _Fault(f"{_path(mapping)} has the unknown key {_shown(key)}", mapping, unknown=True)


def _missing_key(mapping: Location, key: object) -> _Fault:
    return _Fault(f"{_path(mapping)} has no key {key!r}", mapping)


def _wrong_value(location: Location, value: object) -> _Fault:
    return _Fault(f"{_path(location)} = {_shown(value)}", location)


def _shown(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to write thousands of digits
        return "a number of very many digits"


def _outermost_first(fault: _Fault) -> tuple[int, bool]:
    """Of a key and its misspelling, only the misspelling is a fault: unknown keys come first."""
    return len(_keys(fault.described)), not fault.unknown


def _keys(location: Location) -> Location:
    """Without the families, which are no keys."""
    return location[:2] + location[3:] if location[:1] == ("policies",) else location


def _path(location: Location) -> str:
    keys = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in _keys(location))
    return "".join(keys).removeprefix(".") or "config"


def _description(location: Location) -> str:
    """Of the entry, or of the innermost around it that has one."""
    node = _schema()
    description: str = node["description"]
    for key in location:
        node = _definition(_entry(node, key))
        description = node.get("description", description)
    return description[0].lower() + description[1:].removesuffix(".")


@cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema()


def _entry(node: dict[str, Any], key: int | str) -> Any:  # noqa: ANN401 - a schema is JSON
    """What the schema of a list or mapping says of an entry."""
    if "discriminator" in node:
        families = node["discriminator"]["mapping"]
        return {"$ref": families.get(key, families["binary"])}
    if key == "[key]":
        return node["propertyNames"]
    if "properties" in node:
        return node["properties"][key]
    entries = [node["items"]] if "items" in node else node.get("patternProperties", {}).values()
    return next(iter(entries), {})


def _definition(node: dict[str, Any]) -> dict[str, Any]:
    """With what it refers to."""
    definitions: dict[str, dict[str, Any]] = _schema()["$defs"]
    return definitions.get(node.get("$ref", "").removeprefix("#/$defs/"), {}) | node
