"""A study in any number of chunks has the same results, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bonmeter.pools.estimate import Interval
from replication.pipeline.io import write_table
from replication.policies.families import staircase, uniform
from replication.studies import errors
from replication.studies.chunks import Table
from replication.studies.compare import compare_methods
from replication.studies.errors import Errors, Tally, errors_of, gather, merge, tally_of
from workflow.scripts.class_study import study_classes
from workflow.scripts.study import study

POLICIES = {"uniform": uniform(10), "staircase": staircase([0.1, 0.01])}
Run = Callable[[int, int], Table]


@pytest.fixture(autouse=True)
def blocks_of_ten_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "BLOCK", 10)


@pytest.fixture(params=["estimators", "classes"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """A chunk of a study of 12 units: four cells of three blocks."""
    if request.param == "classes":
        return lambda chunk, chunks: study_classes(4, 25, 1, chunk=chunk, chunks=chunks)
    paths = {name: f"{tmp_path}/{name}.parquet" for name in POLICIES}
    for name, (log_prob, reward) in POLICIES.items():
        write_table({"log_prob": log_prob, "reward": reward}, paths[name])
    return lambda chunk, chunks: study(paths, [32, 64], [2, 10], 25, 1, chunk=chunk, chunks=chunks)


def gathered(run: Run, chunks: int) -> Table:
    return gather([run(chunk, chunks) for chunk in range(chunks, 0, -1)])


@pytest.mark.parametrize("chunks", [2, 7, 30])
def test_the_number_of_chunks_changes_no_bit(run: Run, chunks: int) -> None:
    whole, parts = gathered(run, 1), gathered(run, chunks)
    assert list(whole) == list(parts)
    for name, column in whole.items():
        np.testing.assert_array_equal(parts[name], column)
    assert set(whole["repeats"].tolist()) == {25}
    assert np.any(whole["rmse"] > 0)


def test_chunks_share_the_work_evenly(run: Run) -> None:
    tables = [run(chunk, 4) for chunk in (1, 2, 3, 4)]
    units = [{*zip(t["cell"].tolist(), t["block"].tolist(), strict=True)} for t in tables]
    assert [len(each) for each in units] == [3] * 4
    assert len(set.union(*units)) == 12
    if "kl" in tables[0]:  # large pools, which take longest, fall to all
        assert [np.mean(t["pool_size"] == 64) >= 0.3 for t in tables] == [True] * 4


def test_a_missing_or_repeated_chunk_is_refused(run: Run) -> None:
    tables = [run(chunk, 5) for chunk in range(1, 6)]
    gather(tables)
    for wrong in (tables[1:], [*tables, tables[0]]):
        with pytest.raises(ValueError, match="expected each of 3 blocks once in every cell"):
            gather(wrong)


def test_merged_errors_are_those_of_all_repeats_at_once() -> None:
    rng, kl = np.random.default_rng(0), np.array([1.0, 1e6])
    estimate = kl + rng.normal(0.1, [0.5, 1e-3], (25, 2))
    half = rng.exponential(0.4, (25, 2))
    found = Interval(estimate, estimate - half, estimate + half, half)
    whole = errors_of(found, kl)
    starts = [slice(i, i + 10) for i in (0, 10, 20)]
    tallies = [tally_of(Interval(*(column[s] for column in found)), kl) for s in starts]
    merged = errors.errors_from(merge(Tally(*map(np.stack, zip(*tallies, strict=True)))))
    for name in set(Errors._fields) - {"df"}:
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-9)
    medians = [np.median(half[s], axis=0) for s in starts]
    np.testing.assert_allclose(merged.df, np.median(medians, axis=0), rtol=0.02)  # two digits


def test_blocks_are_drawn_independently() -> None:
    ten, twenty = (
        compare_methods("u", *uniform(10), pool_size=32, n=[2], repeats=repeats, seed=1)["mean"][0]
        for repeats in (10, 20)
    )
    assert ten != twenty
