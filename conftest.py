"""What runs the language model is tested where torch is installed, and always in CI."""

import os
from importlib.util import find_spec

NEEDS_TORCH = [
    *("src/replication/llm/convert.py", "src/replication/llm/model.py"),
    *("src/replication/llm/precision.py", "src/replication/llm/prompts.py"),
    *("src/replication/llm/rewards.py", "src/replication/llm/sampling.py"),
    *("src/replication/llm/search.py", "src/replication/llm/tiny.py"),
    "tests/replication/llm/*",
]

collect_ignore_glob = [] if find_spec("torch") or os.environ.get("CI") else NEEDS_TORCH
