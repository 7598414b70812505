"""Captions of the figures, from reStructuredText with names in it, as HTML."""

from __future__ import annotations

from typing import NamedTuple

from docutils.core import publish_parts
from markupsafe import Markup

__all__ = ["Caption", "read_caption"]

TABLE = ".. csv-table::"
"""What begins the table of what is drawn, which ends a caption."""


class Caption(NamedTuple):
    """A caption in parts.

    Attributes:
        title: plain text, the bold words that it begins with.
        text: HTML.
        drawn: HTML, a table of what is drawn; may be empty.
    """

    title: str
    text: Markup
    drawn: Markup


def read_caption(source: str) -> Caption:
    r"""The parts of a caption, rendered without reading any file of the user's (ours).

    Args:
        source: reStructuredText, its names filled in.

    Raises:
        docutils.utils.SystemMessage: if it is not valid.

    Examples:
        >>> read_caption("**Figure 1. A step.** KL < 1.").text
        Markup('<p><strong>Figure 1. A step.</strong> KL &lt; 1.</p>\n')
    """
    text, found, table = source.partition(TABLE)
    title = " ".join(text.split("**")[1].split()).removesuffix(".") if "**" in text else ""
    return Caption(title, _html(text), _html(found + table))


def _html(source: str) -> Markup:
    if not source:
        return Markup()
    settings = {
        "_disable_config": True,  # docutils.conf of the user's
        "file_insertion_enabled": False,
        "raw_enabled": False,
        "halt_level": 2,
        "report_level": 5,
        "embed_stylesheet": False,
        "stylesheet_path": "",
        "language_code": "en",
        "table_style": "",
    }
    parts = publish_parts(source, writer="html5", settings_overrides=settings)
    return Markup(parts["body"])
