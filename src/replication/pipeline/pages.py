"""Pages with tables that a run renews: each table stands between two markers."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from replication.pipeline.io import atomic_path

__all__ = ["cell", "fill", "markers", "update"]


def fill(template: str, **values: object) -> str:
    """A template with its names replaced by values.

    Args:
        template: text in the language of Jinja.
        values: all that it names.

    Raises:
        jinja2.UndefinedError: if it names anything else.

    Examples:
        >>> fill("{{ n }} draws", n=4)
        '4 draws'
    """
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["cell"] = cell
    return environment.from_string(template).render(values)


def cell(text: object) -> str:
    r"""A text as a cell of a table in Markdown: one line, no HTML, no link, no further cell (ours).

    Examples:
        >>> cell("a | <b> [x](javascript:0)")
        'a \\| &lt;b&gt; [x]\\(javascript:0)'
    """
    escaped = str(text).replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(re.sub(r"\||(?<=\])\(", r"\\\g<0>", escaped).split())


def update(page: str, name: str, table: str) -> None:
    r"""Replace what stands between the markers of a page.

    Args:
        page: the file.
        name: name of the table, in its markers.
        table: what to put there, in Markdown.

    Raises:
        ValueError: if a marker is missing.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w+", suffix=".md") as file:
        ...     _ = file.write("".join(markers("claims")))
        ...     file.flush()
        ...     update(file.name, "claims", "new\n")
        ...     Path(file.name).read_text(encoding="utf-8").splitlines()[1]
        'new'
    """
    text = Path(page).read_text(encoding="utf-8")
    begin, end = markers(name)
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{page}: expected the markers {begin.strip()} and {end.strip()}")
    with atomic_path(page) as path:
        path.write_text(before + begin + table + end + after, encoding="utf-8")


def markers(name: str) -> tuple[str, str]:
    r"""The lines around a table.

    Examples:
        >>> markers("claims")[0]
        '<!-- claims: begin -->\n'
    """
    return f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
