"""The language model itself: a small fresh search and sample against what is kept."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from replication.llm.convert import converted
from replication.llm.model import LanguageModel, load
from replication.llm.prompts import prompt_tokens
from replication.llm.rewards import lengths
from replication.llm.sampling import CHUNK, draw
from replication.llm.search import likely_responses
from replication.llm.settings import load_settings
from replication.llm.tables import response_ids
from replication.studies.simulate import stream

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = load_settings(ROOT / "config/llm.yaml")
NAME = "capital"
ROWS, SHORT = 12, 24
"""Candidates to draw again: the first of so few tokens, as a core draws a hundred a second."""

Loaded = tuple[LanguageModel, Any]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    if find_spec(SETTINGS.source.package) is None:
        pytest.fail("the weights are not installed: `make llm`", pytrace=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("replication.llm.model.CACHE", tmp_path_factory.mktemp("cache"))
        return load(SETTINGS.source, device="cpu", dtype=SETTINGS.dtype)


@pytest.fixture
def prompt(loaded: Loaded) -> torch.Tensor:
    return torch.tensor(prompt_tokens(loaded[1], SETTINGS.prompts[NAME].text))


def kept(table: str) -> pd.DataFrame:
    whole = pd.read_parquet(ROOT / f"study/llm/{table}.parquet")
    return whole[(whole.prompt == NAME) & (whole.temperature == 1)].reset_index(drop=True)


def test_the_prompt_is_in_the_models_own_template(loaded: Loaded, prompt: torch.Tensor) -> None:
    text = loaded[1].decode(prompt)
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert text.endswith("What is the capital of France?<|im_end|>\n<|im_start|>assistant\n")


def test_a_search_finds_the_kept_responses(loaded: Loaded, prompt: torch.Tensor) -> None:
    found = likely_responses(loaded[0], prompt, float(np.log(0.01)), SETTINGS.token_limit)
    listed = kept("found").query("log_prob >= log(0.01)")
    assert found.nodes == 51
    assert response_ids(found.tokens).tolist() == listed.response.tolist()
    np.testing.assert_allclose(found.log_prob, listed.log_prob, atol=SETTINGS.log_prob_error)
    bodies = [tokens[:-1] for tokens in found.tokens]
    assert loaded[1].batch_decode(bodies) == listed.text.tolist()


def test_a_sample_is_the_kept_one_up_to_rounding(loaded: Loaded, prompt: torch.Tensor) -> None:
    """Rounding may move a number across a boundary: the two responses differ from there on."""
    before = kept("pools").head(CHUNK).query("length <= @SHORT").head(ROWS)
    shape = CHUNK, SETTINGS.token_limit
    uniform = stream(SETTINGS.seed, "llm", NAME, 1.0, 0).random(shape)
    draws = draw(loaded[0], prompt, uniform[before.index, : SHORT + 1])
    drawn = pd.DataFrame(
        {
            "response": response_ids([row[row >= 0].tolist() for row in draws.tokens]),
            "log_prob": draws.log_prob,
            "length": lengths(draws.tokens, draws.ended),
        }
    )
    before = before.reset_index(drop=True)
    same = drawn.response == before.response
    assert same.sum() >= ROWS // 2
    assert (drawn.length[same] == before.length[same]).all()
    np.testing.assert_allclose(
        drawn.log_prob[same], before.log_prob[same], atol=SETTINGS.log_prob_error
    )


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(ValueError, match=r"has the sha256 .*: expected abc"):
        converted(file, "abc", tmp_path)
