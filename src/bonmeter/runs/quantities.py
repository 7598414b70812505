"""What there is to know about each n: one row of a table for each quantity.

Everything about a quantity is in its row: what must be recorded, its estimate and interval from a
pool, the bounds that are proved, and whether it is a chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.exact.estimator import kl_estimator
from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray, as_number
from bonmeter.pools.estimate import METHODS, Interval, kl_interval
from bonmeter.pools.intervals import Each
from bonmeter.pools.values import (
    best_of_n_value,
    estimate_pass_rate,
    gain_interval,
    pass_rate_interval,
    value_interval,
)
from bonmeter.pools.win_rates import missed_mass, win_rate_interval
from bonmeter.runs.candidates import Candidates, Facts, IndexArray, Pools

__all__ = [
    "QUANTITIES",
    "Quantity",
    "Settings",
    "available",
    "estimates_of",
    "intervals_of",
    "recorded",
]


class Settings(NamedTuple):
    """How numbers are asked for."""

    level: float = 0.95
    """Coverage of the intervals."""
    method: str | None = None
    """Of the KL; None for that of what is recorded."""
    precision: float | None = None
    """Largest error of a log-probability, in nats; None for that of its type."""
    each: Each = map
    """How parts of the work are done, such as the `map` of a pool of processes."""

    def checked(self) -> Settings:
        """Itself, or a `ValueError` that names what is wrong."""
        if not 0 < as_number("level", self.level) < 1:
            raise ValueError(f"level = {self.level!r}: expected a number strictly between 0 and 1")
        if self.method not in (None, *METHODS):
            raise ValueError(f"method = {self.method!r}: expected one of {', '.join(METHODS)}")
        if self.precision is not None and not 0 <= as_number("precision", self.precision) < np.inf:
            raise ValueError(f"precision = {self.precision!r}: expected a number of nats >= 0")
        return self


class Quantity(NamedTuple):
    """How a quantity comes from pools; functions of pools, n and settings."""

    meaning: str
    interval: Callable[[Pools, IndexArray, Settings], Interval]
    estimate: Callable[[Pools, IndexArray], FloatArray] | None = None
    """Much faster than the interval, for means over prompts whose spread tells their error."""
    needs: str | None = None
    """Column that must be recorded for a prompt."""
    binary: str | None = None
    """Column that must hold nothing but 0 and 1."""
    bounds: Callable[[IndexArray], tuple[FloatArray, FloatArray]] | None = None
    chance: Callable[[Facts], bool] = lambda _: False
    spare: int = 0
    """Candidates that a pool must have beyond n."""
    from_pool: bool = True
    """Whether it is estimated, so that thin pools matter."""


def _kl(pools: Pools, n: IndexArray, settings: Settings) -> Interval:
    chosen = settings.method or ("rank-only" if pools.log_prob is None else "rank-corrected")
    log_prob = None if chosen == "rank-only" else pools.log_prob
    found = kl_interval(
        log_prob,
        pools.reward,
        n,
        chosen,
        level=settings.level,
        response=pools.response,
        precision=settings.precision,
        each=settings.each,
    )
    if log_prob is not None:
        return found
    # ranks do not tell of a response that many draws would repeat: the least KL with it at the top
    least = kl_estimator(np.log(missed_mass(pools.size, settings.level)), n)
    return found._replace(lower=np.minimum(found.lower, np.minimum(least, found.estimate)))


def _certain(value: Callable[[IndexArray], NDArray[Any]]) -> Callable[..., Interval]:
    """A quantity that is known, the same for every pool."""

    def interval(pools: Pools, n: IndexArray, settings: Settings) -> Interval:
        known = np.broadcast_to(value(n), (pools.at.size, n.size))
        return Interval(known, known, known, np.full(known.shape, np.inf))

    return interval


def _tokens(pools: Pools, n: IndexArray, settings: Settings) -> Interval:
    """Tokens of n responses: n times the mean of one."""
    found = value_interval(np.asarray(pools.tokens), [1], level=settings.level)
    columns = (np.broadcast_to(x, (pools.at.size, n.size)) for x in found)
    estimate, lower, upper, freedom = columns
    return Interval(estimate * n, np.maximum(lower, 0.0) * n, upper * n, freedom)


def _valued(
    meaning: str,
    column: str,
    *,
    gain: bool = False,
    needs: str | None = None,
) -> Quantity:
    """What best-of-n is worth in a column, or that beyond one draw."""

    def value(pools: Pools) -> FloatArray | None:
        values: FloatArray = getattr(pools, column)
        return None if column == "reward" else values

    def interval(pools: Pools, n: IndexArray, settings: Settings) -> Interval:
        find = gain_interval if gain else value_interval
        return find(pools.reward, n, value(pools), level=settings.level)

    def estimate(pools: Pools, n: IndexArray) -> FloatArray:
        found = best_of_n_value(pools.reward, n, value(pools))
        one = best_of_n_value(pools.reward, [1], value(pools)) if gain else 0.0
        return np.where((n == 1) & gain, 0.0, found - one)

    def chance(candidates: Facts) -> bool:
        return not gain and candidates.is_binary(column)

    return Quantity(meaning, interval, estimate, needs, chance=chance)


def _passing(meaning: str, column: str, *, needs: str | None = None) -> Quantity:
    """The chance that one of n passes by a column."""

    def interval(pools: Pools, n: IndexArray, settings: Settings) -> Interval:
        return pass_rate_interval(getattr(pools, column), n, level=settings.level)

    def estimate(pools: Pools, n: IndexArray) -> FloatArray:
        return estimate_pass_rate(getattr(pools, column), n)

    return Quantity(meaning, interval, estimate, needs, column, chance=lambda _: True)


def _below_formula(n: IndexArray) -> tuple[FloatArray, FloatArray]:
    return np.zeros(n.shape), analytical_kl(n)


def _below_continuous(n: IndexArray) -> tuple[FloatArray, FloatArray]:
    return np.full(n.shape, 0.5), n / (n + 1)


QUANTITIES: dict[str, Quantity] = {
    "kl": Quantity("KL divergence from the policy, nats", _kl, bounds=_below_formula),
    "kl_formula": Quantity(
        "log n - (n-1)/n, its upper bound", _certain(analytical_kl), from_pool=False
    ),
    "win_rate": Quantity(
        "chance to beat one draw, ties counting half",
        lambda p, n, settings: win_rate_interval(p.reward, n, level=settings.level),
        bounds=_below_continuous,
        spare=1,
    ),
    "reward": _valued("mean reward", "reward"),
    "reward_gain": _valued("mean reward beyond that of one draw", "reward", gain=True),
    "gold_reward": _valued(
        "mean gold reward, selected by reward", "gold_reward", needs="gold_reward"
    ),
    "gold_gain": _valued(
        "mean gold reward beyond that of one draw", "gold_reward", gain=True, needs="gold_reward"
    ),
    "pass_rate": _passing("chance that one of n passes", "reward"),
    "gold_pass_rate": _passing(
        "chance that one of n passes by gold reward", "gold_reward", needs="gold_reward"
    ),
    "draws": Quantity("draws for one prompt", _certain(lambda n: n * 1.0), from_pool=False),
    "tokens": Quantity("tokens generated for one prompt", _tokens, needs="tokens", from_pool=False),
}
"""Name -> how it comes from pools, in the order of the tables."""


def available(candidates: Facts) -> tuple[str, ...]:
    """Names of the quantities that these candidates can tell, for one prompt at least.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.runs.candidates import as_candidates
        >>> run = as_candidates(pd.DataFrame({"prompt": [1, 1, 2], "reward": [0, 1, 1]}))
        >>> ", ".join(available(run))
        'kl, kl_formula, win_rate, reward, reward_gain, pass_rate, draws'
    """
    return tuple(
        name
        for name, q in QUANTITIES.items()
        if recorded(q, candidates).any() and (q.binary is None or candidates.is_binary(q.binary))
    )


def recorded(quantity: Quantity, candidates: Facts) -> NDArray[np.bool_]:
    """Whether each prompt has what a quantity needs.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.runs.candidates import as_candidates
        >>> frame = pd.DataFrame({"prompt": [1, 2], "reward": [0, 1], "gold_reward": [3.0, None]})
        >>> recorded(QUANTITIES["gold_reward"], as_candidates(frame)).tolist()
        [True, False]
    """
    return candidates.has(quantity.needs or "reward")


def intervals_of(
    quantity: Quantity, candidates: Candidates, n: IndexArray, settings: Settings
) -> Interval:
    """Estimate and ends for every prompt and n, shape (prompts, n); nan where a pool cannot say.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.runs.candidates import as_candidates
        >>> run = as_candidates(pd.DataFrame({"prompt": [1, 1, 2], "reward": [0, 1, 1]}))
        >>> intervals_of(QUANTITIES["pass_rate"], run, np.array([1, 2]), Settings()).lower.round(3)
        array([[0.013, 0.025],
               [0.025,   nan]])
    """
    found = Interval(*np.full((4, len(candidates.prompt), n.size), np.nan))
    for pools, columns in _within(quantity, candidates, n):
        part = _named(quantity, candidates, pools, n[columns], settings)
        for whole, one in zip(found, part, strict=True):
            whole[np.ix_(pools.at, columns)] = one
    return found


def _named(
    quantity: Quantity, candidates: Candidates, pools: Pools, n: IndexArray, settings: Settings
) -> Interval:
    """Intervals of pools, or a `ValueError` that names the first prompt that has none."""
    try:
        return quantity.interval(pools, n, settings)
    except ValueError:
        for k in range(pools.at.size):
            try:
                quantity.interval(pools.restricted(np.arange(pools.at.size) == k), n, settings)
            except ValueError as error:
                raise candidates.problem(int(pools.at[k]), error) from None
        raise


def estimates_of(quantity: Quantity, candidates: Candidates, n: IndexArray) -> Interval:
    """The same without ends, for quantities whose estimate is cheap.

    Examples:
        >>> import pandas as pd
        >>> from bonmeter.runs.candidates import as_candidates
        >>> run = as_candidates(pd.DataFrame({"prompt": [1, 1, 2], "reward": [0, 1, 1]}))
        >>> estimates_of(QUANTITIES["reward"], run, np.array([1, 2])).estimate
        array([[0.5, 1. ],
               [1. , nan]])
    """
    if quantity.estimate is None:
        raise ValueError("expected a quantity with an estimate of its own")
    found = Interval(*np.full((4, len(candidates.prompt), n.size), np.nan))
    for pools, columns in _within(quantity, candidates, n):
        found.estimate[np.ix_(pools.at, columns)] = quantity.estimate(pools, n[columns])
    return found


def _within(
    quantity: Quantity, candidates: Candidates, n: IndexArray
) -> Iterator[tuple[Pools, IndexArray]]:
    """Pools that tell a quantity, and the n that are within them."""
    for pools in candidates.pools:
        columns = np.flatnonzero(n + quantity.spare <= pools.size)
        if columns.size and getattr(pools, quantity.needs or "reward") is not None:
            yield pools, columns
