"""What study/llm keeps of the language model: consistent, complete, and what the config says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from replication.llm.settings import Settings, load_settings
from replication.llm.tables import REWARDS, has_reward, read_pools, rewards
from replication.pipeline.verify import altered_of_kept

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "study/llm"
SETTINGS = load_settings(ROOT / "config/llm.yaml")
LOG_THRESHOLD = float(np.log(SETTINGS.threshold))
FALSE_ALARM = 1e-6

POOLS = pd.read_parquet(KEPT / "pools.parquet")
FOUND = pd.read_parquet(KEPT / "found.parquet")
CELLS = [(prompt, each) for prompt in SETTINGS.prompts for each in SETTINGS.candidates]


def rows(table: pd.DataFrame, cell: tuple[str, float]) -> pd.DataFrame:
    prompt, temperature = cell
    chosen = (table.prompt == prompt) & (table.temperature == temperature)
    return table[chosen].reset_index(drop=True)


def test_it_is_what_the_config_asks_for() -> None:
    manifest = json.loads((KEPT / "manifest.json").read_text(encoding="utf-8"))
    now = SETTINGS.model_dump(mode="json")
    # captions and claims may change without a new run
    for each in (manifest["settings"], now):
        for name in ("model", "examples", "figure_4", "log_prob_error"):
            each.pop(name, None)
        for prompt in each["prompts"].values():
            prompt.pop("label")
    assert manifest["settings"] == now
    assert altered_of_kept(KEPT / "manifest.json") == []
    assert len(manifest["sha256"]) == 4
    assert set(manifest["made_with"]) == {"device", "python", "torch", "transformers", "numpy"}


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in KEPT.iterdir()) < 8e6


@pytest.mark.parametrize("cell", CELLS)
def test_every_candidate_is_there(cell: tuple[str, float]) -> None:
    pool = rows(POOLS, cell)
    assert len(pool) == SETTINGS.candidates[cell[1]]
    assert (pool.log_prob < 0).all()
    assert np.isfinite(pool.judge).all()
    assert (pool.length[~pool.ended] == SETTINGS.token_limit).all()
    assert (pool.length[pool.ended] < SETTINGS.token_limit).all()


@pytest.mark.parametrize("cell", CELLS)
def test_no_likely_response_that_was_drawn_is_missing_from_the_search(
    cell: tuple[str, float],
) -> None:
    pool, found = rows(POOLS, cell), rows(FOUND, cell)
    likely = pool[pool.log_prob >= LOG_THRESHOLD + SETTINGS.log_prob_error]
    assert set(likely.response) <= set(found.response)


@pytest.mark.parametrize("cell", CELLS)
def test_listed_responses_are_drawn_as_often_as_they_are_probable(
    cell: tuple[str, float],
) -> None:
    """Two routes to one number: the search knows nothing of the draws."""
    pool, found = rows(POOLS, cell), rows(FOUND, cell)
    drawn = int(pool.response.isin(found.response).sum())
    mass = float(np.exp(found.log_prob).sum())
    law = binom(len(pool), mass)
    assert min(law.cdf(drawn), law.sf(drawn - 1)) > FALSE_ALARM / 2


@pytest.mark.parametrize("cell", CELLS)
def test_search_and_draws_agree_on_each_response(cell: tuple[str, float]) -> None:
    both = rows(POOLS, cell).merge(rows(FOUND, cell), on="response", suffixes=("", "_found"))
    assert (both.log_prob - both.log_prob_found).abs().max() < SETTINGS.log_prob_error
    for name in ("length", "ended", "verifier"):
        assert (both[name] == both[f"{name}_found"]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_listed_responses_are_likely_different_and_in_order(cell: tuple[str, float]) -> None:
    found = rows(FOUND, cell)
    assert (found.log_prob >= LOG_THRESHOLD).all()
    assert found.log_prob.is_monotonic_decreasing
    assert found.response.is_unique
    assert found.log_prob.is_unique  # so that none are tied
    assert np.exp(found.log_prob).sum() < 1


def test_draws_of_one_response_differ_by_rounding_alone() -> None:
    spread = POOLS.groupby(["prompt", "temperature", "response"]).log_prob.agg(np.ptp)
    assert 0 < spread.max() < SETTINGS.log_prob_error
    once = read_pools(str(KEPT / "pools.parquet"))
    assert once.groupby(["prompt", "temperature", "response"]).log_prob.nunique().max() == 1


def test_the_error_of_a_log_probability_is_more_than_any_measured() -> None:
    measured = pd.read_parquet(KEPT / "precision.parquet")
    single = measured[measured.route.str.startswith(("float32", "float64"))]
    assert 0 < single.difference.abs().max() < SETTINGS.log_prob_error
    half = measured[measured.route.str.startswith("bfloat16")].difference.abs()
    assert half.median() > 100 * single.difference.abs().median()  # another policy


def test_texts_are_those_of_the_first_candidates() -> None:
    texts = pd.read_parquet(KEPT / "texts.parquet")
    assert len(texts) == SETTINGS.examples * len(CELLS)
    first = POOLS.groupby(["prompt", "temperature"], sort=False).head(SETTINGS.examples)
    assert texts.response.tolist() == first.response.tolist()
    assert texts.text.str.len().gt(0).any()


@pytest.mark.parametrize("name", REWARDS)
def test_each_reward_of_each_prompt_is_there(name: str) -> None:
    for cell in CELLS:
        pool = rows(POOLS, cell)
        if has_reward(SETTINGS.prompts[cell[0]], name):
            assert np.isfinite(rewards(pool, name)).all()
            assert len(np.unique(rewards(pool, name))) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": {1.0: 100}}, "candidates"),
        ({"candidates": {0.0: 256}}, "expected temperatures above 0"),
        ({"threshold": 1.0}, "threshold"),
        ({"figure_4": ["capital", "sky", "haiku", "moon"]}, "'moon': expected one of capital"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_are_checked(change: dict[str, object], message: str) -> None:
    content = SETTINGS.model_dump() | change
    with pytest.raises(ValueError, match=message):
        Settings.model_validate(content)


def test_a_pattern_that_is_none_is_refused() -> None:
    content = SETTINGS.model_dump()
    content["prompts"]["sky"]["verifier"] = "("
    with pytest.raises(ValueError, match="expected a regular expression"):
        Settings.model_validate(content)


def test_the_papers_model_has_settings_that_say_they_are_untested() -> None:
    path = ROOT / "config/llm_gemma.yaml"
    gemma = load_settings(path)
    assert gemma.source.path == "google/gemma-2-9b-it"
    assert "UNTESTED" in path.read_text(encoding="utf-8")
    assert gemma.prompts == SETTINGS.prompts
