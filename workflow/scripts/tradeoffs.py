"""Win rate against KL: best-of-n and its rivals on every policy, and their curves without atoms."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.exact.rivals import best_of_poisson, blockwise_kl_bound, soft_best_of_n, top_k
from bonmeter.exact.tradeoff import (
    Tradeoff,
    best_of_n_tradeoff,
    excess_kl,
    optimal_kl,
    rewind_and_repeat,
    smallest_n_within,
    tilted_tradeoff,
)
from bonmeter.policies.listed import Policy
from replication.pipeline.columns import Columns, Derived, derive
from replication.pipeline.digits import claimed
from replication.pipeline.io import read_table, write_table
from replication.pipeline.job import job
from replication.studies.derived import (
    continuous_excess_kl,
    kl_above_optimum,
    loss_rate,
    relative_excess_kl,
)

POINTS = 200
"""On each curve of closed form; those that need quadrature have a quarter."""

FRACTIONS = (0.01, 0.001)
"""Excess KL over the optimum for which the least n is tabulated."""

COPIED = ("n", "kl", "win_rate")
"""Columns of the exact tables."""

DERIVED_OF_POLICIES: Mapping[str, Derived] = {
    "excess": Derived(relative_excess_kl, ("kl", "optimal_kl")),
    "continuous_excess": Derived(continuous_excess_kl, ("n",)),
}
"""Columns of the comparison of policies computed from its others."""

METHODS: Mapping[str, Callable[..., Any]] = {
    "best_of_n": best_of_n_tradeoff,
    "rewind_and_repeat": rewind_and_repeat,
    "tilted": tilted_tradeoff,
    "best_of_poisson": best_of_poisson,
    "soft_best_of_n": soft_best_of_n,
    "top_k": top_k,
    "blockwise_bound": blockwise_kl_bound,
}
"""The function whose values are win rate, KL and draws in the rows of each method."""

DERIVED_OF_CURVES: Mapping[str, Derived] = {
    "loss_rate": Derived(loss_rate, ("win_rate",)),
    "kl_above_optimum": Derived(kl_above_optimum, ("kl", "win_rate")),
}
"""Columns of the curves computed from the others."""

COLUMNS: Mapping[str, Columns] = {
    "tradeoffs/policies": {
        **dict.fromkeys(COPIED, "exact"),
        "optimal_kl": optimal_kl,
        **DERIVED_OF_POLICIES,
    },
    "tradeoffs/curves": DERIVED_OF_CURVES,
}
"""By table; the other columns of the curves are values of the method's function."""


class Curve(NamedTuple):
    """Points of a method."""

    method: str
    parameter: NDArray[np.float64]
    tradeoff: Tradeoff


def compare_policies(exact: Mapping[str, str], output: str) -> None:
    """Exact win rate and KL of best-of-n of each policy, beside the least KL at that win rate.

    Args:
        exact: name of a policy -> its table of exact values.
        output: a table of `policy, n, kl, win_rate, optimal_kl, excess, continuous_excess`, the
            excess relative to the optimum, of the policy and without atoms, and nan at n = 1, where
            neither costs anything.
    """
    tables = [_compare(name, path) for name, path in exact.items()]
    table = {key: np.concatenate([t[key] for t in tables]) for key in tables[0]}
    write_table(claimed(table, differences=DERIVED_OF_POLICIES), output)


def _compare(policy: str, path: str) -> dict[str, NDArray[np.generic]]:
    table = read_table(path)
    rows = {"policy": np.full(table["n"].size, policy)} | {each: table[each] for each in COPIED}
    # near 1 the KL is steeper in the win rate than its digits in the table can tell
    win_rate = table["n"] / (table["n"] + 1) - table["win_rate_gap"]
    rows["optimal_kl"] = optimal_kl(np.maximum(win_rate, 0.5))
    return rows | derive(DERIVED_OF_POLICIES, rows)


def compare_rivals(
    responses: Mapping[str, str], n: Sequence[int], softness: float, output: str
) -> None:
    """The rivals on each policy, beside what they can come to at most.

    Args:
        responses: name of a policy -> its table of responses.
        n: how many candidates they choose from; for Best-of-Poisson, on average.
        softness: temperature of soft best-of-n, in ranges of the policy's rewards.
        output: a table of `policy, method, n, win_rate, kl, draws, largest_win_rate, largest_kl`.
            The largest are those without atoms; of soft best-of-n, which depends on the rewards
            and not only on their order, those of best-of-n.
    """
    rivals = RIVALS | {"soft_best_of_n": partial(_soft, softness)}
    largest = {(method, each): of(each, None) for method, of in rivals.items() for each in n}
    rows = []
    for name, path in responses.items():
        policy = _policy(path)
        rows += [
            (name, method, each, *map(float, rivals[method](each, policy)), *map(float, limit[:2]))
            for (method, each), limit in largest.items()
        ]
    names = ("policy", "method", "n", *Tradeoff._fields, "largest_win_rate", "largest_kl")
    table = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    write_table(claimed(table), output)


def _policy(path: str) -> Policy:
    table = read_table(path)
    return Policy(table["log_prob"], table["reward"])


def _soft(softness: float, n: int, policy: Policy | None) -> Tradeoff:
    if policy is None:
        return best_of_n_tradeoff(n)
    spread = float(np.ptp(policy.reward)) or 1.0  # one outcome has none
    return soft_best_of_n(n, softness * spread, policy)


def _poisson(n: int, policy: Policy | None) -> Tradeoff:
    return best_of_poisson(n - 1, policy)  # so that it draws n on average


def _top_2(n: int, policy: Policy | None) -> Tradeoff:
    return top_k(n, 2, policy)


RIVALS: dict[str, Callable[[int, Policy | None], Tradeoff]] = {
    "best_of_poisson": _poisson,
    "top_k": _top_2,
}
"""Of n and a policy; of none, what they can come to at most."""


def tabulate_curves(draws: Sequence[int], output: str) -> None:
    """Every method without atoms.

    Args:
        draws: n of the soft best-of-n and top-k curves, K of blockwise best-of-K.
        output: a table of `method, parameter, win_rate, kl, draws, loss_rate, kl_above_optimum`.
            The parameter is n, the acceptance q, beta, mu, the temperature T, k, or the number of
            blocks; a value that a method does not have is nan. `blockwise_bound` is an upper bound
            on the KL.
    """
    curves = list(_curves(draws))
    columns = {
        name: np.concatenate([np.asarray(getattr(curve.tradeoff, name)) for curve in curves])
        for name in Tradeoff._fields
    }
    methods = np.concatenate([np.full(curve.parameter.size, curve.method) for curve in curves])
    parameters = np.concatenate([curve.parameter for curve in curves])
    table = {"method": methods, "parameter": parameters} | columns
    table |= derive(DERIVED_OF_CURVES, table)
    write_table(claimed(table, differences={"kl_above_optimum"}, exact={"parameter"}), output)


def _curves(draws: Sequence[int]) -> Iterator[Curve]:
    n, few = _geometric(1, 1e5, POINTS), POINTS // 4
    beta, mu = np.append(0, 0.1 * n), np.append(0, _geometric(0.1, 1e5, few))
    parameters = {"best_of_n": n, "rewind_and_repeat": 1 / n, "tilted": beta, "best_of_poisson": mu}
    yield from (Curve(name, each, METHODS[name](each)) for name, each in parameters.items())
    yield from (_soft_curve(each, _geometric(10, 0.005, few)) for each in draws)
    yield from (_top_k_curve(each) for each in draws)
    yield from (_blockwise_curve(each) for each in draws)


def _geometric(start: float, stop: float, points: int) -> NDArray[np.float64]:
    """The same numbers on any processor, as the parameters of curves."""
    return np.round(np.geomspace(start, stop, points), 9)


def _soft_curve(n: int, temperature: NDArray[np.float64]) -> Curve:
    return Curve("soft_best_of_n", temperature, soft_best_of_n(n, temperature))


def _top_k_curve(n: int) -> Curve:
    k = np.arange(n, 0, -1.0)
    return Curve("top_k", k, top_k(n, k))


def _blockwise_curve(candidates: int) -> Curve:
    blocks = np.arange(1.0, 33.0)
    bound = blockwise_kl_bound(blocks, candidates)
    unknown = np.full_like(blocks, np.nan)
    draws = np.full_like(blocks, candidates)
    return Curve("blockwise_bound", blocks, Tradeoff(unknown, bound, draws))


def tabulate_thresholds(output: str) -> None:
    """The least n whose KL is within a fraction of the optimum, without atoms.

    Args:
        output: a table of `fraction, n, win_rate, kl`; the last row is n = 999, what n below 1000
            buys.
    """
    fractions = np.array(FRACTIONS)
    n = np.array([*map(smallest_n_within, FRACTIONS), 999.0])
    reached = best_of_n_tradeoff(n)
    table = {
        "fraction": np.append(fractions, excess_kl(999)),
        "n": n,
        "win_rate": reached.win_rate,
        "kl": reached.kl,
    }
    write_table(claimed(table), output)


def main(
    policies: Iterable[str],
    responses: Iterable[str],
    exact: Iterable[str],
    n: Sequence[int],
    softness: float,
    comparison: str,
    rivals: str,
    curves: str,
    thresholds: str,
) -> None:
    """All tables; `responses` and `exact` in the order of `policies`."""
    names = list(policies)
    compare_policies(dict(zip(names, exact, strict=True)), comparison)
    compare_rivals(dict(zip(names, responses, strict=True)), n, softness, rivals)
    tabulate_curves(n, curves)
    tabulate_thresholds(thresholds)


if __name__ == "__main__":
    with job(snakemake):
        main(
            snakemake.params.policies,
            snakemake.input.policies,
            snakemake.input.exact,
            snakemake.params.rivals["n"],
            snakemake.params.rivals["softness"],
            snakemake.output.policies,
            snakemake.output.rivals,
            snakemake.output.curves,
            snakemake.output.thresholds,
        )
