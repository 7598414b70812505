import copy
import os
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from replication.pipeline.config import validate_config
from replication.pipeline.plain_yaml import from_command_line, read_yaml
from tests.runs import TINY

LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "a: 1\nseed: 010\n": "line 2: 010 means 8 in YAML",
    "seed: 0_17": "line 1: 0_17 means 15 in YAML",
    "n: [1, 1:30]": "line 1: 1:30 means 90 in YAML",
    "n: 1:30.5": "line 1: 1:30.5 means 90.5 in YAML",
    "a: {b: 1, b: 2}": "the key 'b' appears again",
    "__use_yte__: true\n?exit(3): 1": "line 1: the key '__use_yte__' lets a config run code",
    "{__use_yte__: true}": "line 1: the key '__use_yte__' lets a config run code",
    LAUGHS: "its aliases repeat more than 100000 entries",
    "a: &a [*a]": "its aliases repeat more than",
    "[" * 5000 + "]" * 5000: "too deep",
    "a: [1": "expected YAML",
    "a: 1\nseed: 2020-13-01": "line 2: '2020-13-01': expected a value of the tag timestamp",
    "seed: !!int abc": "line 1: 'abc': expected a value of the tag int",
    "seed: !!bool abc": "line 1: 'abc': expected a value of the tag bool",
    "seed: !!binary é": "line 1: 'é': expected a value of the tag binary",
    f"seed: 0x{'1' * 9000}": "1111111': expected a value of the tag int",
    "!!python/object/apply:os.system ['exit 3']": "could not determine a constructor",
    "a: !!python/name:os.system": "line 1: '': expected",
    "a: &a {b: *a}": "its aliases repeat more than",
    "{a: " * 5000 + "}" * 5000: "too deep",
    "a: b\n---\na: c": "expected YAML",
    "a: 'x" + "y" * 2_000_000 + "'": "too large",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_means_other_than_it_looks_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    start = perf_counter()
    with pytest.raises(ValueError, match="expected") as caught:
        read_yaml(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert perf_counter() - start < 5


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("seed: 10", {"seed": 10}),
        ("seed: 0", {"seed": 0}),
        ("a: 0.5\nb: 0x10\nc: '010'\nd: 12:30 h", {"a": 0.5, "b": 16, "c": "010", "d": "12:30 h"}),
        ("a: &a [1, 2]\nb: *a", {"a": [1, 2], "b": [1, 2]}),
        ("a: &a {x: 1}\nb: {<<: *a, x: 2}", {"a": {"x": 1}, "b": {"x": 2}}),
    ],
)
def test_what_means_what_it_says_is_read(text: str, content: object, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path) == content


def test_another_encoding_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("seed: 1\nlabel: Zürich".encode("latin-1"))
    with pytest.raises(ValueError, match="line 2: the byte 0xfc is not UTF-8: expected"):
        read_yaml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.yaml: No such file.*expected"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["zero", "null"])
def test_a_device_is_not_read(name: str) -> None:
    with pytest.raises(ValueError, match="no regular file: expected a YAML file"):
        read_yaml(f"/dev/{name}")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ValueError, match="no regular file"):
        read_yaml(tmp_path / "pipe.yaml")


def laughs() -> list[Any]:
    level: list[Any] = ["1"] * 10
    for _ in range(9):
        level = [level] * 10
    return level


def holding_itself() -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    mapping["a"] = mapping
    return mapping


@pytest.mark.parametrize("value", [laughs(), holding_itself()], ids=["laughs", "itself"])
def test_aliases_of_the_command_line_are_counted(value: object) -> None:
    with pytest.raises(ValueError, match=r"--config n_grid: .*more than 100000 entries.*expected"):
        from_command_line({"n_grid": value})


@pytest.mark.parametrize("text", ["2020-13-01", "010", "1:30"])
def test_an_odd_entry_of_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"--config n_grid: .*expected"):
        from_command_line({"n_grid": {"largest": text}})


def test_entries_of_the_command_line_have_their_types() -> None:
    given = {"n_grid": {"largest": "10", "x": ["1.5", "true", "a"]}, "seed": 3, "samples": "a.csv"}
    assert from_command_line(given) == {"n_grid": {"largest": 10, "x": [1.5, True, "a"]}}


def changed(path: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(TINY)
    *above, last = path.split(".")
    parent: Any = config
    for key in above:
        parent = parent[key]
    parent[last] = value
    return config


LARGE = {"family": "uniform", "label": "u", "standing": "ours", "parameters": {"size": 10**7}}
BEYOND: dict[str, tuple[str, object, str]] = {
    "selections": ("simulation.selections", 10**9, "take 240.0 GB of memory and 19"),
    "means": ("concentration.repeats", 10**6, "20.0 GB of memory"),
    "pools": ("studies.quick.repeats", 10**6, "hours of one core"),
    "grid": ("n_grid.largest", 10**30, r"n_grid\.largest = 1"),
    "certified": ("certification.largest_policy", 10**30, r"largest_policy = 1"),
    "digits": ("simulation.selections", 10**5000, "a number of very many digits"),
    "policies": ("policies", {f"u{i}": LARGE for i in range(20)}, "200000000 responses in all"),
}


@pytest.mark.parametrize(("path", "value", "message"), BEYOND.values(), ids=BEYOND)
def test_what_cannot_be_had_is_refused_with_its_size(
    path: str, value: object, message: str
) -> None:
    start = perf_counter()
    config = changed(path, value)
    if path.endswith("repeats"):  # enough responses, and enough candidates
        config["policies"]["zipf"]["parameters"]["size"] = 1000
        config["studies"]["quick"]["pool_sizes"] = [512, 10**5]
    with pytest.raises(ValueError, match=rf"{message}.*expected"):
        validate_config(config)
    assert perf_counter() - start < 1


def test_a_policy_too_large_to_certify_is_refused() -> None:
    config = changed("certification.largest_policy", 10**7)
    config["policies"]["large"] = LARGE
    with pytest.raises(ValueError, match=r"certification: .*large.* 26\.0 GB of memory.*expected"):
        validate_config(config)


def test_a_label_is_refused_by_its_key() -> None:
    binary = TINY["policies"]["binary"] | {"label": "50 $"}
    with pytest.raises(ValueError, match=r"policies\.binary\.label = '50 \$': .*expected"):
        validate_config(TINY | {"policies": TINY["policies"] | {"binary": binary}})
