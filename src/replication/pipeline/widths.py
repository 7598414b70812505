"""Widths of the figures, for whoever draws them and for pages that show them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["WIDTHS"]

WIDTHS: Mapping[str, float] = MappingProxyType({"single": 3.25, "double": 6.75})
"""Width in inches of a figure in one column and across both columns of an ICML page."""
