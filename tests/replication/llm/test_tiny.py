"""Drawing and searching on a tiny random model, whose every response can be listed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bonmeter.exact.top import TopPolicy, kl_bracket
from bonmeter.exact.values import exact_kl
from bonmeter.numerics.validation import FloatArray
from bonmeter.policies.listed import Policy
from replication.llm.model import LanguageModel, load
from replication.llm.precision import log_probs_by_route
from replication.llm.prompts import Judgement
from replication.llm.rewards import judge
from replication.llm.sampling import CHUNK, NO_TOKEN, draw
from replication.llm.search import likely_responses
from replication.llm.settings import Settings, Source
from replication.llm.tiny import END, tiny_model, tiny_network, tiny_tokenizer
from workflow.scripts import llm_draw
from workflow.scripts.llm_search import search

LIMIT = 5
PROMPT = torch.tensor([1, 2, 1])
N = np.array([1, 2, 3.5, 10, 100, 1e4])


@pytest.fixture(params=[3, 4, 6])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return tiny_model(request.param, temperature=0.8)


def every_response(model: LanguageModel) -> list[tuple[int, ...]]:
    tokens = range(1, model.network.config.vocab_size)
    ended = [(*body, END) for k in range(LIMIT) for body in product(tokens, repeat=k)]
    return ended + list(product(tokens, repeat=LIMIT))


def scores(model: LanguageModel, responses: Sequence[Sequence[int]]) -> FloatArray:
    """One pass for each length: neither a cache nor padding."""
    found = np.empty(len(responses))
    size = np.array([len(response) for response in responses])
    for length in np.unique(size):
        rows = np.flatnonzero(size == length)
        tokens = torch.tensor([responses[i] for i in rows.tolist()])
        found[rows] = model.score(PROMPT, tokens).numpy()
    return found


def test_all_responses_have_probability_1(model: LanguageModel) -> None:
    assert np.exp(scores(model, every_response(model))).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("threshold", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("rows", [2, 1000])
def test_the_search_finds_exactly_the_likely_ones(
    model: LanguageModel, threshold: float, rows: int
) -> None:
    responses = every_response(model)
    log_prob = scores(model, responses)
    found = likely_responses(model, PROMPT, float(np.log(threshold)), LIMIT, rows)
    likely = {responses[i] for i in np.flatnonzero(log_prob >= np.log(threshold))}
    assert set(found.tokens) == likely
    assert len(found.tokens) == len(likely)
    np.testing.assert_allclose(found.log_prob, scores(model, found.tokens), atol=1e-5)
    assert np.all(np.diff(found.log_prob) <= 0)
    assert found.ended.tolist() == [tokens[-1] == END for tokens in found.tokens]


def test_it_expands_the_prefixes_above_the_threshold(model: LanguageModel) -> None:
    found = likely_responses(model, PROMPT, float(np.log(0.01)), LIMIT)
    responses = every_response(model)
    p = np.exp(scores(model, responses))
    prefixes: dict[tuple[int, ...], float] = {}
    for tokens, mass in zip(responses, p, strict=True):
        for k in range(len(tokens)):
            prefixes[tokens[:k]] = prefixes.get(tokens[:k], 0.0) + mass
    assert found.nodes == sum(mass >= 0.01 for mass in prefixes.values())


@pytest.mark.parametrize("threshold", [0.05, 0.002])
def test_the_kl_lies_in_the_bracket_of_what_is_found(
    model: LanguageModel, threshold: float
) -> None:
    log_prob = scores(model, every_response(model))
    kl = exact_kl(Policy(log_prob, log_prob), N)
    found = likely_responses(model, PROMPT, float(np.log(threshold)), LIMIT)
    bracket = kl_bracket(TopPolicy(found.log_prob, float(np.log(threshold)), error=1e-5), N)
    assert np.all((bracket.lower <= kl) & (kl <= bracket.upper))
    missed = kl_bracket(TopPolicy(found.log_prob[1:], float(np.log(threshold)), error=1e-5), N)
    assert np.any((kl < missed.lower) | (missed.upper < kl))  # negative control


def test_draws_have_the_log_probability_of_a_direct_pass(model: LanguageModel) -> None:
    draws = draw(model, PROMPT, np.random.default_rng(1).random((200, LIMIT)))
    bodies = [row[row != NO_TOKEN].tolist() for row in draws.tokens]
    np.testing.assert_allclose(draws.log_prob, scores(model, bodies), atol=1e-5)
    assert draws.ended.tolist() == [body[-1] == END for body in bodies]
    assert {len(body) for body, ended in zip(bodies, draws.ended, strict=True) if not ended} == {
        LIMIT
    }


def test_draws_are_as_frequent_as_they_are_probable(model: LanguageModel) -> None:
    draws = draw(model, PROMPT, np.random.default_rng(2).random((4000, LIMIT)))
    responses = every_response(model)
    p = np.exp(scores(model, responses))
    index = {tokens: i for i, tokens in enumerate(responses)}
    rows = [index[tuple(row[row != NO_TOKEN].tolist())] for row in draws.tokens]
    counts = np.bincount(rows, minlength=p.size)
    score = (counts - 4000 * p) / np.sqrt(4000 * p * (1 - p) + 1)
    assert np.abs(score).max() < 5


def test_a_row_depends_on_its_numbers_alone(model: LanguageModel) -> None:
    uniform = np.random.default_rng(3).random((64, LIMIT))
    whole = draw(model, PROMPT, uniform)
    parts = [draw(model, PROMPT, part) for part in np.split(uniform, 4)]
    np.testing.assert_array_equal(whole.tokens, np.concatenate([part.tokens for part in parts]))
    np.testing.assert_allclose(
        whole.log_prob, np.concatenate([part.log_prob for part in parts]), atol=1e-5
    )


def test_the_temperature_divides_the_logits() -> None:
    network = tiny_network(4)
    one, half = LanguageModel(network, [END], 1.0), LanguageModel(network, [END], 0.5)
    tokens = PROMPT[None]
    doubled = 2 * one.extend(one.new_cache(), tokens)
    np.testing.assert_allclose(
        half.extend(half.new_cache(), tokens), torch.log_softmax(doubled, -1), atol=1e-12
    )


@pytest.mark.parametrize("heads", [2, 4])
def test_grouped_attention_is_the_usual_one(heads: int) -> None:
    network = tiny_network(6, heads)
    model = LanguageModel(network, [END])
    tokens = torch.randint(0, 6, (3, 7), generator=torch.Generator().manual_seed(0))
    found = []
    for name in ("eager", "grouped"):
        network.set_attn_implementation(name)
        cache = model.new_cache()
        model.extend(cache, tokens[:, :4])
        found += [model.extend(cache, tokens[:, 4:5]), model.logits_after(tokens)]
    np.testing.assert_allclose(found[0], found[2], atol=1e-5)
    np.testing.assert_allclose(found[1], found[3], atol=1e-5)


def test_routes_agree_in_single_precision_and_less_in_half(model: LanguageModel) -> None:
    draws = draw(model, PROMPT, np.random.default_rng(4).random((20, LIMIT)))
    routes = log_probs_by_route(model, PROMPT, torch.from_numpy(draws.tokens).long())
    off = {name: np.abs(found - draws.log_prob).max() for name, found in routes.items()}
    assert max(off[name] for name in off if name.startswith(("float32", "float64"))) < 1e-5
    assert off["bfloat16, one pass"] > 1e-3


def test_the_judge_compares_the_answers_wherever_the_response_lies(model: LanguageModel) -> None:
    question = Judgement(before=[1, 2], after=[2], yes=[1], no=[2])
    responses = [[], [1], [2, 1], [1], [1, 1]]
    odds = judge(model, question, responses)
    for response, value in zip(responses, odds, strict=True):
        logits = model.logits_after(torch.tensor([[1, 2, *response, 2]]))[0]
        assert value == pytest.approx(float(logits[1] - logits[2]), abs=1e-6)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Of a tiny model in a folder, as transformers writes it."""
    tiny_network().save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    prompt = {"label": "a", "text": "yes no", "judge": "no", "verifier": "yes"}
    config = Settings.model_validate(
        {
            "model": "tiny",
            "source": {"path": str(tmp_path / "model")},
            "seed": 1,
            "token_limit": LIMIT,
            "candidates": {1.0: 3 * CHUNK},
            "threshold": 0.01,
            "log_prob_error": 1e-4,
            "prompts": {"a": prompt},
            "figure_4": ["a"] * 4,
        }
    )
    path = tmp_path / "llm.yaml"
    path.write_text(config.model_dump_json(), encoding="utf-8")
    return path


def test_a_model_in_a_folder_is_loaded(settings: Path) -> None:
    model, tokenizer = load(Source(path=str(settings.parent / "model")), device="cpu")
    assert model.end.tolist() == [END]
    assert tokenizer("yes no").input_ids == [2, 3]


def test_an_interrupted_draw_goes_on_with_the_chunks_it_has(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks, output = settings.parent / "chunks", settings.parent / "pool.parquet"
    arguments = str(settings), "a", 1.0, str(chunks), str(output)
    llm_draw.draw_pool(*arguments)
    whole = pd.read_parquet(output)
    assert len(whole) == 3 * CHUNK
    (chunks / "1.npz").unlink()
    drawn = []

    def counted(*arguments: object) -> object:
        drawn.append(arguments)
        return draw(*arguments)

    monkeypatch.setattr(llm_draw, "draw", counted)
    llm_draw.draw_pool(*arguments)
    assert len(drawn) == 1
    pd.testing.assert_frame_equal(pd.read_parquet(output), whole)


def test_found_responses_are_those_drawn(settings: Path) -> None:
    pool, found = settings.parent / "pool.parquet", settings.parent / "found.parquet"
    llm_draw.draw_pool(str(settings), "a", 1.0, str(settings.parent / "chunks"), str(pool))
    search(str(settings), "a", 1.0, str(found))
    drawn = pd.read_parquet(pool).drop_duplicates("response")
    listed = pd.read_parquet(found)
    assert set(drawn.response[drawn.log_prob >= np.log(0.01)]) <= set(listed.response)
    both = drawn.merge(listed, on="response", suffixes=("", "_listed"))
    assert len(both) > 5
    for name in ("log_prob", "judge"):
        np.testing.assert_allclose(both[name], both[f"{name}_listed"], atol=1e-4)
    for name in ("length", "ended", "verifier", "text"):
        assert both[name].tolist() == both[f"{name}_listed"].tolist()
