"""Your own samples: from a table of scored candidates to what best-of-n cost and bought.

Pandas in, pandas out, one function for each question (extra `logs`):

| function | question |
|---|---|
| `summarise` | what each n costs and buys on average over the prompts |
| `per_prompt` | the same for every prompt |
| `compare` | how two runs on the same prompts differ, at equal n or at equal KL |
| `frontier` | reward against KL, and what the KL-regularised optimum could have bought |
| `plan` | the smallest n for a target, with its price |
| `pool_size` | how many candidates, and prompts, an interval of given width needs |
| `diagnose` | ties, duplicates, missing values, log-probabilities that cannot be right |

**Candidates** go in: a DataFrame with one row for each candidate, an independent draw of the policy
for its prompt. Rows are in any order, further columns are ignored, the index too.

| column | dtype | meaning |
|---|---|---|
| `prompt` | str or int, none missing | names the prompt; its rows make up one pool |
| `reward` | float, int or bool; finite | the (proxy) reward best-of-n selects by; missing: \
none given |
| `log_prob` (optional) | float, nats | log-probability of the whole response under the \
distribution that was sampled from (its temperature, top-p, end of sequence included); \
missing: not recorded |
| `response` (optional) | str or int | the response, or anything that names it within its prompt; \
missing: unknown |
| `gold_reward` (optional) | float, int or bool; finite | reward by which the selected candidate \
is judged; missing: not recorded |
| `tokens` (optional) | int or float, >= 0 | tokens generated for the response; missing: unknown |
| `weight` (optional) | float, > 0 | weight of the prompt, the same in all its rows; without it \
all prompts weigh alike |

Missing is NaN, None or `pd.NA`. Rewards that are all 0 or 1 (or booleans) are a verifier's: passed
or not. What is missing is never guessed. A candidate without reward is left out and counted, or has
the reward `missing_reward` if that is given (0 for a verifier: no answer is no pass). A prompt with
a missing `log_prob` has a KL from ranks alone, one with a missing `gold_reward` no gold value, and
the notes say for how many prompts. `response` missing in part counts as missing in that prompt.
Rewards a few units in the last place apart are ties; one response with two rewards, or with two
log-probabilities farther apart than their precision, is refused by prompt (`bonmeter.estimate_kl`).

**Results** come out tidy, one row for each number. `summarise` has the columns

| column | meaning |
|---|---|
| `n` | int |
| `quantity` | one of `QUANTITIES` |
| `estimate`, `lower`, `upper` | mean over prompts and its confidence interval; nan where a pool \
cannot say |
| `df` | degrees of freedom of the interval; inf where it is exact |
| `prompts` | number of prompts with at least n candidates (n + 1 for the win rate) |
| `reliable` | False where n exceeds a tenth of a pool that enters |
| `note` | what to know about this number, "" if nothing; several joined by "; " |

`per_prompt` has `prompt` in front and `candidates` (N) in place of `prompts`. Quantities:

| quantity | meaning | needs |
|---|---|---|
| `kl` | KL divergence of best-of-n from the policy, nats | `log_prob`, else from ranks, noted |
| `kl_formula` | log n - (n-1)/n, its upper bound | |
| `win_rate` | chance to beat one draw, ties counting half | |
| `reward`, `reward_gain` | mean reward of best-of-n, and what exceeds that of one draw | |
| `gold_reward`, `gold_gain` | the same in gold reward, selected by reward | `gold_reward` |
| `pass_rate` | chance that one of n candidates passes (pass@n) | rewards 0 or 1 |
| `gold_pass_rate` | the same by gold reward: what a perfect selection would reach | gold 0 or 1 |
| `draws`, `tokens` | price for one prompt: n draws, and the tokens of n responses | `tokens` |

Majority voting (maj@n) selects by the answers, not by a reward, and is left out. Nothing is
extrapolated beyond the candidates of a pool. Where n exceeds a tenth of them numbers are marked,
and `bonmeter.pools.reliability.ThinPoolWarning` is issued once for a call.
"""

from __future__ import annotations

from bonmeter.runs.compare import compare
from bonmeter.runs.diagnose import diagnose
from bonmeter.runs.frontier import frontier
from bonmeter.runs.plan import plan, pool_size
from bonmeter.runs.quantities import QUANTITIES
from bonmeter.runs.summary import per_prompt, summarise

__all__ = [
    "QUANTITIES",
    "compare",
    "diagnose",
    "frontier",
    "per_prompt",
    "plan",
    "pool_size",
    "summarise",
]
