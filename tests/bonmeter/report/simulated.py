"""Logs as runs leave them, simulated: a language model's, a verifier's, one with ranks alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SUBJECTS = (
    "Explain why the sky is blue to a child of six.",
    "Write a haiku about a lighthouse in winter.",
    "Which is larger, 9.11 or 9.9? Answer with the number only.",
    "Summarise the causes of the French Revolution in three sentences.",
    "Translate into German: “The committee postponed its decision until Monday.”",
    "A train leaves at 14:05 and arrives at 17:48. How long is the journey?",
    "Give me a recipe for lentil soup that takes less than half an hour.",
    "What is the capital of Australia?",
)


def language_model(prompts: int = 40, candidates: int = 256, seed: int = 11) -> pd.DataFrame:
    """Responses of sharp and of diverse policies; gold reward falls behind the proxy at its top."""
    children = np.random.SeedSequence(seed).spawn(prompts)
    pools = [_pool(k, candidates, np.random.default_rng(s)) for k, s in enumerate(children)]
    return pd.concat(pools, ignore_index=True)


def _pool(number: int, candidates: int, rng: np.random.Generator) -> pd.DataFrame:
    outcomes = 20_000
    sharpness = rng.uniform(0.4, 2.2)
    log_mass = -sharpness * np.log(np.arange(1, outcomes + 1)) + 0.3 * rng.normal(size=outcomes)
    log_mass -= np.logaddexp.reduce(log_mass)
    proxy = rng.normal(size=outcomes) + 0.15 * (log_mass - log_mass.mean())
    gold = 0.7 * proxy - 0.16 * np.maximum(proxy, 0) ** 2 + 0.5 * rng.normal(size=outcomes)
    tokens = rng.poisson(60 - 2 * log_mass)
    drawn = rng.choice(outcomes, candidates, p=np.exp(log_mass))
    return pd.DataFrame(
        {
            "prompt": f"{SUBJECTS[number % len(SUBJECTS)]} ({number + 1})",
            "response": [f"response {i}" for i in drawn],
            "reward": proxy[drawn].round(4),
            "log_prob": log_mass[drawn],
            "gold_reward": gold[drawn].round(4),
            "tokens": tokens[drawn],
        }
    )


def verifier(prompts: int = 60, candidates: int = 128, seed: int = 12) -> pd.DataFrame:
    """Passed or not, from problems that are hard to problems that are easy; no log-probs."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.5, 1.2, prompts)
    passed = rng.random((prompts, candidates)) < chance[:, None]
    names = [f"MATH/{100 + k}" for k in range(prompts)]
    return pd.DataFrame({"prompt": np.repeat(names, candidates), "reward": passed.ravel()})


def ranks_only(prompts: int = 25, candidates: int = 64, seed: int = 13) -> pd.DataFrame:
    """Scores of a judge from 1 to 10, ties and some missing; no log-probs, no responses."""
    rng = np.random.default_rng(seed)
    score = np.clip(rng.normal(6, 1.6, (prompts, candidates)).round(), 1, 10).ravel()
    score[rng.random(score.size) < 0.01] = np.nan
    return pd.DataFrame({"prompt": np.repeat(np.arange(prompts), candidates), "reward": score})


def scaled(log: pd.DataFrame, factor: float) -> pd.DataFrame:
    """The same in another unit of reward."""
    return log.assign(reward=log["reward"] * factor)


def hostile() -> pd.DataFrame:
    """Prompts that would break out of every context of a page."""
    prompts: list[str] = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(2)> \"quoted\" 'single' & &amp; {{ 7 * 7 }} {% raw %}",
        "</table></main><style>*{display:none}</style><!-- ",
        "]]>\x00\u202e right to left \ud7ff \U0001f600",
        "long " * 40_000,
        "   \n\t  ",
    ]
    rng = np.random.default_rng(14)
    reward: NDArray[np.float64] = rng.normal(size=20 * len(prompts))
    return pd.DataFrame(
        {"prompt": np.repeat(np.array(prompts, dtype=object), 20), "reward": reward}
    )
