"""From a GGUF file to a folder that transformers reads: dequantised once, in float32.

Transformers converts such a file too, in minutes and anew on each load, most of it on the tokenizer
(the weights are bit for bit the same).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader, dequantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

__all__ = ["converted"]

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""What the parts of a layer are called, in GGUF and in transformers."""

SPECIAL = 3
"""The type of GGUF's control tokens."""


def converted(gguf: Path, sha256: str, cache: Path) -> Path:
    """The folder of the converted model, made on the first call.

    Args:
        gguf: the file, of the Llama architecture with a byte-level BPE tokenizer.
        sha256: of the file, in hexadecimal.
        cache: folder of the converted models; each has the sha256 for a name.

    Raises:
        ValueError: if the file has another sha256, or holds another architecture or tokenizer.

    Examples:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "model.gguf")
        ...     _ = file.write_bytes(b"GGUF")
        ...     try:
        ...         converted(file, "0123", Path(folder))
        ...     except ValueError as error:
        ...         print(str(error)[-13:])
        expected 0123
    """
    folder = cache / sha256
    if folder.is_dir():
        return folder
    with gguf.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(f"{gguf} has the sha256 {found}: expected {sha256}")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        reader = GGUFReader(gguf)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        _network(reader, fields).save_pretrained(temporary)
        _tokenizer(fields).save_pretrained(temporary)
        shutil.copytree(temporary, f"{temporary}-whole")
        os.replace(f"{temporary}-whole", folder)
    return folder


def _network(reader: GGUFReader, fields: Mapping[str, Any]) -> LlamaForCausalLM:
    _expect(fields, "general.architecture", "llama")
    config = _config(fields)
    with torch.device("meta"):
        network = LlamaForCausalLM(config)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    weights = {}
    for tensor in reader.tensors:
        name = _transformers_name(tensor.name)
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        count = heads.get(name.split(".")[-2])
        weights[name] = weight if count is None else _uninterleaved(weight, count)
    if config.tie_word_embeddings:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    network.load_state_dict(weights, strict=True, assign=True)
    network.tie_weights()
    return network


def _config(fields: Mapping[str, Any]) -> LlamaConfig:
    def field(name: str) -> Any:  # noqa: ANN401
        return fields[f"llama.{name}"]

    return LlamaConfig(
        vocab_size=field("vocab_size"),
        hidden_size=field("embedding_length"),
        intermediate_size=field("feed_forward_length"),
        num_hidden_layers=field("block_count"),
        num_attention_heads=field("attention.head_count"),
        num_key_value_heads=field("attention.head_count_kv"),
        max_position_embeddings=field("context_length"),
        rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": field("rope.freq_base")},
        tie_word_embeddings=True,
        bos_token_id=fields["tokenizer.ggml.bos_token_id"],
        eos_token_id=fields["tokenizer.ggml.eos_token_id"],
        pad_token_id=fields["tokenizer.ggml.padding_token_id"],
    )


def _transformers_name(name: str) -> str:
    """Of a tensor.

    Examples:
        >>> _transformers_name("blk.3.attn_q.weight")
        'model.layers.3.self_attn.q_proj.weight'
    """
    if name.startswith("blk."):
        _, layer, part, kind = name.split(".")
        return f"model.layers.{layer}.{LAYER[part]}.{kind}"
    top = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    part, kind = name.split(".")
    return f"{top[part]}.{kind}"


def _uninterleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """GGUF interleaves the two halves of each head that the rotary embedding pairs."""
    rows, columns = weight.shape
    paired = weight.reshape(heads, rows // heads // 2, 2, columns)
    return paired.swapaxes(1, 2).reshape(rows, columns).contiguous()


def _tokenizer(fields: Mapping[str, Any]) -> PreTrainedTokenizerFast:
    _expect(fields, "tokenizer.ggml.model", "gpt2")
    _expect(fields, "tokenizer.ggml.pre", "smollm")
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == SPECIAL]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    end = tokens[fields["tokenizer.ggml.eos_token_id"]]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[fields["tokenizer.ggml.bos_token_id"]],
        eos_token=end,
        pad_token=end,
        clean_up_tokenization_spaces=False,
        chat_template=fields["tokenizer.chat_template"],
    )


def _expect(fields: Mapping[str, Any], name: str, value: str) -> None:
    if fields.get(name) != value:
        raise ValueError(f"{name} is {fields.get(name)!r}: expected {value!r}")
