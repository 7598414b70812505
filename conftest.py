"""What runs the language model is tested where torch is installed, and always in CI."""

import os
from importlib.util import find_spec

NEEDS_TORCH = ("convert", "model", "precision", "rewards", "sampling", "search")

collect_ignore_glob = (
    []
    if find_spec("torch") or os.environ.get("CI")
    else [*(f"src/replication/llm/{name}.py" for name in NEEDS_TORCH), "tests/replication/llm/*"]
)
