"""What is attacked: each function makes one hostile input and hands it over, once."""

from __future__ import annotations

import inspect
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml

import bonmeter
from bonmeter import Policy, TopPolicy, certify, exact_kl, exact_win_rate, kl_gap_bounds
from bonmeter.logs.read import read_log
from replication.audit.claims import load_claims
from replication.llm.settings import load_settings
from replication.pipeline.config import validate_config
from replication.pipeline.io import read_table, write_table
from replication.pipeline.plain_yaml import read_yaml
from replication.policies.families import FAMILIES, make_responses
from tests.fuzz.values import arguments, hostile, spoilt, spoilt_bytes
from tests.runs import ROOT, TINY

__all__ = ["TARGETS", "Target", "config_bytes"]

Target = Callable[[Random], object]

SHIPPED = [path.read_bytes() for path in (ROOT / "tests/tiny.yaml", ROOT / "config/llm.yaml")]
CLAIMS: list[Any] = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "config/llm.yaml").read_text(encoding="utf-8"))
LOGS = [
    path
    for path in sorted((ROOT / "tests/bonmeter/data/logs").iterdir())
    if path.stat().st_size < 30_000
]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """One for all calls of a process, removed when it ends."""
    return tempfile.TemporaryDirectory(prefix="fuzz-")


def _written(data: bytes, name: str) -> Path:
    path = Path(_folder().name, name)
    path.write_bytes(data)
    return path


def config(random: Random) -> None:
    """The configuration as a mapping."""
    validate_config(spoilt(random, TINY))


def config_file(random: Random) -> None:
    """The bytes of a configuration."""
    read_yaml(_written(spoilt_bytes(random, random.choice(SHIPPED)), "config.yaml"))


def _as_yaml(tree: object) -> bytes:
    """Also what YAML has no name for is written, to be refused."""
    try:
        return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "replace")
    except (yaml.YAMLError, ValueError, TypeError):
        return repr(tree).encode("utf-8", "replace")


def config_bytes(random: Random) -> bytes:
    """A configuration file, half of them spoilt entry by entry, half byte by byte."""
    if random.randrange(2):
        return _as_yaml(spoilt(random, TINY))
    return spoilt_bytes(random, SHIPPED[0])


def claims(random: Random) -> None:
    """A file of claims."""
    few = random.sample(CLAIMS, random.randrange(1, 4))
    load_claims(_written(_as_yaml(spoilt(random, few)), "claims.yaml"))


def settings(random: Random) -> None:
    """The settings of a language model."""
    load_settings(_written(_as_yaml(spoilt(random, SETTINGS)), "llm.yaml"))


def families(random: Random) -> None:
    """A builder of a policy, with a parameter of any type."""
    family = random.choice(list(FAMILIES))
    declared = next(p for p in TINY_PARAMETERS if p[0] == family)[1]
    parameters = spoilt(random, declared) if random.randrange(2) else _one_wrong(random, declared)
    seed = 1 if random.randrange(4) else hostile(random)
    make_responses(family, parameters, seed)


def _one_wrong(random: Random, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {**parameters, random.choice(list(parameters)): arguments(random)}


TINY_PARAMETERS: list[tuple[str, dict[str, Any]]] = [
    ("binary", {"p": 0.5}),
    ("uniform", {"size": 10}),
    ("probabilities", {"probabilities": [0.5, 0.25, 0.25]}),
    ("staircase", {"tail_masses": [0.1, 0.01]}),
    ("geometric", {"ratio": 0.5, "size": 10, "order": "ascending"}),
    ("zipf", {"exponent": 1, "size": 10, "order": "descending"}),
    ("top_atom", {"mass": 0.1, "small": 10}),
    ("verifier", {"pass_rate": 0.3, "passing": 2, "failing": 3}),
    ("tied_scores", {"size": 10, "scores": 3, "exponent": 1.5}),
    ("dirichlet", {"concentration": 0.5, "size": 10, "stream": 0}),
    (
        "markov_language_model",
        {
            **{"vocabulary": 2, "max_length": 3, "scale": 1.0, "end_logit": -1},
            **{"reward": "log_likelihood", "stream": 1},
        },
    ),
]


def policies(random: Random) -> None:
    """A table of responses, and what is computed of it."""
    log_prob = arguments(random) if random.randrange(2) else _normalised(random)
    reward = arguments(random) if random.randrange(2) else list(range(_length(log_prob)))
    policy = Policy(log_prob, reward)
    n = arguments(random)
    random.choice((exact_kl, exact_win_rate, kl_gap_bounds))(policy, n)
    if not random.randrange(50):
        certify("theorem_3_1", policy, n)


def _length(values: object) -> int:
    return len(values) if isinstance(values, list) else int(np.asarray(values, object).size)


def _normalised(random: Random) -> list[float]:
    mass = np.array([random.random() + 1e-9 for _ in range(random.randrange(1, 9))])
    return [float(value) for value in np.log(mass / mass.sum())]


@cache
def _table() -> bytes:
    path = Path(_folder().name, "table.parquet")
    write_table({"log_prob": np.log([0.5, 0.25, 0.25]), "reward": np.arange(3.0)}, path)
    return path.read_bytes()


def tables(random: Random) -> None:
    """The bytes of a table of responses, and what is computed of it."""
    table = read_table(_written(spoilt_bytes(random, _table()), "spoilt.parquet"))
    if {"log_prob", "reward"} <= set(table):
        exact_kl(Policy(table["log_prob"], table["reward"]), [2, 3])


def logs(random: Random) -> None:
    """The bytes of a log of samples."""
    path = random.choice(LOGS)
    read_log(_written(spoilt_bytes(random, path.read_bytes()), path.name), say=lambda line: None)


IO = {"read_log", "write_log", "write_report", "write_tables"}
"""Functions that read and write files, which `logs` attacks."""

FUNCTIONS = {name: getattr(bonmeter, name) for name in bonmeter.__all__ if name not in IO}


def functions(random: Random) -> None:
    """A function that users import, with arguments of any type."""
    function = FUNCTIONS[random.choice(list(FUNCTIONS))]
    if inspect.isclass(function) and random.randrange(2):
        function = random.choice(_builders(function))
    parameters = inspect.signature(function).parameters.values()
    given = {p.name: _argument(random, p) for p in parameters if _is_given(random, p)}
    positional = [given.pop(p.name) for p in parameters if p.kind is p.POSITIONAL_ONLY]
    function(*positional, **given)


def _builders(kind: type) -> list[Callable[..., object]]:
    names = [name for name, value in vars(kind).items() if isinstance(value, classmethod)]
    return [getattr(kind, name) for name in names] or [kind]


def _is_given(random: Random, parameter: inspect.Parameter) -> bool:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    return parameter.default is parameter.empty or random.randrange(3) == 0


def _argument(random: Random, parameter: inspect.Parameter) -> Any:  # noqa: ANN401
    """Of the classes of this library real ones: for others Python says what they lack."""
    if parameter.name == "policy":
        return Policy(_log_prob := _normalised(random), list(range(len(_log_prob))))
    if parameter.name == "top":
        return TopPolicy(np.log([0.5, 0.25]), -2.0)
    if parameter.name == "rng":
        return np.random.default_rng(0)
    if parameter.name == "each":
        return map
    if parameter.name == "n" and random.randrange(2):
        return random.choice((1, 2, 4.5, [1, 2], 1e12))
    return arguments(random)


TARGETS: Mapping[str, Target] = {
    each.__name__: each
    for each in (
        *(config, config_file, claims, settings, families),
        *(policies, tables, logs, functions),
    )
}


def quietly(target: Target, random: Random) -> None:
    """Without the warnings of numpy, which say no more than the result; of ours, all are errors."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        target(random)
