"""Arguments of the pool estimators as arrays, from lists, arrays, tensors and data frames alike.

Tensors of PyTorch are recognised by what they can do; no package for them is imported. What cannot
be read is one `ValueError` that names the argument, the entry and what is expected.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonmeter.numerics.validation import FloatArray, as_integer_n, as_n, reject_entries
from bonmeter.pools.subsets import IndexArray

__all__ = ["Numbers", "as_names", "as_numbers", "as_orders", "as_ranks"]

TIED_ULPS = 4
"""Rewards so many units in the last place apart are ties: sums in another order differ by less."""


class Numbers(NamedTuple):
    """Real numbers, whole ones exactly, and the type that they came in, such as "bfloat16"."""

    values: NDArray[Any]
    dtype: str


def as_numbers(name: str, values: object) -> Numbers:
    """`values` as an array of real numbers.

    Args:
        name: of the argument, for messages.
        values: numbers or truth values, any shape: nested lists, an array, a tensor, a column.

    Returns:
        An array of float64 or, of whole numbers and truth values, of whole numbers.

    Raises:
        ValueError: if an entry is missing, is no number, or lists of one level differ in length.

    Examples:
        >>> as_numbers("reward", [True, False])
        Numbers(values=array([1, 0]), dtype='bool')
        >>> as_numbers("reward", [0.5, None])
        Traceback (most recent call last):
        ValueError: reward[1] = None: expected a real number
    """
    plain, dtype = _without_tensors(name, values)
    if np.ma.is_masked(plain):
        raise ValueError(f"{name} must hold real numbers, got masked entries")
    try:
        array = np.asarray(plain)
    except (ValueError, TypeError, RuntimeError):  # ragged, or tensors inside
        array = np.asarray(_checked_list(name, plain, ()))
        dtype = _coarsest(plain)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        array = np.asarray(_checked_list(name, array.tolist(), ()))
    dtype = dtype or array.dtype.name
    if array.dtype.kind == "b":
        return Numbers(array.astype(np.int64), dtype)
    if array.dtype.kind in "iuO":
        return Numbers(array, dtype)
    with np.errstate(over="ignore"):
        return Numbers(array.astype(np.float64), dtype)


def as_ranks(name: str, values: object) -> FloatArray:
    """Ranks of rewards within each pool: 0 for the lowest, equal for ties.

    Whole numbers are compared exactly, of any size; others tie within `TIED_ULPS` units in the last
    place of their type, half precision apart, whose neighbours are different rewards. A pool of
    float64 whose rewards are all numbers of float32 counts as such.

    Args:
        name: of the argument, for messages.
        values: finite rewards, shape (..., N).

    Raises:
        ValueError: as `as_numbers`, or if an entry is not finite.

    Examples:
        >>> as_ranks("reward", [0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1, 0.0]).tolist()
        [1.0, 1.0, 0.0]
        >>> as_ranks("reward", [2**60 + 1, 2**60]).tolist()
        [1.0, 0.0]
        >>> as_ranks("reward", np.float32([0.1, 0.2]).tolist() + [0.10000000894069672]).tolist()
        [0.0, 1.0, 0.0]
    """
    numbers = as_numbers(name, values)
    reward = numbers.values
    if reward.dtype.kind == "f":
        reject_entries(name, reward, ~np.isfinite(reward), "a finite reward")
    if reward.ndim == 0 or reward.size == 0:
        raise ValueError(f"{name} has shape {reward.shape}: expected at least one candidate")
    order = np.argsort(reward, axis=-1, kind="stable")
    rising = np.take_along_axis(reward, order, -1)
    new = np.zeros(reward.shape, dtype=np.bool_)
    new[..., 1:] = _apart(rising[..., :-1], rising[..., 1:], numbers.dtype)
    ranks = np.empty(reward.shape)
    np.put_along_axis(ranks, order, np.cumsum(new, axis=-1, dtype=np.float64), -1)
    return ranks


def _apart(lower: NDArray[Any], upper: NDArray[Any], dtype: str) -> NDArray[np.bool_]:
    if dtype not in ("float32", "float64"):
        return np.asarray(upper != lower, dtype=np.bool_)
    short = ((of.astype(np.float32) == of).all(axis=-1, keepdims=True) for of in (lower, upper))
    eps = np.where(np.logical_and(*short), np.finfo(np.float32).eps, np.finfo(np.float64).eps)
    near = upper - lower <= TIED_ULPS * eps * np.maximum(np.abs(lower), np.abs(upper))
    whole = (lower == np.rint(lower)) & (upper == np.rint(upper))
    return np.asarray((upper != lower) & (whole | ~near))


def as_names(name: str, values: object, shape: tuple[int, ...]) -> IndexArray:
    """Whole numbers that are equal where the responses are.

    Args:
        name: of the argument, for messages.
        values: what names each response: text, token ids (a list, array or tensor) or anything
            hashable, nested as the rewards are; or an array with one more axis, of token ids. What
            has no order, as a set, names none.
        shape: that of the rewards.

    Raises:
        ValueError: if an entry is None, nan or not hashable, or the shape is another.

    Examples:
        >>> as_names("response", ["yes", "no", "yes"], (3,)).tolist()
        [0, 1, 0]
        >>> as_names("response", [[5, 7], [5], [5, 7]], (3,)).tolist()
        [0, 1, 0]
    """
    plain, _ = _without_tensors(name, values)
    if np.ma.is_masked(plain):
        raise ValueError(f"{name} holds masked entries: expected a name for each response")
    if isinstance(plain, np.ndarray) and plain.dtype.kind in "iu" and plain.shape == shape:
        return np.unique(plain, return_inverse=True)[1].reshape(shape)
    nested = plain.tolist() if hasattr(plain, "tolist") else plain
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(key, len(numbers)) for key in _leaves(name, nested, shape, ())]
    return np.array(found, dtype=np.intp).reshape(shape)


def as_orders(n: ArrayLike, largest: int, lead: tuple[int, ...]) -> NDArray[np.int64]:
    """`n` as int64: whole numbers from 1 to `largest`, for pools of leading shape `lead`.

    Many pools of one candidate are most likely a column.

    Examples:
        >>> as_orders([1, 2], 4, ()).tolist()
        [1, 2]
        >>> as_orders(2, 1, (64,))
        Traceback (most recent call last):
        ValueError: reward has shape (64, 1), which is 64 pools of one candidate: expected (N,) ...
    """
    if lead and largest <= 1 and np.any(as_n(n) > max(largest, 1)):
        raise ValueError(
            f"reward has shape {(*lead, 1)}, which is {math.prod(lead)} pools of one candidate: "
            "expected (N,) for one pool of N, as reward[:, 0] is"
        )
    return as_integer_n(n, largest)


def _leaves(
    name: str,
    values: Any,  # noqa: ANN401 # nested
    shape: tuple[int, ...],
    at: tuple[int, ...],
) -> list[Hashable]:
    if not shape:
        return [_key(name, values, at)]
    if not isinstance(values, list | tuple | np.ndarray):
        values = list(values) if isinstance(values, Sequence) and not _is_text(values) else values
    if not isinstance(values, list | tuple | np.ndarray):
        raise ValueError(
            f"{_entry(name, at)} = {values!r:.60}: expected a list with {shape[0]} entries, as "
            "reward has"
        )
    if len(values) != shape[0]:
        place = _entry(name, at)
        raise ValueError(f"{place} has {len(values)} entries: expected {shape[0]}, those of reward")
    return [
        key for i, value in enumerate(values) for key in _leaves(name, value, shape[1:], (*at, i))
    ]


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes | bytearray)


def _key(name: str, value: Any, at: tuple[int, ...]) -> Hashable:  # noqa: ANN401 # anything
    plain, _ = _without_tensors(name, value)
    plain = plain.tolist() if hasattr(plain, "tolist") else plain
    key: Hashable = _frozen(plain)
    try:
        hash(key)
    except TypeError:
        key = None
    if key is None or key != key:  # nan
        raise ValueError(
            f"{_entry(name, at)} = {value!r:.60}: expected what names a response: text, token ids "
            "or anything hashable"
        )
    return key


def _frozen(value: Any) -> Any:  # noqa: ANN401 # anything
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _without_tensors(name: str, values: Any) -> tuple[Any, str]:  # noqa: ANN401 # anything
    """A tensor as an array, and the name of its type; anything else as it is."""
    if not hasattr(values, "detach"):
        return values, ""
    dtype = str(values.dtype).rsplit(".", 1)[-1]
    try:
        tensor = values.detach().cpu()
        tensor = tensor.to_dense() if getattr(values, "is_sparse", False) else tensor
        return (tensor.double() if "float" in dtype else tensor).numpy(), dtype
    except (TypeError, RuntimeError) as error:  # of no data, quantised, ...
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name} is a tensor that cannot be read ({reason})") from None


def _coarsest(values: Any) -> str:  # noqa: ANN401 # nested
    """The type of the least precise of the tensors in nested lists, "" if there is none."""
    found = {_coarsest(value) for value in values} if isinstance(values, list | tuple) else set()
    if hasattr(values, "detach"):
        found = {str(values.dtype).rsplit(".", 1)[-1]}
    return next((dtype for dtype in ("bfloat16", "float16", "float32") if dtype in found), "")


def _checked_list(name: str, values: Any, at: tuple[int, ...]) -> Any:  # noqa: ANN401 # nested
    """Nested lists of numbers, all of one length at each level."""
    plain, _ = _without_tensors(name, values)
    plain = plain.tolist() if hasattr(plain, "tolist") else plain
    if not isinstance(plain, list | tuple):
        if isinstance(plain, bool | int | float):
            return plain
        grade = " (a grade as a number, such as 1 or 0)" if isinstance(plain, str) else ""
        raise ValueError(f"{_entry(name, at)} = {plain!r:.60}: expected a real number{grade}")
    rows = [_checked_list(name, value, (*at, i)) for i, value in enumerate(plain)]
    _reject_ragged(name, rows, at)
    return rows


def _reject_ragged(name: str, rows: Sequence[Any], at: tuple[int, ...]) -> None:
    sizes = [len(row) if isinstance(row, list) else -1 for row in rows]
    for i, size in enumerate(sizes):
        if size != sizes[0]:
            raise ValueError(
                f"{_entry(name, (*at, i))} has {_count(size)}, {_entry(name, (*at, 0))} "
                f"{_count(sizes[0])}: expected as many; pass pools of different size one by one"
            )


def _count(size: int) -> str:
    return "no entries, being a number" if size < 0 else f"{size} entries"


def _entry(name: str, at: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, at))}]" if at else name
