"""Where the rows of a table stand in the files that they were read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bonmeter.logs.paths import field_at, is_spread

__all__ = ["PLACES", "FileFields", "Places", "place_of"]

PLACES = "places"
"""Key of a table's `attrs`."""


class FileFields(NamedTuple):
    """What a file calls its records, and where it has each column."""

    unit: str
    paths: Mapping[str, str]


class Places(dict[str, Any]):
    """The place of each row of a table, by its label in the index: 13 bytes a row at most.

    A table keeps it in `attrs`, which pandas copies to all that is made of the table, compares and
    writes as JSON: so it is an empty dict to pandas, and never copied.

    Args:
        table: `prompt` and, where there is one, `reward`, by which rows are known again.
        at: `file` (categorical), `line`, `item` (0 outside arrays) and `position` (within the
            record) of each row.
        fields: file -> what it calls its records and columns.
    """

    def __init__(
        self, table: pd.DataFrame, at: pd.DataFrame, fields: Mapping[str, FileFields]
    ) -> None:
        super().__init__()
        self._known = {name: table[name] for name in ("prompt", "reward") if name in table}
        self._files, self._fields = at["file"].cat.categories, dict(fields)
        self._at = {
            name: _compact(column)
            for name, column in {
                "file": at["file"].cat.codes.to_numpy(),
                **{name: at[name].to_numpy() for name in ("line", "item", "position")},
            }.items()
        }

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: it is never changed."""
        return self

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[()]]:
        """An empty dict: other processes are not told."""
        return dict, ()

    def label(self, frame: pd.DataFrame, row: int) -> int | None:
        """Which row of the table as it was read a row of `frame` is, None if that is not certain.

        It is where the index of `frame` leads to the same prompts and rewards in all its rows.
        """
        size = len(self._known["prompt"])
        labels = frame.index.to_numpy()
        if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= size:
            return None
        for name, column in self._known.items():
            if name not in frame or not _same(column.iloc[labels], frame[name]):
                return None
        return int(labels[row])

    def said(self, label: int, column: str = "") -> str:
        """File, line and field of a row."""
        file, line, item, position = (
            int(values[label if values.size > 1 else 0]) for values in self._at.values()
        )
        name = str(self._files[file])
        unit, paths = self._fields.get(name, FileFields("line", {}))
        place = f"{name}, {unit} {line}" + (f", item {item}" if item else "")
        path = paths.get(column, column)
        several = any(map(is_spread, paths.values()))
        if column:
            return f"{place}: field {field_at(path, position)}"
        return place + (f", candidate {position}" if several else "")


def _compact(values: NDArray[Any]) -> NDArray[Any]:
    """The same integers in the smallest type, one alone if all are equal."""
    if values.size and (values == values[0]).all():
        return values[:1].copy()
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _same(one: pd.Series[Any], other: pd.Series[Any]) -> bool:
    first, second = (series.astype(object).to_numpy() for series in (one, other))
    return bool(((first == second) | (pd.isna(first) & pd.isna(second))).all())


def place_of(frame: pd.DataFrame, row: int, column: str = "") -> str:
    """Where a row of a table of candidates was read from, "" if that is not known.

    Examples:
        >>> place_of(pd.DataFrame({"prompt": ["a"], "reward": [1]}), 0)
        ''
    """
    places = frame.attrs.get(PLACES)
    if not isinstance(places, Places):
        return ""
    label = places.label(frame, row)
    return "" if label is None else places.said(label, column)
