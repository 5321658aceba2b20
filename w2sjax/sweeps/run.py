"""Sweeps in memory: every pair of every grid cell, in chunks, as one labelled Dataset."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from w2sjax.engine.outcome import Flag
from w2sjax.engine.protocol import Protocol
from w2sjax.engine.randomness import BLOCK
from w2sjax.sweeps import labels
from w2sjax.sweeps.batch import group_size, local_mesh, run_group
from w2sjax.sweeps.grid import Cell, Grid, make_grid
from w2sjax.sweeps.progress import Meter
from w2sjax.validation import check_integer
from w2sjax.worlds.static import as_pytree

FEATURES_IN_FLIGHT = 12
"""Rough number of feature-sized block arrays that a pair holds while it streams."""


def sweep(
    world: Any,
    protocol: Protocol,
    *,
    pairs: int,
    seed: int = 0,
    axes: Mapping[str, Sequence[Any]] | None = None,
    paired: bool = True,
    memory_budget: int = 2**30,
    progress: bool = False,
) -> xr.Dataset:
    """Run many independent pairs of a world, over a grid of settings, and label the results.

    Args:
        world: any object with `draw(key)`; one that is a pytree is compiled once for all its numeric fields.
        protocol: sample sizes and regularization where no axis replaces them.
        pairs: independent draws of (h*, h_w, h_s), >= 1.
        seed: pair i is a function of (seed, i) only, >= 0.
        axes: values by field name of the world or the protocol. Sample sizes share one pass over the data and ridges
            share one factorization; other axes cost one run per value.
        paired: share the draws of pair i between all grid cells (common random numbers); False draws anew per cell.
        memory_budget: bytes of working memory; decides how many pairs are in flight. No result depends on it beyond
            rounding.
        progress: report on stderr.

    Returns:
        A Dataset with dims ("pair", one per axis in the order given, "task"): the fields of `Outcome`, its status as
        `status_*`, standard errors as `*_standard_error` where asked for; configuration and versions as attributes.

    Raises:
        ValueError: for an argument out of range or an unknown axis; the message names it.

    Cost: time proportional to pairs x outer cells x (n_weak + n_strong + n_eval); memory is the result's own plus the
    budget.
    """
    check_integer("pairs", pairs, least=1)
    check_integer("seed", seed, least=0)
    check_integer("memory_budget", memory_budget, least=1)
    grid = make_grid(world, protocol, axes, paired=paired)
    cells = list(grid.cells())
    collected: dict[str, np.ndarray] = {}
    with Meter(pairs * len(cells), show=progress) as meter:
        for cell in cells:
            for start, arrays in run_cell(grid, cell, seed, range(pairs), memory_budget):
                for name, values in arrays.items():
                    if name not in collected:
                        shape = (pairs, *grid.shape, *values.shape[1 + len(grid.inner) :])
                        collected[name] = np.zeros(shape, values.dtype)
                    stop = start + values.shape[0]
                    collected[name][region(grid, cell, slice(start, stop))] = values
                meter.advance(stop - start, count_flagged(arrays))
    return labels.dataset(grid, seed, range(pairs), collected)


def run_cell(
    grid: Grid, cell: Cell, seed: int, pairs: range, memory_budget: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield (first pair, arrays `[pair, *inner axes, ...]`) of one outer cell, group by group.

    The next group is dispatched before the last one is fetched, so that the device does not wait for the host.
    """
    mesh = local_mesh()
    devices = mesh.devices.size
    group = min(group_size(), max(1, memory_budget // (devices * bytes_per_pair(cell))))
    step = devices * min(group, math.ceil(len(pairs) / devices))
    key = jax.random.key(seed)
    if cell.stream:
        key = jax.random.fold_in(key, cell.stream)
    world = as_pytree(cell.world)

    def dispatch(start: int) -> Any:
        indices = jnp.asarray(np.arange(start, start + step, dtype=np.uint32))
        return run_group(world, cell.numbers, key, indices, design=cell.design, mesh=mesh)

    def fetch(start: int, outcome: Any) -> tuple[int, dict[str, np.ndarray]]:
        kept = min(step, pairs.stop - start)
        return start, {n: grid.arrange(v)[:kept] for n, v in labels.flatten(outcome).items()}

    running: tuple[int, Any] | None = None
    for start in range(pairs.start, pairs.stop, step):
        started = (start, dispatch(start))
        if running is not None:
            yield fetch(*running)
        running = started
    if running is not None:
        yield fetch(*running)


def region(grid: Grid, cell: Cell, pairs: slice) -> tuple[Any, ...]:
    """Return where the arrays of a cell go in arrays `[pair, *axes, ...]`."""
    return (pairs, *(cell.position.get(name, slice(None)) for name in grid.axes))


def count_flagged(arrays: dict[str, np.ndarray]) -> int:
    """Return how many pairs are ill conditioned or not finite in some cell; a lower rank alone is not counted."""
    serious = arrays["status_code"] & int(Flag.ILL_CONDITIONED | Flag.NOT_FINITE)
    return int((serious.reshape(serious.shape[0], -1) != 0).any(axis=1).sum())


def bytes_per_pair(cell: Cell) -> int:
    """Estimate the working memory of one pair, in bytes: streamed blocks, moments per size, and results."""
    design = cell.design
    shapes = jax.eval_shape(lambda key: tuple(cell.world.draw(key).features(key, BLOCK)), jax.random.key(0))
    width = sum(shape.shape[1] for shape in shapes)
    itemsize = jnp.zeros(()).dtype.itemsize
    cells = len(design.n_weak) * len(design.n_strong) * len(design.n_eval) * cell.numbers.ridge_weak.size
    streamed = FEATURES_IN_FLIGHT * width * BLOCK + (design.tasks * BLOCK if design.noisy else 0)
    moments = 4 * width * width * (len(design.n_weak) + len(design.n_strong) + len(design.n_eval))
    results = cells * design.tasks * (16 + 4 * width)
    if design.standard_errors:
        results += cells * design.tasks * 8 * BLOCK
    return itemsize * (streamed + moments + results)
