"""Do tables that hold the same quantity agree: policies, exact values, checks, estimates, studies.

A table that was altered without a trace would have to be altered in all of them alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bonmeter.certified.balls import BallPolicy
from bonmeter.certified.decide import enclose
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from replication.audit.checks import InequalityCheck

__all__ = ["check_cells", "check_exact", "check_normalised", "check_same"]

Columns = Mapping[str, NDArray[Any]]

ROUNDING = 1e-9
"""Relative difference that rounding may make."""

KEPT_DIGITS = 1e-4
"""The same of tables kept as text, with five digits."""

TRIED = 3
"""Values of n at which exact tables are computed anew, by another route."""


def check_normalised(name: str, log_prob: FloatArray) -> Iterator[str]:
    """A policy as it lies there sums to 1.

    Examples:
        >>> list(check_normalised("binary", np.log([0.5, 0.25])))
        ['binary: the probabilities sum to 0.75: expected 1']
    """
    total = float(np.exp(log_prob).sum())
    if abs(total - 1) > ROUNDING:
        yield f"{name}: the probabilities sum to {total:g}: expected 1"


def check_exact(name: str, policy: Policy, exact: pd.DataFrame) -> Iterator[str]:
    """KL and win rate lie in the enclosures that ball arithmetic finds from the policy.

    Args:
        name: of the policy.
        policy: itself.
        exact: its table, with the columns n, kl and win_rate.

    Examples:
        >>> table = pd.DataFrame({"n": [2], "kl": [0.14], "win_rate": [0.625]})
        >>> list(check_exact("binary", Policy.from_probabilities([0.5, 0.5]), table))
        ['binary, n = 2: kl is 0.14: expected 0.130812']
    """
    balls, columns = BallPolicy(policy), ("kl", "win_rate")
    for row in np.unique(np.linspace(0, len(exact) - 1, TRIED + 1).astype(int))[-TRIED:]:
        n = float(exact.n.iloc[row])
        for column, proved in enclose(balls, n, columns).items():
            value = float(exact[column].iloc[row])
            slack = ROUNDING * max(1.0, abs(proved.upper_float))
            if not proved.lower_float - slack <= value <= proved.upper_float + slack:
                yield f"{name}, n = {n:g}: {column} is {value:g}: expected {proved.lower_float:.6g}"


def check_cells(
    name: str,
    cells: pd.DataFrame,
    exact: pd.DataFrame,
    checks: Mapping[str, InequalityCheck],
    certified_n: Sequence[float],
) -> Iterator[str]:
    """The cells of a policy are all there, agree with the exact table, and say what they show.

    Args:
        name: of the policy.
        cells: its table of verdicts.
        exact: its table of exact values.
        checks: what was to be decided, by id of the claim.
        certified_n: values of n beyond those of `exact`; none if it has too many outcomes.
    """
    # a join of pandas for each claim and policy took two seconds of the audit
    values, columns = _arrays(exact), _arrays(cells)
    rows_of = cells.groupby("claim").indices
    for claim, check in checks.items():
        rows = np.asarray(rows_of.get(claim, ()), dtype=np.intp)
        found = {key: column[rows] for key, column in columns.items()}
        expected = {n for n in (*values["n"].tolist(), *certified_n) if check.applies(name, n)}
        if set(found["n"].tolist()) != expected:
            yield f"{name}, {claim}: {rows.size} cells: expected {len(expected)}"
        yield from _margins(f"{name}, {claim}", found, values, check)
        contrary = ((found["verdict"] == "holds") & (found["margin_upper"] < 0)) | (
            (found["verdict"] == "fails") & (found["margin_lower"] > 0) & (not check.equality)
        )
        for n in found["n"][contrary].tolist():
            yield f"{name}, {claim}, n = {n:g}: the verdict is not that of its margin"


def _arrays(table: pd.DataFrame) -> Columns:
    return {str(name): table[name].to_numpy() for name in table}


def _margins(where: str, found: Columns, values: Columns, check: InequalityCheck) -> Iterator[str]:
    """Cells may hold both sides less a term that they share: what counts is their difference."""
    statement = check.statement
    cells, rows = np.nonzero(found["n"][:, None] == values["n"])
    lhs, rhs = values[statement.lhs][rows], values[statement.rhs][rows]
    margin = float(statement.factor) * rhs - lhs
    scale = np.maximum(np.fmax(np.abs(lhs), np.abs(rhs)), 1.0)
    middle = 0.5 * (found["margin_lower"] + found["margin_upper"])[cells]
    yield from check_same(f"{where}, margin", middle / scale, margin / scale)


def check_same(
    where: str, one: ArrayLike, other: ArrayLike, tolerance: float = ROUNDING
) -> Iterator[str]:
    """Two columns of the same quantity agree.

    Args:
        where: what they are.
        one: a column.
        other: one of equal length.
        tolerance: relative, or absolute below 1.

    Examples:
        >>> list(check_same("binary, kl", pd.Series([1.0, 2.0]), pd.Series([1.0, 2.1])))
        ['binary, kl: 1 of 2 values differ, as 2 from 2.1']
    """
    left, right = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    differ = ~np.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True)
    if differ.any():
        first = int(differ.argmax())
        yield (
            f"{where}: {differ.sum()} of {differ.size} values differ, "
            f"as {left[first]:g} from {right[first]:g}"
        )
