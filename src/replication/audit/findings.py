"""What the audit can find of a claim."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    *("CERTIFIED", "NOT_STUDIED", "NUMERICAL", "REFUTED", "UNKNOWN", "VERDICTS", "Finding"),
    *("EQUAL_METHOD", "FLOAT_METHOD", "SIGN_METHOD"),
]

CERTIFIED = "certified"
NUMERICAL = "holds within a stated numerical error"
REFUTED = "refuted"
UNKNOWN = "unknown"
NOT_STUDIED = "not studied"
VERDICTS = (CERTIFIED, NUMERICAL, REFUTED, UNKNOWN, NOT_STUDIED)

FLOAT_METHOD = "float with error bound"
SIGN_METHOD = "sum of terms of one sign"
"""How a float decides 0 <= gap: by the theorem that makes it such a sum, so it could not fail."""

EQUAL_METHOD = "enclosures agree within 1e-20"
"""How two sides are found equal: balls of both cannot prove it, only tell them apart."""


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
