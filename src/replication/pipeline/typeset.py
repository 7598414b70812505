"""Markdown with TeX between dollars, as HTML whose mathematics is MathML: no script, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from html import unescape
from itertools import pairwise
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

FUNCTIONS = frozenset({"log", "exp", "sinh", "cosh", "tanh", "coth", "min", "max"})

PARTS = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3}

__all__ = ["to_mathml", "typeset", "typeset_line"]


def to_mathml(tex: str, *, display: bool = False) -> str:
    r"""A formula as MathML, every character of it escaped.

    Ours.

    Args:
        tex: the formula, without its dollars.
        display: whether it stands on a line of its own.

    Raises:
        ValueError: naming the formula, if it is not TeX.

    Examples:
        >>> to_mathml("n < 2")[-53:]
        '<mrow><mi>n</mi><mo>&lt;</mo><mn>2</mn></mrow></math>'
        >>> to_mathml(r"\frac{1}")
        Traceback (most recent call last):
        ValueError: formula '\\frac{1}': expected TeX (mfrac of 1 part)
        >>> to_mathml(r"\unknown")
        Traceback (most recent call last):
        ValueError: formula '\\unknown': expected TeX (\unknown is no command)
    """
    try:
        tree = convert_to_element(tex, display="block" if display else "inline")
    except Exception as error:
        raise ValueError(f"formula {tex!r}: expected TeX ({type(error).__name__})") from error
    for node in tree.iter():
        if flaw := _flaw(node):
            raise ValueError(f"formula {tex!r}: expected TeX ({flaw})")
        if node.text:  # the converter leaves character references where text belongs
            node.text = unescape(node.text)
        _space_functions(node)
    return ElementTree.tostring(tree, encoding="unicode")


def typeset(text: str, move: Callable[[str], str] = str) -> str:
    r"""A page of Markdown as HTML; headings have the anchors that code hosts give them.

    Ours.

    Args:
        text: the page; HTML in it is shown, not interpreted.
        move: what becomes of the address of a link.

    Examples:
        >>> typeset("## Any rule")
        '<h2 id="any-rule">Any rule</h2>\n'
    """
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", move(str(child.attrGet("href"))))
    return str(parser.renderer.render(tokens, parser.options, {}))


def typeset_line(text: str) -> str:
    """One line of Markdown as HTML, without a paragraph around it.

    Ours.

    Examples:
        >>> typeset_line("`a` & <b>")
        '<code>a</code> &amp; &lt;b&gt;'
    """
    return str(_parser().renderInline(text))


def _flaw(node: ElementTree.Element) -> str:
    """What the converter lets pass: unknown commands, and arguments left out."""
    if "\\" in (node.text or ""):
        return f"{node.text} is no command"
    wanted = PARTS.get(node.tag, len(node))
    return "" if len(node) == wanted else f"{node.tag} of {len(node)} part"


def _space_functions(node: ElementTree.Element) -> None:
    """A thin space on each side of the name of a function, but for brackets and operators."""
    if node.tag != "mrow":
        return
    for left, right in pairwise(list(node)):
        if (_is_function(left) or _is_function(right)) and "mo" not in (left.tag, right.tag):
            node.insert(list(node).index(right), ElementTree.Element("mspace", width="0.17em"))


def _is_function(node: ElementTree.Element) -> bool:
    name = node[0] if node.tag in PARTS and len(node) else node
    return name.tag == "mi" and name.text in FUNCTIONS


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.use(dollarmath_plugin, renderer=_render, double_inline=True)
    return parser.use(anchors_plugin, max_level=4)


def _render(tex: str, options: Mapping[str, bool]) -> str:
    return to_mathml(tex, display=options["display_mode"])
