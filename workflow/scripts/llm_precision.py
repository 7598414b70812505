"""How far log-probabilities move with batch shape, cache and dtype, on one prompt's candidates."""

import numpy as np
import torch

from replication.llm.model import load
from replication.llm.precision import log_probs_by_route
from replication.llm.prompts import prompt_tokens
from replication.llm.sampling import CHUNK, draw
from replication.llm.settings import load_settings
from replication.pipeline.io import write_table
from replication.pipeline.job import job
from replication.studies.simulate import stream

RESPONSES = 64


def measure(config: str, prompt: str, output: str) -> None:
    """Write one row per response and route: how far its log-probability is from that drawn with.

    Args:
        config: the settings.
        prompt: its name.
        output: the table.
    """
    settings = load_settings(config)
    model, tokenizer = load(settings.source, dtype=settings.dtype)
    tokens = torch.tensor(
        prompt_tokens(tokenizer, settings.prompts[prompt].text), device=model.device
    )
    uniform = stream(settings.seed, "llm", prompt, 1.0, 0).random((CHUNK, settings.token_limit))
    draws = draw(model, tokens, uniform)
    drawn = torch.from_numpy(draws.tokens[:RESPONSES]).long().to(model.device)
    routes = log_probs_by_route(model, tokens, drawn)
    write_table(
        {
            "route": np.repeat(list(routes), RESPONSES),
            "length": np.tile(np.sum(draws.tokens[:RESPONSES] >= 0, axis=1), len(routes)),
            "difference": np.concatenate(
                [log_prob - draws.log_prob[:RESPONSES] for log_prob in routes.values()]
            ),
        },
        output,
    )


if __name__ == "__main__":
    with job(snakemake):
        measure(snakemake.input.config, snakemake.wildcards.prompt, snakemake.output.precision)
