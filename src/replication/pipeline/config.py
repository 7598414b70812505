"""The configuration of the pipeline, checked whole before any job starts."""

from __future__ import annotations

import math
import os
import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

from replication.policies.families import make_responses

__all__ = ["read_yaml", "validate_config"]


def read_yaml(path: str | os.PathLike[str]) -> object:
    """The content of a YAML file, in which no mapping may have a key twice (ours).

    YAML readers keep the last of two equal keys and lose the other without a word.

    Args:
        path: such as config/config.yaml.

    Raises:
        ValueError: naming the file, the line and the key, or what is no YAML.

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
    text = Path(path).read_text(encoding="utf-8")
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        key = next(_repeated_keys(root), None)
        content: object = None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}: expected YAML") from None
    if key is not None:
        line = key.start_mark.line + 1
        raise ValueError(f"{path}, line {line}: the key {key.value!r} appears again: expected once")
    return content


def _repeated_keys(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)
    if isinstance(node, yaml.MappingNode):
        seen: set[tuple[str, str]] = set()
        for key, value in node.value:
            name = key.tag, str(key.value)
            if name in seen:
                yield key
            seen.add(name)
            yield from _repeated_keys(value)


def validate_config(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Reject a configuration that cannot be run, naming the first wrong key (ours).

    What the schema cannot say (probabilities that sum to 1, say) is found by building the responses
    of every policy: a tenth of a second for a million of them.

    Args:
        config: the content of config/config.yaml.
        schema: the content of workflow/schemas/config.schema.yaml. Its descriptions end the
            messages. It must require the keys seed and policies.

    Raises:
        ValueError: if a key is unknown, is missing, or has a value that is not allowed; nan and
            infinity are no numbers, and a whole number has no decimal point.

    Examples:
        >>> n = {"description": "a whole number >= 1", "type": "integer", "minimum": 1}
        >>> schema = {"description": "a mapping with the key n", "properties": {"n": n}}
        >>> validate_config({"n": 0}, schema)
        Traceback (most recent call last):
        ValueError: n = 0: expected a whole number >= 1
    """
    errors = sorted(_Validator(schema).iter_errors(config), key=_outermost_first)
    if errors:
        raise ValueError(f"{_subject(errors[0])}: expected {errors[0].schema['description']}")
    for name, policy in config["policies"].items():
        try:
            make_responses(policy["family"], policy["parameters"], config["seed"])
        except ValueError as error:
            raise ValueError(f"policies.{name}.parameters.{error}") from None


def _is_whole(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(_: object, value: object) -> bool:
    return _is_whole(_, value) or (isinstance(value, float) and math.isfinite(value))


# JSON knows no nan: every comparison with it is false, so it would pass as a probability
_Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_whole, "number": _is_finite}
    ),
)


def _outermost_first(error: ValidationError) -> tuple[int, bool]:
    """Of a key and its misspelling, only the misspelling is a fault: unknown keys come first."""
    return len(error.absolute_path), error.validator != "additionalProperties"


def _subject(error: ValidationError) -> str:
    place = error.json_path.removeprefix("$").removeprefix(".") or "config"
    if error.validator == "additionalProperties":
        return f"{place} has the unknown key {_first(error.instance, error.schema['properties'])}"
    if error.validator == "required":
        return f"{place} has no key {_first(error.validator_value, error.instance)}"
    if "propertyNames" in error.absolute_schema_path:
        return f"{place} has the key {error.instance!r}"
    return f"{place} = {reprlib.repr(error.instance)}"


def _first(keys: Mapping[str, Any] | list[str], known: Mapping[str, Any]) -> str:
    return next(repr(key) for key in keys if key not in known)
