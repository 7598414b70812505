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
import pytest

from tests.runs import TINY, configure, copy_project, run_snakemake

SIMD = np.show_config(mode="dicts")["SIMD Extensions"]["found"]  # of this processor
NO_FMA = "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4"

PROCESSORS: Mapping[str, Mapping[str, str]] = {
    "oldest": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "GLIBC_TUNABLES": NO_FMA,
        "NPY_DISABLE_CPU_FEATURES": " ".join(SIMD),
    },
    "old, two threads": {
        "OPENBLAS_CORETYPE": "SandyBridge",
        "GLIBC_TUNABLES": NO_FMA,
        "OPENBLAS_NUM_THREADS": "2",
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


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run(tmp_path_factory.mktemp("here"), {"OPENBLAS_NUM_THREADS": "1"})


@pytest.mark.parametrize("name", PROCESSORS)
def test_another_processor_gives_the_same_bytes(
    name: str, here: dict[str, str], tmp_path: Path
) -> None:
    there = run(tmp_path, PROCESSORS[name])
    assert len(here) > 80
    assert {path for path in here | there if here.get(path) != there.get(path)} == set()


def test_their_functions_do_differ() -> None:
    assert len({functions(variables) for variables in ({}, *PROCESSORS.values())}) > 1
