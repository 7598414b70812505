"""The configuration of the pipeline, checked whole before any job starts."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from replication.pipeline.labels import unprintable
from replication.pipeline.reach import reject_out_of_reach
from replication.pipeline.settings import Config, PolicyOf
from replication.policies.families import make_responses

__all__ = ["from_command_line", "read_yaml", "validate_config"]

MOST_REPEATED = 100_000
"""Entries that the aliases of a file may repeat: what is more grows beyond any memory."""


def read_yaml(path: str | os.PathLike[str]) -> object:
    """The content of a YAML file that means what it looks like (ours).

    YAML readers keep the last of two equal keys, and take 010 for 8, without a word.

    Args:
        path: such as config/config.yaml.

    Raises:
        ValueError: naming the file, the line and the key that is there twice or would run code, the
            number of base 8 or 60, the aliases that repeat too much, or what is no YAML in UTF-8.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.yaml")
        ...     _ = file.write_text("{seed: 1, study: quick, seed: 2}")
        ...     try:
        ...         read_yaml(file)
        ...     except ValueError as error:
        ...         print(str(error).removeprefix(folder))
        /a.yaml, line 1: the key 'seed' appears again: expected once
    """
    loader = yaml.SafeLoader(_text(path))
    try:
        root = loader.get_single_node()
        line, fault = next(_faults(root), (0, ""))
        content: object = None if root is None or fault else loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}: expected YAML") from None
    except RecursionError:
        raise ValueError(f"{path}: entries lie too deep in one another: expected YAML") from None
    if fault:
        raise ValueError(f"{path}, line {line}: {fault}")
    return content


def _text(path: str | os.PathLike[str]) -> str:
    try:
        content = Path(path).read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}: expected a YAML file") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise ValueError(
            f"{path}, line {line}: the byte 0x{byte:02x} is not UTF-8: expected text in UTF-8"
        ) from None


def _faults(root: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Line and description of what YAML takes without a word, and should not."""
    nodes: dict[int, yaml.Node] = {}  # an alias is the same node once more
    pending = [] if root is None else [root]
    while pending:
        node = pending.pop()
        if id(node) not in nodes:
            nodes[id(node)] = node
            pending += reversed(_children(node))
            fault = _repeated_key(node) or _odd_number(node)
            if fault:
                yield fault
    if root is not None and _entries(root, {}) > len(nodes) + MOST_REPEATED:
        yield (
            root.start_mark.line + 1,
            f"its aliases repeat more than {MOST_REPEATED} entries: expected fewer",
        )


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _entries(node: yaml.Node, known: dict[int, float]) -> float:
    """How many nodes there are when each alias is written out; infinite where one holds itself."""
    if id(node) not in known:
        known[id(node)] = float("inf")
        known[id(node)] = 1 + sum(_entries(child, known) for child in _children(node))
    return known[id(node)]


def _repeated_key(node: yaml.Node) -> tuple[int, str] | None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        line, name = key.start_mark.line + 1, (key.tag, str(key.value))
        if name in seen:
            return line, f"the key {key.value!r} appears again: expected once"
        if key.value == "__use_yte__":
            return line, "the key '__use_yte__' lets a config run code: expected plain YAML"
        seen.add(name)
    return None


def _odd_number(node: yaml.Node) -> tuple[int, str] | None:
    """Numbers of base 8 and 60, which look like others."""
    number = node.tag.endswith((":int", ":float")) and isinstance(node, yaml.ScalarNode)
    if not (number and re.fullmatch(r"[-+]?0[0-7_]+|.*:.*", node.value)):
        return None
    meaning = yaml.SafeLoader("").construct_object(node)
    expected = "expected a number without leading zeros or colons, or a text in quotes"
    return node.start_mark.line + 1, f"{node.value} means {meaning} in YAML: {expected}"


def from_command_line(values: Mapping[str, object]) -> dict[str, object]:
    """The mappings and lists of `--config`, whose entries Snakemake leaves as text (ours).

    Args:
        values: as Snakemake parses them.

    Examples:
        >>> from_command_line({"seed": 1, "n_grid": {"largest": "100"}, "study": "quick"})
        {'n_grid': {'largest': 100}}
    """
    return {key: _typed(value) for key, value in values.items() if isinstance(value, dict | list)}


def _typed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _typed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_typed(entry) for entry in value]
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    return loader.construct_object(yaml.ScalarNode(tag, value))


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
        case "extra_forbidden":
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
        return _Fault(f"{_path(mapping)} has the key {found!r}", (*mapping, last), unknown=True)
    return _wrong_value(location, found)


def _unknown_key(mapping: Location, key: object) -> _Fault:
    return _Fault(f"{_path(mapping)} has the unknown key {key!r}", mapping, unknown=True)


def _missing_key(mapping: Location, key: object) -> _Fault:
    return _Fault(f"{_path(mapping)} has no key {key!r}", mapping)


def _wrong_value(location: Location, value: object) -> _Fault:
    return _Fault(f"{_path(location)} = {reprlib.repr(value)}", location)


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
    return node["items"] if "items" in node else next(iter(node["patternProperties"].values()))


def _definition(node: dict[str, Any]) -> dict[str, Any]:
    """With what it refers to."""
    definitions: dict[str, dict[str, Any]] = _schema()["$defs"]
    return definitions.get(node.get("$ref", "").removeprefix("#/$defs/"), {}) | node
