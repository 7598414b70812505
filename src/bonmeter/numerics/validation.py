"""Checks of arguments: a rejection is a `ValueError` that names the entry and what is expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LARGEST_N",
    "FloatArray",
    "as_integer_n",
    "as_n",
    "as_number",
    "as_real_array",
    "as_real_vector",
    "as_scalar_n",
    "reject_entries",
    "reject_shapes",
]

FloatArray = NDArray[np.float64]

LARGEST_N = 1e12
"""Beyond this n the accuracy promised by the library has not been checked."""


def as_real_array(name: str, values: ArrayLike) -> FloatArray:
    """`values` as float64, or a `ValueError` where they are not real numbers.

    Examples:
        >>> as_real_array("reward", [1, 2]).tolist()
        [1.0, 2.0]
        >>> as_real_array("reward", ["a"])
        Traceback (most recent call last):
        ValueError: reward must hold real numbers, got dtype <U1
    """
    if hasattr(values, "detach"):  # a tensor of PyTorch, which may carry a gradient
        values = values.detach()
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged lists
        raise ValueError(f"{name} must be an array of real numbers: {error}") from error
    except (TypeError, RuntimeError) as error:  # lists of tensors, tensors without data
        raise ValueError(f"{name} must be an array of real numbers: {error}") from None
    if array.dtype.kind not in "iuf" or np.ma.is_masked(values):
        masked = "masked entries" if np.ma.is_masked(values) else f"dtype {array.dtype}"
        raise ValueError(f"{name} must hold real numbers, got {masked}")
    with np.errstate(over="ignore"):  # to infinity, which no caller accepts as finite
        return array.astype(np.float64, copy=False)


def as_real_vector(name: str, values: ArrayLike) -> FloatArray:
    """`values` as a non-empty float64 vector.

    Examples:
        >>> as_real_vector("reward", 1.0)
        Traceback (most recent call last):
        ValueError: reward must be a non-empty one-dimensional array, got shape ()
    """
    array = as_real_array(name, values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"{name} must be a non-empty one-dimensional array, got shape {array.shape}"
        )
    return array


def as_number(name: str, value: ArrayLike) -> float:
    """`value` as a float: one real number, nan and the infinities among them.

    Examples:
        >>> as_number("level", [0.9, 0.95])
        Traceback (most recent call last):
        ValueError: level has shape (2,): expected one number
    """
    array = as_real_array(name, value)
    if array.ndim:
        raise ValueError(f"{name} has shape {array.shape}: expected one number")
    return float(array)


def reject_entries(name: str, values: FloatArray, bad: NDArray[np.bool_], expected: str) -> None:
    """Raise for the first entry of `values` marked `bad`, saying which and what is `expected`.

    Examples:
        >>> values = np.array([1.0, -2.0])
        >>> reject_entries("mass", values, values < 0, "a mass >= 0")
        Traceback (most recent call last):
        ValueError: mass[1] = -2.0: expected a mass >= 0
    """
    if bad.any():
        flat = int(np.argmax(bad))
        index = ", ".join(map(str, np.unravel_index(flat, values.shape)))
        where = f"[{index}]" if index else ""
        raise ValueError(f"{name}{where} = {values.flat[flat].item()!r}: expected {expected}")


def reject_shapes(**arrays: FloatArray) -> None:
    """Raise if the arrays, given by name, do not broadcast against each other.

    Examples:
        >>> reject_shapes(n=np.ones(2), log_eps=np.ones(3))
        Traceback (most recent call last):
        ValueError: expected shapes that broadcast, got n (2,) and log_eps (3,)
    """
    try:
        np.broadcast_shapes(*(x.shape for x in arrays.values()))
    except ValueError:
        shapes = " and ".join(f"{name} {x.shape}" for name, x in arrays.items())
        raise ValueError(f"expected shapes that broadcast, got {shapes}") from None


def as_n(n: ArrayLike) -> FloatArray:
    """`n` as float64: real numbers from 1 to 1e12, of any shape.

    Examples:
        >>> as_n([1, 2.5]).tolist()
        [1.0, 2.5]
    """
    array = as_real_array("n", n)
    reject_entries(
        "n", array, ~((array >= 1) & (array <= LARGEST_N)), "a real number from 1 to 1e12"
    )
    return array


def as_scalar_n(n: ArrayLike) -> float:
    """`n` as a float: one real number from 1 to 1e12.

    Examples:
        >>> as_scalar_n(2)
        2.0
        >>> as_scalar_n([2, 3])
        Traceback (most recent call last):
        ValueError: n must be a single number, got shape (2,)
    """
    array = as_n(n)
    if array.ndim:
        raise ValueError(f"n must be a single number, got shape {array.shape}")
    return float(array)


def as_integer_n(n: ArrayLike, largest: int) -> NDArray[np.int64]:
    """`n` as int64: whole numbers from 1 to `largest`, of any shape.

    Examples:
        >>> as_integer_n([1, 2], 4).tolist()
        [1, 2]
        >>> as_integer_n(5, 4)
        Traceback (most recent call last):
        ValueError: n = 5.0: expected a whole number from 1 to 4
    """
    array = as_real_array("n", n)
    bad = ~((array >= 1) & (array <= largest) & (array == np.floor(array)))
    reject_entries("n", array, bad, f"a whole number from 1 to {largest}")
    return array.astype(np.int64)
