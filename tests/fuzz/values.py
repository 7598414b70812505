"""Hostile values, and valid input spoilt by them; `random` may be hypothesis' own."""

from __future__ import annotations

import copy
import gzip
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np

__all__ = ["arguments", "hostile", "spoilt", "spoilt_bytes"]

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 64, 100, 1000, 10**6, 10**9, 10**12, 2**31, 2**53, 2**63, 2**64, 10**30),
    *(10**400, 0.0, -0.0, 0.5, 1.0, 1.5, -0.5, 1e-300, 5e-324, 1e300, 1 - 2**-53, 0.1),
    *(float("nan"), float("inf"), float("-inf"), True, False, None),
)
TEXTS = (
    *("", " ", "..", "../../x", "/etc/passwd", "a/b", "a\nb", "{x}", "{{7*7}}", "a\0b", "x" * 300),
    *("é", "中", "\u202e", "\ud800", "\x1b[31m", "<script>alert(1)</script>", "]]>", "</script>"),
    *("=cmd|' /C calc'!A0", "| `x` |", "[x](javascript:alert(1))", "$x_{a$", "$", "%s", "nan"),
    *("1e-4", "__use_yte__", "?exit(3)", "ascending", "binary", "quick", "NaN", "*", "-x", "con"),
)
WHOLES = (0, 1, 2, 3, 10, 100)


def hostile(random: Random, depth: int = 2) -> Any:  # noqa: ANN401 - anything at all
    """A number, a text, bytes, a container of such, or nothing at all."""
    kinds: list[Callable[[], Any]] = [
        lambda: random.choice(NUMBERS),
        lambda: random.choice(NUMBERS),
        lambda: random.choice(TEXTS),
        lambda: "".join(chr(random.randrange(0x250)) for _ in range(random.randrange(8))),
        lambda: b"\xff\x00",
    ]
    if depth:
        kinds += [
            lambda: [hostile(random, depth - 1) for _ in range(random.randrange(4))],
            lambda: {random.choice(TEXTS): hostile(random, depth - 1)},
            lambda: {hostile(random, 0): 1},
        ]
    return random.choice(kinds)()


def arrays(random: Random) -> Any:  # noqa: ANN401
    """What stands for an array, rightly or wrongly."""
    shape = random.choice([(), (0,), (1,), (3,), (8,), (2, 3), (2, 0, 2)])
    size = int(np.prod(shape))
    if random.randrange(3):
        values = np.array([random.uniform(-3, 3) for _ in range(size)]).reshape(shape)
    else:
        numbers = [
            random.choice((0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308)) for _ in range(size)
        ]
        values = np.array(numbers, float).reshape(shape)
    kind = random.choice(["f8", "f4", "i8", "?", "O", "U8", "c16", "M8[s]", "u1", "list"])
    with np.errstate(all="ignore"):
        return (
            values.tolist() if kind == "list" else values.astype("i8" if kind[0] == "M" else kind)
        )


def arguments(random: Random) -> Any:  # noqa: ANN401
    """An argument of a function: an array, one of the valid sort, or a hostile value."""
    choice = random.randrange(4)
    if choice == 0:
        return arrays(random)
    if choice == 1:
        return hostile(random)
    if choice == 2:
        return random.choice(WHOLES)
    return [random.uniform(-2, 2) for _ in range(random.randrange(1, 6))]


def _places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    if path:
        yield path
    if isinstance(tree, dict | list):
        for key, value in list(tree.items()) if isinstance(tree, dict) else enumerate(tree):
            yield from _places(value, (*path, key))


def spoilt(random: Random, tree: Any) -> Any:  # noqa: ANN401
    """A valid tree of mappings and lists with one to three faults."""
    tree = copy.deepcopy(tree)
    for _ in range(random.randrange(1, 4)):
        places = list(_places(tree))
        if not places:
            return hostile(random)
        *above, last = random.choice(places)
        parent = tree
        for key in above:
            parent = parent[key]
        _fault(random, parent, last)
    return tree


def _fault(random: Random, parent: Any, key: Any) -> None:  # noqa: ANN401
    kind = random.randrange(6)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[random.choice((*TEXTS, 1, None, 1.5))] = parent.pop(key)
    elif kind == 2 and isinstance(parent, dict):
        parent[random.choice(TEXTS)] = hostile(random)
    elif kind == 3 and isinstance(parent, list):
        parent.append(parent[key])
    elif kind == 4:
        parent[key] = [parent[key]]
    else:
        parent[key] = hostile(random)


PIECES = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"NaN", b"Infinity", b"-1e999", b"null", b"\n"),
    *(b"[" * 3000, b'{"a":' * 2000, b"1" * 5000, b'"\\ud800"', b",", b'"', b"{", b"}", b"\x1b[2J"),
    *(
        b"\x1f\x8b\x08\0",
        b"PAR1",
        b"PK\x03\x04",
        b'"prompt": "x", ',
        b"&a [*a]",
        b"!!python/none ''",
    ),
    *(b"__use_yte__: true\n", b": ", b"- ", b"? ", b"<<: *x", b"'", b"\t", b"9" * 400, b"\\u0000"),
)


def spoilt_bytes(random: Random, data: bytes) -> bytes:
    """A file with one to four faults: bytes altered, cut out, doubled, put in; cut off; packed."""
    for _ in range(random.randrange(1, 5)):
        at, kind = random.randrange(len(data) + 1), random.randrange(8)
        to = min(len(data), at + random.choice((1, 2, 8, 64, 512)))
        if kind == 0 and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[to:]
        elif kind == 2:
            data = data[:to] + data[at:]
        elif kind == 3:
            data = data[:at]
        elif kind == 4 and random.randrange(4) == 0:
            data = gzip.compress(data, mtime=0)
        elif kind == 5 and random.randrange(8) == 0:
            data = data.decode("utf-8", "replace").encode("utf-16")
        else:
            data = data[:at] + random.choice(PIECES) + data[at:]
    return data
