"""The README's five hops, for every column of every figure: rule, table, script, function, theory.

Figure -> its rule -> the tables it reads -> the script of each table's rule -> the function that a
column is a value of -> the heading of docs/theory.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from bonmeter.bounds.formulas import FORMULAS
from bonmeter.bounds.quantities import QUANTITIES
from replication.pipeline.columns import Columns, Derived
from tests.figures import CAPTIONS, CONFIG, ROOT, SOURCE, said, tabulate

GRID = {"n", "parameter", "pool_size"}
"""Abscissae that are chosen, not computed."""

SOURCES = re.compile(r"paper|Theorem \d\.\d|Conjecture \d\.\d|Eq\. \d+|[Oo]urs|reconstructed")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tabulate(tmp_path_factory.mktemp("tables"))


class Rule(NamedTuple):
    """What a rule reads and makes."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _Texts(HTMLParser):
    """The texts of a node of the graph of files: the rule, "↪ input", files, "output →", files."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    """As Snakemake itself says, of all that `make figures` would run."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--filegraph", "figures"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [_rule(label) for label in re.findall(r"label=<(<table.*?</table>)>", done.stdout, re.S)]


def _rule(label: str) -> Rule:
    parser = _Texts()
    parser.feed(label)
    name, *rest = parser.texts
    marks = [i for i, text in enumerate(rest) if text in {"↪ input", "output →"}]
    parts = {rest[a]: tuple(rest[a + 1 : b]) for a, b in pairwise([*marks, len(rest)])}
    return Rule(name, parts.get("↪ input", ()), parts.get("output →", ()))


def maker(rules: list[Rule], file: str) -> Rule:
    """The one rule that makes a file, its wildcards any policy."""
    found = [
        each
        for each in set(rules)
        for out in each.outputs
        if re.fullmatch(re.sub(r"\\{.*\\}", r"\\w+", re.escape(out)), file)
    ]
    assert len(found) == 1, (file, found)
    return found[0]


def script_of(rule: str) -> ModuleType:
    """The script that the text of a rule names, or of the rule it follows."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")]
    blocks = re.split(r"\n(?=(?:use )?rule )", "\n".join(texts))
    block = next(each for each in blocks if re.match(rf"(rule|use rule \w+ as) {rule}\b", each))
    if followed := re.match(r"use rule (\w+) as", block):
        return script_of(followed[1])
    script = re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', block)
    assert script, rule
    return import_module(f"workflow.scripts.{script[1]}")


def function_of(rules: list[Rule], table: str, column: str, where: str) -> Callable[..., Any]:
    """What a column is a value of."""
    rule = maker(rules, f"results/{table}.parquet")
    script = script_of(rule.name)
    declared: Columns = script.COLUMNS.get(table) or script.COLUMNS[table.partition("/")[0]]
    found = declared.get(column)
    if found is None:
        method = re.search(r"method == '(\w+)'", where)
        assert method, (table, column)
        found = script.METHODS[method[1]]
    if found == "exact":
        assert any(each.startswith("results/exact/") for each in rule.inputs), rule
        return function_of(rules, "exact/binary", column, where)
    assert not isinstance(found, str)
    return found.function if isinstance(found, Derived) else found


def headings() -> dict[str, str]:
    """The headings of docs/theory.md: anchor -> text."""
    lines = (ROOT / "docs/theory.md").read_text(encoding="utf-8").splitlines()
    texts = [line.lstrip("# ") for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-"): text for text in texts}


def columns(name: str) -> list[tuple[str, str, str]]:
    """Table, column and filter of all that a figure shows and that is computed."""
    found: dict[tuple[str, str, str], None] = {}
    for row in said(name):
        path, where, _, _ = SOURCE.fullmatch(row.table).groups()  # type: ignore[union-attr]
        for column in (row.across, *row.columns):
            if column not in GRID:
                found[path, column, where or ""] = None
    return list(found)


@pytest.mark.parametrize("name", CAPTIONS)
def test_each_column_drawn_leads_to_its_theorem(name: str, rules: list[Rule]) -> None:
    figure = maker(rules, f"figures/{name}.svg")
    known = headings()
    assert columns(name)
    for table, column, where in columns(name):
        path = f"results/{table}.parquet"
        made = [path.format(policy=policy) for policy in CONFIG["policies"]]
        assert set(made) & set(figure.inputs), f"{figure.name} does not read {path}"
        function = function_of(rules, table.format(policy="binary"), column, where)
        source, section = origin(column, function)
        assert SOURCES.search(source), f"{column}: {source!r} names no equation or theorem"
        assert section in known.values(), f"{column}: docs/theory.md has no {section!r}"


def origin(column: str, function: Callable[..., Any]) -> tuple[str, str]:
    """The equation or theorem a column comes from, and the heading that proves it."""
    assert function.__module__.startswith(("bonmeter.", "replication."))
    assert getattr(import_module(function.__module__), function.__name__) is function
    if FORMULAS.get(column) is function:
        return QUANTITIES[column].source, QUANTITIES[column].section
    words = " ".join((function.__doc__ or "").split())
    anchor = re.search(r"docs/theory\.md#([\w-]+)", words)
    return words, headings().get(anchor[1], "") if anchor else ""


def test_a_function_without_a_name_or_a_source_is_caught() -> None:
    with pytest.raises(AssertionError):
        origin("kl", lambda n: n)
    assert not SOURCES.search("Divide one number by another.")


def test_a_hop_into_the_void_is_caught(rules: list[Rule]) -> None:
    with pytest.raises(AssertionError):
        maker(rules, "results/tradeoffs/nothing.parquet")
    with pytest.raises(AssertionError):
        function_of(rules, "exact/binary", "nothing", "")
    with pytest.raises(KeyError):
        function_of(rules, "tradeoffs/curves", "kl", "method == 'nothing'")


def test_every_column_of_a_table_is_declared(inputs: Path) -> None:
    """The rest names the rows."""
    keys = {"policy", "method", "n", "parameter", "pool_size", "selections", "repeats"}
    keys |= {"win_rate", "kl", "draws"}  # of the curves: values of the method's function
    keys |= {"prompt", "temperature", "reward", "pools"}
    for script in ("exact", "estimates", "tradeoffs", "comparison", "llm_curves", "llm_growth"):
        for table, declared in import_module(f"workflow.scripts.{script}").COLUMNS.items():
            paths = [*inputs.glob(f"{table}/*.parquet"), *inputs.glob(f"{table}.parquet")]
            assert paths
            for path in paths:
                written = set(pq.read_schema(path).names)
                assert set(declared) <= written
                assert written - set(declared) <= keys
