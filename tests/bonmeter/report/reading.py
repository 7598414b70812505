"""A page as a parser sees it."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import html5lib
import pandas as pd

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def parsed(html: str) -> Element:
    """The tree of a page; any error of nesting or syntax is raised."""
    tree: Element = html5lib.HTMLParser(strict=True).parse(html)
    return tree


def every(tree: Element, name: str) -> list[Element]:
    """All elements of a name, in order."""
    return list(tree.iter(HTML + name))


def text(element: Element) -> str:
    """What an element says, on one line."""
    return " ".join("".join(element.itertext()).split())


def by_id(tree: Element, name: str) -> Element:
    """The element with an id, of which there is one."""
    [element] = [e for e in tree.iter() if e.get("id") == name]
    return element


def body_rows(table: Element) -> list[list[Element]]:
    """Cells of the rows of a table."""
    return [list(row) for body in every(table, "tbody") for row in every(body, "tr")]


def table_with(tree: Element, caption: str) -> Element:
    """The table whose caption holds a text."""
    [table] = [t for t in every(tree, "table") if caption in text(every(t, "caption")[0])]
    return table


def downloads(tree: Element) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file within a page."""
    for link in every(tree, "a"):
        if name := link.get("download"):
            kind, _, data = (link.get("href") or "").partition(";base64,")
            content = base64.b64decode(data, validate=True)
            yield name, gzip.decompress(content) if kind.endswith("gzip") else content


def tables(tree: Element) -> dict[str, pd.DataFrame]:
    """The same as tables, by name."""
    return {
        name.partition(".")[0]: pd.read_csv(
            io.BytesIO(content), keep_default_na=False, na_values=[""]
        )
        for name, content in downloads(tree)
    }
