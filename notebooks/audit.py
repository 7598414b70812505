# %% [markdown]
# # Reading the audit
#
# The audit is a table with one row per claim: of the paper, of this project, and of false
# statements that must be found false. This notebook reads that table, explains its verdicts, and
# follows one of them back to the numbers, the function and the proof behind it.

# %%
from pathlib import Path

import pandas as pd
from IPython.display import HTML, display

from bonmeter.bounds.inequalities import Inequality
from bonmeter.bounds.quantities import QUANTITIES
from bonmeter.certified.decide import certify, decide
from bonmeter.exact.values import exact_kl
from bonmeter.policies.listed import Policy
from replication.pipeline.io import read_table

pd.set_option("display.max_colwidth", None, "display.float_format", "{:.3g}".format)
display(HTML("<style>th, td { text-align: left !important; }</style>"))
# of a finished run, seen from the root of the project or from the folder of this notebook
results = next(path for path in (Path("results"), Path("../results")) if path.is_dir())
claims = pd.read_parquet(results / "audit/claims.parquet").set_index("id")
cells = pd.read_parquet(results / "audit/cells.parquet")
claims.verdict.value_counts().to_frame("claims")

# %% [markdown]
# ## The verdicts
#
# A *cell* is one policy at one *n*. A claim is
#
# * **certified** if it holds in every cell, and the cells of the certification grid are proved:
#   ball arithmetic encloses both sides, and the enclosures do not overlap. Beyond that grid,
#   floats decide where the margin exceeds an error bound of 1e-12, which is tested, not proved;
# * **holds within a stated numerical error** if only the latter, or a simulation, speaks for it;
# * **refuted** if it fails in a single cell, the smallest of which is named;
# * **unknown** if its wording was not recovered or some cell could not be decided.
#
# A certified claim is proved for these policies and *n*, not for all of them: the general proofs
# are in docs/theory.md, under the headings of the column "proof".
#
# ## What the paper claims

# %%
of_the_paper = claims[claims.origin == "paper"]
of_the_paper[["source", "statement", "standing", "verdict", "cells"]]

# %% [markdown]
# The full text of the paper was not at hand: statements come from public summaries and a
# transcription of its equations, and were re-derived. "Reconstructed" means that only a description
# was found. The *wording unknown* row gets no verdict: what a claim does not say
# cannot be checked.
#
# ## Ours

# %%
ours = claims[claims.origin == "ours"]
ours[["source", "statement", "standing", "verdict", "cells"]]

# %% [markdown]
# ## Must be refuted
#
# An audit that can only say yes is worth nothing. These rows state the misconception that the
# formula is the KL, bounds the wrong way round, and bounds with a constant shrunk. Each must be
# refuted, or the build fails; the column `worst_at` has the smallest counterexample.

# %%
controls = claims[claims.expected == "refuted"]
controls[["statement", "standing", "verdict", "worst_margin", "worst_at"]]

# %%
bool(claims.as_expected.all())

# %% [markdown]
# ## How close is it?
#
# The *worst margin* is the distance between the two sides, relative to the larger, in the
# tightest cell. A small one shows that a bound is sharp there.

# %%
holds = claims[claims.verdict == "certified"].sort_values("worst_margin", kind="stable")
holds[["statement", "cells", "certified_cells", "float_cells", "worst_margin", "worst_at"]]

# %% [markdown]
# ## Following one point back
#
# Every point of a figure and every verdict can be followed back in a few hops: its *rule* in
# workflow/rules names the tables it is made of and its *script*; the script calls a *function* of
# the library; the function's docstring names the *theorem*; docs/theory.md has the *proof*.
#
# Take Theorem 3.1. Its row of the audit names function, proof, test and figure.

# %%
claims.loc["theorem_3_1"].to_frame("Theorem 3.1")

# %% [markdown]
# The rule `claims` made this row from results/audit/cells.parquet, one row per cell. The tightest
# cell that was proved, leaving out equalities such as *n* = 1:

# %%
of_theorem = cells[(cells.claim == "theorem_3_1") & (cells.method == "ball arithmetic")]
tightest = of_theorem.nsmallest(1, "relative_margin").iloc[0]
tightest.to_frame("tightest certified cell")

# %% [markdown]
# The rule `policy` made the policy, a table of responses. From it the library decides the cell
# again:

# %%
responses = read_table(results / f"policies/{tightest.policy}.parquet")
policy = Policy(responses["log_prob"], responses["reward"])
theorem = Inequality("kl", "analytical_kl")
[again] = decide(policy, tightest.n, [theorem])
again.verdict, again.method, float(again.margin)

# %% [markdown]
# Both sides and their difference, enclosed, and what the function says of itself:

# %%
{
    QUANTITIES[name].meaning: certify(name, policy, tightest.n)
    for name in ("kl", "analytical_kl", "kl_gap")
}

# %%
exact_kl.__doc__.partition("\n")[0]

# %% [markdown]
# The negative control is the reverse statement. In the same cell it fails, by as much:

# %%
[reverse] = decide(policy, tightest.n, [Inequality("analytical_kl", "kl")])
reverse.verdict, reverse.method, float(reverse.margin)
