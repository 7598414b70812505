"""The configuration of the pipeline, checked whole before any job starts."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from bestofn.families import make_responses

__all__ = ["validate_config"]


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
