"""What the audit can find of a claim."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CERTIFIED", "NOT_STUDIED", "NUMERICAL", "REFUTED", "UNKNOWN", "VERDICTS", "Finding"]

CERTIFIED = "certified"
NUMERICAL = "holds within a stated numerical error"
REFUTED = "refuted"
UNKNOWN = "unknown"
NOT_STUDIED = "not studied"
VERDICTS = (CERTIFIED, NUMERICAL, REFUTED, UNKNOWN, NOT_STUDIED)


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
