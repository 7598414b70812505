"""Checks that are not an inequality on cells: each reads tables of the pipeline, by name.

A claim's `run` names one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from bonmeter.exact.tradeoff import optimal_kl
from replication.audit.findings import (
    CERTIFIED,
    NOT_STUDIED,
    NUMERICAL,
    REFUTED,
    UNKNOWN,
    Finding,
)
from replication.pipeline.digits import DIGITS

if TYPE_CHECKING:  # whoever has tables has imported pandas; the reader of claims need not
    import pandas as pd

__all__ = ["CHECKS", "NEGLIGIBLE", "NOMINAL", "is_large"]

ROUNDING = 1e-9
"""Relative error allowed for where two results are compared that may be equal."""

THIRD = 0.95
"""Share of cells in which the rank-corrected estimator must have a third of the paper's RMSE."""

NOMINAL = (0.93, 0.97)
"""Coverage that passes for 95 %."""

NEGLIGIBLE = 1e-6
"""Errors below it are not compared, in nats."""

LARGE = 10
"""Candidates for each draw from which on a pool is large; what is promised, is promised there."""

DF = 20
"""Degrees of freedom from which an interval must cover as often as it says: ten responses or more
then share the uncertainty."""

MOSTLY = 0.95
"""Share of cells whose coverage must be `NOMINAL`."""

LEAST = 0.92
"""Coverage that no cell may stay below."""

WIDEST = 1.1e-3
"""The KL on the language model is enclosed more narrowly: twice the error of a log-probability, and
what the responses left out may add."""

FALSE_ALARM = 1e-6
"""Probability that correct simulated means are found to disagree with their expectation."""

Tables = Mapping[str, "pd.DataFrame"]
FunctionCheck = Callable[[Tables], Finding]

CHECKS: dict[str, FunctionCheck] = {}
"""Every check by its name; filled below, as each is defined."""


def _check(function: FunctionCheck) -> FunctionCheck:
    CHECKS[function.__name__] = function
    return function


@_check
def simulated_means_agree(tables: Tables) -> Finding:
    """Simulated mean against exact expectation, by Bernstein's inequality over all cells at once.

    A selection's estimate lies between 0 and the formula and its exact variance is known, so that
    the bound holds also where nearly all selections are the same and a normal interval would not.
    """
    cells = tables["estimates"]
    # rounding of the moments
    variance = (cells.second_moment - cells.expected_estimator**2).clip(lower=0) + (
        ROUNDING * cells.second_moment
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


@_check
def selections_suffice(tables: Tables) -> Finding:
    """With the number of selections that the theorem asks for, the mean is off rarely enough."""
    return _rarely_off(tables["concentration"], "failures")


@_check
def few_selections_suffice(tables: Tables) -> Finding:
    """The same with a 250th of it: false, or the simulation would show nothing."""
    return _rarely_off(tables["concentration"], "failures_of_few")


def _rarely_off(cells: pd.DataFrame, failures: str) -> Finding:
    """Whether as many failures as were counted are likely, if each has at most its probability."""
    from scipy.special import bdtrc

    rate = cells[failures] / cells.repeats
    chance = bdtrc(cells[failures] - 1, cells.repeats, cells.failure)
    margin = 1 - rate / cells.failure
    worst = cells.loc[[margin.idxmin()]].iloc[0]
    return Finding(
        NUMERICAL if (chance >= FALSE_ALARM / len(cells)).all() else REFUTED,
        f"simulation; binomial law of the failures, false alarm {FALSE_ALARM:g}",
        len(cells),
        worst_margin=float(margin.min()),
        worst_at=f"{worst.policy}, n = {worst.n:g}",
    )


@_check
def search_tells_true_from_false(tables: Tables) -> Finding:
    """The adversary finds every false inequality false, and no proved one."""
    found = tables["adversary"].merge(tables["claims"], how="left", left_on="claim", right_on="id")
    false = found.expected == "refuted"  # the others are claims, or theorems on one outcome
    wrong = (found.verdict == "fails") != false
    worst = found[~false].sort_values("best_margin", kind="stable").iloc[0]
    return Finding(
        REFUTED if wrong.any() else NUMERICAL,
        f"adversarial search, {found.evaluations.sum()} evaluations; "
        f"{int(false.sum())} false inequalities found false",
        len(found),
        worst_margin=float(worst.best_margin),
        worst_at=f"{worst.claim}, n = {worst.n:g}, {worst.outcomes} outcomes",
    )


@_check
def ties_never_lower(tables: Tables) -> Finding:
    """Ties forgotten: neither the KL nor the mean of the estimator is smaller."""
    import pandas as pd

    cells = tables["exact"]
    margins = pd.concat(
        [
            cells.distinct_kl / cells.kl - 1,
            cells.distinct_estimator / cells.expected_estimator - 1,
        ]
    )
    return _float_finding(margins.dropna(), cells)


@_check
def rivals_pay_more(tables: Tables) -> Finding:
    """No method pays less than the least KL at its win rate, without atoms or on a policy."""
    import pandas as pd

    curves = tables["curves"].dropna(subset="win_rate")  # of the blockwise bound there is none
    rivals = tables["rivals"]
    cells = pd.concat(
        [
            curves.assign(policy=curves.method, n=curves.parameter),
            rivals.assign(policy=rivals.method + " on " + rivals.policy),
        ],
        ignore_index=True,
    )
    # at the least win rate that the table may stand for
    least = optimal_kl((cells.win_rate - 10**-DIGITS).clip(lower=0.5).to_numpy())
    margin = (cells.kl / least - 1).where(least > 0).dropna()
    found = _float_finding(margin, cells)
    return found._replace(worst_at=found.worst_at.replace("n =", "parameter ="))


@_check
def atoms_only_lower(tables: Tables) -> Finding:
    """On a policy no rival has a larger KL or win rate than it can come to without atoms."""
    import pandas as pd

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


@_check
def studies_agree(tables: Tables) -> Finding:
    """The quick study against the kept full one: mean errors, in standard errors."""
    keys = ["policy", "pool_size", "n", "method"]
    cells = tables["estimators_quick"].merge(tables["estimators"], on=keys, suffixes=("", "_full"))
    if cells.empty:
        return Finding(UNKNOWN, "no cell in common")
    error = np.hypot(cells.bias_standard_error, cells.bias_standard_error_full)
    from scipy.special import ndtri

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


def is_large(pool_size: pd.Series[int], n: pd.Series[int]) -> pd.Series[bool]:
    """Whether a pool is large for n, N >= 10 n (ours; docs/theory.md#coverage-from-one-pool).

    Args:
        pool_size: numbers of candidates N.
        n: numbers of draws.

    Examples:
        >>> is_large(np.array([100, 100]), np.array([10, 11])).tolist()
        [True, False]
    """
    return pool_size >= LARGE * n


def _against_paper(study: pd.DataFrame) -> pd.DataFrame:
    """The rank-corrected estimator beside the paper's, where the pool is large."""
    import pandas as pd

    methods = [
        study[study.method == method].set_index(["policy", "pool_size", "n"])
        for method in ("rank-corrected", "paper")
    ]
    cells = pd.concat(methods, axis=1, keys=("ours", "paper")).reset_index()
    cells.columns = [" ".join(filter(None, names)) for names in cells.columns]
    return cells[is_large(cells.pool_size, cells.n)].reset_index(drop=True)


@_check
def rank_corrected_rmse(tables: Tables) -> Finding:
    cells = _against_paper(tables["estimators"])
    ratio = cells["ours rmse"] / cells["paper rmse"].clip(lower=NEGLIGIBLE)
    return _measured(1.1 - ratio, cells)


@_check
def rank_corrected_third(tables: Tables) -> Finding:
    cells = _against_paper(tables["estimators"])
    biased = 2 * cells["paper bias"] ** 2 > cells["paper rmse"] ** 2  # bias above noise
    cells = cells[biased].reset_index(drop=True)
    return _mostly(1 / 3 - cells["ours rmse"] / cells["paper rmse"], THIRD, cells)


@_check
def interval_coverage(tables: Tables) -> Finding:
    cells = _against_paper(tables["estimators"])
    df = cells["ours df"]  # inf: most pools show every response
    many = (df >= DF) & np.isfinite(df) & (cells["ours rmse"] > NEGLIGIBLE)
    coverage = cells["ours coverage"][many]
    margin = np.minimum(coverage - NOMINAL[0], NOMINAL[1] - coverage)
    return _never_below(LEAST, coverage, _mostly(margin, MOSTLY, cells[many]))


@_check
def quick_interval_coverage(tables: Tables) -> Finding:
    """As the code is now, no cell of the quick study covers too rarely by chance."""
    from scipy.special import bdtr

    cells = _against_paper(tables["estimators_quick"])
    df = cells["ours df"]
    many = (df >= DF) & np.isfinite(df) & (cells["ours rmse"] > NEGLIGIBLE)
    cells = cells[many].reset_index(drop=True)
    if cells.empty:
        return Finding(NOT_STUDIED, "no cell of the quick study has so many degrees of freedom")
    covered = np.rint(cells["ours coverage"] * cells["ours repeats"])
    chance = bdtr(covered, cells["ours repeats"], LEAST)
    return _measured(np.log(chance) - np.log(FALSE_ALARM / len(cells)), cells)


@_check
def class_coverage(tables: Tables) -> Finding:
    """Random policies of a few reward classes, each a cell of its own."""
    cells = tables["classes"].assign(policy="classes of mass " + tables["classes"].masses)
    coverage = cells["coverage"]
    margin = (coverage - NOMINAL[0]).clip(upper=NOMINAL[1] - coverage)
    return _never_below(LEAST, coverage, _mostly(margin, MOSTLY, cells))


@_check
def language_model_enclosed(tables: Tables) -> Finding:
    """The widest proved interval of the KL on the language model, against `WIDEST`."""
    cells = tables["language_model"].dropna(subset=["proved_upper"])
    margin = 1 - (cells.proved_upper - cells.proved_lower) / WIDEST
    worst = cells.loc[[margin.idxmin()]].iloc[0]
    return Finding(
        CERTIFIED if margin.min() >= 0 else REFUTED,
        "ball arithmetic, given the log-probabilities and their error",
        len(cells),
        certified_cells=len(cells),
        worst_margin=float(margin.min()),
        worst_at=f"{worst.prompt}, T = {worst.temperature:g}, n = {worst.n:g}",
    )


@_check
def language_model_estimator_above(tables: Tables) -> Finding:
    """The mean of the paper's estimator over pools, against the proved KL, in standard errors."""
    from scipy.special import ndtri

    growth = tables["language_model_growth"].rename(columns={"prompt": "policy"})
    cells = growth[growth.method == "paper"]
    allowed = -ndtri(FALSE_ALARM / len(cells)) * cells.bias_standard_error + ROUNDING
    return _measured((1 + cells.bias / allowed).clip(upper=1.0), cells)


@_check
def language_model_rmse(tables: Tables) -> Finding:
    cells = _real_against_paper(tables["language_model_growth"])
    ratio = cells["ours rmse"] / cells["paper rmse"].clip(lower=NEGLIGIBLE)
    return _measured(1.1 - ratio, cells)


@_check
def language_model_coverage(tables: Tables) -> Finding:
    cells = _real_against_paper(tables["language_model_growth"])
    cells = cells[cells["ours rmse"] > NEGLIGIBLE].reset_index(drop=True)
    # a coverage of 95 % may come out lower by chance among few pools
    margin = cells["ours coverage"] + 3 * np.sqrt(0.05 * 0.95 / cells["ours pools"]) - 0.95
    return _measured(margin, cells)


def _real_against_paper(growth: pd.DataFrame) -> pd.DataFrame:
    """`_against_paper` of the language model."""
    method = growth.method.str.replace("_", "-")
    return _against_paper(growth.rename(columns={"prompt": "policy"}).assign(method=method))


def _mostly(margin: pd.Series[float], share: float, cells: pd.DataFrame) -> Finding:
    """A margin that may be negative, but only in so small a share of the cells."""
    found = float((margin >= 0).mean())
    return _measured(margin, cells)._replace(
        verdict=NUMERICAL if found >= share else REFUTED,
        method=f"simulation; in {found:.1%} of the cells",
        worst_margin=found - share,
    )


def _never_below(least: float, coverage: pd.Series[float], found: Finding) -> Finding:
    """The same finding, but refuted by a coverage below the least."""
    lowest = float(coverage.min())
    verdict = found.verdict if lowest >= least else REFUTED
    return found._replace(verdict=verdict, method=f"{found.method}, least {lowest:.1%}")


def _measured(margin: pd.Series[float], cells: pd.DataFrame) -> Finding:
    worst = cells.loc[[margin.idxmin()]].iloc[0]
    return Finding(
        NUMERICAL if margin.min() >= 0 else REFUTED,
        "simulation",
        len(cells),
        worst_margin=float(margin.min()),
        worst_at=f"{worst.policy}, N = {worst.pool_size}, n = {worst.n}",
    )
