# %% [markdown]
# # Best-of-n on a language model
#
# From a prompt to the proved KL. The paper draws its Figure 4 on a language model, where the exact
# KL is out of reach: there are more responses than atoms in the universe. With the log-likelihood
# as reward it is not: best-of-*n* sees only the likeliest responses, and those can be listed.
#
# The model is SmolLM2-135M-Instruct in 4-bit weights. It was run once; what it drew is kept in
# `study/llm/`, and this page needs neither the weights nor torch.

# %%
# %matplotlib inline
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from bonmeter import TopPolicy, analytical_kl, estimate_kl, kl_bracket, kl_interval, kl_lower_bound
from bonmeter.certified.top import certify_kl_bracket
from replication.llm.tables import read_pools
from replication.pipeline.plotting import LINES, figure_style
from replication.pipeline.provenance import SOURCE

KEPT = SOURCE.parent / "study/llm"
manifest = json.loads((KEPT / "manifest.json").read_text(encoding="utf-8"))
settings = manifest["settings"]
pd.Series(manifest["made_with"], name="made with").to_frame()

# %% [markdown]
# ## A prompt and its responses
#
# Each token is drawn from the model's whole distribution at temperature 1; a response is cut after
# 192 tokens. That makes the *policy*. A small model wanders:

# %%
prompt = "capital"
print(settings["prompts"][prompt]["text"])
texts = pd.read_parquet(KEPT / "texts.parquet").query("prompt == @prompt and temperature == 1")
pd.DataFrame({"log-probability": texts.log_prob.round(2), "response": texts.text.str[:100]})

# %% [markdown]
# ## Every likely response
#
# A response is at most as likely as each of its prefixes. So a search of the tree of prefixes that
# cuts those below τ = 10⁻⁵ misses no response of probability τ or more:

# %%
found = pd.read_parquet(KEPT / "found.parquet").query("prompt == @prompt and temperature == 1")
print(f"{found.nodes.iloc[0]:,} prefixes expanded, {len(found)} responses found,")
print(f"together {np.exp(found.log_prob).sum():.2%} of the probability")
likeliest = found.head(8)
pd.DataFrame({"probability": np.exp(likeliest.log_prob).round(5), "response": likeliest.text})

# %% [markdown]
# ## The KL, between two proved ends
#
# Everything else ranks below these and has no response above τ, so it can lower the KL by next to
# nothing, whatever it is
# ([proof](../docs/theory.md#bracket-from-the-likeliest-responses)). Two ways of computing a
# log-probability differ by less than 5·10⁻⁴ nats; the ends allow for that too.

# %%
n = np.array([1, 2, 4, 10, 30, 100, 1000, 10_000])
log_threshold = float(np.log(settings["threshold"]))
top = TopPolicy(found.log_prob, log_threshold, error=settings["log_prob_error"])
bracket = kl_bracket(top, n)
pd.DataFrame(
    {"at least": bracket.lower, "at most": bracket.upper, "formula": analytical_kl(n)},
    index=pd.Index(n, name="n"),
).round(4)

# %% [markdown]
# The formula goes on growing; the KL stops at log(1/0.0586) = 2.84 nats near *n* = 100, when the
# best of *n* is nearly always the likeliest answer. In exact rational arithmetic, at *n* = 100:

# %%
certify_kl_bracket(top, 100)

# %% [markdown]
# ## Estimated from a pool
#
# Who has not searched has candidates with their log-probabilities. From the first thousand of the
# kept ones:

# %%
pools = read_pools(str(KEPT / "pools.parquet")).query("temperature == 1")
pool = pools[pools.prompt == prompt].head(1000)
log_prob, response = pool.log_prob.to_numpy(), pool.response.to_numpy()
some = n[n <= 100]
options = {"response": response, "precision": settings["log_prob_error"]}
ours = kl_interval(log_prob, log_prob, some, **options)
paper = estimate_kl(log_prob, log_prob, some, method="paper", **options)
proved = kl_bracket(top, some)
pd.DataFrame(
    {
        "proved": [f"{a:.4f} to {b:.4f}" for a, b in zip(proved.lower, proved.upper, strict=True)],
        "rank-corrected": ours.estimate,
        "95 %, from": ours.lower,
        "to": ours.upper,
        "paper's estimator": paper,
    },
    index=pd.Index(some, name="n"),
).round(4)

# %% [markdown]
# The paper's estimator exceeds the KL in the mean (its Conjecture 4.4, a theorem here); the
# rank-corrected one knows from the pool how much of the probability each response holds.
#
# ## An open prompt, and where estimates end
#
# Among tips for health no response is likelier than 10⁻⁴: the formula holds to *n* = 1000. Beyond,
# the likeliest responses decide, and 16,384 candidates show few of them. The search knows better:

# %%
prompt = "health"
found = pd.read_parquet(KEPT / "found.parquet").query("prompt == @prompt and temperature == 1")
top = TopPolicy(found.log_prob, log_threshold, error=settings["log_prob_error"])
pool = pools[pools.prompt == prompt]
log_prob, response = pool.log_prob.to_numpy(), pool.response.to_numpy()
grid = np.unique(np.geomspace(2, 10_000, 40).round()).astype(int)
options = {"response": response, "precision": settings["log_prob_error"]}
ours = kl_interval(log_prob, log_prob, grid, **options)
proved = kl_bracket(top, grid)
formula = analytical_kl(grid)

with plt.rc_context(figure_style("single", 2.4)):
    figure, axes = plt.subplots()
    axes.fill_between(
        grid, formula - ours.upper, formula - ours.lower, color="#DDAA33", alpha=0.4, linewidth=0
    )
    axes.plot(grid, formula - ours.estimate, color="#DDAA33", label="rank-corrected")
    axes.plot(grid, formula - proved.lower, **LINES["exact"], label="proved")
    axes.plot(grid, formula - proved.upper, **LINES["exact"])
    axes.set(xscale="log", yscale="log", ylim=(1e-8, 0.1), xlabel="n", ylabel="formula minus KL")
    axes.legend()
    display(figure, metadata={"alt": "the interval lies below the proved gap at large n"})
    plt.close(figure)

# %% [markdown]
# The error is a hundredth of a nat at most, but the interval does not know of it: an interval from
# draws cannot vouch for what was not drawn.
#
# ## Another reward
#
# With another reward the responses that were not listed may rank anywhere. What is listed still
# proves something, if little; here with the length of the response, the shortest being best:

# %%
kl_lower_bound(top, -found.length.to_numpy(), n).round(4)
