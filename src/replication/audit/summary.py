"""The audit in numbers, and as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from replication.audit.findings import CERTIFIED, NOT_STUDIED, NUMERICAL, REFUTED, UNKNOWN
from replication.audit.verdicts import disagreements

__all__ = ["summarise_audit", "to_json"]

_KEYS = {
    CERTIFIED: "certified",
    NUMERICAL: "numerical",
    REFUTED: "refuted",
    UNKNOWN: "unknown",
    NOT_STUDIED: "not_studied",
}


def summarise_audit(table: pd.DataFrame) -> dict[str, int]:
    """How many claims there are, by verdict, and how many cells stand behind them.

    Ours.

    Args:
        table: of `replication.audit.verdicts.audit_claims`.

    Examples:
        >>> table = pd.DataFrame({"verdict": ["refuted"], "expected": ["refuted"], "cells": [3],
        ...     "id": ["c"], "method": [""], "worst_at": [""]})
        >>> summarise_audit(table)["refuted"], summarise_audit(table)["unexpected"]
        (1, 0)
    """
    counts = table.verdict.value_counts()
    return {
        "claims": len(table),
        **{key: int(counts.get(verdict, 0)) for verdict, key in _KEYS.items()},
        "unexpected": len(disagreements(table)),
        "cells": int(table.cells.sum()),
    }


def to_json(table: pd.DataFrame) -> str:
    """The table as JSON: `summary`, `disagreements` and `claims`; null where there is no number.

    Ours; workflow/schemas/claims.schema.json describes it.

    Args:
        table: of `replication.audit.verdicts.audit_claims`.

    Examples:
        >>> row = {"id": "c", "expected": "holds", "verdict": "certified", "as_expected": True}
        >>> row |= {"cells": 3, "worst_margin": float("nan"), "worst_at": "", "method": ""}
        >>> json.loads(to_json(pd.DataFrame([row])))["claims"][0]["worst_margin"] is None
        True
    """
    claims = [
        {key: _plain(value) for key, value in row.items()} for row in table.to_dict("records")
    ]
    document: Mapping[str, object] = {
        "summary": summarise_audit(table),
        "disagreements": disagreements(table),
        "claims": claims,
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _plain(value: object) -> object:
    """Nothing for a number that is missing."""
    return None if isinstance(value, float) and pd.isna(value) else value
