"""Summarise a policy once, so that a sum over its outcomes costs the same however many they are.

In the quantile picture (`bonmeter.numerics.kernels`) a term is p h(p, u), u the midpoint of the
outcome's interval and h analytic. Consecutive outcomes that are small against their distance from
both ends of [0, 1] are gathered in *panels*, over which h is interpolated by a polynomial: the sum
over a panel is then exactly that of the polynomial over a fixed grid of *nodes*, with weights that
depend on the policy but neither on n nor on the term. The other outcomes, which are few, stand
alone as nodes of weight 1. Truncation error: docs/performance.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bonmeter.numerics.intervals import (
    SMALLEST_ACCURATE,
    log_cdf_and_step,
    row_sums_before,
    sum_before,
)
from bonmeter.numerics.validation import FloatArray

__all__ = ["Nodes", "summarise"]

# Outcomes are handled in blocks of consecutive ones; a panel is made of whole blocks.
BLOCK = 64
# Blocks handled at a time: their temporaries stay in the processor's cache.
CHUNK = 256
# Largest extent of a panel (a block has an eighth of it), and largest mass of an outcome in it,
# relative to F min(1, -log F).
WIDTH = 1 / 9
LARGEST = 1e-3
# Nodes of a panel in position, and in mass for symmetric terms (twice as many for others).
POSITIONS = 16
MASSES = 4


class Nodes(NamedTuple):
    """Weighted outcomes that stand for those of a policy, ordered by `group`.

    Attributes:
        weight: how often each counts; of either sign.
        log_mass, log_cdf, step: as in `bonmeter.policies.listed.Term`.
        group: log F at the upper end of the node's panel, or of the outcome that stands alone.
        before: mass of the nodes before each.
    """

    weight: FloatArray
    log_mass: FloatArray
    log_cdf: FloatArray
    step: FloatArray
    group: FloatArray
    before: FloatArray


class _Blocks(NamedTuple):
    """Of each block: its mass, its largest outcome, the mass below and the mass above it."""

    mass: FloatArray
    largest: FloatArray
    below: FloatArray
    above: FloatArray


class _Panel(NamedTuple):
    """Its blocks, and where its outcomes lie: from `near` to `far` from the nearer end of [0, 1].

    `largest` is the largest mass that the grid of nodes takes.
    """

    blocks: NDArray[np.intp]
    lower: bool
    near: float
    far: float
    largest: float


class _Grid(NamedTuple):
    """How the mass is interpolated: in s = (mass/largest)^power, 2 for symmetric terms, else 1.

    Attributes:
        mass: the nodes, as fractions of the largest; the first stands for 0.
        weights: from sums of p and of p s (2s-1)^k to weights of the nodes. Outcomes much smaller
            than the largest hardly enter the latter sums, hence only the weight of the first node.
    """

    power: int
    mass: FloatArray
    weights: FloatArray


def summarise(log_mass: FloatArray, symmetric: bool) -> Nodes:
    """Nodes over which a term sums as over the outcomes.

    The relative error of truncation in the gaps of KL and win rate is below 3e-13 (L/1e7)^2 for any
    policy, and far below for most (docs/performance.md); rounding adds about 1e-14.

    Args:
        log_mass: log of the mass of each outcome, lowest reward first, shape (L,).
        symmetric: whether only terms odd in p at fixed u matter: they need half the nodes.

    Examples:
        >>> nodes = summarise(np.full(10**6, -np.log(10**6)), symmetric=True)
        >>> nodes.weight.size < 10**5, round(float(nodes.weight @ np.exp(nodes.log_mass)), 12)
        (True, 1.0)
    """
    blocks = _block_sums(log_mass)
    rows = log_mass[: log_mass.size // BLOCK * BLOCK].reshape(-1, BLOCK)
    grid = _GRIDS[symmetric]
    panels, alone = _panels(blocks)
    parts = [_outcomes(log_mass, blocks, alone)]
    for index in panels:
        parts += _panel_nodes(rows, blocks, _panel(blocks, index), grid)
    fields = [np.concatenate(x) for x in zip(*parts, strict=True)]
    order = np.argsort(fields[-1], kind="stable")
    weight, log_mass, log_cdf, step, group = (x[order] for x in fields)
    before = sum_before(weight * np.exp(log_mass))
    return Nodes(weight, log_mass, log_cdf, step, group, before)


def _block_sums(log_mass: FloatArray) -> _Blocks:
    mass, largest = [], []
    for i in range(0, log_mass.size, BLOCK * CHUNK):
        p = np.exp(log_mass[i : i + BLOCK * CHUNK])
        starts = np.arange(0, p.size, BLOCK)
        mass.append(np.add.reduceat(p, starts))
        largest.append(np.maximum.reduceat(p, starts))
    total = np.concatenate(mass)
    above = sum_before(total[::-1])[::-1]
    return _Blocks(total, np.concatenate(largest), sum_before(total), above)


def _panels(blocks: _Blocks) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """The blocks of each panel, and those whose outcomes stand alone."""
    below, above = blocks.below, blocks.above
    lower = below < above
    inside = np.where(lower, below, above) > SMALLEST_ACCURATE
    depth = np.zeros_like(below)  # -log F
    np.log(below, where=lower & inside, out=depth)
    np.log1p(-above, where=~lower & inside, out=depth)
    depth *= -1.0
    near = np.where(lower, below * np.minimum(1.0, depth), above)
    small = np.flatnonzero(inside & (blocks.mass <= WIDTH / 8 * near))
    depth = depth[small]
    # increases by 1 from panel to panel, each as wide as WIDTH min(1, -log F) in log F
    level = np.where(depth > 1, 1 - depth, -np.log(np.minimum(depth, 1.0))) / np.log1p(WIDTH)
    change = (np.diff(np.floor(level)) != 0) | np.diff(lower[small])
    panels = np.split(small, np.flatnonzero(change) + 1)
    panels = [panel for panel in panels if panel.size * BLOCK > 2 * MASSES * POSITIONS]
    alone = np.ones(below.size, dtype=bool)
    for panel in panels:
        alone[panel] = False
    return panels, np.flatnonzero(alone)


def _outcomes(
    log_mass: FloatArray, blocks: _Blocks, alone: NDArray[np.intp]
) -> tuple[FloatArray, ...]:
    """The outcomes of some blocks as they are."""
    index = alone[:, None] * BLOCK + np.arange(BLOCK)
    present = index < log_mass.size
    rows = np.where(present, log_mass[np.minimum(index, log_mass.size - 1)], -np.inf)
    p = np.exp(rows)
    below = blocks.below[alone, None] + row_sums_before(p)
    above = blocks.above[alone, None] + row_sums_before(p[:, ::-1])[:, ::-1]
    log_cdf, step = log_cdf_and_step(rows[present], below[present], above[present])
    return np.ones_like(step), rows[present], log_cdf, step, log_cdf


def _panel(blocks: _Blocks, index: NDArray[np.intp]) -> _Panel:
    first, last = index[[0, -1]]
    lower = bool(blocks.below[first] < blocks.above[first])
    if lower:
        near, far = blocks.below[first], blocks.below[last] + blocks.mass[last]
    else:
        near, far = blocks.above[last], blocks.above[first] + blocks.mass[first]
    scale = near * min(1.0, -np.log(near)) if lower else near
    largest = min(blocks.largest[index].max(), LARGEST * scale)
    return _Panel(index, lower, float(near), float(far), float(largest))


def _panel_nodes(
    rows: FloatArray, blocks: _Blocks, panel: _Panel, grid: _Grid
) -> list[tuple[FloatArray, ...]]:
    """The grid of nodes of a panel, and the outcomes too large for it."""
    centre, half = 0.5 * (panel.near + panel.far), 0.5 * (panel.far - panel.near)
    size = grid.mass.size
    moments = np.zeros((2 * size, POSITIONS // 2))
    longest = min(CHUNK, panel.blocks.size) * BLOCK
    work = np.empty((2 * size + POSITIONS // 2, longest))
    parts = []
    for i in range(0, panel.blocks.size, CHUNK):
        chunk = panel.blocks[i : i + CHUNK]
        masses, odd, even = np.split(work[:, : chunk.size * BLOCK], [size, 2 * size])
        p, u = masses[0].reshape(-1, BLOCK), even[0].reshape(-1, BLOCK)
        np.exp(rows[chunk], out=p)
        _set_positions(u, p, _Blocks(*(x[chunk] for x in blocks)), panel.lower, centre)
        if blocks.largest[chunk].max() > panel.largest:
            large = p > panel.largest
            parts.append(_nodes(np.ones(1), p[large], centre + u[large], panel.lower))
            p[large] = 0.0
        u *= 2 / half
        _set_masses(masses, panel.largest, grid.power)
        np.multiply(masses, even[0], out=odd)
        _set_even(even)
        moments += work[: 2 * size, : p.size] @ even.T
    moments = _interleave(*np.split(moments, 2))
    mass = panel.largest * grid.mass[:, None]
    weight = grid.weights @ moments @ _WEIGHTS / mass
    *nodes, log_cdf = _nodes(weight, mass, centre + half * _POSITIONS, panel.lower)
    end = np.log(panel.far) if panel.lower else np.log1p(-panel.near)
    return [*parts, (*nodes, np.full_like(log_cdf, end))]


# Below, arrays are filled in place: the time goes into passes over them.


def _set_positions(
    u: FloatArray, p: FloatArray, blocks: _Blocks, lower: bool, centre: float
) -> None:
    """Distance of each outcome's midpoint from the nearer end, less `centre`; one row a block."""
    np.cumsum(p.ravel(), out=u.reshape(-1))
    start = np.concatenate(([0.0], u[:-1, -1]))
    if lower:
        u += (blocks.below - start - centre)[:, None]
        u -= 0.5 * p
    else:
        np.subtract((blocks.above + blocks.mass + start - centre)[:, None], u, out=u)
        u += 0.5 * p


def _set_masses(masses: FloatArray, scale: float, power: int) -> None:
    """From p in the first row: p s (2s-1)^k, k = 0, 1, ..., in the others; s = (p/scale)^power."""
    s = (masses[0] * (1 / scale)) ** power
    np.multiply(masses[0], s, out=masses[1])
    s *= 2.0
    s -= 1.0
    for k in range(2, masses.shape[0]):
        np.multiply(masses[k - 1], s, out=masses[k])


def _set_even(even: FloatArray) -> None:
    """From u in the first row: c_0, c_2, c_4..., of which c_m is 2 T_m(u/2) for m = 1, 2, 4, 8...

    The others are products, c_(m+i) = c_m c_i. Together with u c_0, u c_2... they are a basis of
    the polynomials in u, on [-2, 2] nearly as well conditioned as the Chebyshev polynomials T_j, at
    less than half of the cost.
    """
    m, size = 1, even.shape[0]
    while m < size:  # row m holds c_2m
        np.square(even[m // 2], out=even[m])
        even[m] -= 2.0
        np.multiply(even[m], even[1 : min(m, size - m)], out=even[m + 1 : 2 * m])
        m *= 2
    even[0] = 1.0


def _interleave(even: FloatArray, odd: FloatArray) -> FloatArray:
    """Columns of the two in turn."""
    return np.stack((even, odd), axis=-1).reshape(len(even), -1)


def _nodes(weight: FloatArray, p: FloatArray, u: FloatArray, lower: bool) -> tuple[FloatArray, ...]:
    """Nodes of mass p whose midpoints are at distance u from the nearer end."""
    weight, p, u = (x.ravel() for x in np.broadcast_arrays(weight, p, u))
    log_cdf = np.log(u + 0.5 * p) if lower else np.log1p(0.5 * p - u)
    below = u - 0.5 * p if lower else 1 - u - 0.5 * p
    return weight, np.log(p), log_cdf, np.log1p(p / below), log_cdf


def _chebyshev_nodes(size: int) -> FloatArray:
    return -np.cos(np.pi * (np.arange(size) + 0.5) / size)


def _grid(power: int) -> _Grid:
    size = 2 * MASSES // power
    nodes = _chebyshev_nodes(size)
    s = (nodes - nodes[0]) / (1 - nodes[0])  # the first is 0
    masses = np.empty((size, size - 1))
    masses[0] = s[1:] ** (1 / power)
    _set_masses(masses, 1.0, power)
    weights = np.eye(size)
    weights[1:, 1:] = np.linalg.inv(masses[1:] / masses[0])
    weights[0] -= weights[1:].sum(axis=0)
    s[0] = 1e-16
    return _Grid(power, s ** (1 / power), weights)


def _position_weights() -> FloatArray:
    even = np.empty((POSITIONS // 2, POSITIONS))
    even[0] = 2 * _POSITIONS
    _set_even(even)
    basis = _interleave(even.T, even.T * 2 * _POSITIONS[:, None])
    return np.asarray(np.linalg.inv(basis), dtype=np.float64)


_GRIDS = {True: _grid(2), False: _grid(1)}
_POSITIONS = _chebyshev_nodes(POSITIONS)
_WEIGHTS = _position_weights()
