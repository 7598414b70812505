"""The errors of the methods that estimate the KL from a pool, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bonmeter.numerics.validation import FloatArray
from replication.audit.function_checks import NEGLIGIBLE, is_large

__all__ = ["METHODS", "side_by_side", "visible_error"]

METHODS: Mapping[str, str] = {
    "rank-corrected": "rank_corrected",
    "paper": "paper",
    "rank-only": "rank_only",
    "formula": "formula",
}
"""Methods of the study: how the columns of each end."""


def visible_error(error: ArrayLike) -> FloatArray:
    """The size of an error, at least what is negligible: many are 0, which no log axis has.

    Ours; the errors are those of docs/theory.md#rank-corrected-identity.

    Args:
        error: in nats, of either sign.

    Returns:
        Its absolute value, or 1e-6 nats if that is more.

    Examples:
        >>> visible_error(np.array([-0.5, 0.0])).tolist()
        [0.5, 1e-06]
    """
    return np.asarray(np.maximum(np.abs(error), NEGLIGIBLE))


def side_by_side(study: pd.DataFrame) -> pd.DataFrame:
    """A row for each policy, pool size and n, a column for each error of each method.

    Ours; the estimators are those of docs/theory.md#rank-corrected-identity.

    Args:
        study: the table of `replication.studies.compare.compare_methods`.

    Returns:
        `policy, pool_size, n`; `pool_ratio`, N/n; `large`, whether the pool `is_large`; then, for
        each of `METHODS`, `rmse_paper` and the like: `rmse` and `bias`, each a `visible_error`,
        `coverage` and `df`, the degrees of freedom.

    Examples:
        >>> study = pd.DataFrame({"policy": "b", "pool_size": 20, "n": 2, "method": ["paper"],
        ...     "rmse": 0.5, "bias": -0.25, "coverage": 0.9, "df": 3.0})
        >>> row = side_by_side(study).iloc[0]
        >>> float(row.bias_paper), float(row.pool_ratio), bool(row.large)
        (0.25, 10.0, True)
    """
    values = ["rmse", "bias", "coverage", "df"]
    study = study.assign(
        rmse=visible_error(study.rmse),
        bias=visible_error(study.bias),
        method=study.method.map(METHODS),
    )
    wide = study.pivot(index=["policy", "pool_size", "n"], columns="method", values=values)
    wide = wide.set_axis(wide.columns.map("_".join), axis="columns").reset_index()
    ratio, large = wide.pool_size / wide.n, is_large(wide.pool_size, wide.n)
    return wide.assign(pool_ratio=ratio, large=large)
