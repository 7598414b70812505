"""Sizes in a config that no machine could take, estimated before a job tries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from replication.pipeline.grid import integer_grid
from replication.pipeline.settings import Config, MarkovLanguageModel, Policy, Studies, Study
from replication.policies.families import LARGEST_SIZE
from replication.policies.markov_language_model import number_of_sequences

__all__ = ["Need", "needs", "reject_out_of_reach"]

LARGEST_GB = 16
"""Of memory for one job."""

LARGEST_HOURS = 1000
"""Of one core for all jobs; the shipped config with its full studies takes two."""

MOST_RESPONSES = 10**8
"""Of all policies: `validate_config` builds each, a second for ten million."""

# Measured on one core of a 2.6 GHz x86-64 machine, and rounded up.
SELECTION = (24, 1.1e-7)
"""Bytes held at once, and seconds, of one selection of `simulate_kl_estimator`."""

EXACT = (120, 2.1e-7)
"""Of one outcome: bytes, and seconds for each n of the exact values and bounds."""

CERTIFIED = (2600, 3.7e-5)
"""Of one outcome: bytes, and seconds for each n of ball arithmetic."""

COUNT = (20, 1.0e-7)
"""Of one outcome in one mean of the study of the number of selections."""

CANDIDATE = 1.6e-5
"""Seconds of one candidate of a pool for each n, by all methods."""

CLASS_POLICY, CLASS_POOL = 4.0e-2, 8.0e-5
"""Seconds of one random policy of a few classes, and of one of its pools."""

MARGIN = 1.6e-2
"""Seconds of one margin, computed for every inequality."""


SIZES = ("size", "small", "passing", "failing")
"""Parameters that are numbers of responses."""


class Need(NamedTuple):
    """What a part of a run takes.

    Attributes:
        part: the key of the config that says how much.
        what: it in words.
        memory: of its largest job, in bytes.
        seconds: of one core, for all its jobs.
    """

    part: str
    what: str
    memory: float
    seconds: float


def reject_out_of_reach(config: Config) -> None:
    """Refuse what fits no memory, or ends in no time (ours).

    Args:
        config: each of its entries is allowed by itself.

    Raises:
        ValueError: naming the entries, the memory and the time that they take.
    """
    responses = sum(map(_responses, config.policies.values()))
    if responses > MOST_RESPONSES:
        raise ValueError(
            f"policies: {responses} responses in all: expected at most 10**8, which a check builds"
        )
    found = list(needs(config))
    for need in found:
        if need.memory > LARGEST_GB * 1e9 or need.seconds > LARGEST_HOURS * 3600:
            raise ValueError(f"{need.part}: {need.what} {_takes(need.memory, need.seconds)}")
    seconds = sum(need.seconds for need in found)
    if seconds > LARGEST_HOURS * 3600:
        raise ValueError(f"config: all parts {_takes(max(n.memory for n in found), seconds)}")


def _takes(memory: float, seconds: float) -> str:
    return (
        f"take {memory / 1e9:,.1f} GB of memory and {seconds / 3600:,.1f} hours of one core: "
        f"expected at most {LARGEST_GB} GB and {LARGEST_HOURS:,} hours"
    )


def needs(config: Config) -> Iterator[Need]:
    """What each part of a run takes, estimated from constants that were measured (ours).

    Args:
        config: each of its entries is allowed by itself.
    """
    grid = len(integer_grid(**config.n_grid.model_dump()))
    sizes = {name: _responses(policy) for name, policy in config.policies.items()}
    yield from _of_policies(config, sizes, grid)
    yield from _of_concentration(config, sizes)
    yield _of_simulation(config, grid)
    yield from _of_studies(config.study, config.studies, len(sizes))


def _responses(policy: Policy) -> int:
    """How many there are, found without building them; 0 if its family will refuse so many."""
    given = policy.parameters
    if isinstance(given, MarkovLanguageModel):
        number = number_of_sequences(given.vocabulary, given.max_length)
        return number if number <= LARGEST_SIZE else 0
    counts = given.model_dump()
    listed = sum(len(each) for each in counts.values() if isinstance(each, list))
    return listed + sum(int(counts.get(name, 0)) for name in SIZES)


def _of_policies(config: Config, sizes: dict[str, int], grid: int) -> Iterator[Need]:
    certified = config.certification
    for name, size in sizes.items():
        exact = f"{size} responses at {grid} n"
        yield Need(f"policies.{name}", exact, size * EXACT[0], size * grid * EXACT[1])
        if size <= certified.largest_policy:
            seconds = size * len(certified.n) * CERTIFIED[1]
            what = f"{size} responses of {name} at {len(certified.n)} n"
            yield Need("certification", what, size * CERTIFIED[0], seconds)


def _of_concentration(config: Config, sizes: dict[str, int]) -> Iterator[Need]:
    study = config.concentration
    for name, size in sizes.items():
        # of a language model the outcomes, tied responses being one, are few, but not known yet
        if config.policies[name].family != "markov_language_model":
            counts = study.repeats * size
            what = f"{study.repeats} means of the {size} responses of {name}"
            seconds = counts * len(study.n) * COUNT[1]
            yield Need("concentration", what, counts * COUNT[0], seconds)


def _of_simulation(config: Config, grid: int) -> Need:
    selections, repeats = config.simulation.selections, config.simulation.repeats
    drawn = selections * repeats
    return Need(
        "simulation",
        f"{repeats} estimates of {selections} selections",
        drawn * SELECTION[0],
        drawn * grid * len(config.policies) * SELECTION[1],
    )


def _of_studies(study: str, studies: Studies, policies: int) -> Iterator[Need]:
    chosen: dict[str, Study] = {"quick": studies.quick}
    if study == "full":
        chosen["full"] = studies.full
    for name, each in chosen.items():
        part, pools = f"studies.{name}", each.repeats * policies
        estimated = pools * sum(size * _studied(each, size) for size in each.pool_sizes)
        what = f"pools of {pools * sum(each.pool_sizes)} candidates"
        yield Need(part, what, 0, estimated * CANDIDATE)
        seconds = each.class_policies * (CLASS_POLICY + each.repeats * CLASS_POOL)
        what = f"{each.repeats} pools of {each.class_policies} class policies"
        yield Need(part, what, 0, seconds)
        yield Need(part, f"{each.evaluations} evaluations", 0, each.evaluations * MARGIN)


def _studied(study: Study, pool_size: int) -> int:
    return sum(n <= pool_size // 2 for n in study.n)
