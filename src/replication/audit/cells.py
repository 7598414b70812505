"""The verdict on every claimed inequality in every cell (policy, n).

On the certification grid it comes from ball arithmetic; beyond, from floats whose error bound
(tested, not proved) is smaller than the margin. A margin within the bound is handed to ball
arithmetic: nothing is decided by a bare comparison. So is an equality, unless floats refute it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.certified.balls import BallPolicy
from bonmeter.certified.decide import Verdict, decide
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from replication.audit.checks import InequalityCheck
from replication.audit.findings import EQUAL_METHOD, FLOAT_METHOD, SIGN_METHOD
from replication.audit.floats import decide_in_floats
from replication.pipeline.digits import claimed, enclosure, outward

Checks = Mapping[str, InequalityCheck]
"""What to decide, by id of the claim."""

__all__ = ["Cell", "check_policy"]

AGREEMENT = Fraction(1, 10**20)
"""The largest difference of equal sides, relative to the left."""


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
    checks: Checks,
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
        values: floats of `bonmeter.bounds.evaluate.float_quantities` and the `n` they belong to, at
            which the rest is decided.
        largest_certified: the most outcomes of a policy that is certified.

    Returns:
        Cells in the order of n, then of the checks.

    Examples:
        >>> from bonmeter.bounds.evaluate import float_quantities
        >>> binary = Policy.from_probabilities([0.5, 0.5])
        >>> theorem = {"theorem_3_4": InequalityCheck(inequality="theorem_3_4_delta")}
        >>> values = {"n": np.array([2.0, 3.0])}
        >>> values |= float_quantities(binary, values["n"], ["kl_gap", "theorem_3_4_delta"])
        >>> cells = check_policy("binary", binary, theorem, [2], values, 10)
        >>> [(cell.n, cell.verdict, cell.method) for cell in cells]
        [(2.0, 'holds', 'ball arithmetic'), (3.0, 'holds', 'float with error bound')]
    """
    small = len(policy) <= largest_certified
    certified = sorted({float(n) for n in certified_n}) if small else []
    balls = BallPolicy(policy)
    floats = list(
        _float_cells(policy, name, checks, _pick(values, ~np.isin(values["n"], certified)))
    )
    to_certify = {n: _at(name, n, checks) for n in certified}
    for cell in floats:
        if cell.verdict == "undecided":  # together at each n, they share their sums
            to_certify.setdefault(cell.n, {})[cell.claim] = checks[cell.claim]
    cells = [cell for cell in floats if cell.verdict != "undecided"]
    cells += [
        cell for n, chosen in to_certify.items() for cell in _certified_cells(balls, n, chosen)
    ]
    order = {claim: place for place, claim in enumerate(checks)}
    return sorted(cells, key=lambda cell: (cell.n, order[cell.claim]))


def _at(name: str, n: float, checks: Checks) -> dict[str, InequalityCheck]:
    return {claim: check for claim, check in checks.items() if check.applies(name, n)}


def _certified_cells(balls: BallPolicy, n: float, checks: Checks) -> Iterator[Cell]:
    inequalities = [check.statement for check in checks.values()]
    verdicts = decide(balls, n, inequalities, extrapolate=True)
    for (claim, check), found in zip(checks.items(), verdicts, strict=True):
        verdict, method = _equality(found) if check.equality else (found.verdict, found.method)
        lhs, rhs = float(found.lhs), float(found.rhs) * float(found.inequality.factor)
        margin = 0.5 * (found.margin.lower_float + found.margin.upper_float)
        yield Cell(
            claim,
            n,
            lhs,
            rhs,
            *outward(found.margin.lower_float, found.margin.upper_float),
            _relative(margin, lhs, rhs),
            verdict,
            method,
        )


def _equality(found: Verdict) -> tuple[str, str]:
    """Verdict and method on lhs = factor * rhs: two enclosures can only refute it."""
    low, high = found.margin.lower, found.margin.upper
    if found.method == "equality by proof":
        return "holds", found.method
    if not low <= 0 <= high:
        return "fails", found.method
    agree = max(-low, high) <= AGREEMENT * abs(found.lhs.lower)
    return "holds" if agree else "undecided", EQUAL_METHOD


def _float_cells(
    policy: Policy,
    name: str,
    checks: Checks,
    values: Mapping[str, FloatArray],
) -> Iterator[Cell]:
    for claim, check in checks.items():
        chosen = np.array([check.applies(name, n) for n in values["n"].tolist()], dtype=bool)
        if chosen.any():
            yield from _float_cells_of(policy, claim, check, _pick(values, chosen))


def _pick(values: Mapping[str, FloatArray], chosen: NDArray[np.bool_]) -> dict[str, FloatArray]:
    return {side: value[chosen] for side, value in values.items()}


def _float_cells_of(
    policy: Policy, claim: str, check: InequalityCheck, values: Mapping[str, FloatArray]
) -> Iterator[Cell]:
    found = decide_in_floats(check.statement, policy, values)
    sides = claimed({"lhs": found.lhs, "rhs": found.rhs}).values()
    columns = (values["n"], *sides, found.margin, found.error, found.sign)
    method = SIGN_METHOD if found.one_sign else FLOAT_METHOD
    above = "fails" if check.equality else "holds"
    for row in zip(*(column.tolist() for column in columns), strict=True):
        n, lhs, rhs, exact_margin, error, sign = row
        margin, low, high = enclosure(exact_margin, error)
        verdict = {1.0: above, -1.0: "fails"}.get(sign, "undecided")
        relative = _relative(margin, lhs, rhs)
        yield Cell(claim, n, lhs, rhs, low, high, relative, verdict, method)


def _relative(margin: float, lhs: float, rhs: float) -> float:
    scale = max(abs(lhs), abs(rhs))
    return margin / scale if scale else 0.0
