import copy
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from replication.pipeline.config import validate_config
from replication.pipeline.settings import schema_text
from replication.policies.families import FAMILIES, make_responses

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = yaml.safe_load(
    (ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8")
)
PARAMETERS: dict[str, dict[str, Any]] = {
    "binary": {"p": 0.5},
    "uniform": {"size": 10},
    "probabilities": {"probabilities": [0.5, 0.25, 0.25]},
    "staircase": {"tail_masses": [0.1, 0.01]},
    "geometric": {"ratio": 0.5, "size": 10, "order": "ascending"},
    "zipf": {"exponent": 1, "size": 10, "order": "descending"},
    "top_atom": {"mass": 0.1, "small": 10},
    "verifier": {"pass_rate": 0.3, "passing": 2, "failing": 3},
    "tied_scores": {"size": 10, "scores": 3, "exponent": 1.5},
    "dirichlet": {"concentration": 0.5, "size": 10, "stream": 0},
    "markov_language_model": {
        "vocabulary": 2,
        "max_length": 3,
        "scale": 1.0,
        "end_logit": -1,
        "reward": "log_likelihood",
        "stream": 1,
    },
}
SHIPPED: dict[str, Any] = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
CONFIG = {key: value for key, value in SHIPPED.items() if key in SCHEMA["properties"]} | {
    "certification": {"largest_policy": 100, "n": [1, 1.5, 2]},
    "policies": {
        family: {"family": family, "label": family, "standing": "ours", "parameters": parameters}
        for family, parameters in PARAMETERS.items()
    },
}
Place = tuple[Any, ...]


def nodes(tree: object, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield path, tree
    if isinstance(tree, (dict, list)):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from nodes(value, (*path, key))


def dotted(path: Place) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)[1:]


def edited(path: Place, value: object = None, *, rename: str | None = None) -> dict[str, Any]:
    """The valid config with the entry at `path` replaced by `value`, or its key renamed."""
    config = copy.deepcopy(CONFIG)
    parent: Any = config
    for key in path[:-1]:
        parent = parent[key]
    if rename is None:
        parent[path[-1]] = value
    else:
        parent[rename] = parent.pop(path[-1])
    return config


def message(config: object) -> str:
    with pytest.raises(ValueError, match="expected") as caught:
        validate_config(config)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


KEYS = [path for path, _ in nodes(CONFIG) if path and isinstance(path[-1], str)]
PLACES = [path for path, _ in nodes(CONFIG) if path]
NAMES = [path for path in KEYS if path[0] == "policies" and len(path) == 2]


def test_the_schema_is_that_of_the_models() -> None:
    text = (ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8")
    assert text == schema_text(), "the schema is stale: run `make schema`"


def test_schema_is_valid_and_strict() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    objects = [node for _, node in nodes(SCHEMA) if isinstance(node, dict) and "required" in node]
    assert len(objects) >= 5 + len(FAMILIES)
    for node in objects:
        assert node["additionalProperties"] is False
        assert set(node["required"]) == set(node["properties"])


def test_every_check_of_the_schema_has_a_description() -> None:
    checks = [node for _, node in nodes(SCHEMA) if isinstance(node, dict)]
    checks = [node for node in checks if isinstance(node.get("type"), str) or "enum" in node]
    assert len(checks) > 40
    bare = [node for node in checks if not isinstance(node.get("description"), str)]
    # that of a policy stands where they are listed: it is the same for all families
    assert bare == [definition(reference) for reference in BY_FAMILY.values()]


def definition(reference: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["$defs"][reference.removeprefix("#/$defs/")]
    return found


[LISTED] = SCHEMA["properties"]["policies"]["patternProperties"].values()
BY_FAMILY: dict[str, str] = LISTED["discriminator"]["mapping"]


def test_families_of_the_models_are_those_of_the_library() -> None:
    assert set(BY_FAMILY) == set(FAMILIES)
    assert list(PARAMETERS) == list(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_of_the_models_are_those_of_the_function(family: str) -> None:
    signature = inspect.signature(FAMILIES[family]).parameters
    expected = ["stream" if name == "rng" else name for name in signature]
    parameters = definition(BY_FAMILY[family])["properties"]["parameters"]
    assert list(definition(parameters["$ref"])["properties"]) == expected
    assert all(each.default is inspect.Parameter.empty for each in signature.values())


def failure(call: Callable[[], object]) -> str | None:
    try:
        call()
    except (ValueError, TypeError, OverflowError) as error:
        return str(error)
    return None


VALUES = [
    *(-1, 0, 1, 2, 20, 100, 101, 1000, 1001, 10**6, 10**6 + 1, 10**7 + 1, 10**400),
    *(-100.5, -1e-9, 0.0, 0.0009, 0.001, 0.5, 1 - 2**-53, 1.5, 99.5, 100.5, 1e300),
    *(float("nan"), float("inf"), "5", None),
    *([], [1.0], [0.5, 0.5], [0.5, 0.2], [0.2, 0.5], [0.5, float("nan")], [1.5, -0.5], ["1"]),
    *([[1.0]], "ascending", "negative_length", "Ascending"),
]


@pytest.mark.parametrize(
    ("family", "name"),
    [(family, name) for family, parameters in PARAMETERS.items() for name in parameters],
)
def test_config_and_function_agree_on_what_is_allowed(family: str, name: str) -> None:
    accepted = []
    for value in VALUES:
        parameters = PARAMETERS[family] | {name: value}
        builds = failure(partial(make_responses, family, parameters, seed=1)) is None
        policy = CONFIG["policies"][family] | {"parameters": parameters}
        config = CONFIG | {"policies": {family: policy}}
        rejection = failure(partial(validate_config, config))
        assert (rejection is None) == builds, value
        if rejection is not None:
            assert rejection.startswith(f"policies.{family}.parameters.")
            assert name in rejection
        accepted.append(builds)
    assert any(accepted)
    assert not all(accepted)


def test_the_sample_is_valid() -> None:
    validate_config(CONFIG)


def test_the_shipped_config_is_valid() -> None:
    validate_config(SHIPPED)


@pytest.mark.parametrize("path", [p for p in KEYS if p not in NAMES], ids=dotted)
def test_a_misspelt_key_is_named(path: Place) -> None:
    typo = f"{path[-1]}s"
    parent = dotted(path[:-1]) or "config"
    assert message(edited(path, rename=typo)).startswith(f"{parent} has the unknown key {typo!r}: ")


@pytest.mark.parametrize("path", [p for p in KEYS if p not in NAMES], ids=dotted)
def test_a_missing_key_is_named(path: Place) -> None:
    config = edited(path, rename="spare")
    parent: Any = config
    for key in path[:-1]:
        parent = parent[key]
    del parent["spare"]
    expected = f"{dotted(path[:-1]) or 'config'} has no key {path[-1]!r}: expected "
    assert message(config).startswith(expected)


@pytest.mark.parametrize("value", [None, float("nan"), {"a": 1}, [{}], True, ""])
def test_a_wrong_value_is_named(value: object) -> None:
    for path in PLACES:
        assert message(edited(path, value)).startswith(dotted(path))


POLICY = "a mapping with the keys family, label, standing and parameters"
TOO_LARGE = "gives too many responses or transitions: expected at most 10000000 of each"
BROKEN: list[tuple[Place, Any, str]] = [
    (
        ("n_grid", "largest"),
        0,
        " = 0: expected a whole number from 1 to 10**12, the end of the grid",
    ),
    (("certification", "n", 1), 0.5, " = 0.5: expected a number from 1 to 10**12"),
    (("certification", "n", 0), float("nan"), " = nan: expected a number from 1 to 10**12"),
    (
        ("certification", "n"),
        [2, 2.0],
        " = [2, 2.0]: expected a list of different numbers >= 1, not all of them need be whole",
    ),
    (
        ("simulation", "repeats"),
        2.0,
        " = 2.0: expected a whole number from 2 to 10**6, independent estimates per policy and "
        "n (R)",
    ),
    (("policies",), {}, " = {}: expected a mapping of at least one policy, by name"),
    (
        ("policies",),
        {"Zipf 1": {}},
        " has the key 'Zipf 1': expected a policy name of lower-case letters, digits and "
        "underscores, since files bear it",
    ),
    (("policies", "zipf"), None, f" = None: expected {POLICY}"),
    (("policies", "zipf"), {}, f" has no key 'family': expected {POLICY}"),
    (("policies", "zipf", "family"), "zeta", " = 'zeta': expected one of " + ", ".join(FAMILIES)),
    (
        ("policies", "binary", "parameters"),
        {"q": 0.5},
        " has the unknown key 'q': expected a mapping with the key p: the probability of the "
        "better response",
    ),
    (
        ("policies", "binary", "parameters", "p"),
        "1e-4",
        " = '1e-4': expected a probability strictly between 0 and 1",
    ),
    (
        ("policies", "probabilities", "parameters", "probabilities"),
        [],
        " = []: expected a list of at least one probability, summing to 1",
    ),
    (
        ("policies", "probabilities", "parameters", "probabilities", 2),
        -0.25,
        " = -0.25: expected a probability from 0 to 1",
    ),
    (
        ("policies", "probabilities", "parameters", "probabilities"),
        [0.5, 0.75],
        " sum to 1.25: expected 1 within 1e-09",
    ),
    (
        ("policies", "staircase", "parameters", "tail_masses", 1),
        0.2,
        " = 0.2: expected a decreasing list in (0, 1)",
    ),
    (
        ("policies", "markov_language_model", "parameters", "max_length"),
        30,
        f" = 30 with vocabulary = 2 {TOO_LARGE}",
    ),
]


@pytest.mark.parametrize(("path", "value", "rest"), BROKEN)
def test_a_broken_config_gives_one_clear_message(path: Place, value: object, rest: str) -> None:
    assert message(edited(path, value)) == dotted(path) + rest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"vocabulary": 9999999, "max_length": 1}, f"vocabulary = 9999999 {TOO_LARGE}"),
        ({"end_logit": -100, "max_length": 10}, "a log-probability of -1"),
        ({"end_logit": 100, "max_length": 10}, "a log-probability of -1"),
    ],
)
def test_a_language_model_out_of_reach_is_rejected(change: dict[str, Any], text: str) -> None:
    path = ("policies", "markov_language_model", "parameters")
    found = message(edited(path, PARAMETERS["markov_language_model"] | change))
    assert found.startswith(dotted(path))
    assert text in found


def test_no_config_at_all_is_rejected() -> None:
    assert message(None).startswith("config = None: expected ")
    assert message({}).startswith("config has no key ")
