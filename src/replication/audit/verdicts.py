"""The audit: from the verdicts on single cells to one verdict per claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from bonmeter.exact.tradeoff import optimal_kl
from replication.audit.cells import FLOAT_METHOD, SIGN_METHOD
from replication.audit.claims import Claim, FunctionCheck, InequalityCheck
from replication.studies.compare import NEGLIGIBLE, NOMINAL

__all__ = ["CHECKS", "VERDICTS", "Finding", "audit_claims", "disagreements"]

CERTIFIED = "certified"
NUMERICAL = "holds within a stated numerical error"
REFUTED = "refuted"
UNKNOWN = "unknown"
VERDICTS = (CERTIFIED, NUMERICAL, REFUTED, UNKNOWN)

ROUNDING = 1e-9
"""Relative error allowed for where two floats are compared that may be equal."""

THIRD = 0.95
"""Share of cells in which the rank-corrected estimator must have a third of the paper's RMSE."""

DF = 20
"""Degrees of freedom from which an interval must cover as often as it says: ten responses or more
then share the uncertainty."""

MOSTLY = 0.9
"""Share of cells whose coverage must be `NOMINAL`."""

FALSE_ALARM = 1e-6
"""Probability that correct simulated means are found to disagree with their expectation."""


class Finding(NamedTuple):
    """What the cells of one claim say together.

    Attributes:
        verdict: one of `VERDICTS`.
        method: how it was reached.
        cells: number of cells decided, in all.
        certified_cells, float_cells: of these, by ball arithmetic or proof, and by floats with an
            error bound.
        worst_margin: smallest margin relative to the larger side (nan if none applies); equalities
            by proof, at n = 1 for one, are left out.
        worst_at: the cell it was found at; for a refuted claim the smallest counterexample.
    """

    verdict: str
    method: str
    cells: int = 0
    certified_cells: int = 0
    float_cells: int = 0
    worst_margin: float = float("nan")
    worst_at: str = ""


def audit_claims(
    claims: Sequence[Claim], cells: pd.DataFrame, tables: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """One row per claim: its record and what was found.

    Args:
        claims: what is claimed.
        cells: verdicts of `replication.audit.cells.check_policy` with a column `policy` and a
            column `outcomes`, the size of the policy.
        tables: by name, what the functions in `CHECKS` read.

    Returns:
        The columns of the claims table, in the order of the claims: their records, the fields of
        `Finding`, whether the verdict is the expected one, and `search_margin`, the smallest
        relative margin that an adversarial search found (nan where none was made).

    Examples:
        >>> claim = Claim(
        ...     id="c", source="ours", statement="0 <= KL", standing="ours, proved",
        ...     expected="holds", check={"lhs": "zero", "rhs": "kl"},
        ... )
        >>> cell = {
        ...     "claim": "c", "policy": "binary", "outcomes": 2, "n": 2.0,
        ...     "relative_margin": 1.0, "verdict": "holds", "method": "ball arithmetic",
        ... }
        >>> audit_claims([claim], pd.DataFrame([cell]), {}).verdict.item()
        'certified'
    """
    records = pd.DataFrame([claim.model_dump(exclude={"check"}) for claim in claims])
    tables = {**tables, "claims": records}
    found = pd.DataFrame([_finding(claim, cells, tables) for claim in claims])
    table = pd.concat([records, found], axis=1)
    table["search_margin"] = table.id.map(_search_margins(tables))
    table["as_expected"] = [
        _meets(expected, verdict)
        for expected, verdict in zip(table.expected, table.verdict, strict=True)
    ]
    return table.fillna({"function": "", "proof": "", "test": "", "figure": ""})[list(COLUMNS)]


COLUMNS = (
    *("id", "source", "statement", "standing", "expected", "verdict", "as_expected", "method"),
    *("cells", "certified_cells", "float_cells", "worst_margin", "worst_at", "search_margin"),
    *("function", "proof", "test", "figure"),
)


def _search_margins(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """The smallest relative margin that the adversary found for each claim it attacked."""
    if "adversary" not in tables:
        return {}
    smallest = tables["adversary"].groupby("claim").best_margin.min()
    return {str(claim): float(margin) for claim, margin in smallest.items()}


def disagreements(table: pd.DataFrame) -> list[str]:
    """What must fail the build: a line for each claim whose verdict is not the expected one.

    Examples:
        >>> row = {"id": "c", "expected": "refuted", "verdict": "certified", "as_expected": False,
        ...     "worst_at": "binary, n = 2"}
        >>> disagreements(pd.DataFrame([row]))
        ['c: expected refuted, found certified (binary, n = 2)']
    """
    wrong = table[~table.as_expected]
    return [
        f"{row.id}: expected {row.expected}, found {row.verdict} ({row.worst_at})"
        for row in wrong.itertuples()
    ]


def _meets(expected: str, verdict: str) -> bool:
    allowed = {"holds": (CERTIFIED, NUMERICAL), "refuted": (REFUTED,), "unknown": (UNKNOWN,)}
    return verdict in allowed[expected]


def _finding(claim: Claim, cells: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> Finding:
    if isinstance(claim.check, FunctionCheck):
        return CHECKS[claim.check.run](tables)
    if isinstance(claim.check, InequalityCheck):
        return _summary(cells[cells.claim == claim.id])
    return Finding(UNKNOWN, "not checked: wording unknown")


def _summary(cells: pd.DataFrame) -> Finding:
    floats = int(cells.method.isin((FLOAT_METHOD, SIGN_METHOD)).sum())
    proved = len(cells) - floats
    verdict = _verdict(cells, proved)
    strict = cells[cells.method != "equality by proof"]
    worst = _worst(strict if verdict != REFUTED else strict[strict.verdict == "fails"], verdict)
    return Finding(
        verdict,
        _method(cells),
        len(cells),
        proved,
        floats,
        float("nan") if worst is None else float(worst.relative_margin),
        "" if worst is None else f"{worst.policy}, n = {worst.n:g}",
    )


def _verdict(cells: pd.DataFrame, proved: int) -> str:
    if (cells.verdict == "fails").any():
        return REFUTED
    if cells.empty or (cells.verdict == "undecided").any():
        return UNKNOWN
    return CERTIFIED if proved else NUMERICAL


def _worst(cells: pd.DataFrame, verdict: str) -> pd.Series[float] | None:
    """The smallest counterexample of what is refuted, else the tightest cell."""
    if cells.empty:
        return None
    order = ["outcomes", "n", "policy"] if verdict == REFUTED else ["relative_margin", "n"]
    return cells.sort_values(order, kind="stable").iloc[0]


def _method(cells: pd.DataFrame) -> str:
    counts = cells.method.value_counts().sort_index()
    return "; ".join(f"{method} ({count})" for method, count in counts.items())


def _simulated_means_agree(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """Simulated mean against exact expectation, by Bernstein's inequality over all cells at once.

    A selection's estimate lies between 0 and the formula and its exact variance is known, so that
    the bound holds also where nearly all selections are the same and a normal interval would not.
    """
    cells = tables["estimates"]
    # rounding of the moments
    variance = (cells.second_moment - cells.expected_estimator**2).clip(lower=0) + (
        1e-11 * cells.second_moment
    )
    draws = cells.selections * cells.repeats
    log_odds = np.log(2 * len(cells) / FALSE_ALARM)
    allowed = np.sqrt(2 * variance * log_odds / draws) + (
        2 * cells.analytical_kl * log_odds / (3 * draws)
    )
    difference = (cells["mean"] - cells.expected_estimator).abs()
    margin = (1 - difference / allowed).where(allowed > 0, 1.0)
    worst = cells.loc[[margin.idxmin()]].iloc[0]
    return Finding(
        NUMERICAL if (difference <= allowed).all() else REFUTED,
        f"simulation; Bernstein's inequality, false alarm {FALSE_ALARM:g}",
        len(cells),
        worst_margin=float(margin.min()),
        worst_at=f"{worst.policy}, n = {worst.n:g}",
    )


def _search_tells_true_from_false(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """The adversary finds every false inequality false, and no proved one."""
    found = tables["adversary"].merge(tables["claims"], how="left", left_on="claim", right_on="id")
    false = found.expected == "refuted"  # the others are claims, or theorems on one outcome
    wrong = (found.verdict == "fails") != false
    worst = found[~false].sort_values("best_margin").iloc[0]
    return Finding(
        REFUTED if wrong.any() else NUMERICAL,
        f"adversarial search, {found.evaluations.sum()} evaluations; "
        f"{int(false.sum())} false inequalities found false",
        len(found),
        worst_margin=float(worst.best_margin),
        worst_at=f"{worst.claim}, n = {worst.n:g}, {worst.outcomes} outcomes",
    )


def _ties_never_lower(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """Ties forgotten: neither the KL nor the mean of the estimator is smaller."""
    cells = tables["exact"]
    margins = pd.concat(
        [
            cells.distinct_kl / cells.kl - 1,
            cells.distinct_estimator / cells.expected_estimator - 1,
        ]
    )
    return _float_finding(margins.dropna(), cells)


def _rivals_pay_more(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """No method pays less than the least KL at its win rate, without atoms or on a policy."""
    curves = tables["curves"].dropna(subset="win_rate")  # of the blockwise bound there is none
    rivals = tables["rivals"]
    cells = pd.concat(
        [
            curves.assign(policy=curves.method, n=curves.parameter),
            rivals.assign(policy=rivals.method + " on " + rivals.policy),
        ],
        ignore_index=True,
    )
    least = optimal_kl(cells.win_rate.clip(lower=0.5).to_numpy())
    margin = (cells.kl / least - 1).where(least > 0).dropna()
    found = _float_finding(margin, cells)
    return found._replace(worst_at=found.worst_at.replace("n =", "parameter ="))


def _atoms_only_lower(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """On a policy no rival has a larger KL or win rate than it can come to without atoms."""
    cells = tables["rivals"]
    ratios = [cells.largest_kl / cells.kl, cells.largest_win_rate / cells.win_rate]
    return _float_finding(pd.concat(ratios) - 1, cells)


def _float_finding(margins: pd.Series[float], cells: pd.DataFrame) -> Finding:
    """Relative margins that may only be negative by their rounding."""
    worst = cells.loc[[margins.idxmin()]].iloc[0]
    return Finding(
        NUMERICAL if margins.min() >= -ROUNDING else REFUTED,
        f"floats, relative error {ROUNDING:g}",
        len(margins),
        float_cells=len(margins),
        worst_margin=float(margins.min()),
        worst_at=f"{worst.policy}, n = {worst.n:g}",
    )


def _studies_agree(tables: Mapping[str, pd.DataFrame]) -> Finding:
    """The quick study against the kept full one: mean errors, in standard errors."""
    keys = ["policy", "pool_size", "n", "method"]
    cells = tables["estimators_quick"].merge(tables["estimators"], on=keys, suffixes=("", "_full"))
    if cells.empty:
        return Finding(UNKNOWN, "no cell in common")
    error = np.hypot(cells.bias_standard_error, cells.bias_standard_error_full)
    allowed = -ndtri(FALSE_ALARM / (2 * len(cells)))
    # a rare response that no pool of the quick study held leaves it without a standard error
    score = (cells.bias - cells.bias_full).abs() / (error + 0.01 * cells.kl + 1e-9)
    margin = 1 - score / allowed
    worst = cells.loc[[margin.idxmin()]].iloc[0]
    return Finding(
        NUMERICAL if margin.min() >= 0 else REFUTED,
        f"two simulations, within {allowed:.1f} standard errors",
        len(cells),
        worst_margin=float(margin.min()),
        worst_at=f"{worst.policy}, N = {worst.pool_size}, n = {worst.n}, {worst.method}",
    )


def _against_paper(study: pd.DataFrame) -> pd.DataFrame:
    """The rank-corrected estimator beside the paper's, where the pool is large: N >= 10 n."""
    methods = [
        study[study.method == method].set_index(["policy", "pool_size", "n"])
        for method in ("rank-corrected", "paper")
    ]
    cells = pd.concat(methods, axis=1, keys=("ours", "paper")).reset_index()
    cells.columns = [" ".join(filter(None, names)) for names in cells.columns]
    return cells[cells.pool_size >= 10 * cells.n].reset_index(drop=True)


def _rank_corrected_rmse(tables: Mapping[str, pd.DataFrame]) -> Finding:
    cells = _against_paper(tables["estimators"])
    ratio = cells["ours rmse"] / cells["paper rmse"].clip(lower=NEGLIGIBLE)
    return _measured(1.1 - ratio, cells)


def _rank_corrected_third(tables: Mapping[str, pd.DataFrame]) -> Finding:
    cells = _against_paper(tables["estimators"])
    biased = 2 * cells["paper bias"] ** 2 > cells["paper rmse"] ** 2  # bias above noise
    cells = cells[biased].reset_index(drop=True)
    return _mostly(1 / 3 - cells["ours rmse"] / cells["paper rmse"], THIRD, cells)


def _interval_coverage(tables: Mapping[str, pd.DataFrame]) -> Finding:
    cells = _against_paper(tables["estimators"])
    df = cells["ours df"]  # inf: most pools show every response
    many = (df >= DF) & np.isfinite(df) & (cells["ours rmse"] > NEGLIGIBLE)
    coverage = cells["ours coverage"][many]
    margin = np.minimum(coverage - NOMINAL[0], NOMINAL[1] - coverage)
    return _mostly(margin, MOSTLY, cells[many])


def _mostly(margin: pd.Series[float], share: float, cells: pd.DataFrame) -> Finding:
    """A margin that may be negative, but only in so small a share of the cells."""
    found = float((margin >= 0).mean())
    return _measured(margin, cells)._replace(
        verdict=NUMERICAL if found >= share else REFUTED,
        method=f"simulation; in {found:.1%} of the cells",
        worst_margin=found - share,
    )


def _measured(margin: pd.Series[float], cells: pd.DataFrame) -> Finding:
    worst = cells.loc[[margin.idxmin()]].iloc[0]
    return Finding(
        NUMERICAL if margin.min() >= 0 else REFUTED,
        "simulation",
        len(cells),
        worst_margin=float(margin.min()),
        worst_at=f"{worst.policy}, N = {worst.pool_size}, n = {worst.n}",
    )


CHECKS: Mapping[str, Callable[[Mapping[str, pd.DataFrame]], Finding]] = {
    "simulated_means_agree": _simulated_means_agree,
    "search_tells_true_from_false": _search_tells_true_from_false,
    "ties_never_lower": _ties_never_lower,
    "rivals_pay_more": _rivals_pay_more,
    "atoms_only_lower": _atoms_only_lower,
    "studies_agree": _studies_agree,
    "rank_corrected_rmse": _rank_corrected_rmse,
    "rank_corrected_third": _rank_corrected_third,
    "interval_coverage": _interval_coverage,
}
"""Checks that are not an inequality on cells, by the name that a claim's `run` gives."""
