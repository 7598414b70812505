"""Values as they are typed on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

import typer

__all__ = ["as_pairs", "as_targets", "reals", "whole_numbers"]

RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def whole_numbers(texts: Sequence[str]) -> list[int] | None:
    """The n of `-n 1,2,4` or `-n 1-64`, rising; None if none was given.

    Raises:
        typer.BadParameter: if one is no whole number or range of them.

    Examples:
        >>> whole_numbers(["8", "1-3,5"])
        [1, 2, 3, 5, 8]
    """
    found: set[int] = set()
    for part in ",".join(texts).split(",") if texts else ():
        match = RANGE.fullmatch(part.strip())
        if match is None:
            raise typer.BadParameter(f"{part!r}: expected numbers like 4, or 1,2,4, or 1-64")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= LARGEST:
            raise typer.BadParameter(f"{part!r}: expected numbers from 1 to {LARGEST:,}, rising")
        found.update(range(first, last + 1))
    return sorted(found) or None


LARGEST = 1_000_000


def reals(texts: Sequence[str]) -> list[float]:
    """The numbers of `--n 1,2.5`, as they stand.

    Raises:
        typer.BadParameter: if one is no number.

    Examples:
        >>> reals(["16,2.5"])
        [16.0, 2.5]
    """
    try:
        return [float(part) for part in ",".join(texts).split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{','.join(texts)!r}: expected numbers like 16 or 1,2.5"
        ) from None


def as_pairs(texts: Sequence[str]) -> dict[str, str]:
    """The `name=value` of an option that may be repeated.

    Raises:
        typer.BadParameter: if one has no `=` or a name comes twice.

    Examples:
        >>> as_pairs(["filter=none"])
        {'filter': 'none'}
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{text!r}: expected NAME=VALUE")
        if name in pairs:
            raise typer.BadParameter(f"{text!r}: {name} is given twice")
        pairs[name] = value
    return pairs


def as_targets(texts: Sequence[str]) -> dict[str, float]:
    """The `quantity=number` of an option that may be repeated.

    Raises:
        typer.BadParameter: if one is not of that form.

    Examples:
        >>> as_targets(["win_rate=0.9"])
        {'win_rate': 0.9}
    """
    try:
        return {name: float(value) for name, value in as_pairs(texts).items()}
    except ValueError as error:
        raise typer.BadParameter(f"expected QUANTITY=NUMBER ({error})") from None
