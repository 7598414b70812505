"""The grids of n on which the pipeline evaluates best-of-n."""

from __future__ import annotations

import numpy as np

__all__ = ["integer_grid", "real_grid"]


def integer_grid(all_up_to: int, per_decade: int, largest: int) -> list[int]:
    """All whole numbers up to `all_up_to`, then log-spaced ones up to `largest`.

    Args:
        all_up_to: below and at this number every n is in the grid, >= 1.
        per_decade: about how many n per decade beyond, >= 1.
        largest: the end of the grid, itself a member, >= 1.

    Examples:
        >>> integer_grid(3, 2, 100)
        [1, 2, 3, 10, 32, 100]
        >>> integer_grid(10, 1, 4)
        [1, 2, 3, 4]
    """
    first, last = np.log10(all_up_to) * per_decade, np.log10(largest) * per_decade
    exponents = np.arange(np.floor(first) + 1, np.ceil(last)) / per_decade
    spaced = {round(value) for value in (10**exponents).tolist()}
    members = set(range(1, all_up_to + 1)) | spaced | {largest}
    return sorted(n for n in members if n <= largest)


def real_grid(per_decade: int, largest: float) -> list[float]:
    """Log-spaced numbers from 1 to `largest`, of four digits: what a smooth curve is drawn through.

    Args:
        per_decade: about how many n per decade, >= 1.
        largest: the end of the grid, itself a member, >= 1.

    Examples:
        >>> real_grid(2, 50)
        [1.0, 3.162, 10.0, 31.62, 50.0]
    """
    exponents = np.arange(np.ceil(np.log10(largest) * per_decade)) / per_decade
    return [*(float(f"{n:.4g}") for n in 10**exponents), float(largest)]
