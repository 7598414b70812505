"""The verdict on every claimed inequality in every cell (policy, n).

On the certification grid it comes from ball arithmetic; beyond, from floats whose error bound
(tested, not proved) is smaller than the margin. A margin within the bound is handed to ball
arithmetic: nothing is decided by a bare comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.bounds.formulas import RELATIVE_ERROR, error_scale, float_quantities
from bonmeter.certified.certify import BallPolicy, Inequality, decide, in_domain
from bonmeter.exact.estimator import estimator_gap
from bonmeter.exact.values import analytical_kl, kl_gap, pmf, sum_over_outcomes
from bonmeter.numerics.kernels import log_one_minus_exp
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy

__all__ = ["FLOAT_METHOD", "SIGN_METHOD", "Cell", "Check", "check_policy"]

FLOAT_METHOD = "float with error bound"
SIGN_METHOD = "sum of terms of one sign"
"""How a float decides 0 <= gap: by the theorem that makes it such a sum, so it could not fail."""
UNDERFLOW = 1e-290
"""Absolute error allowed for besides the relative one: below it float64 loses digits."""


class Check(NamedTuple):
    """An inequality to decide, and where.

    Attributes:
        inequality: the statement.
        policies: names of the policies it speaks of; None for all.
        n: the only values of n at which it is decided; None for the whole grid.
        extrapolate: decide it also at n for which it is not proved.
    """

    inequality: Inequality
    policies: frozenset[str] | None = None
    n: tuple[float, ...] | None = None
    extrapolate: bool = False

    def applies(self, policy: str, n: float) -> bool:
        """Whether the cell (policy, n) is one of this check's."""
        return (
            (self.policies is None or policy in self.policies)
            and (self.n is None or n in self.n)
            and (self.extrapolate or in_domain(self.inequality, n))
        )


class Cell(NamedTuple):
    """The verdict on one claim for one policy and n.

    Attributes:
        claim: id of the claim.
        n: number of draws.
        lhs, rhs: the two sides, rhs with its factor.
        margin_lower, margin_upper: enclosure of rhs - lhs, rounded outward.
        relative_margin: the margin over the larger of |lhs| and |rhs|.
        verdict: "holds", "fails" or "undecided".
        method: how it was decided.
    """

    claim: str
    n: float
    lhs: float
    rhs: float
    margin_lower: float
    margin_upper: float
    relative_margin: float
    verdict: str
    method: str


def check_policy(
    name: str,
    policy: Policy,
    checks: Mapping[str, Check],
    certified_n: Sequence[float],
    values: Mapping[str, FloatArray],
    largest_certified: int,
) -> list[Cell]:
    """Every cell of one policy.

    Args:
        name: name of the policy.
        policy: the reference policy, L outcomes.
        checks: what to decide, by id of the claim.
        certified_n: n decided by ball arithmetic, if L <= `largest_certified`.
        values: floats of `bonmeter.bounds.formulas.float_quantities` and the `n` they belong to, at
            which the rest is decided.
        largest_certified: the most outcomes of a policy that is certified.

    Returns:
        Cells in the order of n, then of the checks.

    Examples:
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> theorem = {"theorem_3_4": Check(Inequality("kl_gap", "theorem_3_4_delta"))}
        >>> values = {"n": np.array([2.0, 3.0])}
        >>> values |= float_quantities(binary, values["n"], ["kl_gap", "theorem_3_4_delta"])
        >>> cells = check_policy("binary", binary, theorem, [2], values, 10)
        >>> [(cell.n, cell.verdict, cell.method) for cell in cells]
        [(2.0, 'holds', 'ball arithmetic'), (3.0, 'holds', 'float with error bound')]
    """
    small = len(policy) <= largest_certified
    certified = sorted({float(n) for n in certified_n}) if small else []
    balls = BallPolicy(policy)
    cells = [cell for n in certified for cell in _certified_cells(balls, n, _at(name, n, checks))]
    for cell in _float_cells(policy, name, checks, _pick(values, ~np.isin(values["n"], certified))):
        if cell.verdict == "undecided":
            cells += _certified_cells(balls, cell.n, {cell.claim: checks[cell.claim]})
        else:
            cells.append(cell)
    return sorted(cells, key=lambda cell: cell.n)


def _at(name: str, n: float, checks: Mapping[str, Check]) -> dict[str, Check]:
    return {claim: check for claim, check in checks.items() if check.applies(name, n)}


def _certified_cells(balls: BallPolicy, n: float, checks: Mapping[str, Check]) -> Iterator[Cell]:
    inequalities = [check.inequality for check in checks.values()]
    verdicts = decide(balls, n, inequalities, extrapolate=True)
    for claim, found in zip(checks, verdicts, strict=True):
        lhs, rhs = float(found.lhs), float(found.rhs) * float(found.inequality.factor)
        margin = 0.5 * (found.margin.lower_float + found.margin.upper_float)
        yield Cell(
            claim,
            n,
            lhs,
            rhs,
            found.margin.lower_float,
            found.margin.upper_float,
            _relative(margin, lhs, rhs),
            found.verdict,
            found.method,
        )


def _float_cells(
    policy: Policy, name: str, checks: Mapping[str, Check], values: Mapping[str, FloatArray]
) -> Iterator[Cell]:
    for claim, check in checks.items():
        chosen = np.array([check.applies(name, n) for n in values["n"].tolist()], dtype=bool)
        if chosen.any():
            yield from _float_cells_of(policy, claim, check, _pick(values, chosen))


def _pick(values: Mapping[str, FloatArray], chosen: NDArray[np.bool_]) -> dict[str, FloatArray]:
    return {side: value[chosen] for side, value in values.items()}


def _float_cells_of(
    policy: Policy, claim: str, check: Check, values: Mapping[str, FloatArray]
) -> Iterator[Cell]:
    n, inequality = values["n"], check.inequality
    factor = float(inequality.factor)
    lhs, rhs = _sides(inequality)
    margin = factor * values[rhs] - values[lhs]
    scales = [error_scale(side, values[side], policy, n) for side in (lhs, rhs)]
    error = RELATIVE_ERROR * (scales[0] + factor * scales[1])
    sign = np.where(np.abs(margin) > error + UNDERFLOW, np.sign(margin), 0.0)
    if factor == 1 and (lhs, rhs) in _TAIL_MARGINS:
        unsettled = sign == 0
        margin[unsettled], error[unsettled], sign[unsettled] = _tail_margin(
            _TAIL_MARGINS[lhs, rhs], policy, n[unsettled]
        )
    for i, value in enumerate(n.tolist()):
        left, right = float(values[lhs][i]), factor * float(values[rhs][i])
        low, high = float(margin[i] - error[i]), float(margin[i] + error[i])
        verdict = {1.0: "holds", -1.0: "fails"}.get(float(sign[i]), "undecided")
        relative = _relative(float(margin[i]), left, right)
        method = SIGN_METHOD if lhs == "zero" else FLOAT_METHOD
        yield Cell(claim, value, left, right, low, high, relative, verdict, method)


def _relative(margin: float, lhs: float, rhs: float) -> float:
    scale = max(abs(lhs), abs(rhs))
    return margin / scale if scale else 0.0


# The same inequality between gaps, which float64 holds to full relative accuracy.
_AS_GAPS = {
    ("kl", "analytical_kl"): ("zero", "kl_gap"),
    ("kl", "expected_estimator"): ("expected_estimator_gap", "kl_gap"),
    ("kl", "estimator_at_top"): ("top_outcome_gap", "kl_gap"),
    ("expected_estimator", "analytical_kl"): ("zero", "expected_estimator_gap"),
    ("win_rate", "continuous_win_rate"): ("zero", "win_rate_gap"),
    ("estimator_at_top", "log_inverse_top_mass"): ("theorem_3_6_finite", "top_outcome_gap"),
    ("kl", "log_inverse_top_mass"): ("theorem_3_6_finite", "kl_gap"),
}
_AS_GAPS |= {(rhs, lhs): (b, a) for (lhs, rhs), (a, b) in _AS_GAPS.items()}


def _sides(inequality: Inequality) -> tuple[str, str]:
    pair = inequality.lhs, inequality.rhs
    if inequality.factor != 1:
        return pair
    return _AS_GAPS.get(pair, pair)


class _Tail(NamedTuple):
    """A margin over (1 - top mass)^n, and the size of the terms it is summed from."""

    value: FloatArray
    size: FloatArray


TailMargin = Callable[[Policy, FloatArray], _Tail]


def _tail_margin(
    tail_margin: TailMargin, policy: Policy, n: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Margin, error and sign of what is smaller than the rounding of the sides by (1 - top)^n."""
    if not n.size or len(policy) == 1:
        return n * 0, n * 0, n * 0
    value, size = tail_margin(policy, n)
    error = 10 * RELATIVE_ERROR * size
    decay = np.exp(n * log_one_minus_exp(policy.log_mass[-1:]))
    sign = np.where(np.abs(value) > error, np.sign(value), 0.0)
    return decay * value, decay * error + UNDERFLOW, sign


def _rest(policy: Policy) -> Policy:
    """The policy without its top outcome, renormalised."""
    return Policy(policy.log_mass[:-1], policy.reward[:-1])


def _below_top(policy: Policy, n: FloatArray) -> _Tail:
    """d_n(top) - KL = (1 - top)^n times the gap of the rest (docs/theory.md)."""
    gap = kl_gap(_rest(policy), n)
    return _Tail(gap, gap)


def _saturation(policy: Policy, n: FloatArray) -> _Tail:
    """log(1/top) - d_n(top), divided by r = (1 - top)^n."""
    log_rest = log_one_minus_exp(policy.log_mass[-1:])
    r = np.exp(np.maximum(n * log_rest, -700.0))
    terms = (
        -policy.log_mass[-1] + 0 * n,
        -analytical_kl(n),
        -(n - 1) * log_rest,
        (1 - r) * -np.log1p(-r) / r,
    )
    return _summed(terms)


def _estimator_excess(policy: Policy, n: FloatArray) -> _Tail:
    """E[d_n] - KL over (1 - top)^n: the induction step of its proof (docs/theory.md)."""
    rest, log_rest = _rest(policy), log_one_minus_exp(policy.log_mass[-1:])

    def term(n: float, log_mass: FloatArray, log_cdf: FloatArray, step: FloatArray) -> FloatArray:
        return pmf(n, log_mass, log_cdf, step) * estimator_gap(n, log_mass + log_rest)

    top_gap = float_quantities(policy, n, ["top_outcome_gap"])["top_outcome_gap"]
    return _summed((kl_gap(rest, n), -sum_over_outcomes(term, rest, n), top_gap))


def _summed(terms: Iterable[FloatArray]) -> _Tail:
    terms = list(terms)
    return _Tail(np.sum(terms, axis=0), np.sum(np.abs(terms), axis=0))


def _both(policy: Policy, n: FloatArray) -> _Tail:
    (one, one_size), (two, two_size) = _below_top(policy, n), _saturation(policy, n)
    return _Tail(one + two, one_size + two_size)


_TAIL_MARGINS: Mapping[tuple[str, str], TailMargin] = {
    ("top_outcome_gap", "kl_gap"): _below_top,
    ("theorem_3_6_finite", "top_outcome_gap"): _saturation,
    ("theorem_3_6_finite", "kl_gap"): _both,
    ("expected_estimator_gap", "kl_gap"): _estimator_excess,
}
