"""How many selections the paper's estimator needs (Section 4), with an explicit constant (ours)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray, as_n

__all__ = ["selections_needed"]


def selections_needed(delta: float, n: ArrayLike, *, accuracy: float, failure: float) -> FloatArray:
    """A number of best-of-n selections that suffices for the mean of the estimator (Eq. 25).

    3 max(1, log n - (n-1)/n)/(accuracy^2 (1 - delta)) log(2/failure), rounded up: the mean of that
    many `bonmeter.exact.estimator.kl_estimator` is within a factor 1 +- accuracy of its expectation
    with probability at least 1 - failure (docs/theory.md#number-of-selections). The paper states
    O(log n log(1/failure)) (Section 4); the constant and the dependence on delta are ours. It
    speaks of the mean of the estimator, which is not below the KL, not of the KL.

    Args:
        delta: the largest mass of an outcome, or more; in [0, 1).
        n: real numbers from 1 to 1e12, any shape.
        accuracy: relative error allowed, in (0, 1].
        failure: probability of a larger one, in (0, 1).

    Returns:
        Whole numbers of the shape of `n`, as float64.

    Raises:
        ValueError: if an argument is out of its range, naming it.

    Examples:
        >>> selections_needed(0.5, [2, 100, 10_000], accuracy=0.5, failure=0.05).tolist()
        [89.0, 321.0, 727.0]
    """
    n = as_n(n)
    for name, value, valid, expected in (
        ("delta", delta, 0 <= delta < 1, "[0, 1)"),
        ("accuracy", accuracy, 0 < accuracy <= 1, "(0, 1]"),
        ("failure", failure, 0 < failure < 1, "(0, 1)"),
    ):
        if not valid:
            raise ValueError(f"{name} = {value!r}: expected a number in {expected}")
    scale = 3 * np.log(2 / failure) / (accuracy**2 * (1 - delta))
    return np.asarray(np.ceil(scale * np.maximum(1.0, analytical_kl(n))))
