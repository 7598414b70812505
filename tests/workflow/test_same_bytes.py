"""Other processors give the same bytes: the pipeline on kernels and functions that they would use.

Libraries choose these when they start, by the processor, and can be told to take those of another.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.runs import TINY, configure, copy_project, run_snakemake

SIMD = np.show_config(mode="dicts")["SIMD Extensions"]["found"]  # of this processor
NO_FMA = "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4"

PROCESSORS: Mapping[str, Mapping[str, str]] = {
    "this one, with two threads": {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    "oldest": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "GLIBC_TUNABLES": NO_FMA,
        "NPY_DISABLE_CPU_FEATURES": " ".join(SIMD),
    },
    "without the newest": {
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": " ".join(SIMD[1:]),
    },
}

FUNCTIONS = """
import hashlib, math
import numpy as np
x = np.random.default_rng(0).random(10_000)
values = np.exp(x), np.log(x), np.matmul(x.reshape(100, 100), x.reshape(100, 100))
print(hashlib.sha256(b"".join(v.tobytes() for v in values)).hexdigest(), [*map(math.exp, x)])
"""

FULL_DIGITS = {"chunks", "manifest"}
"""Chunks of studies, whose sums are rounded when they are put together, and records of digests."""


def run(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Digests of every table, audit page and figure of a run of the tiny configuration."""
    project = copy_project(folder)
    configure(project, TINY)
    shutil.rmtree(project / "figures")
    done = run_snakemake(project, "audit", "figures", variables=variables)
    assert done.returncode == 0, done.stdout[-8000:]
    made = [*(project / "results").rglob("*.*"), *(project / "figures").iterdir()]
    made = [path for path in made if path.is_file() and not FULL_DIGITS & set(path.parts)]
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in made
    }


def functions(variables: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FUNCTIONS],
        env=os.environ | dict(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_processor_gives_the_same_bytes(tmp_path: Path) -> None:
    first, *others = (run(tmp_path / name, PROCESSORS[name]) for name in PROCESSORS)
    assert len(first) > 80
    for other in others:
        assert {path for path in first | other if first.get(path) != other.get(path)} == set()


def test_their_functions_do_differ() -> None:
    assert len({functions(variables) for variables in PROCESSORS.values()}) > 1
