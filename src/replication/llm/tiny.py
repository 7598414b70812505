"""A tiny random model and its tokenizer: every response can be listed, in examples and tests."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from replication.llm.model import LanguageModel

__all__ = ["END", "WORDS", "tiny_model", "tiny_network", "tiny_tokenizer"]

END = 0
WORDS = ("<end>", "<user>", "yes", "no", "Yes", "No")
"""The tokens, of which a smaller model has the first."""

TEMPLATE = "{% for message in messages %}<user> {{ message.content }}{% endfor %} <user>"


def tiny_network(vocabulary: int = len(WORDS), heads: int = 2) -> LlamaForCausalLM:
    """A Llama network of two layers with random weights, the same at each call.

    Examples:
        >>> tiny_network(3).config.vocab_size
        3
    """
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=1,
        max_position_embeddings=32,
        initializer_range=0.4,  # far from uniform
        bos_token_id=1,
        eos_token_id=END,
        pad_token_id=END,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(vocabulary)
        return LlamaForCausalLM(config)


def tiny_model(vocabulary: int = len(WORDS), temperature: float = 1.0) -> LanguageModel:
    """`tiny_network` at a temperature.

    Examples:
        >>> model = tiny_model(3)
        >>> model.extend(model.new_cache(), torch.tensor([[1, 2]])).exp().sum().round(decimals=9)
        tensor(1., dtype=torch.float64)
    """
    return LanguageModel(tiny_network(vocabulary), [END], temperature)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Words to tokens.

    Examples:
        >>> tiny_tokenizer()("yes no").input_ids
        [2, 3]
    """
    vocabulary = {word: token for token, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<user>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=WORDS[END], chat_template=TEMPLATE
    )
