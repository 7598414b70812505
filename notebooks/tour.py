# %% [markdown]
# # A tour of bonmeter
#
# Best-of-*n* draws *n* responses from a language model (the *reference policy*), scores them with
# a reward, and keeps the best. It *buys* a **win rate**: the probability that its response beats
# one fresh draw, a tie counting one half. It *costs* a **KL divergence** from the reference
# policy, in nats. This tour computes both for a known policy, estimates them for a run of your
# own, chooses *n*, and ends with numbers that are proved.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from bonmeter import (
    Policy,
    analytical_kl,
    best_of_n_tradeoff,
    certify,
    estimate_kl,
    estimate_win_rate,
    exact_kl,
    exact_win_rate,
    kl_gap,
    kl_gap_bounds,
    rewind_and_repeat,
    tilted_tradeoff,
)
from bonmeter.bounds.inequalities import Inequality
from bonmeter.certified.decide import decide
from bonmeter.exact.tradeoff import excess_kl, smallest_n_within
from bonmeter.pools.estimate import kl_interval
from replication.pipeline.plotting import LINES, figure_style
from replication.policies.families import make_responses
from replication.studies.simulate import draw_responses, stream

# %matplotlib inline

# %% [markdown]
# ## The formula of the literature, and the exact value
#
# A policy is a log-probability and a reward for each response, in any order. Here are four
# responses; the best of them has probability 0.05.

# %%
policy = Policy(log_prob=np.log([0.5, 0.3, 0.15, 0.05]), reward=[0.1, 0.4, 0.7, 0.9])
n = np.array([1, 2, 4, 8, 16, 64, 256, 1024])
pd.DataFrame(
    {
        "exact KL": exact_kl(policy, n),
        "formula": analytical_kl(n),
        "win rate": exact_win_rate(policy, n),
        "n/(n+1)": best_of_n_tradeoff(n).win_rate,
    },
    index=pd.Index(n, name="n"),
).round(4)

# %% [markdown]
# The literature reports log *n* − (*n* − 1)/*n*, the column "formula", as *the* KL of
# best-of-*n*. It is an upper bound (Theorem 3.1 of the paper): the KL levels off at log(1/0.05) =
# 3.0 nats, since best-of-*n* cannot do more than always give the best response, while the formula
# grows without bound.
#
# ## When is the formula good enough?
#
# Its error is the *gap*. The paper bounds it by 2*n*(*n* − 1)δ, where δ is the largest
# probability of a response (Theorem 3.4); our sharper bound is of the order of (*n*δ)². Uniform
# policies show the difference: the formula is good as soon as *n*δ is small.

# %%
sizes = [10, 100, 1000, 10000]
uniform = [Policy(*make_responses("uniform", {"size": size}, seed=0)) for size in sizes]
bounds = [kl_gap_bounds(each, 10) for each in uniform]
pd.DataFrame(
    {
        "n δ": [10 * each.delta for each in uniform],
        "gap at n = 10": [float(kl_gap(each, 10)) for each in uniform],
        "our bound": [float(each["sharp_kl_gap"]) for each in bounds],
        "Theorem 3.4": [float(each["theorem_3_4_delta"]) for each in bounds],
    },
    index=pd.Index(sizes, name="responses"),
).map("{:.3g}".format)

# %% [markdown]
# ## Your own run
#
# A real policy cannot be enumerated. What you have is a *pool*: *N* candidates for one prompt, each
# with its reward and its log-probability, summed over its tokens. One pool serves every *n* up to
# *N*. Say which candidates are the same response if you can: different ones may share reward and
# log-probability.
#
# Here the pool is drawn from a small Markov language model whose exact answer is known, so that we
# can see how far the estimates are off; `pool` would come from your sampler.

# %%
parameters = {"vocabulary": 4, "max_length": 8, "scale": 1.0, "end_logit": -2.0, "stream": 0}
log_prob, reward = make_responses(
    "markov_language_model", parameters | {"reward": "log_likelihood"}, seed=1
)
drawn = draw_responses(log_prob, 1000, stream(1, "tour"))
pool = {"log_prob": log_prob[drawn], "reward": reward[drawn], "response": drawn}
n = np.array([2, 4, 8, 16, 32, 64, 128, 256])
truth = Policy(log_prob, reward)
interval = kl_interval(**pool, n=n)
pd.DataFrame(
    {
        "exact": exact_kl(truth, n),
        "rank-corrected": interval.estimate,
        "from": interval.lower,
        "to": interval.upper,
        "degrees of freedom": interval.df.round(),
        "paper's estimator": estimate_kl(**pool, n=n, method="paper"),
        "formula": analytical_kl(n),
        "win rate, exact": exact_win_rate(truth, n),
        "win rate, estimated": estimate_win_rate(pool["reward"], n),
    },
    index=pd.Index(n, name="n"),
).round(4)

# %% [markdown]
# The paper's estimator needs the log-probability of the selected response only; its mean lies
# between the exact KL and the formula. The rank-corrected one, ours, also uses the ranks of all
# candidates; "from" and "to" are the ends of its 95 % interval. With fewer than 20 degrees of
# freedom the uncertainty is that of a few responses, seen or not, and the interval can cover more
# or less often than it says. Report these two for your run: the KL, and the win rate, which needs
# no likelihoods.
#
# ## Choosing n
#
# How much win rate could the same KL have bought? For a policy without atoms the answer does not
# depend on the policy. The best possible curve is that of KL-regularised reinforcement learning,
# which tilts the policy exponentially; *rewind and repeat* redraws until the reward passes a
# threshold.

# %%
curves = {
    "optimum": (tilted_tradeoff(np.geomspace(0.1, 100, 200)), LINES["optimum"]),
    "best-of-n": (best_of_n_tradeoff(np.geomspace(1, 50, 200)), LINES["formula"]),
    "rewind and repeat": (rewind_and_repeat(np.geomspace(1, 0.04, 200)), LINES["rival"]),
}
with plt.rc_context(figure_style("single", 2.6) | {"figure.dpi": 150}):
    figure, axes = plt.subplots()
    for name, (curve, line) in curves.items():
        axes.plot(curve.kl, curve.win_rate, label=name, **line)
    axes.set(xlabel="KL (nats)", ylabel="win rate", xlim=(0, 3), ylim=(0.5, 1))
    axes.legend(loc="lower right")
    alt = "Win rate against KL: best-of-n is close below the optimum, rewind and repeat further"
    display(figure, metadata={"alt": alt})
    plt.close(figure)

# %% [markdown]
# Best-of-*n* comes close to the optimum fast. The excess is the KL it spends beyond the least that
# its win rate costs, relative to that. Below the table, the smallest *n* with an excess of at most
# 1 % and 0.1 %.

# %%
n = np.array([2, 3, 5, 10, 30, 100, 300, 1000])
curve = best_of_n_tradeoff(n)
pd.DataFrame(
    {"win rate": curve.win_rate, "KL": curve.kl, "excess": excess_kl(n)},
    index=pd.Index(n, name="n"),
).map("{:.4g}".format)

# %%
{f"{fraction:.1%}": smallest_n_within(fraction) for fraction in (0.01, 0.001)}

# %% [markdown]
# From these *n* on hardly any KL is left to save: the reason to go on to larger *n* is the win rate
# itself, at a cost in draws that is linear in *n*.
#
# ## Numbers that are proved
#
# Floats are accurate here, to twelve digits, but they prove nothing. `certify` encloses a
# quantity between two numbers by ball arithmetic, in which every rounding is outward; `decide`
# gives a verdict on an inequality, and on its negation.

# %%
certify("kl", policy, 8)

# %%
claims = {
    "KL is at most the formula": Inequality("kl", "analytical_kl"),
    "the formula is at most KL": Inequality("analytical_kl", "kl"),
    "Theorem 3.4": Inequality("kl_gap", "theorem_3_4_renyi"),
}
verdicts = decide(policy, 8, list(claims.values()))
pd.DataFrame(
    {
        "verdict": [each.verdict for each in verdicts],
        "margin": [float(each.margin) for each in verdicts],
        "method": [each.method for each in verdicts],
    },
    index=list(claims),
)

# %% [markdown]
# ## Where to go from here
#
# * The *verifier* notebook: rewards of 0 or 1, as from unit tests, where most candidates are
#   tied.
# * The *audit* notebook: every claim of the paper, with its verdict and how to check it yourself.
# * `help(bonmeter.exact.values)` and the other modules: each function states its theorem, units and
#   domain.
