"""Candidates of one prompt at one temperature, drawn chunk by chunk and scored."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from replication.llm.model import LanguageModel, load
from replication.llm.prompts import judgement_tokens, prompt_tokens
from replication.llm.rewards import judge, lengths, verify
from replication.llm.sampling import CHUNK, Draws, draw
from replication.llm.settings import Prompt, Settings, load_settings
from replication.llm.tables import response_ids
from replication.pipeline.io import atomic_path, write_table
from replication.pipeline.job import job
from replication.studies.simulate import stream

CHUNKS_AT_ONCE = {"cuda": 16, "cpu": 1}


def draw_pool(config: str, prompt: str, temperature: float, chunks: str, output: str) -> None:
    """Write one row per candidate.

    Args:
        config: the settings.
        prompt: its name.
        temperature: one of those in the settings.
        chunks: folder that keeps finished chunks, so that a killed run goes on where it was.
        output: the table.
    """
    settings = load_settings(config)
    model, tokenizer = load(settings.source, dtype=settings.dtype)
    asked = settings.prompts[prompt]
    tokens = torch.tensor(prompt_tokens(tokenizer, asked.text), device=model.device)
    uniforms = _uniforms(settings, prompt, temperature)
    draws = _in_chunks(model.at(temperature), tokens, uniforms, Path(chunks))
    write_table(candidates(draws, model, tokenizer, asked), output)


def candidates(
    draws: Draws,
    model: LanguageModel,
    tokenizer: Any,  # noqa: ANN401
    prompt: Prompt,
) -> dict[str, NDArray[Any]]:
    """What is kept of candidates; each distinct response is judged once."""
    size = lengths(draws.tokens, draws.ended)
    texts = tokenizer.batch_decode([row[:n] for row, n in zip(draws.tokens, size, strict=True)])
    _, first, index = np.unique(draws.tokens, axis=0, return_index=True, return_inverse=True)
    question = judgement_tokens(tokenizer, prompt.text, prompt.judge)
    odds = judge(model, question, [draws.tokens[i, : size[i]].tolist() for i in first])
    return {
        "log_prob": draws.log_prob,
        "length": size.astype(np.int16),
        "ended": draws.ended,
        "response": response_ids([row[row >= 0].tolist() for row in draws.tokens]),
        "judge": odds[index.ravel()],
        "verifier": verify(texts, prompt.verifier),
        "text": np.array(texts),
    }


def _uniforms(settings: Settings, prompt: str, temperature: float) -> list[NDArray[np.float64]]:
    """The uniform numbers of each chunk, from a random stream of its own."""
    shape = CHUNK, settings.token_limit
    count = settings.candidates[temperature] // CHUNK
    keys = (("llm", prompt, temperature, chunk) for chunk in range(count))
    return [stream(settings.seed, *key).random(shape) for key in keys]


def _in_chunks(
    model: LanguageModel, prompt: torch.Tensor, uniforms: list[NDArray[np.float64]], folder: Path
) -> Draws:
    paths = [folder / f"{i}.npz" for i in range(len(uniforms))]
    missing = [i for i, path in enumerate(paths) if not path.is_file()]
    at_once = CHUNKS_AT_ONCE[model.device.type]
    with tqdm(unit=" tokens", unit_scale=True, file=sys.stderr) as progress:
        for start in range(0, len(missing), at_once):
            batch = missing[start : start + at_once]
            drawn = draw(model, prompt, np.concatenate([uniforms[i] for i in batch]))
            for i, part in zip(batch, _split(drawn), strict=True):
                with atomic_path(paths[i]) as temporary:
                    np.savez(temporary, **part._asdict())
            progress.update(int(np.sum(drawn.tokens >= 0)))
    chunks = [np.load(path) for path in paths]
    whole = {field: np.concatenate([chunk[field] for chunk in chunks]) for field in Draws._fields}
    return Draws(**whole)


def _split(draws: Draws) -> Iterator[Draws]:
    for start in range(0, len(draws.log_prob), CHUNK):
        part = slice(start, start + CHUNK)
        yield Draws(draws.tokens[part], draws.log_prob[part], draws.ended[part])


if __name__ == "__main__":
    with job(snakemake):
        draw_pool(
            snakemake.input.config,
            snakemake.wildcards.prompt,
            float(snakemake.wildcards.temperature),
            snakemake.params.chunks,
            snakemake.output.pool,
        )
