"""Whether a figure can show a label, found without drawing one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["unprintable"]

FONT = "fonts/ttf/STIXGeneral.ttf"
"""The font of the figures, as matplotlib ships it."""

MARKUP = re.compile(r"<[A-Za-z/!?]|\]\]>")
"""What Snakemake's own report, which hands labels on as they are, would take for markup."""


def unprintable(label: str) -> str:
    r"""What in a label a figure cannot show, and what is expected instead; empty if it can (ours).

    matplotlib is only loaded for labels that are not plain ASCII without mathematics.

    Args:
        label: mathematics stands between dollar signs, a dollar sign itself is written `\$`.

    Examples:
        >>> unprintable("uniform, $L = 10^3$"), unprintable("50 $")
        ('', 'it has an odd number of dollar signs: expected mathematics between two, or \\$')
    """
    dollars = len(re.findall(r"(?<!\\)\$", label))
    if dollars % 2:
        return r"it has an odd number of dollar signs: expected mathematics between two, or \$"
    if not label.isprintable():
        return "it has a line break or control character: expected one line of text"
    if found := MARKUP.search(label):
        return f"{found[0]} begins a tag of HTML: expected plain text, a sign < before a space"
    if not dollars:
        return _missing(label)
    return _not_mathematics(label) or _missing("".join(label.split("$")[::2]))


def _missing(text: str) -> str:
    if text.isascii():
        return ""
    missing = sorted({each for each in text if ord(each) not in _characters()})
    names = ", ".join(f"{each} (U+{ord(each):04X})" for each in missing)
    return names and f"the font of the figures lacks {names}: expected other characters"


@cache
def _characters() -> frozenset[int]:
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(Path(get_data_path(), FONT))).get_charmap())


def _not_mathematics(label: str) -> str:
    from matplotlib import rc_context
    from matplotlib.mathtext import MathTextParser

    with rc_context({"mathtext.fontset": "stix"}):
        try:
            MathTextParser("path").parse(label)
        except ValueError as error:
            reason = str(error).splitlines()[-1].split(", found")[0].split("Exception: ")[-1]
            return f"{reason}: expected mathematics that matplotlib can set"
    return ""
