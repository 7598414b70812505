"""Every response of one prompt at one temperature whose probability reaches the threshold."""

import numpy as np
import torch

from replication.llm.model import load
from replication.llm.prompts import judgement_tokens, prompt_tokens
from replication.llm.rewards import judge, verify
from replication.llm.search import likely_responses
from replication.llm.settings import load_settings
from replication.llm.tables import response_ids
from replication.pipeline.io import write_table
from replication.pipeline.job import job

PREFIXES_AT_ONCE = {"cuda": 2048, "cpu": 128}


def search(config: str, prompt: str, temperature: float, output: str) -> None:
    """Write one row per response found, likeliest first, and how many prefixes were expanded.

    Args:
        config: the settings.
        prompt: its name.
        temperature: one of those in the settings.
        output: the table.
    """
    settings = load_settings(config)
    model, tokenizer = load(settings.source, dtype=settings.dtype)
    asked = settings.prompts[prompt]
    found = likely_responses(
        model.at(temperature),
        torch.tensor(prompt_tokens(tokenizer, asked.text), device=model.device),
        float(np.log(settings.threshold)),
        settings.token_limit,
        PREFIXES_AT_ONCE[model.device.type],
    )
    bodies = [
        row[:-1] if ended else row for row, ended in zip(found.tokens, found.ended, strict=True)
    ]
    texts = tokenizer.batch_decode(bodies)
    question = judgement_tokens(tokenizer, asked.text, asked.judge)
    write_table(
        {
            "log_prob": found.log_prob,
            "length": np.array([len(body) for body in bodies], dtype=np.int16),
            "ended": found.ended,
            "response": response_ids(found.tokens),
            "judge": judge(model, question, bodies),
            "verifier": verify(texts, asked.verifier),
            "text": np.array(texts, dtype=np.str_),
            "nodes": np.full(len(texts), found.nodes),
        },
        output,
    )


if __name__ == "__main__":
    with job(snakemake):
        search(
            snakemake.input.config,
            snakemake.wildcards.prompt,
            float(snakemake.wildcards.temperature),
            snakemake.output.found,
        )
