"""`snakemake llm` on a tiny model: one command from weights to what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from replication.llm.tiny import tiny_network, tiny_tokenizer
from tests.runs import copy_project, planned, succeed

SETTINGS = {
    "model": "tiny",
    "seed": 1,
    "token_limit": 5,
    "candidates": {1.0: 256},
    "threshold": 0.01,
    "log_prob_error": 1e-4,
    "prompts": {"a": {"label": "a", "text": "yes no", "judge": "no", "verifier": "yes"}},
    "figure_4": ["a"] * 4,
}


def test_one_command_renews_what_is_kept(tmp_path: Path) -> None:
    project, model = copy_project(tmp_path / "project"), tmp_path / "model"
    tiny_network().save_pretrained(model)
    tiny_tokenizer().save_pretrained(model)
    settings = SETTINGS | {"source": {"path": str(model)}}
    (project / "config/llm_tiny.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    asked = ("--config", "llm=config/llm_tiny.yaml", "--", "llm")
    succeed(project, *asked)
    kept = project / "study/llm_tiny"
    pools, found = (pd.read_parquet(kept / f"{name}.parquet") for name in ("pools", "found"))
    assert len(pools) == 256
    assert (found.log_prob >= np.log(0.01)).all()
    assert set(pools.response[pools.log_prob >= np.log(0.01)]) <= set(found.response)
    manifest = json.loads((kept / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["model"] == "tiny"
    assert set(planned(project, *asked)) == {"llm"}  # nothing is drawn again
