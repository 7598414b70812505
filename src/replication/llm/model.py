"""A causal language model with its tokenizer, one token at a time or a whole response at once."""

from __future__ import annotations

import importlib.util
import inspect
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
)
from transformers.masking_utils import sdpa_mask

from replication.llm.convert import converted
from replication.llm.settings import Source

__all__ = ["LanguageModel", "environment", "load"]

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # weights come from where the config says, or not

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "bonmeter"


class LanguageModel:
    """A model at one temperature: the distribution that is sampled, in float64.

    The logits have the precision of the weights; they are divided by the temperature, normalised
    and summed in float64.

    Args:
        network: a causal language model of transformers.
        end: the tokens that end a response.
        temperature: positive; 1 is the model itself.
    """

    def __init__(self, network: Any, end: Sequence[int], temperature: float = 1.0) -> None:  # noqa: ANN401
        self.network = network.eval()
        self.end = torch.tensor(sorted(end), device=network.device)
        self.temperature = temperature
        parameters = inspect.signature(network.forward).parameters
        # transformers renames it
        self._cache = "cache" if "cache" in parameters else "past_key_values"

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.device

    def at(self, temperature: float) -> LanguageModel:
        """The same weights at another temperature."""
        return LanguageModel(self.network, self.end.tolist(), temperature)

    def new_cache(self) -> DynamicCache:
        """Keys and values of no tokens."""
        return DynamicCache(config=self.network.config)

    @torch.inference_mode()
    def extend(self, cache: DynamicCache, tokens: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of the next token after `tokens`, which go into the cache.

        Args:
            cache: of the tokens before, for as many rows.
            tokens: shape (rows, new tokens).

        Returns:
            float64, shape (rows, vocabulary).
        """
        inputs = {self._cache: cache, "use_cache": True, "logits_to_keep": 1}
        return self._log_prob(self.network(tokens, **inputs).logits[:, -1])

    @torch.inference_mode()
    def score(self, prompt: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of whole responses in one forward pass, without a cache.

        Args:
            prompt: tokens, shape (prompt tokens,).
            responses: shape (rows, tokens); what follows the end of one is negative.

        Returns:
            float64, shape (rows,).
        """
        rows, length = responses.shape
        tokens = responses.clamp(min=0)
        whole = torch.cat([prompt.expand(rows, -1), tokens], dim=1)[:, :-1]
        logits = self.network(whole, use_cache=False, logits_to_keep=length).logits
        log_prob = self._log_prob(logits).gather(-1, tokens[..., None]).squeeze(-1)
        return log_prob.where(responses >= 0, 0.0).sum(dim=-1)

    @torch.inference_mode()
    def logits_after(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits of the next token, of shape (rows, vocabulary), without a cache."""
        return self.network(tokens, use_cache=False, logits_to_keep=1).logits[:, -1]

    def _log_prob(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(logits.double() / self.temperature, dim=-1)


def load(source: Source, device: str = "auto", dtype: str = "float32") -> tuple[LanguageModel, Any]:
    """The model and its tokenizer; nothing is fetched from a hub.

    Args:
        source: where it comes from.
        device: of torch; "auto" is a GPU if there is one.
        dtype: of the weights and logits, by its name in torch.

    Raises:
        ValueError: if the package is not installed or its file has another sha256.

    Examples:
        >>> load(Source(path="model.gguf", package="no_such_package"))
        Traceback (most recent call last):
        ValueError: package no_such_package is not installed: `make llm` installs it
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    path = converted(_in_package(source), source.sha256, CACHE) if source.package else source.path
    tokenizer = AutoTokenizer.from_pretrained(path, revision=source.revision)
    network = AutoModelForCausalLM.from_pretrained(
        path, revision=source.revision, dtype=getattr(torch, dtype)
    )
    if network.config._attn_implementation == "sdpa":
        network.set_attn_implementation("grouped")
    end = network.generation_config.eos_token_id
    ends = end if isinstance(end, list) else [end]
    return LanguageModel(network.to(device), ends), tokenizer


def environment() -> dict[str, str]:
    """What log-probabilities depend on beside the model: versions and the device.

    Examples:
        >>> sorted(environment())
        ['device', 'numpy', 'python', 'torch', 'transformers']
    """
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    versions = {name: version(name) for name in ("torch", "transformers", "numpy")}
    return {"device": gpu or platform.machine(), "python": platform.python_version(), **versions}


def _in_package(source: Source) -> Path:
    """Found without importing the package, which needs more than its file."""
    spec = importlib.util.find_spec(source.package)
    if spec is None or spec.submodule_search_locations is None:
        raise ValueError(f"package {source.package} is not installed: `make llm` installs it")
    return Path(spec.submodule_search_locations[0], source.path)


def _grouped(
    module: Any,  # noqa: ANN401
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,  # noqa: ANN401
) -> tuple[torch.Tensor, None]:
    """Attention where the queries that share a key are rows of one product: no copies of keys.

    In single precision on a GPU the usual one copies keys and values for each query head.
    """
    rows, heads, length, width = query.shape
    groups = heads // key.shape[1]
    causal = length > 1 and attention_mask is None
    if causal:
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    else:
        query = query.reshape(rows, key.shape[1], groups * length, width)
        if attention_mask is not None:
            attention_mask = attention_mask.repeat(1, 1, groups, 1)
    output = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, scale=scaling, is_causal=causal
    )
    return output.reshape(rows, heads, length, -1).transpose(1, 2).contiguous(), None


AttentionInterface.register("grouped", _grouped)
AttentionMaskInterface.register("grouped", sdpa_mask)
