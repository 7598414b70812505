"""The canonical table of candidates, one row each, as pandera checks it.

pandera rather than pydantic: a log is columns of up to millions of candidates, which pandera checks
as arrays; pydantic would make an object of every row.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaError

__all__ = ["CANDIDATES", "checked"]


def _number(description: str, *checks: pa.Check, required: bool = False) -> pa.Column:
    return pa.Column(
        None,
        [pa.Check(pd.api.types.is_numeric_dtype, element_wise=False, error="numbers"), *checks],
        nullable=True,
        required=required,
        description=description,
    )


FINITE = pa.Check(lambda column: ~np.isinf(column.astype("float64")), error="finite")

CANDIDATES = pa.DataFrameSchema(
    {
        "prompt": pa.Column(
            None, nullable=False, description="names the prompt; its rows make up one pool"
        ),
        "response": pa.Column(
            str, nullable=True, required=False, description="names the response within its prompt"
        ),
        "reward": _number("the reward best-of-n selects by", FINITE),
        "log_prob": _number(
            "log-probability of the whole response under the distribution sampled from, nats",
            FINITE,
            pa.Check.less_than_or_equal_to(0),
        ),
        "gold_reward": _number("reward by which the selected candidate is judged", FINITE),
        "tokens": _number("tokens of the response", FINITE, pa.Check.greater_than_or_equal_to(0)),
        "weight": _number("weight of the prompt", FINITE, pa.Check.greater_than(0)),
    },
    strict=False,
    name="candidates",
)
"""Columns of the canonical table; all but `prompt` may be absent, and values missing (NaN)."""


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """The table, if it is as the schema says.

    Raises:
        ValueError: naming the first column and row that is not.

    Examples:
        >>> checked(pd.DataFrame({"prompt": ["a"], "log_prob": [0.5]}))
        Traceback (most recent call last):
        ValueError: log_prob, row 0: expected less_than_or_equal_to(0), got 0.5
    """
    try:
        return CANDIDATES.validate(table)
    except SchemaError as error:
        raise ValueError(_said(error)) from None


def _said(error: SchemaError) -> str:
    cases = error.failure_cases
    if isinstance(cases, pd.DataFrame) and "index" in cases and len(cases):
        case = cases.iloc[0]
        expected = getattr(error.check, "error", None) or error.check
        place, found = int(case["index"]), case["failure_case"]
        return f"{error.schema.name}, row {place}: expected {expected}, got {found}"
    return str(error).splitlines()[0]
