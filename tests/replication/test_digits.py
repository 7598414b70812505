from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from replication.pipeline.digits import DECIMALS, DIGITS, NEAREST, claimed, enclosure, outward

NUMBERS = st.floats(-1e300, 1e300)


def rounded(value: float) -> float:
    return float(claimed({"a": [value]})["a"][0])


@given(NUMBERS, NUMBERS)
def test_rounding_keeps_the_order(a: float, b: float) -> None:
    assert rounded(min(a, b)) <= rounded(max(a, b))


@given(NUMBERS)
def test_rounding_keeps_the_digits_claimed_and_is_done_once(value: float) -> None:
    once = rounded(value)
    assert abs(once - value) <= 0.57 * 10.0 ** (1 - DIGITS) * abs(value) + 5e-324
    assert rounded(once) == once
    assert not np.signbit(rounded(-0.0))


def in_decimals(value: float) -> float:
    """The rule itself, one number at a time in decimal arithmetic."""
    place = Decimal(value).adjusted() - DIGITS + 1
    units = (Decimal(value).scaleb(-place) + NEAREST).to_integral_value(ROUND_FLOOR)
    return float(units.scaleb(place)) + 0.0


def test_a_column_is_rounded_as_its_entries_also_next_to_jumps_and_powers_of_ten() -> None:
    rng = np.random.default_rng(0)
    jumps = (rng.integers(10**9, 10**10, 2000) + 1 - float(NEAREST)) * 1e-14
    column = np.concatenate(
        [
            jumps * (1 + np.finfo(float).eps * rng.integers(-3, 4, jumps.size)),
            10.0 ** rng.integers(-300, 300, 500) * (1 - 1e-16 * rng.integers(0, 3, 500)),
            rng.normal(size=2000) * 10.0 ** rng.integers(-300, 300, 2000),
        ]
    )
    expected = [in_decimals(value) for value in column.tolist()]
    assert claimed({"a": column})["a"].tolist() == expected


def test_neighbours_become_one_number() -> None:
    one = np.random.default_rng(0).lognormal(sigma=9, size=2000)
    other = one * (1 + 4 * np.finfo(float).eps)
    assert np.all(one != other)
    np.testing.assert_array_equal(claimed({"a": one})["a"], claimed({"a": other})["a"])


def test_differences_have_decimals_and_inputs_all_digits() -> None:
    values = [np.inf, np.nan, -1e-17, 123456.78901234567]
    found = claimed(dict.fromkeys(("a", "b"), values) | {"n": [1, 2]}, differences="a", exact="b")
    np.testing.assert_array_equal(found["a"], [np.inf, np.nan, 0.0, round(values[-1], DECIMALS)])
    np.testing.assert_array_equal(found["b"], values)
    assert found["n"].dtype.kind == "i"


@given(NUMBERS, st.floats(0, 1e-3))
@example(1.0, 1e-12)
@example(2.0, 1.9999999)
def test_an_enclosure_only_widens_and_leaves_the_sign(value: float, relative: float) -> None:
    error = relative * abs(value)
    middle, low, high = enclosure(value, error)
    assert low <= value - error
    assert high >= value + error
    assert low <= middle <= high
    assert np.sign(low) == np.sign(value - error) or abs(value) <= error
    assert np.sign(high) == np.sign(value + error) or abs(value) <= error


def test_an_enclosure_hides_what_is_smaller_than_its_error() -> None:
    one, other = (enclosure(x, 2e-12) for x in (1 / 3, 1 / 3 + 3e-16))
    assert one == other


@given(NUMBERS, NUMBERS)
def test_ends_go_outward_and_keep_their_sign(a: float, b: float) -> None:
    low, high = outward(min(a, b), max(a, b))
    assert low <= min(a, b)
    assert high >= max(a, b)
    assert (np.sign(low), np.sign(high)) == (np.sign(min(a, b)), np.sign(max(a, b)))


def test_decimals_of_few_digits_are_not_where_rounding_jumps() -> None:
    """Halves and wholes of a unit: products of round numbers are such, up to their last bit."""
    for units in (12345678905, 123456789040, 81, 5, 2**-15, 1069844692.5):
        for value in (units * 10.0**place for place in range(-14, 3)):
            near = [value * (1 + k * np.finfo(float).eps) for k in range(-4, 5)]
            assert len(set(claimed({"a": near})["a"].tolist())) == 1
            assert len({outward(x, x) for x in near}) == 1
