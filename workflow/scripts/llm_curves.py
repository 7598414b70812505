"""KL and win rate of best-of-n of each prompt, temperature and reward: proved, and estimated."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bonmeter.bounds.evaluate import RELATIVE_ERROR
from bonmeter.bounds.formulas import FORMULAS
from bonmeter.certified.top import certify_kl_brackets
from bonmeter.exact.top import TopPolicy, kl_lower_bound
from bonmeter.exact.values import analytical_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.pools.estimate import estimate_kl, kl_interval
from bonmeter.pools.win_rates import estimate_win_rate
from replication.llm.settings import Settings, load_settings
from replication.llm.tables import REWARDS, has_reward, read_pools, rewards
from replication.pipeline.columns import Columns, Derived, derive
from replication.pipeline.digits import claimed, enclosure
from replication.pipeline.io import read_frame, write_table
from replication.pipeline.job import job
from replication.studies.proved import gap_to_formula, middle_or_estimate

LARGEST_N = 10_000

ESTIMATES: Columns = {
    "paper": estimate_kl,
    "rank_corrected": kl_interval,
    "interval_lower": kl_interval,
    "interval_upper": kl_interval,
}
PROVED: Columns = {
    "proved_lower": certify_kl_brackets,  # with another reward than the likelihood kl_lower_bound
    "proved_upper": certify_kl_brackets,
    "computed_lower": certify_kl_brackets,
    "computed_upper": certify_kl_brackets,
}
DERIVED = {
    **{
        f"{name}_gap": Derived(gap_to_formula, ("analytical_kl", name))
        for name in (*ESTIMATES, *PROVED)
    },
    "kl": Derived(middle_or_estimate, ("proved_lower", "proved_upper", "rank_corrected")),
}
COLUMNS: Mapping[str, Columns] = {
    "llm/curves": {
        "analytical_kl": FORMULAS["analytical_kl"],
        **PROVED,
        **ESTIMATES,
        "win_rate": estimate_win_rate,
        **DERIVED,
    }
}


def tabulate(config: str, pools: str, found: str, n: Sequence[int], output: str) -> None:
    """Write one row per prompt, temperature, reward and n up to 10^4.

    Columns that need more candidates than there are, or a listed reward that is not the likelihood,
    are nan.

    Args:
        config: the settings.
        pools: table of the candidates.
        found: table of all responses of at least the threshold probability.
        n: whole numbers.
        output: the table.
    """
    settings = load_settings(config)
    grid = np.array([k for k in n if k <= LARGEST_N])
    listed = dict(iter(read_frame(found).groupby(["prompt", "temperature"])))
    parts = []
    for key, pool in read_pools(pools).groupby(["prompt", "temperature"]):
        prompt, temperature = key
        names = [name for name in REWARDS if has_reward(settings.prompts[str(prompt)], name)]
        estimates = _estimated(pool, names, settings, grid)
        for i, name in enumerate(names):
            keys = {"prompt": prompt, "temperature": temperature, "reward": name, "n": grid}
            values = {"analytical_kl": analytical_kl(grid)}
            values |= _proved(listed[key], name, settings, grid)
            values |= {column: each[i] for column, each in estimates.items()}
            parts.append(pd.DataFrame(keys | values | derive(DERIVED, values)))
    table = pd.concat(parts)
    columns = {str(name): column.to_numpy() for name, column in table.items()}
    write_table(claimed(columns, differences={*ESTIMATES, *DERIVED}, exact=PROVED), output)


def _estimated(
    pool: pd.DataFrame, names: Sequence[str], settings: Settings, n: FloatArray
) -> dict[str, FloatArray]:
    """Estimates under each reward, shape (rewards, n), nan where there are too few candidates.

    The rewards are taken together, as pools of the same responses: one by one took a third longer.
    """
    reward = np.stack([rewards(pool, name) for name in names])
    log_prob, response = (
        np.broadcast_to(pool[column].to_numpy(), reward.shape)
        for column in ("log_prob", "response")
    )
    within, size, error = n[n <= len(pool)], len(pool), settings.log_prob_error
    ours = kl_interval(log_prob, reward, within, response=response, precision=error)
    theirs = estimate_kl(
        log_prob, reward, within, method="paper", response=response, precision=error
    )
    estimates = {
        "paper": theirs,
        "rank_corrected": ours.estimate,
        "interval_lower": ours.lower,
        "interval_upper": ours.upper,
        "win_rate": estimate_win_rate(reward, n[n < size]),
    }
    return {
        column: np.pad(each, ((0, 0), (0, n.size - each.shape[1])), constant_values=np.nan)
        for column, each in estimates.items()
    }


def _proved(
    listed: pd.DataFrame, name: str, settings: Settings, n: FloatArray
) -> dict[str, FloatArray]:
    """Ends of the KL, given the recorded error of a log-probability; nan where there is none."""
    log_threshold, error = float(np.log(settings.threshold)), settings.log_prob_error
    if name == "log_likelihood":
        top = TopPolicy(listed["log_prob"], log_threshold, error=error)
        ends = certify_kl_brackets(top, n.tolist())
        computed = certify_kl_brackets(_as_computed(top), n.tolist())
        return {
            "proved_lower": np.array([end.lower_float for end in ends]),
            "proved_upper": np.array([end.upper_float for end in ends]),
            "computed_lower": np.array([end.lower_float for end in computed]),
            "computed_upper": np.array([end.upper_float for end in computed]),
        }
    reward = rewards(listed, name)
    scored = np.isfinite(reward)  # a judge has judged what was drawn
    top = TopPolicy(listed["log_prob"][scored], log_threshold, error=error)
    nothing = np.full(n.size, np.nan)
    floats = kl_lower_bound(top, reward[scored], n).tolist()
    lower = np.array([enclosure(value, RELATIVE_ERROR * value)[1] for value in floats])
    return {"proved_lower": lower} | dict.fromkeys(
        ("proved_upper", "computed_lower", "computed_upper"), nothing
    )


def _as_computed(top: TopPolicy) -> TopPolicy:
    """The policy as the model was computed, taken at its word."""
    return TopPolicy(top.log_prob, top.log_threshold)


if __name__ == "__main__":
    with job(snakemake):
        tabulate(
            snakemake.input.config,
            snakemake.input.pools,
            snakemake.input.found,
            snakemake.params.n,
            snakemake.output.curves,
        )
