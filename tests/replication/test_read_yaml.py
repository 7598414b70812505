from pathlib import Path
from time import perf_counter

import pytest

from replication.pipeline.config import from_command_line, read_yaml, validate_config
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


def test_entries_of_the_command_line_have_their_types() -> None:
    given = {"n_grid": {"largest": "10", "x": ["1.5", "true", "a"]}, "seed": 3, "samples": "a.csv"}
    assert from_command_line(given) == {"n_grid": {"largest": 10, "x": [1.5, True, "a"]}}


def test_a_simulation_that_fits_no_memory_is_refused_with_its_size() -> None:
    large = {"selections": 10**9, "repeats": 200}
    with pytest.raises(ValueError, match=r"simulation: .* take 4,800 GB of memory.*expected"):
        validate_config(TINY | {"simulation": large})


def test_a_label_is_refused_by_its_key() -> None:
    binary = TINY["policies"]["binary"] | {"label": "50 $"}
    with pytest.raises(ValueError, match=r"policies\.binary\.label = '50 \$': .*expected"):
        validate_config(TINY | {"policies": TINY["policies"] | {"binary": binary}})
