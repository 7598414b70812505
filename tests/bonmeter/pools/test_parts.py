"""Many pools and n at once give what each gives alone, whoever does the parts of the work."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from benchmarks.runs import KINDS
from bonmeter.cli.work import shared_work
from bonmeter.pools import intervals
from bonmeter.pools.estimate import Interval, kl_interval

GRID = np.array([1, 2, 3, 7, 20, 50, 100, 200, 256])


def pools(kind: int, number: int, size: int = 256) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(np.random.SeedSequence([3, kind]))
    drawn = [KINDS[kind](rng, size) for _ in range(number)]
    log_prob, reward, response = (np.stack(column) for column in zip(*drawn, strict=True))
    return log_prob, reward, response


def found(kind: int, number: int, n: np.ndarray, **how: object) -> Interval:
    log_prob, reward, response = pools(kind, number)
    return kl_interval(log_prob, reward, n, response=response, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("precision", [None, 1e-3])
def test_an_interval_does_not_depend_on_the_other_n(kind: int, precision: float | None) -> None:
    together = found(kind, 3, GRID, precision=precision)
    shuffled = found(kind, 3, GRID[::-1], precision=precision)
    for i, n in enumerate(GRID):
        alone = found(kind, 3, np.array([n]), precision=precision)
        for all_n, turned, one in zip(together, shuffled, alone, strict=True):
            np.testing.assert_allclose(all_n[:, i], one[:, 0], rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(turned[:, -1 - i], one[:, 0], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_an_interval_does_not_depend_on_the_parts(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = found(kind, 5, GRID)
    monkeypatch.setattr(intervals, "TOGETHER", 1)
    for one, other in zip(whole, found(kind, 5, GRID), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_processes_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "TOGETHER", 2048)
    alone = found(2, 8, GRID)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        shared = found(2, 8, GRID, each=processes.map)
    with shared_work(2, pays=0.0) as each:
        shown = found(2, 8, GRID, each=each)
    for columns in zip(alone, shared, shown, strict=True):
        for other in columns[1:]:
            np.testing.assert_array_equal(columns[0], other)


def test_a_failing_part_is_the_callers_error() -> None:
    with shared_work(2, pays=0.0) as each, pytest.raises(ValueError, match="math domain"):
        list(each(_root, [1.0, 4.0, -1.0]))


def _root(x: float) -> float:
    import math

    return math.sqrt(x)
