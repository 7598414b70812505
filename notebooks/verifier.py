# %% [markdown]
# # Best-of-n with a verifier
#
# Unit tests, a proof checker or an exact-match grader give a reward of 0 or 1. Then nearly all
# responses are *tied*, while the paper assumes distinct rewards. Nothing is lost: if ties are
# broken at random, best-of-*n* depends only on the masses of the *tie classes*, and here there
# are two of them. This notebook works the case through: 10 % of the model's probability passes
# the verifier, spread over 100 responses; 900 responses fail.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from bonmeter import (
    Policy,
    analytical_kl,
    best_of_n_log_pmf,
    certify,
    estimate_kl,
    estimate_win_rate,
    exact_kl,
    exact_win_rate,
    expected_kl_estimator,
)
from bonmeter.exact.ties import expected_estimator_of_responses, kl_as_if_distinct
from bonmeter.pools.estimate import kl_interval
from replication.pipeline.plotting import LINES, figure_style
from replication.policies.families import verifier
from replication.studies.simulate import draw_responses, stream

# %matplotlib inline

# %%
log_prob, reward = verifier(pass_rate=0.1, passing=100, failing=900)
policy = Policy(log_prob, reward)
pd.DataFrame({"reward": policy.reward, "mass": policy.mass})

# %% [markdown]
# ## What it buys, what it costs
#
# Best-of-*n* passes with probability 1 − (1 − *p*)ⁿ, the mass that it gives to the upper class: the
# *pass@n* of code generation. Two passing responses tie, so the win rate is only ½ plus half of
# what the pass rate gained. The KL cannot exceed log(1/*p*) = 2.303 nats, what it costs to pass
# always.

# %%
n = np.array([1, 2, 4, 8, 16, 32, 64, 128])
pd.DataFrame(
    {
        "pass rate": np.exp(best_of_n_log_pmf(policy, n)[:, -1]),
        "1 − (1 − p)ⁿ": 1 - 0.9**n,
        "win rate": exact_win_rate(policy, n),
        "exact KL": exact_kl(policy, n),
        "formula": analytical_kl(n),
    },
    index=pd.Index(n, name="n"),
).round(4)

# %% [markdown]
# The formula log *n* − (*n* − 1)/*n* is the KL of a policy without ties. With a verifier it is five
# times too large at *n* = 2, and it grows without bound: who accounts for a KL budget with it stops
# long before the budget is spent.
#
# ## What it costs to forget the ties
#
# Two mistakes are easy to make.
#
# * *Every response ranked.* If tied responses are put into some order, by a stable sort for
#   instance, best-of-*n* prefers some passing responses to others: a different policy, with a
#   larger KL.
# * *The response's probability in place of its class's.* The paper's estimator asks for the
#   probability of the selected outcome. Fed with the probability of the response, it is still an
#   upper bound, but close to the formula.

# %%
pd.DataFrame(
    {
        "exact KL": exact_kl(policy, n),
        "estimator, mass of the class": expected_kl_estimator(policy, n),
        "estimator, response": expected_estimator_of_responses(log_prob, reward, n),
        "KL if ranked": kl_as_if_distinct(log_prob, reward, n),
        "formula": analytical_kl(n),
    },
    index=pd.Index(n, name="n"),
).round(4)

# %%
n = np.geomspace(1, 1000, 200)
lines = {
    "formula": (analytical_kl(n), LINES["formula"]),
    "estimator, class": (expected_kl_estimator(policy, n), LINES["estimator"]),
    "exact": (exact_kl(policy, n), LINES["exact"]),
}
with plt.rc_context(figure_style("single", 2.6) | {"figure.dpi": 150}):
    figure, axes = plt.subplots()
    for name, (kl, line) in lines.items():
        axes.plot(n, kl, label=name, **line)
    axes.set(xscale="log", xlabel="number of draws n", ylabel="KL (nats)", xlim=(1, 1000))
    axes.legend(loc="upper left")
    alt = "KL against n: the exact KL levels off at 2.3 nats while the formula grows to 5.9"
    display(figure, metadata={"alt": alt})
    plt.close(figure)

# %% [markdown]
# ## From a pool
#
# With 500 graded candidates of a prompt, the KL and the win rate of every *n* follow from one pool.
# Here the pool is simulated, so the exact values stand beside the estimates, with a 95 % interval
# for ours. The paper's estimator, fed with each response's probability, again gives the formula.

# %%
drawn = draw_responses(log_prob, 500, stream(1, "verifier"))
pool = {"log_prob": log_prob[drawn], "reward": reward[drawn], "response": drawn}
n = np.array([2, 4, 8, 16, 32, 64])
interval = kl_interval(**pool, n=n)
pd.DataFrame(
    {
        "exact KL": exact_kl(policy, n),
        "rank-corrected": interval.estimate,
        "from": interval.lower,
        "to": interval.upper,
        "degrees of freedom": interval.df.round(),
        "paper's estimator": estimate_kl(**pool, n=n, method="paper"),
        "win rate, exact": exact_win_rate(policy, n),
        "win rate, estimated": estimate_win_rate(pool["reward"], n),
    },
    index=pd.Index(n, name="n"),
).round(4)

# %% [markdown]
# ## A proved number
#
# For two classes the sum has two terms; the enclosure of its value at *n* = 8, proved:

# %%
certify("kl", policy, 8)
