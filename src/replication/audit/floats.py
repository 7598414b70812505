"""Inequalities decided in float64 where the margin exceeds its error bound (tested, not proved)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.bounds.evaluate import RELATIVE_ERROR, error_scale
from bonmeter.bounds.inequalities import PROVED, Inequality, find_proved
from bonmeter.bounds.margins import MARGINS
from bonmeter.numerics.intervals import SMALLEST_ACCURATE
from bonmeter.numerics.kernels import log_one_minus_exp
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy

__all__ = ["Decided", "decide_in_floats"]


class Decided(NamedTuple):
    """An inequality at several n, as floats tell it; arrays of the shape of n.

    Attributes:
        lhs, rhs: the two sides, or the gaps that stand for them; rhs with its factor.
        margin: rhs - lhs.
        error: bound on the error of the margin.
        sign: of the margin, 0 where its error hides it.
        one_sign: whether lhs is 0 and rhs a sum of terms >= 0, by a theorem.
    """

    lhs: FloatArray
    rhs: FloatArray
    margin: FloatArray
    error: FloatArray
    sign: FloatArray
    one_sign: bool


def decide_in_floats(
    inequality: Inequality, policy: Policy, values: Mapping[str, FloatArray]
) -> Decided:
    """The sign of the margin at every n where its error bound allows to tell (ours).

    Args:
        inequality: the statement.
        policy: the reference policy, L outcomes.
        values: floats of `bonmeter.bounds.evaluate.float_quantities` and the `n` they belong to.

    Examples:
        >>> from bonmeter.bounds.evaluate import float_quantities
        >>> binary, n = Policy.from_probabilities([0.5, 0.5]), np.array([2.0])
        >>> values = {"n": n} | float_quantities(binary, n)
        >>> decide_in_floats(Inequality("analytical_kl", "kl"), binary, values).sign.tolist()
        [-1.0]
    """
    n, factor = values["n"], float(inequality.factor)
    lhs, rhs = _accurate_sides(inequality)
    margin = factor * values[rhs] - values[lhs]
    scales = [error_scale(side, values[side], policy, n) for side in (lhs, rhs)]
    error = RELATIVE_ERROR * (scales[0] + factor * scales[1])
    sign = _sign(margin, error + SMALLEST_ACCURATE)
    proved = find_proved(lhs, rhs)
    if factor == 1 and proved is not None and proved.margin_terms and len(policy) > 1:
        unsettled = sign == 0
        margin[unsettled], error[unsettled], sign[unsettled] = _without_subtraction(
            proved.margin_terms, policy, n[unsettled]
        )
    return Decided(values[lhs], factor * values[rhs], margin, error, sign, lhs == "zero")


def _accurate_sides(inequality: Inequality) -> tuple[str, str]:
    """The sides, or the gaps of the same inequality, which float64 holds to full accuracy."""
    lhs, rhs = inequality.lhs, inequality.rhs
    if inequality.factor == 1:
        if (proved := find_proved(lhs, rhs)) is not None and proved.as_gaps:
            return PROVED[proved.as_gaps].lhs, PROVED[proved.as_gaps].rhs
        if (proved := find_proved(rhs, lhs)) is not None and proved.as_gaps:
            return PROVED[proved.as_gaps].rhs, PROVED[proved.as_gaps].lhs
    return lhs, rhs


def _sign(value: FloatArray, error: FloatArray) -> FloatArray:
    return np.where(np.abs(value) > error, np.sign(value), 0.0)


def _without_subtraction(
    names: tuple[str, ...], policy: Policy, n: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Margin, error and sign of what is smaller than the rounding of the sides by (1 - top)^n."""
    if not n.size:
        return n, n, n
    parts = [MARGINS[name](policy, n) for name in names]
    value: NDArray[np.float64] = np.sum([part.value for part in parts], axis=0)
    error = 10 * RELATIVE_ERROR * np.sum([part.size for part in parts], axis=0)
    decay = np.exp(n * log_one_minus_exp(policy.log_mass[-1:]))
    return decay * value, decay * error + SMALLEST_ACCURATE, _sign(value, error)
