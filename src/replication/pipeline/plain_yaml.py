"""YAML that means what it looks like: no code, no repeated key, no odd number, no endless alias."""

from __future__ import annotations

import os
import re
import reprlib
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

__all__ = ["from_command_line", "read_configs_plainly", "read_yaml"]

LARGEST_BYTES = 2_000_000
"""Of a file: PyYAML takes 4 seconds for a megabyte of numbers."""

MOST_REPEATED = 100_000
"""Entries that the aliases of a file may repeat: what is more grows beyond any memory."""


def read_yaml(path: str | os.PathLike[str]) -> object:
    """The content of a YAML file that means what it looks like (ours).

    YAML readers keep the last of two equal keys, and take 010 for 8, without a word.

    Args:
        path: such as config/config.yaml.

    Raises:
        ValueError: naming the file, the line and the key that is there twice or would run code, the
            number of base 8 or 60, the entry that its tag does not fit, the aliases that repeat too
            much, a file of more than 2 MB, or what is no YAML in UTF-8.

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
    text = _text(path)
    try:
        loader = yaml.SafeLoader(text)
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
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, a device has no end
            raise ValueError(f"{path}: it is no regular file: expected a YAML file")
        if status.st_size > LARGEST_BYTES:
            raise ValueError(f"{path}: it is too large: expected at most {LARGEST_BYTES} bytes")
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
            fault = _repeated_key(node) or _odd_number(node) or _unfit(node)
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


def _unfit(node: yaml.Node) -> tuple[int, str] | None:
    """What its own tag does not fit, such as a month 13: PyYAML fails in many ways."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.endswith((":str", ":merge")):
        return None
    try:
        str(yaml.SafeLoader("").construct_object(node))  # an integer may be too long to be shown
    except Exception:
        expected = f"expected a value of the tag {node.tag.rpartition(':')[2]}, or a text in quotes"
        return node.start_mark.line + 1, f"{reprlib.repr(node.value)}: {expected}"
    return None


def read_configs_plainly() -> None:
    """From now on, Snakemake itself reads configs by `read_yaml` (ours).

    Its own reader, which comes before any code of the workflow, runs the code of a config that has
    the key `__use_yte__`. The profile of the workflow calls this earlier still.
    """
    from snakemake.common import configfile
    from snakemake.settings import types

    configfile.load_configfile = types.load_configfile = _config_of_snakemake


def _config_of_snakemake(path: str | os.PathLike[str]) -> dict[str, object]:
    from snakemake.exceptions import WorkflowError

    try:
        content = read_yaml(path)
    except ValueError as error:
        raise WorkflowError(str(error)) from None
    if not isinstance(content, dict):
        raise WorkflowError(f"{path}: expected keys and values")
    return content


def from_command_line(values: Mapping[str, object]) -> dict[str, object]:
    """The mappings and lists of `--config`, whose entries Snakemake leaves as text (ours).

    Args:
        values: as Snakemake parses them.

    Raises:
        ValueError: naming the key whose aliases repeat too much, or whose entry is of no type.

    Examples:
        >>> from_command_line({"seed": 1, "n_grid": {"largest": "100"}, "study": "quick"})
        {'n_grid': {'largest': 100}}
    """
    return {
        key: _typed(value, f"--config {key}")
        for key, value in values.items()
        if isinstance(value, dict | list) and _is_finite(value, key)
    }


def _is_finite(value: object, key: str) -> bool:
    if _size(value, {}) > MOST_REPEATED:
        raise ValueError(
            f"--config {key}: it holds more than {MOST_REPEATED} entries, aliases repeated: "
            "expected fewer"
        )
    return True


def _size(value: object, known: dict[int, float]) -> float:
    """How many entries there are; infinite where one holds itself."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = float("inf")
        entries = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(entry, known) for entry in entries)
    return known[id(value)]


def _typed(value: object, where: str) -> object:
    if isinstance(value, dict):
        return {key: _typed(entry, where) for key, entry in value.items()}
    if isinstance(value, list):
        return [_typed(entry, where) for entry in value]
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    mark = yaml.Mark("", 0, 0, 0, "", 0)
    node = yaml.ScalarNode(tag, value, mark, mark)
    fault = _odd_number(node) or _unfit(node)
    if fault:
        raise ValueError(f"{where}: {fault[1]}")
    return loader.construct_object(node)
