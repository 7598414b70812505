"""Sizes in a config that no machine could take, estimated before a job tries."""

from __future__ import annotations

from replication.pipeline.settings import Config

__all__ = ["reject_out_of_reach"]

LARGEST_GB = 16
BYTES_PER_SELECTION = 24
"""Of `simulate_kl_estimator`, which holds an index, a draw and a value of each at once."""


def reject_out_of_reach(config: Config) -> None:
    """Refuse a simulation whose arrays could not be held in memory (ours).

    Args:
        config: each of its entries is allowed by itself.

    Raises:
        ValueError: naming the entries and the memory that they take.

    Examples:
        >>> from replication.pipeline.settings import Simulation
        >>> simulation = Simulation(selections=10**9, repeats=2)
        >>> reject_out_of_reach(Config.model_construct(simulation=simulation))
        Traceback (most recent call last):
        ValueError: simulation: 2 estimates of 1000000000 selections take 48 GB of memory ...: ex...
    """
    selections, repeats = config.simulation.selections, config.simulation.repeats
    size = selections * repeats * BYTES_PER_SELECTION / 1e9
    if size > LARGEST_GB:
        raise ValueError(
            f"simulation: {repeats} estimates of {selections} selections take {size:,.0f} GB of "
            f"memory at once: expected at most {LARGEST_GB}"
        )
