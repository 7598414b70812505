"""What people do to tell KL, win rate and reward of best-of-n, on the same pools with known truth.

python -m benchmarks.peers measure   # a minute; docs/figures/peers.csv and peers_time.csv
python -m benchmarks.peers draw      # docs/figures/peers.svg and .png
python -m benchmarks.peers table     # prints the tables of docs/peers.md
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bonmeter.exact.values import analytical_kl, best_of_n_log_pmf, exact_kl, exact_win_rate
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import estimate_kl
from bonmeter.pools.values import best_of_n_value
from bonmeter.pools.win_rates import estimate_win_rate
from replication.pipeline.plotting import (
    COLOURS,
    add_legend,
    letter_panels,
    new_figure,
    use_log_axes,
)
from replication.policies.families import tied_scores, uniform, verifier, zipf
from replication.studies.simulate import draw_responses, stream

IntegerArray = NDArray[np.int64]

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "peers"
SIZE, POOLS, RESAMPLES = 512, 200, 1000
GRID = np.array([4, 16, 50])
SHOWN = 50
"""A tenth of the pool."""
LENGTH = 400.0
"""Nats of a long response, some hundred tokens: 1 minus its probability rounds to 1."""


class Pool(NamedTuple):
    """Scored candidates of one prompt; `response` names what was drawn."""

    log_prob: FloatArray
    reward: FloatArray
    response: FloatArray


class Case(NamedTuple):
    """A policy to draw pools from, and what is true of best-of-n on it, for each n."""

    draw: Callable[[np.random.Generator], Pool]
    truth: dict[str, FloatArray]


def listed(log_prob: FloatArray, reward: FloatArray) -> Case:
    policy = Policy(log_prob, reward)
    rewards = np.unique(reward)

    def draw(rng: np.random.Generator) -> Pool:
        drawn = draw_responses(log_prob, SIZE, rng)
        return Pool(log_prob[drawn], reward[drawn], drawn.astype(float))

    mean = np.array([np.exp(best_of_n_log_pmf(policy, n)) @ rewards for n in GRID])
    truth = {"kl": exact_kl(policy, GRID), "win rate": exact_win_rate(policy, GRID), "reward": mean}
    return Case(draw, truth)


def long_responses() -> Case:
    """Every response is drawn once, rewards are normal."""

    def draw(rng: np.random.Generator) -> Pool:
        log_prob = -LENGTH + 40 * rng.standard_normal(SIZE)
        return Pool(log_prob, rng.standard_normal(SIZE), np.arange(float(SIZE)))

    from scipy.special import ndtri

    u = (np.arange(10**6) + 0.5) / 10**6
    mean = np.array([ndtri(u) @ (n * u ** (n - 1)) / u.size for n in GRID])
    return Case(draw, {"kl": analytical_kl(GRID), "win rate": GRID / (GRID + 1), "reward": mean})


def cases() -> dict[str, Case]:
    return {
        "long responses": long_responses(),
        "uniform, 100 responses": listed(*uniform(100)),
        "Zipf, likely ones best": listed(*zipf(1.0, 10_000, "ascending")),
        "verifier, 30 % pass": listed(*verifier(0.3, 700, 700)),
        "scores 1 to 10": listed(*tied_scores(10_000, 10, 0.5)),
    }


# what people do


def formula(pool: Pool, n: int) -> float:
    return float(analytical_kl(n))


def continuous_win_rate(pool: Pool, n: int) -> float:
    return n / (n + 1)


def classes(pool: Pool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rewards of the pool, the share of each, and its share under F^n - F_prev^n, as written."""
    reward, count = np.unique(pool.reward, return_counts=True)
    size = pool.reward.size
    return reward, count / size, np.cumsum(count) / size


def plug_in(pool: Pool, n: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    reward, p, cdf = classes(pool)
    return reward, p, np.diff(cdf**n, prepend=0.0), cdf


def plug_in_kl(pool: Pool, n: int) -> float:
    _, p, q, _ = plug_in(pool, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nansum(q * np.log(q / p)))


def plug_in_win_rate(pool: Pool, n: int) -> float:
    _, p, q, cdf = plug_in(pool, n)
    return float(q @ (cdf - 0.5 * p))


def plug_in_reward(pool: Pool, n: int) -> float:
    reward, _, q, _ = plug_in(pool, n)
    return float(reward @ q)


def resampled(pool: Pool, n: int) -> FloatArray:
    """Rewards of the best of n candidates drawn from the pool with replacement."""
    rng = np.random.default_rng(0)
    return np.asarray(pool.reward[rng.integers(0, SIZE, (RESAMPLES, n))].max(axis=1))


def resampled_reward(pool: Pool, n: int) -> float:
    return float(resampled(pool, n).mean())


def resampled_win_rate(pool: Pool, n: int) -> float:
    best, other = resampled(pool, n), np.random.default_rng(1).choice(pool.reward, RESAMPLES)
    return float(np.mean(best > other) + 0.5 * np.mean(best == other))


def unguarded(pool: Pool, n: int) -> float:
    """Eq. 25 as written, averaged over the best of each group of n candidates."""
    groups = np.arange(SIZE // n * n).reshape(-1, n)
    best = groups[np.arange(len(groups)), pool.reward[groups].argmax(axis=1)]
    with np.errstate(all="ignore"):
        e = np.exp(pool.log_prob[best])
        below = (1 - e) ** n
        d = below * (np.log(n) + (n - 1) * np.log(1 - e) - (n - 1) / n) + (1 - below) * np.log(
            (1 - below) / e
        )
    return float(d.mean())


def ours_kl(pool: Pool, n: int) -> float:
    return float(estimate_kl(pool.log_prob, pool.reward, n, response=pool.response))


def ours_win_rate(pool: Pool, n: int) -> float:
    return float(estimate_win_rate(pool.reward, n))


def ours_reward(pool: Pool, n: int) -> float:
    return float(best_of_n_value(pool.reward, n))


METHODS: dict[str, dict[str, Callable[[Pool, int], float]]] = {
    "kl": {
        "formula": formula,
        "plug-in F^n": plug_in_kl,
        "Eq. 25 unguarded": unguarded,
        "bonmeter": ours_kl,
    },
    "win rate": {
        "formula": continuous_win_rate,
        "plug-in F^n": plug_in_win_rate,
        "resampling": resampled_win_rate,
        "bonmeter": ours_win_rate,
    },
    "reward": {
        "plug-in F^n": plug_in_reward,
        "resampling": resampled_reward,
        "bonmeter": ours_reward,
    },
}

# for the time of every n at once, where a method can
EVERY_N: dict[tuple[str, str], Callable[[Pool, IntegerArray], object]] = {
    ("kl", "bonmeter"): lambda p, n: estimate_kl(p.log_prob, p.reward, n, response=p.response),
    ("win rate", "bonmeter"): lambda p, n: estimate_win_rate(p.reward, n),
    ("reward", "bonmeter"): lambda p, n: best_of_n_value(p.reward, n),
}


def errors(name: str, case: Case) -> Iterator[dict[str, object]]:
    pools = [case.draw(stream(0, "peers", name, k)) for k in range(POOLS)]
    for quantity, methods in METHODS.items():
        for method, estimate in methods.items():
            for n, truth in zip(GRID.tolist(), case.truth[quantity], strict=True):
                found = np.array([estimate(pool, n) for pool in pools]) - truth
                failed = np.isnan(found)
                known = found[~failed] if not failed.all() else np.array([np.nan])
                yield {
                    "policy": name,
                    "quantity": quantity,
                    "method": method,
                    "n": n,
                    "truth": truth,
                    "bias": known.mean(),
                    "rmse": np.sqrt((known**2).mean()),
                    "failed": failed.mean(),
                }


def times() -> Iterator[dict[str, object]]:
    """CPU seconds for every n from 1 to 511 of one pool, least of three."""
    pool = cases()["scores 1 to 10"].draw(stream(0, "peers time"))
    every = np.arange(1, SIZE)
    for quantity, methods in METHODS.items():
        for method, estimate in methods.items():
            whole = EVERY_N.get((quantity, method)) or _one_by_one(estimate)
            seconds = min(_seconds(partial(whole, pool, every)) for _ in range(3))
            yield {"quantity": quantity, "method": method, "seconds": seconds}


def _one_by_one(estimate: Callable[[Pool, int], float]) -> Callable[[Pool, IntegerArray], object]:
    return lambda pool, n: [estimate(pool, k) for k in n.tolist()]


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def measure() -> None:
    rows = [row for name, case in cases().items() for row in errors(name, case)]
    pd.DataFrame(rows).to_csv(FIGURE.with_suffix(".csv"), index=False, float_format="%.4g")
    path = FIGURE.with_name("peers_time.csv")
    pd.DataFrame(times()).to_csv(path, index=False, float_format="%.2g")


# method: colour, marker
STYLES = {
    "formula": (COLOURS["blue"], "D"),
    "plug-in F^n": (COLOURS["grey"], "s"),
    "resampling": (COLOURS["yellow"], "v"),
    "Eq. 25 unguarded": (COLOURS["red"], "^"),
    "bonmeter": (COLOURS["black"], "o"),
}
TITLES = {"kl": "KL (nats)", "win rate": "win rate", "reward": "reward"}
SMALLEST = 1e-6
"""Errors below are drawn there."""


def draw() -> None:
    table = pd.read_csv(FIGURE.with_suffix(".csv"))
    table = table[table["n"] == SHOWN]
    names = list(dict.fromkeys(table["policy"]))
    with new_figure([FIGURE.with_suffix(".svg"), FIGURE.with_suffix(".png")], "double", 2.5) as fig:
        row = fig.subplots(1, 3, sharey=True)
        for axes, (quantity, rows) in zip(row, table.groupby("quantity", sort=False), strict=True):
            draw_errors(axes, rows, names)
            axes.set(xlabel=f"RMSE, {TITLES[str(quantity)]}")
        row[0].set_yticks(range(len(names)), names)
        row[0].set(ylabel="policy")
        row[0].invert_yaxis()
        letter_panels(row)
        add_legend(fig, row[0], ncols=len(STYLES))


def draw_errors(axes: Axes, rows: pd.DataFrame, names: Sequence[str]) -> None:
    """A line for each policy, the methods one below the other in it."""
    use_log_axes(axes, most=5, fine=False)
    axes.tick_params(axis="y", which="minor", left=False)
    for between in range(1, len(names)):
        axes.axhline(between - 0.5, color="0.85", linewidth=0.6)
    offsets = np.linspace(-0.3, 0.3, len(STYLES)).tolist()
    for (method, (colour, marker)), offset in zip(STYLES.items(), offsets, strict=True):
        part = rows[rows["method"] == method]
        y = [names.index(each) + offset for each in part["policy"]]
        look: dict[str, Any] = {"linestyle": "none", "markersize": 4}
        x = part["rmse"].clip(lower=SMALLEST)
        axes.plot(x, y, **look, color=colour, marker=marker, label=method)


def tables() -> Iterator[str]:
    """Markdown: for each quantity, the RMSE (and bias) at one n by policy and method; times."""
    table = pd.read_csv(FIGURE.with_suffix(".csv"))
    table = table[table["n"] == SHOWN]
    seconds = pd.read_csv(FIGURE.with_name("peers_time.csv"))
    for quantity, rows in table.groupby("quantity", sort=False):
        methods = list(METHODS[str(quantity)])
        yield f"| {TITLES[str(quantity)]}, n = {SHOWN} | truth | " + " | ".join(methods) + " |"
        yield "|---" * (len(methods) + 2) + "|"
        for policy, part in rows.groupby("policy", sort=False):
            cells = {row["method"]: row for row in part.to_dict("records")}
            found = [_cell(cells[method]) for method in methods]
            yield f"| {policy} | {part['truth'].iloc[0]:.4g} | " + " | ".join(found) + " |"
        spent = seconds[seconds["quantity"] == quantity].set_index("method")["seconds"]
        yield (
            f"| *CPU time, n = 1 to {SIZE - 1}* | | "
            + " | ".join(f"{1e3 * spent[method]:.3g} ms" for method in methods)
            + " |"
        )
        yield ""


def _cell(row: dict[Hashable, Any]) -> str:
    if row["failed"] == 1:
        return "fails"
    lost = f", fails {row['failed']:.0%}" if row["failed"] > 0 else ""
    small = row["rmse"] < SMALLEST
    return ("< 1e-6" if small else f"{row['rmse']:.2g} ({row['bias']:+.2g})") + lost


def print_tables() -> None:
    print("\n".join(tables()).strip())


COMMANDS = {"measure": measure, "draw": draw, "table": print_tables}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]]()
