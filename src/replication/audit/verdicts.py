"""The audit: from the verdicts on single cells to one verdict per claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from replication.audit.checks import InequalityCheck
from replication.audit.claims import Claim, FunctionCheck
from replication.audit.findings import (
    CERTIFIED,
    EQUAL_METHOD,
    FLOAT_METHOD,
    NOT_STUDIED,
    NUMERICAL,
    REFUTED,
    SIGN_METHOD,
    UNKNOWN,
    Finding,
)
from replication.audit.function_checks import CHECKS
from replication.audit.tables import STALE
from replication.pipeline.digits import claimed

__all__ = ["COLUMNS", "audit_claims", "disagreements", "worst_cell"]


def audit_claims(
    claims: Sequence[Claim],
    cells: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    absent: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """One row per claim: its record and what was found.

    Args:
        claims: what is claimed.
        cells: verdicts of `replication.audit.cells.check_policy` with a column `policy` and a
            column `outcomes`, how many the policy has (tied responses are one).
        tables: by name, what the functions in `CHECKS` read.
        absent: why a table is not there, by name: stale, or not studied.

    Returns:
        The columns of the claims table, in the order of the claims: their records, the fields of
        `Finding`, whether the verdict is the expected one, and `search_margin`, the smallest
        relative margin that an adversarial search found (nan where none was made).

    Examples:
        >>> claim = Claim(
        ...     id="c", source="ours", statement="0 <= KL", origin="ours", status="proved",
        ...     expected="holds", check={"inequality": "kl_nonnegative"},
        ... )
        >>> cell = {
        ...     "claim": "c", "policy": "binary", "outcomes": 2, "n": 2.0,
        ...     "relative_margin": 1.0, "verdict": "holds", "method": "ball arithmetic",
        ... }
        >>> audit_claims([claim], pd.DataFrame([cell]), {}).verdict.item()
        'certified'
    """
    records = pd.DataFrame([_record(claim) for claim in claims])
    tables = {**tables, "claims": records}
    found = pd.DataFrame([_finding(claim, cells, tables, absent) for claim in claims])
    table = pd.concat([records, found], axis=1)
    table["search_margin"] = table.id.map(_search_margins(tables))
    table["as_expected"] = [
        _meets(expected, verdict)
        for expected, verdict in zip(table.expected, table.verdict, strict=True)
    ]
    margins = claimed({name: table[name].to_numpy() for name in MARGINS})
    return table.assign(**margins).fillna(dict.fromkeys(OPTIONAL, ""))[list(COLUMNS)]


MARGINS = ("worst_margin", "search_margin")
OPTIONAL = ("function", "proof", "test", "figure", "tex")
COLUMNS = (
    *("id", "source", "statement", "tex", "origin", "status", "standing"),
    *("expected", "verdict", "as_expected", "method"),
    *("cells", "certified_cells", "float_cells", "worst_margin", "worst_at", "search_margin"),
    *("function", "proof", "test", "figure"),
)


def _record(claim: Claim) -> dict[str, object]:
    return claim.model_dump(exclude={"check"}) | {"standing": claim.standing}


def _search_margins(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """The smallest relative margin that the adversary found for each claim it attacked."""
    if "adversary" not in tables:
        return {}
    smallest = tables["adversary"].groupby("claim").best_margin.min()
    return {str(claim): float(margin) for claim, margin in smallest.items()}


def disagreements(table: pd.DataFrame) -> list[str]:
    """What must fail the build: a line for each claim whose verdict is not the expected one.

    Examples:
        >>> row = {"id": "c", "expected": "refuted", "verdict": "certified", "method": "floats",
        ...     "worst_at": "binary, n = 2"}
        >>> disagreements(pd.DataFrame([row]))
        ['c: expected refuted, found certified (floats; binary, n = 2)']
    """
    return [
        f"{row['id']}: expected {row['expected']}, found {row['verdict']} "
        f"({'; '.join(filter(None, (row['method'], row['worst_at'])))})"
        for row in table.to_dict("records")
        if not _meets(row["expected"], row["verdict"])
    ]


def _meets(expected: str, verdict: str) -> bool:
    allowed = {"holds": (CERTIFIED, NUMERICAL), "refuted": (REFUTED,), "unknown": (UNKNOWN,)}
    return verdict in (*allowed[expected], NOT_STUDIED)


def _finding(
    claim: Claim,
    cells: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    absent: Mapping[str, str],
) -> Finding:
    if isinstance(claim.check, FunctionCheck):
        return _run(claim.check, tables, absent)
    if isinstance(claim.check, InequalityCheck):
        return _summary(cells[cells.claim == claim.id])
    return Finding(UNKNOWN, "not checked: wording unknown")


def _run(
    check: FunctionCheck, tables: Mapping[str, pd.DataFrame], absent: Mapping[str, str]
) -> Finding:
    try:
        return CHECKS[check.run](tables)
    except KeyError as error:  # of a table; a column that is missing is a fault
        why = absent.get(str(error.args[0]))
        if why is None:
            raise
        return Finding(UNKNOWN if why.startswith(STALE) else NOT_STUDIED, why)


def _summary(cells: pd.DataFrame) -> Finding:
    floats = int(cells.method.isin((FLOAT_METHOD, SIGN_METHOD)).sum())
    equal = int((cells.method == EQUAL_METHOD).sum())
    proved = len(cells) - floats - equal
    verdict = _verdict(cells, certified=proved > 0 and not equal)
    worst = worst_cell(cells)
    return Finding(
        verdict,
        _method(cells),
        len(cells),
        proved,
        floats,
        float("nan") if worst is None else float(worst.relative_margin),
        "" if worst is None else f"{worst.policy}, n = {worst.n:g}",
    )


def _verdict(cells: pd.DataFrame, *, certified: bool) -> str:
    if (cells.verdict == "fails").any():
        return REFUTED
    if cells.empty or (cells.verdict == "undecided").any():
        return UNKNOWN
    return CERTIFIED if certified else NUMERICAL


def worst_cell(cells: pd.DataFrame) -> pd.Series[float] | None:
    """The smallest counterexample of what is refuted, else the tightest cell.

    Ours.

    Args:
        cells: the cells of one claim; those equal by proof are left out.

    Returns:
        A row, or none if there is no cell.

    Examples:
        >>> cell = {"policy": "binary", "outcomes": 2, "n": 2.0, "method": "ball arithmetic"}
        >>> rows = [cell | {"relative_margin": m, "verdict": v} for m, v in
        ...     ((0.5, "holds"), (-0.1, "fails"), (-0.2, "fails"))]
        >>> worst_cell(pd.DataFrame(rows)).relative_margin.item()
        -0.1
    """
    strict = cells[cells.method != "equality by proof"]
    failing = strict[strict.verdict == "fails"]
    if strict.empty:
        return None
    if failing.empty:
        return strict.sort_values(["relative_margin", "n"], kind="stable").iloc[0]
    return failing.sort_values(["outcomes", "n", "policy"], kind="stable").iloc[0]


def _method(cells: pd.DataFrame) -> str:
    counts = cells.method.value_counts().sort_index()
    return "; ".join(f"{method} ({count})" for method, count in counts.items())
