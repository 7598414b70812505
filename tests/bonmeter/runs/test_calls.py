"""The calls on tables of candidates: numbers by a slower route, notes, hostile tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from bonmeter.exact.values import analytical_kl, exact_kl
from bonmeter.policies.listed import Policy
from bonmeter.pools.estimate import estimate_kl, kl_interval
from bonmeter.pools.reliability import ThinPoolWarning
from bonmeter.pools.win_rates import estimate_win_rate
from bonmeter.runs import (
    QUANTITIES,
    compare,
    diagnose,
    frontier,
    per_prompt,
    plan,
    pool_size,
    summarise,
)

THIN = pytest.mark.filterwarnings("ignore::bonmeter.pools.reliability.ThinPoolWarning")


def table(pools: dict[Any, NDArray[Any]]) -> pd.DataFrame:
    """One row for each candidate, pools shuffled into one another."""
    prompt = np.concatenate([np.full(len(x), p, dtype=object) for p, x in pools.items()])
    frame = pd.DataFrame({"prompt": prompt, "reward": np.concatenate(list(pools.values()))})
    return frame.sample(frac=1, random_state=0)


def normal_run(prompts: int, size: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    reward = rng.normal(size=(prompts, size))
    gold = 0.6 * reward + 0.8 * rng.normal(size=reward.shape)
    return pd.DataFrame(
        {
            "prompt": np.repeat([f"p{k}" for k in range(prompts)], size),
            "reward": reward.ravel(),
            "gold_reward": gold.ravel(),
            "tokens": rng.integers(10, 100, reward.size),
        }
    )


def cell(found: pd.DataFrame, n: int, quantity: str) -> dict[str, Any]:
    rows = found[(found["n"] == n) & (found["quantity"] == quantity)]
    assert len(rows) == 1
    return first_row(rows)


def first_row(rows: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = dict(zip(rows.columns, rows.iloc[0], strict=True))
    return found


# summarise and per_prompt


def by_subsets(reward: list[float], value: list[float], n: int) -> float:
    best = [max(chosen, key=lambda k: reward[k]) for chosen in combinations(range(len(reward)), n)]
    return float(np.mean([value[k] for k in best]))


def test_every_mean_by_brute_force() -> None:
    run = normal_run(3, 7)
    found = summarise(run, quantities=["reward", "reward_gain", "gold_reward", "gold_gain"])
    for n in (1, 2, 4):
        for column in ("reward", "gold_reward"):
            means = [
                by_subsets(pool["reward"].tolist(), pool[column].tolist(), n)
                for _, pool in run.groupby("prompt")
            ]
            assert cell(found, n, column)["estimate"] == pytest.approx(np.mean(means))
            gain = np.mean(means) - run[column].mean()
            name = column.replace("reward", "gain") if column != "reward" else "reward_gain"
            assert cell(found, n, name)["estimate"] == pytest.approx(gain, abs=1e-12)


def test_kl_and_win_rate_are_those_of_the_pools() -> None:
    rng = np.random.default_rng(1)
    mass = np.array([0.4, 0.3, 0.2, 0.1])
    drawn = {p: rng.choice(4, 50, p=mass) for p in "abc"}
    run = table({p: x * 1.0 for p, x in drawn.items()})
    run["response"] = "r" + run["reward"].astype(str)
    run["log_prob"] = np.log(mass)[run["reward"].astype(int)]
    found = per_prompt(run, [2, 5], quantities=["kl", "win_rate"])
    for p, x in drawn.items():
        rows = found[found["prompt"] == p]
        assert rows["candidates"].tolist() == [50] * 4
        exact = exact_kl(Policy(np.log(mass), np.arange(4.0)), [2, 5])
        np.testing.assert_allclose(rows.loc[rows["quantity"] == "kl", "estimate"], exact, atol=1e-9)
        win_rate = estimate_win_rate(x * 1.0, [2, 5])
        np.testing.assert_allclose(rows.loc[rows["quantity"] == "win_rate", "estimate"], win_rate)
    ranks = summarise(run.drop(columns="log_prob"), [2], quantities=["kl"])
    mean = np.mean([estimate_kl(None, x * 1.0, 2, "rank-only") for x in drawn.values()])
    assert cell(ranks, 2, "kl")["estimate"] == pytest.approx(mean)
    assert "from ranks alone for 3 of 3 prompts" in cell(ranks, 2, "kl")["note"]


def test_ranks_do_not_make_the_kl_certain() -> None:
    run = normal_run(1, 64)
    row = cell(summarise(run, [4], quantities=["kl"]), 4, "kl")
    assert row["estimate"] == row["upper"] == pytest.approx(analytical_kl(4))
    # an atom at the top, of a size that 64 draws hit at most once with a chance of 5 %
    mass = 0.0719
    assert (1 - mass) ** 64 + 64 * mass * (1 - mass) ** 63 == pytest.approx(0.05, rel=0.01)
    least = exact_kl(Policy.from_probabilities([*np.full(10_000, (1 - mass) / 10_000), mass]), 4)
    assert row["lower"] == pytest.approx(least, rel=1e-3)


def test_a_verifier_has_a_pass_rate_and_a_reward_like_it() -> None:
    rng = np.random.default_rng(2)
    run = table({k: rng.random(30) < 0.4 for k in range(12)})
    found = summarise(run)
    for n in (1, 2, 16):
        one, two = (cell(found, n, name) for name in ("pass_rate", "reward"))
        for column in ("estimate", "lower", "upper"):
            assert one[column] == pytest.approx(two[column], rel=1e-9)
        assert 0 <= one["lower"] < one["upper"] <= 1
    assert set(found["quantity"]) == {
        "kl", "kl_formula", "win_rate", "reward", "reward_gain", "pass_rate", "draws"
    }  # fmt: skip


@THIN
def test_gold_that_a_perfect_selection_would_reach() -> None:
    run = table({"a": np.array([1.0, 2.0, 3.0]), "b": np.array([5.0, 1.0, 0.0])})
    run["gold_reward"] = (run["reward"] == 1.0).astype(int)
    found = per_prompt(run, [2])
    rows = found[found["quantity"] == "gold_pass_rate"]
    np.testing.assert_allclose(rows["estimate"], [2 / 3, 2 / 3])
    gold = found[found["quantity"] == "gold_reward"].set_index("prompt")["estimate"]
    assert gold["a"] == 0
    assert gold["b"] == pytest.approx(1 / 3)


def test_order_of_rows_transforms_and_batches() -> None:
    run = normal_run(5, 40)
    base = summarise(run, quantities=["kl", "win_rate", "gold_reward"])
    shuffled = summarise(
        run.sample(frac=1, random_state=1), quantities=["kl", "win_rate", "gold_reward"]
    )
    pd.testing.assert_frame_equal(base, shuffled)
    stretched = run.assign(reward=np.exp(run["reward"]))
    pd.testing.assert_frame_equal(
        base, summarise(stretched, quantities=["kl", "win_rate", "gold_reward"])
    )
    one = per_prompt(run[run["prompt"] == "p3"])
    every = per_prompt(run)
    every = every[every["prompt"] == "p3"].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, every, rtol=1e-9)
    backwards = summarise(run.assign(reward=-run["reward"]), quantities=["gold_reward"])
    assert (
        cell(backwards, 8, "gold_reward")["estimate"] < 0 < cell(base, 8, "gold_reward")["estimate"]
    )


@THIN
def test_ragged_pools_missing_rewards_and_weights() -> None:
    run = table({"a": np.arange(6.0), "b": np.arange(3.0), "c": np.array([7.0, np.nan])})
    run["weight"] = run["prompt"].map({"a": 2.0, "b": 1.0, "c": 1.0})
    found = summarise(run, [1, 3, 4], quantities=["reward", "draws"])
    first = cell(found, 1, "reward")
    assert first["estimate"] == pytest.approx((2 * 2.5 + 1 + 7) / 4)
    assert first["prompts"] == 3
    assert "1 candidates without reward left out" in first["note"]
    third = cell(found, 3, "reward")
    assert third["prompts"] == 2
    assert "1 of 3 prompts with too few candidates" in third["note"]
    assert cell(found, 4, "reward")["prompts"] == 1
    assert cell(found, 4, "draws")["note"] == "2 of 3 prompts with too few candidates"
    filled = summarise(run, [1], quantities=["reward"], missing_reward=0.0)
    assert cell(filled, 1, "reward")["estimate"] == pytest.approx((2 * 2.5 + 1 + 3.5) / 4)


def test_thin_pools_are_marked_and_warned_of_once() -> None:
    run = normal_run(3, 40)
    with pytest.warns(ThinPoolWarning, match=r"from n = 8 on.* 3 of 3 prompts") as caught:
        found = summarise(run, [4, 8, 16])
    assert len(caught) == 1
    estimated = found[found["quantity"] == "reward"].set_index("n")
    assert estimated["reliable"].tolist() == [True, False, False]
    assert "tenth of the candidates of 3 of 3" in str(estimated.loc[8, "note"])
    assert cell(found, 16, "kl_formula")["reliable"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summarise(run)  # asked for none: marked, not warned of


def test_nothing_beyond_the_pool() -> None:
    run = normal_run(2, 16)
    with pytest.raises(ValueError, match=r"n = 17.0: expected a whole number from 1 to 16"):
        summarise(run, 17)
    last = cell(summarise(run), 16, "win_rate")  # one more candidate is needed
    assert np.isnan(last["estimate"])
    assert last["prompts"] == 0


def test_certain_numbers_are_exact() -> None:
    found = summarise(normal_run(4, 20))
    for n in (1, 2, 4, 8, 16):
        draws, formula = cell(found, n, "draws"), cell(found, n, "kl_formula")
        assert (draws["estimate"], draws["df"]) == (n, np.inf)
        assert formula["lower"] == formula["upper"] == analytical_kl(n)
    tokens = cell(found, 8, "tokens")
    assert tokens["lower"] < tokens["estimate"] < tokens["upper"]


def test_intervals_over_prompts_cover() -> None:
    """Normal rewards with shifts: 300 runs of 12 prompts."""
    truth = 1.1629644736  # of the best of 5 normals
    hits = []
    for seed in range(300):
        row = cell(
            summarise(normal_run(12, 50, seed), [5], quantities=["reward_gain"]), 5, "reward_gain"
        )
        hits.append(row["lower"] <= truth <= row["upper"])
    assert 0.92 < np.mean(hits) < 0.98


DTYPES = {
    "booleans": pd.Series([True, False, True, True]),
    "nullable integers": pd.Series([1, 0, 1, 1], dtype="Int64"),
    "objects": pd.Series([1, 0.0, "1", True], dtype=object),
    "float32": pd.Series([1, 0, 1, 1], dtype="float32"),
}


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_of_rewards(name: str) -> None:
    frame = pd.DataFrame({"prompt": [1, 1, 2, 2], "reward": DTYPES[name]})
    found = summarise(frame, quantities=["pass_rate"])
    assert cell(found, 1, "pass_rate")["estimate"] == pytest.approx(0.75)


HOSTILE = {
    "no column": (pd.DataFrame({"prompt": [1]}), "no column 'reward'"),
    "infinite": (
        pd.DataFrame({"prompt": [1, 1], "reward": [0, np.inf]}),
        r"\['reward'\], row 1: inf",
    ),
    "text": (pd.DataFrame({"prompt": [1], "reward": ["good"]}), "row 0: 'good', expected a number"),
    "no prompt": (pd.DataFrame({"prompt": [None], "reward": [1]}), r"\['prompt'\], row 0"),
    "no reward": (pd.DataFrame({"prompt": [1], "reward": [np.nan]}), "one row with a reward"),
    "empty": (pd.DataFrame({"prompt": [], "reward": []}), "at least one row"),
    "log_prob": (
        pd.DataFrame({"prompt": [1, 1], "reward": [1, 2], "log_prob": [-1.0, 0.3]}),
        r"\['log_prob'\], row 1: 0.3",
    ),
    "never drawn": (
        pd.DataFrame({"prompt": [1], "reward": [1], "log_prob": [-np.inf]}),
        "of a response that was drawn",
    ),
    "tokens": (pd.DataFrame({"prompt": [1], "reward": [1], "tokens": [-3]}), "tokens >= 0"),
    "weights": (
        pd.DataFrame({"prompt": [1, 1], "reward": [1, 2], "weight": [1, 2]}),
        "row 1: .*2.*one weight for all rows of a prompt",
    ),
    "weight": (pd.DataFrame({"prompt": [1], "reward": [1], "weight": [0]}), "a weight above 0"),
    "large": (pd.DataFrame({"prompt": [1], "reward": [2**60 + 1]}), "up to 2\\^53"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("call", [summarise, per_prompt, diagnose, frontier])
def test_hostile_tables_are_refused_by_row(
    name: str, call: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    frame, message = HOSTILE[name]
    with pytest.raises(ValueError, match=message):
        call(frame)


def test_a_quantity_that_cannot_be_told() -> None:
    with pytest.raises(ValueError, match=r"'pass_rate' cannot be told .* kl, kl_formula"):
        summarise(normal_run(2, 8), quantities=["pass_rate"])
    with pytest.raises(ValueError, match="'best' cannot be told"):
        summarise(normal_run(2, 8), quantities=["best"])
    with pytest.raises(ValueError, match="level = 2"):
        summarise(normal_run(2, 8), level=2)


def test_log_probabilities_of_some_prompts() -> None:
    run = normal_run(3, 30).assign(log_prob=-50.0 - np.arange(90))
    run.loc[run["prompt"] == "p1", "log_prob"] = np.nan
    run.loc[run["prompt"] == "p2", "gold_reward"] = None
    found = summarise(run)
    assert "from ranks alone for 1 of 3 prompts" in cell(found, 2, "kl")["note"]
    gold = cell(found, 2, "gold_reward")
    assert gold["prompts"] == 2
    assert "1 of 3 prompts without gold_reward" in gold["note"]


def test_contradictions_name_the_prompt() -> None:
    run = clean_run()
    twice = run[(run["prompt"] == "c") & run.duplicated(["prompt", "response"])].index[0]
    run.loc[twice, "reward"] = 9.0
    with pytest.raises(ValueError, match=r"prompt 'c': reward: candidates .* with two rewards"):
        summarise(run, quantities=["kl"])
    summarise(run, quantities=["reward"])  # does not need to know
    with pytest.raises(ValueError, match=r"method = 'best': expected one of rank-corrected"):
        summarise(run, method="best")
    with pytest.raises(ValueError, match="precision = -1"):
        summarise(run, precision=-1)


def test_precision_widens_the_interval_of_the_kl() -> None:
    run = clean_run()
    exact, rough = (
        per_prompt(run, [4], quantities=["kl"], precision=x).iloc[0] for x in (0.0, 0.05)
    )
    assert rough["upper"] - rough["lower"] > exact["upper"] - exact["lower"]


def test_rewards_of_one_value_up_to_rounding_are_ties() -> None:
    sums = [0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1] * 8
    run = table({"a": np.array([*sums, 0.0, 0.0, 0.0, 0.0])})
    equal = table({"a": np.array([0.6] * 16 + [0.0] * 4)})
    for quantity in ("win_rate", "kl"):
        one, two = (summarise(x, [2], quantities=[quantity]) for x in (run, equal))
        np.testing.assert_allclose(one["estimate"], two["estimate"], rtol=1e-12)


def test_meanings_are_told() -> None:
    assert all(q.meaning for q in QUANTITIES.values())


# compare


def test_compare_at_equal_n_by_hand() -> None:
    first, second = normal_run(8, 30, 1), normal_run(9, 20, 2)
    found = compare(first, second, [1, 2], quantities=["reward", "gold_reward"])
    a, b = (per_prompt(x, [1, 2], quantities=["reward"]) for x in (first, second))
    for n in (1, 2):
        x, y = (f[f["n"] == n].set_index("prompt")["estimate"] for f in (a, b))
        difference = (y - x).dropna()
        row = cell(found, n, "reward")
        assert row["estimate"] == pytest.approx(difference.mean())
        assert row["prompts"] == 8
        assert "1 prompts that only one run has left out" in row["note"]
        assert row["second"] - row["first"] == pytest.approx(row["estimate"])
        half = 2.364624 * difference.std() / np.sqrt(8)
        assert row["upper"] - row["lower"] == pytest.approx(2 * half, rel=0.15)
    swapped = compare(second, first, [1, 2], quantities=["reward"])
    np.testing.assert_allclose(
        swapped["estimate"], -found.loc[found["quantity"] == "reward", "estimate"]
    )


def test_a_run_against_itself() -> None:
    run = normal_run(6, 40)
    for at in ("n", "kl"):
        found = compare(run, run, at=at, quantities=["reward", "gold_reward"])
        np.testing.assert_allclose(found["estimate"], 0, atol=1e-12)
        assert np.all(found["lower"].fillna(-1) <= 1e-12)
    np.testing.assert_allclose(found["n_second"], found["n"], rtol=1e-9)


def test_equal_kl_finds_the_larger_n_of_a_run_with_ties() -> None:
    """Scores in whole numbers cost less KL at the same n; interpolated by hand."""
    fine = normal_run(6, 64)
    coarse = fine.assign(reward=fine["reward"].round())
    found = compare(fine, coarse, [2, 4], at="kl", quantities=["reward"])
    pools = [x["reward"].to_numpy() for _, x in coarse.groupby("prompt")]
    n = np.arange(1, 65)
    kl = np.mean([estimate_kl(None, x, n, "rank-only") for x in pools], axis=0)
    from bonmeter.pools.values import best_of_n_value

    value = np.mean([best_of_n_value(x, n) for x in pools], axis=0)
    for k, row in found.iterrows():
        target = float(analytical_kl(row["n"]))
        assert row["kl"] == pytest.approx(target)
        assert row["n_second"] == pytest.approx(np.interp(target, kl, n), rel=1e-6), k
        assert row["second"] == pytest.approx(np.interp(target, kl, value), rel=1e-9)
        assert row["n_second"] > row["n"]


def test_compare_refuses() -> None:
    run = normal_run(2, 8)
    with pytest.raises(ValueError, match="a prompt that first has too"):
        compare(run, run.assign(prompt="other"))
    with pytest.raises(ValueError, match="at = 'cost'"):
        compare(run, run, at="cost")
    one = run[run["prompt"] == "p0"]
    with pytest.raises(ValueError, match="at least two prompts"):
        compare(one, one, at="kl")
    found = compare(one, one)
    assert found.loc[found["prompts"] == 1, "note"].str.contains("one prompt").all()


# frontier


def test_frontier_of_normal_rewards() -> None:
    """Mean and KL of the tilt of a normal: beta and beta^2/2."""
    found = frontier(normal_run(10, 2000), [2, 4])
    for n in (2, 4):
        rows = found[found["n"] == n].set_index("curve")
        kl = float(analytical_kl(n))
        assert rows.loc["optimum", "kl"] == pytest.approx(kl)
        assert rows.loc["optimum", "estimate"] == pytest.approx(np.sqrt(2 * kl), abs=0.05)
        assert rows.loc["optimum", "temperature"] == pytest.approx(1 / np.sqrt(2 * kl), rel=0.05)
        short = rows.loc["shortfall"]
        assert short["lower"] > 0
        step = rows["estimate"].to_numpy(dtype=float)[:2]
        assert short["estimate"] == pytest.approx(step[1] - step[0])
        assert rows["reliable"].all()


def test_frontier_says_where_few_candidates_carry_it() -> None:
    found = frontier(normal_run(4, 40))
    last = first_row(found[(found["n"] == 32) & (found["curve"] == "optimum")])
    assert not last["reliable"]
    assert last["effective"] < 10
    assert "it may be higher" in last["note"]
    first = first_row(found[(found["n"] == 1) & (found["curve"] == "optimum")])
    assert first["temperature"] == np.inf
    single = frontier(normal_run(1, 100), [3])
    assert np.isfinite(single[["lower", "upper"]].to_numpy()).all()


# plans


def test_plan_inverts_the_summary() -> None:
    run = normal_run(15, 100)
    target = 1.2
    row = first_row(plan(run, {"reward_gain": target}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThinPoolWarning)
        curve = summarise(run, np.arange(1, 101), quantities=["reward_gain"]).set_index("n")
    for name, end in (("n", "estimate"), ("n_lower", "upper"), ("n_upper", "lower")):
        reached = curve.index[curve[end] >= target]
        assert row[name] == reached[0], name
    assert row["draws"] == row["n"]
    assert row["tokens"] == pytest.approx(row["n"] * run["tokens"].mean())


def test_plan_of_known_answers() -> None:
    run = normal_run(3, 200)
    found = plan(run, {"win_rate": 0.9, "kl": 1.0, "reward_gain": 99.0}).set_index("quantity")
    assert found.loc["win_rate", "n"] == 9
    assert found.loc["kl", "n"] == 7  # 1.0888; 0.9584 at 6
    assert found.loc["reward_gain", ["n", "n_lower", "n_upper"]].isna().all()
    assert "not reached within 200 candidates" in str(found.loc["reward_gain", "note"])
    with pytest.raises(ValueError, match=r"targets\['kl'\] = nan"):
        plan(run, {"kl": np.nan})


def test_plan_covers() -> None:
    """The n that reaches a gain of 1 with normal rewards, 120 runs."""
    grid = np.arange(1, 20)
    u = (np.arange(200_000) + 0.5) / 200_000
    gains = np.array([norm.ppf(u) @ (k * u ** (k - 1)) / u.size for k in grid])
    truth = int(grid[np.argmax(gains >= 1)])
    hits = []
    for seed in range(120):
        row = first_row(plan(normal_run(10, 60, seed), {"reward_gain": 1.0}))
        hits.append(row["n_lower"] <= truth and not row["n_upper"] < truth)
    assert np.mean(hits) > 0.9


def test_pool_size_reaches_the_width() -> None:
    """Pools as large as it says have intervals of about that width."""
    run = normal_run(10, 100)
    need = first_row(pool_size(run, [5], 0.4, quantities=["reward"]))
    larger = per_prompt(normal_run(20, int(need["candidates"]), 5), [5], quantities=["reward"])
    assert (larger["upper"] - larger["lower"]).median() == pytest.approx(0.4, rel=0.2)
    more = summarise(normal_run(int(need["prompts"]), 100, 6), [5], quantities=["reward"]).iloc[0]
    assert more["upper"] - more["lower"] == pytest.approx(0.4, rel=0.5)
    assert need["tokens"] == pytest.approx(need["candidates"] * run["tokens"].mean())


# diagnose


def status(frame: pd.DataFrame) -> dict[str, str]:
    found = diagnose(frame)
    return dict(zip(found["check"].tolist(), found["status"].tolist(), strict=True))


def clean_run(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    mass = rng.dirichlet(np.ones(200))
    drawn = rng.choice(200, (4, 60), p=mass).ravel()
    return pd.DataFrame(
        {
            "prompt": np.repeat(list("abcd"), 60),
            "response": [f"r{k}" for k in drawn],
            "reward": np.sin(drawn * 1.7),
            "log_prob": np.log(mass)[drawn],
            "tokens": (-np.log(mass)[drawn] * 3).round(),
        }
    )


def test_a_clean_run_has_no_warning() -> None:
    for seed in range(20):
        assert "warning" not in status(clean_run(seed)).values(), seed


BROKEN = {
    "reward of duplicates": lambda f: f.assign(reward=f["reward"] + 1e-3 * np.arange(len(f))),
    "log_prob of duplicates": lambda f: f.assign(
        log_prob=f["log_prob"] - 0.1 * (np.arange(len(f)) % 2)
    ),
    "probabilities": lambda f: f.assign(log_prob=f["log_prob"] / 20),
    "repeats": lambda f: f.assign(log_prob=f["log_prob"] - 30),
    "log_prob against tokens": lambda f: f.assign(log_prob=f["log_prob"] / f["tokens"] - 5),
    "missing rewards": lambda f: f.assign(reward=f["reward"].where(np.arange(len(f)) % 7 > 0)),
    "near ties": lambda f: f.assign(
        reward=np.where(np.arange(len(f)) % 2, f["reward"] * (1 + 3e-15), f["reward"])
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name: str) -> None:
    assert status(clean_run())[name] == "ok"
    assert status(BROKEN[name](clean_run()))[name] == "warning"


def test_constant_rewards_and_ties_are_noted() -> None:
    found = status(pd.DataFrame({"prompt": [1, 1, 2, 2], "reward": [3, 3, 1, 2]}))
    assert found["constant rewards"] == found["ties"] == "note"


def test_interval_of_the_kl_is_that_of_the_library() -> None:
    run = clean_run()
    found = per_prompt(run, [4], quantities=["kl"])
    for prompt, pool in run.groupby("prompt"):
        expected = kl_interval(pool["log_prob"], pool["reward"], 4, response=pool["response"])
        row = first_row(found[found["prompt"] == prompt])
        np.testing.assert_allclose(
            [float(row[name]) for name in ("estimate", "lower", "upper", "df")],
            [float(x) for x in expected],
        )
