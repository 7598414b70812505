"""Errors of repeated estimates, tallied in blocks of repeats and merged.

Each block of a study has a random stream of its own, and blocks are merged in their order,
whichever jobs tallied them: the number of jobs changes no bit of a result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.estimate import Interval
from replication.studies.chunks import Table, stack

__all__ = [
    "BLOCK",
    "TOLERANCE",
    "Errors",
    "Tally",
    "blocks_of",
    "errors_from",
    "errors_of",
    "gather",
    "merge",
    "of_block",
    "tally_of",
    "typical_df",
]

BLOCK = 1000
"""Repeats of a block, but for the last."""

TOLERANCE = 1e-9
"""An interval that misses the KL by less, in nats, covers it: many are exact up to rounding."""

Counts = NDArray[np.int64]


class Errors(NamedTuple):
    """Errors of a method over repeats, in nats; arrays with one entry per n."""

    mean: FloatArray
    bias: FloatArray
    bias_standard_error: FloatArray
    rmse: FloatArray
    rmse_standard_error: FloatArray
    coverage: FloatArray
    coverage_standard_error: FloatArray
    exact: FloatArray
    interval_half_width: FloatArray
    df: FloatArray


class Tally(NamedTuple):
    """What is kept of a block of repeats; arrays with one entry per n.

    Attributes:
        repeats: how many.
        mean: of the estimates, in nats.
        error, error_m2: mean error, and the sum of squares about it.
        square, square_m2: the same of squared errors.
        covered: intervals that contain the KL, up to `TOLERANCE`.
        exact: estimates that are the KL, as far.
        width: mean length of the intervals.
        df: median degrees of freedom.
    """

    repeats: Counts
    mean: FloatArray
    error: FloatArray
    error_m2: FloatArray
    square: FloatArray
    square_m2: FloatArray
    covered: Counts
    exact: Counts
    width: FloatArray
    df: FloatArray


def blocks_of(repeats: int) -> list[int]:
    """Sizes of the blocks that some repeats fall into.

    Examples:
        >>> blocks_of(2500)
        [1000, 1000, 500]
    """
    return [min(BLOCK, repeats - start) for start in range(0, repeats, BLOCK)]


def tally_of(interval: Interval, kl: FloatArray) -> Tally:
    """What is kept of repeated estimates and intervals (ours).

    The estimators: docs/theory.md#rank-corrected-identity.

    Args:
        interval: estimates and ends, each of shape (repeats, n), in nats.
        kl: exact KL for each n.

    Examples:
        >>> estimate = np.array([[0.0], [2.0]])
        >>> interval = Interval(estimate, estimate - 1, estimate + 0.5, 0 * estimate + 9)
        >>> tally = tally_of(interval, np.array([1.0]))
        >>> [column.tolist() for column in (tally.repeats, tally.error_m2, tally.covered)]
        [[2], [2.0], [1]]
    """
    error = interval.estimate - kl
    covered = (interval.lower <= kl + TOLERANCE) & (kl - TOLERANCE <= interval.upper)
    return Tally(
        repeats=np.full(kl.size, len(error)),
        mean=interval.estimate.mean(axis=0),
        error=error.mean(axis=0),
        error_m2=error.var(axis=0) * len(error),
        square=np.mean(error**2, axis=0),
        square_m2=np.var(error**2, axis=0) * len(error),
        covered=covered.sum(axis=0),
        exact=np.sum(np.abs(error) <= TOLERANCE, axis=0),
        width=np.mean(interval.upper - interval.lower, axis=0),
        df=typical_df(interval),
    )


def typical_df(interval: Interval) -> FloatArray:
    """Median degrees of freedom over repeats, to two decimals; inf for intervals without length.

    Ours. An interval shorter than `TOLERANCE` is exact: its variance is that of rounding.

    Args:
        interval: estimates and ends, each of shape (repeats, n), in nats.

    Examples:
        >>> ends = np.array([[1.0, 1.0]]), np.array([[1.0, 2.0]])
        >>> typical_df(Interval(ends[0], *ends, np.array([[3.0, 4.128]]))).tolist()
        [inf, 4.13]
    """
    exact = interval.upper - interval.lower <= TOLERANCE
    return np.round(np.median(np.where(exact, np.inf, interval.df), axis=0), 2)


def merge(blocks: Tally) -> Tally:
    """The tally of all blocks; the degrees of freedom are the median of their medians (ours).

    Chan, Golub and LeVeque (1983), *Algorithms for computing the sample variance*, and Rousseeuw
    and Bassett (1990), *The remedian*.

    Args:
        blocks: arrays of shape (blocks, n).

    Examples:
        >>> halves = Tally(*(np.array([[2], [1]]) for _ in Tally._fields))
        >>> merge(halves).repeats.tolist(), merge(halves).mean.round(3).tolist()
        ([3], [1.667])
    """
    count = blocks.repeats
    total = count.sum(axis=0)

    def mean(column: FloatArray) -> FloatArray:
        return np.asarray(column[0] + np.sum(count * (column - column[0]), axis=0) / total)

    def m2(column: FloatArray, within: FloatArray) -> FloatArray:
        return np.asarray(np.sum(within + count * (column - mean(column)) ** 2, axis=0))

    return Tally(
        repeats=total,
        mean=mean(blocks.mean),
        error=mean(blocks.error),
        error_m2=m2(blocks.error, blocks.error_m2),
        square=mean(blocks.square),
        square_m2=m2(blocks.square, blocks.square_m2),
        covered=blocks.covered.sum(axis=0),
        exact=blocks.exact.sum(axis=0),
        width=mean(blocks.width),
        df=np.median(blocks.df, axis=0),
    )


def errors_from(tally: Tally) -> Errors:
    """The errors that a tally says (ours).

    Returns:
        For each n: the mean estimate; its bias; the root mean square error; the share of intervals
        that contain the KL, up to `TOLERANCE`; the share of estimates that are the KL, as far; half
        the mean length; the median degrees of freedom; and standard errors.

    Examples:
        >>> [column.tolist() for column in errors_from(Tally(*np.ones((10, 1))))][:3]
        [[1.0], [1.0], [1.0]]
    """
    repeats, rmse = tally.repeats, np.sqrt(tally.square)
    coverage = tally.covered / repeats
    spread = np.sqrt(tally.square_m2) / repeats
    return Errors(
        mean=tally.mean,
        bias=tally.error,
        bias_standard_error=np.sqrt(tally.error_m2) / repeats,
        rmse=rmse,
        rmse_standard_error=np.divide(spread, 2 * rmse, out=np.zeros_like(rmse), where=rmse > 0),
        coverage=coverage,
        coverage_standard_error=np.sqrt(coverage * (1 - coverage) / repeats),
        exact=tally.exact / repeats,
        interval_half_width=0.5 * tally.width,
        df=tally.df,
    )


def errors_of(interval: Interval, kl: FloatArray) -> Errors:
    """Errors of repeated estimates and intervals against the exact KL (ours).

    The estimators: docs/theory.md#rank-corrected-identity.

    Args:
        interval: estimates and ends, each of shape (repeats, n), in nats.
        kl: exact KL for each n.

    Returns:
        As `errors_from`.

    Examples:
        >>> estimate = np.array([[0.0], [2.0]])
        >>> interval = Interval(estimate, estimate - 1, estimate + 0.5, 0 * estimate + 9)
        >>> errors = errors_of(interval, np.array([1.0]))
        >>> [float(errors.bias[0]), float(errors.rmse[0]), float(errors.coverage[0])]
        [0.0, 1.0, 0.5]
    """
    return errors_from(tally_of(interval, kl))


def of_block(cell: int, block: int, labels: Mapping[str, object], tally: Tally) -> Table:
    """The rows of one block of repeats of a cell, as `gather` takes them.

    Args:
        cell: its place in the study.
        block: its place among the cell's blocks.
        labels: what describes the rows: arrays of their number, or one value for all.
        tally: with an entry for each row.

    Returns:
        A table of `cell`; `row`, the place in the rows of the cell; `block`; the labels; and the
        fields of the tally.

    Examples:
        >>> table = of_block(3, 1, {"n": 4}, Tally(*np.ones((10, 2))))
        >>> [table[name].tolist() for name in ("cell", "row", "block", "n")]
        [[3, 3], [0, 1], [1, 1], [4, 4]]
    """
    rows = tally.repeats.size
    described = {"cell": cell, "row": np.arange(rows), "block": block, **labels}
    columns = {name: np.broadcast_to(np.asarray(v), rows) for name, v in described.items()}
    return columns | tally._asdict()


def gather(tables: Sequence[Table]) -> Table:
    """The errors over all repeats, from the tables of all chunks (ours).

    Args:
        tables: rows of `of_block`, in any order.

    Returns:
        A table with a row for each row of each cell: what describes it, the fields of
        `Errors`, and `repeats`.

    Raises:
        ValueError: if a block is missing or there twice.

    Examples:
        >>> tally = Tally(*np.ones((10, 1)))
        >>> parts = [of_block(0, block, {"n": 4}, tally) for block in (1, 0)]
        >>> {name: column.tolist() for name, column in gather(parts).items() if name in "nrepeats"}
        {'n': [4], 'repeats': [2.0]}
    """
    table = stack(tables)
    order = np.lexsort((table["block"], table["row"], table["cell"]))
    blocks = int(np.max(table["block"])) + 1
    if not np.array_equal(table["block"][order], np.resize(np.arange(blocks), order.size)):
        raise ValueError(f"chunks: expected each of {blocks} blocks once in every cell")
    by_block = {name: column[order].reshape(-1, blocks).T for name, column in table.items()}
    tally = merge(Tally(*(by_block.pop(name) for name in Tally._fields)))
    labels = {k: v[0] for k, v in by_block.items() if k not in ("cell", "row", "block")}
    return {**labels, **errors_from(tally)._asdict(), "repeats": tally.repeats}
