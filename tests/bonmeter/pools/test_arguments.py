"""Arguments as people have them: lists, arrays, tensors, columns, letters, gaps."""

from __future__ import annotations

import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonmeter.pools.arguments import as_names, as_numbers, as_ranks
from bonmeter.pools.estimate import estimate_kl
from bonmeter.pools.win_rates import estimate_win_rate

LOG_PROB, REWARD = [-1.5, -2.0, -3.0], [0.0, 1.0, 1.0]


class Tensor:
    """What the library may use of a PyTorch tensor: one that has a gradient refuses numpy()."""

    def __init__(self, values: Any, dtype: str, grad: bool = False) -> None:  # noqa: ANN401
        self.values, self.dtype, self.grad = np.asarray(values), f"torch.{dtype}", grad

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")

    def detach(self) -> Tensor:
        return Tensor(self.values, self.dtype[6:])

    def cpu(self) -> Tensor:
        return self

    def double(self) -> Tensor:
        return Tensor(self.values.astype(float), "float64")

    def numpy(self) -> np.ndarray:
        if self.grad or self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values

    def tolist(self) -> Any:  # noqa: ANN401
        return self.values.tolist()


@pytest.mark.parametrize(
    "wrap",
    [
        tuple,
        np.array,
        lambda x: np.array(x, np.float32),
        pd.Series,
        lambda x: Tensor(x, "float32", grad=True),
        lambda x: Tensor(x, "bfloat16"),
        lambda x: [Tensor(value, "bfloat16") for value in x],
        lambda x: np.array(x, dtype=object),
    ],
)
def test_a_pool_in_any_container_is_the_same_pool(wrap: Callable[[Any], Any]) -> None:
    found = estimate_kl(wrap(LOG_PROB), wrap(REWARD), [1, 2])
    np.testing.assert_allclose(found, estimate_kl(LOG_PROB, REWARD, [1, 2]), rtol=1e-12)
    found = estimate_win_rate(wrap(REWARD), 2)
    np.testing.assert_array_equal(found, estimate_win_rate(REWARD, 2))


def test_truth_values_are_rewards() -> None:
    for passed in ([False, True, True], np.array([False, True, True]), Tensor([0, 1, 1], "bool")):
        assert estimate_kl(LOG_PROB, passed, 2) == estimate_kl(LOG_PROB, REWARD, 2)


@given(st.lists(st.integers(-(2**70), 2**70), min_size=2, max_size=8))
def test_whole_numbers_keep_their_order_at_any_size(reward: list[int]) -> None:
    order = sorted(set(reward))
    assert as_ranks("reward", reward).tolist() == [order.index(r) for r in reward]


def test_whole_numbers_beyond_2_53_do_not_tie() -> None:
    assert estimate_win_rate([2**60 + i for i in range(4)], 3) == 0.75
    assert estimate_win_rate(np.arange(4) + 2**60, 3) == 0.75
    assert estimate_win_rate(np.array([0, 2**63], dtype=np.uint64), 1) == 0.5
    extremes = [-(2**63), 2**63 - 1]  # their difference is no int64
    assert as_ranks("reward", np.array(extremes)).tolist() == [0, 1]


def test_rewards_a_few_units_in_the_last_place_apart_tie() -> None:
    first, second = 0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1
    assert first != second
    reward = [first, second] * 16 + [0.0] * 32
    found = estimate_kl(None, reward, [2, 8, 32], "rank-only")
    np.testing.assert_allclose(found, [0.1325, 0.6683, 0.6853], atol=5e-5)
    np.testing.assert_array_equal(
        found, estimate_kl(None, [first] * 32 + [0.0] * 32, [2, 8, 32], "rank-only")
    )
    assert as_ranks("reward", [1.0, 1 + 2e-15, 1 + 1e-14]).tolist() == [0, 1, 2]
    assert as_ranks("reward", np.array([1, 1 + 3e-7, 1.00001], np.float32)).tolist() == [0, 0, 1]
    assert as_ranks("reward", np.array([1, 1.001], np.float16)).tolist() == [0, 1]  # neighbours
    assert as_ranks("reward", [[5.0, 7.0], [7.0, 5.0]]).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: estimate_kl(cast("Any", [-1, None, -3]), REWARD, 2),
            "log_prob[1] = None: expected a real",
        ),
        (
            lambda: estimate_kl(LOG_PROB, cast("Any", [0, 1, None]), 2),
            "reward[2] = None: expected a real",
        ),
        (lambda: estimate_kl(LOG_PROB, ["C", "I", "C"], 2), "reward[0] = 'C': expected a real"),
        (lambda: estimate_kl(LOG_PROB, [0, 1j, 1], 2), "reward[0] = 0j: expected a real number"),
        (
            lambda: estimate_kl([[-3] * 64, [-4] * 63], [[1] * 64, [0] * 63], 2),
            "reward[1] has 63 entries, reward[0] 64 entries: expected as many",
        ),
        (
            lambda: estimate_kl([[-3.0, -4.0], [-4.0]], [[1, 0], [0, 1]], 2),
            "log_prob[1] has 1 entries, log_prob[0] 2 entries",
        ),
        (lambda: as_numbers("x", [[1.0], 2.0]), "x[1] has no entries, being a number"),
        (
            lambda: estimate_kl(np.full((64, 1), -5.0), np.zeros((64, 1)), 2),
            "reward has shape (64, 1), which is 64 pools of one candidate",
        ),
        (
            lambda: estimate_win_rate(np.zeros((64, 1)), 2),
            "reward has shape (64, 1), which is 64 pools of one candidate",
        ),
        (
            lambda: estimate_kl(np.full((64, 1), -5.0), np.zeros(64), 2),
            "log_prob has shape (64, 1): expected that of reward, (64,)",
        ),
        (
            lambda: estimate_kl(LOG_PROB, REWARD, 2, ["a", "b", "c"]),  # type: ignore[arg-type]
            "method = ['a', 'b', 'c']: expected one of rank-corrected",
        ),
        (
            lambda: estimate_kl(LOG_PROB, REWARD, 2, response=[None, None, "b"]),
            "response[0] = None: expected what names a response",
        ),
        (
            lambda: estimate_kl(LOG_PROB, REWARD, 2, response=["a", float("nan"), "b"]),
            "response[1] = nan: expected what names a response",
        ),
        (
            lambda: estimate_kl(LOG_PROB, REWARD, 2, response=["a", {}, "b"]),
            "response[1] = {}: expected what names a response",
        ),
        (
            lambda: estimate_kl(LOG_PROB, REWARD, 2, response="abc"),
            "response = 'abc': expected a list with 3 entries",
        ),
        (
            lambda: estimate_kl([LOG_PROB] * 2, [REWARD] * 2, 2, response=[["a"] * 3, ["b"] * 2]),
            "response[1] has 2 entries: expected 3, those of reward",
        ),
        (
            lambda: as_numbers("x", np.ma.array([1.0, 2.0], mask=[False, True])),
            "x must hold real numbers",
        ),
        (lambda: as_ranks("reward", [1.0, np.nan]), "reward[1] = nan: expected a finite reward"),
        (lambda: as_ranks("reward", 1.0), "reward has shape (): expected at least one candidate"),
    ],
)
def test_what_cannot_be_read_is_one_error_naming_the_entry(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


NAMED = as_names("response", ["a", "b", "a"], (3,)).tolist()


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", "a"],
        np.array(["a", "b", "a"]),
        pd.Series(["a", "b", "a"]),
        [7, 8, 7],
        np.array([7, 8, 7]),
        [b"x", b"y", b"x"],
        [(1, 2), (1,), (1, 2)],
        [[1, 2], [1], [1, 2]],
        [np.array([1, 2]), np.array([1]), np.array([1, 2])],
        [Tensor([1, 2], "int64"), Tensor([1], "int64"), Tensor([1, 2], "int64")],
        np.array([[1, 2], [1, 0], [1, 2]]),
        Tensor([[1, 2], [1, 0], [1, 2]], "int64"),
        [[[1], [2]], [[1], [3]], [[1], [2]]],
        [frozenset("ab"), frozenset("c"), frozenset("ba")],
    ],
)
def test_responses_are_named_by_anything_hashable_or_by_token_ids(names: object) -> None:
    assert as_names("response", names, (3,)).tolist() == NAMED == [0, 1, 0]


@pytest.mark.parametrize(
    "names",
    [{"a", "b", "c"}, {"a": 1, "b": 2, "c": 3}, iter("abc"), np.ma.array([1, 2, 3], mask=True)],
)
def test_what_has_no_order_or_is_masked_names_no_responses(names: object) -> None:
    with pytest.raises(ValueError, match=r"response .*expected"):
        as_names("response", names, (3,))


def test_a_list_of_tensors_has_their_type() -> None:
    values = [Tensor(-1.15625, "bfloat16"), Tensor(-2.296875, "bfloat16")]
    assert as_numbers("log_prob", values).dtype == "bfloat16"


def test_whole_rewards_do_not_tie_however_large() -> None:
    large = np.array([2**24, 2**24 + 2, 2**24 + 4], dtype=np.float32)
    for reward in (large, large.astype(np.float64), [2.0**53, 2.0**53 + 2, 2.0**53 + 4]):
        assert as_ranks("reward", reward).tolist() == [0, 1, 2]


def test_a_long_response_takes_the_memory_of_one() -> None:
    names = ["x" * 50 + str(i) for i in range(511)] + ["y" * 100_000]
    tracemalloc.start()
    estimate_kl(np.full(512, -9.0), np.arange(512), 8, response=names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6  # one array of fixed width takes 205 MB, at four bytes a character


def test_no_tensor_package_is_imported() -> None:
    code = "import sys; from bonmeter import kl_interval; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
