"""Sweeps: every pair of every grid cell as one labelled Dataset, in memory or in a store that can be resumed."""

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from w2sjax.engine.protocol import Protocol
from w2sjax.engine.randomness import LARGEST_SEED, MOST_PAIRS
from w2sjax.errors import W2SError
from w2sjax.paths import user_path
from w2sjax.sweeps import labels
from w2sjax.sweeps import store as stores
from w2sjax.sweeps.creation import create, wait_until_created
from w2sjax.sweeps.grid import Grid, make_grid
from w2sjax.sweeps.identity import sources
from w2sjax.sweeps.interrupt import GracefulStop, SweepInterrupted
from w2sjax.sweeps.layout import TRAINED, describe, result_template
from w2sjax.sweeps.plan import Plan, Region, make_plan
from w2sjax.sweeps.preparation import Preparations
from w2sjax.sweeps.progress import Meter
from w2sjax.sweeps.stream import count_flagged, place, run_regions
from w2sjax.sweeps.summary import summary_path, write_summary
from w2sjax.sweeps.writer import Writer
from w2sjax.validation import check_boolean, check_integer, shown


def sweep(
    world: Any,
    protocol: Protocol,
    *,
    pairs: int,
    seed: int = 0,
    axes: Mapping[str, Sequence[Any]] | None = None,
    paired: bool = True,
    memory_budget: int | None = None,
    store: str | os.PathLike[str] | None = None,
    chunk_pairs: int | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    process: tuple[int, int] | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Run many independent pairs of a world, over a grid of settings, and label the results.

    Args:
        world: any object with `draw(key)`; one that is a pytree is compiled once for all its numeric fields.
        protocol: sample sizes and regularization where no axis replaces them.
        pairs: independent draws of (h*, h_w, h_s), from 1 to 2^32.
        seed: pair i is a function of (seed, i) only; from 0 to 2^32 - 1.
        axes: values by field name of the world or the protocol. Sample sizes share one pass over the data and ridges
            share one factorization; other axes cost one run per value.
        paired: share the draws of pair i between all grid cells (common random numbers); False draws anew per cell.
        memory_budget: bytes of working memory; decides how many pairs are in flight. No result depends on it beyond
            rounding. None is 1 GiB, or a quarter of the memory of accelerators.
        store: a folder, such as "results.zarr", to which finished chunks are written; None keeps everything in memory.
            A store that exists is resumed: its finished chunks are kept, and missing or cut ones computed again. When
            the last chunk is done, quantiles are written into it; see `w2sjax.sweeps.summary`.
        chunk_pairs: pairs per chunk of a new store, >= 1; None chooses from the size of the results. A store that
            exists keeps its own.
        checkpoints: a folder for the networks that a world trains, such as "trained", from which another sweep with
            the same training takes them; None is one in the store, and memory without a store. Worlds that train
            nothing write nothing.
        process: (index, count) of this process among those that write the same store at once; None asks JAX. Process 0
            creates the store, and process p computes every count-th chunk from chunk p. Only with a store.
        progress: report on stderr: the plan, then pairs done, rate and time left.

    Returns:
        A Dataset with dims ("pair", one per axis in the order given, "task"): the fields of `Outcome`, its status as
        `status_*`, standard errors as `*_standard_error` where asked for; configuration and versions as attributes.
        With a store, its values are read when they are used; where other processes are not done yet they are NaN
        (0 for the integers of the status).

    Raises:
        W2SError: for an argument out of range, an unknown axis, or a store that holds another sweep; the message
            names it. `StoreError`, for a store that cannot be used or written, is one.
        SweepInterrupted: a KeyboardInterrupt, after a first Ctrl-C with a store, once the running chunk is written.

    Cost: time proportional to pairs x outer cells x (n_weak + n_strong + n_eval). Memory is the budget, and the
    result's own or, with a store, one chunk's.
    """
    pairs = check_integer("pairs", pairs, least=1, most=MOST_PAIRS)
    seed = check_integer("seed", seed, least=0, most=LARGEST_SEED)
    if memory_budget is not None:
        memory_budget = check_integer("memory_budget", memory_budget, least=1, most=2**63 - 1)
    if chunk_pairs is not None:
        chunk_pairs = check_integer("chunk_pairs", chunk_pairs, least=1, most=MOST_PAIRS)
    index, count = _checked_process(process, store)
    show = check_boolean("progress", progress)
    path = None if store is None else user_path("store", store)
    networks = None if checkpoints is None else user_path("checkpoints", checkpoints)
    grid = make_grid(world, protocol, axes, paired=paired)
    if path is None:
        plan = make_plan(grid, seed, pairs, memory_budget=memory_budget, chunk_pairs=chunk_pairs)
        return _in_memory(plan, networks, show=show)
    _warn_of_unreadable_code(grid)
    exists = path.exists() and not (path.is_dir() and not any(path.iterdir()))
    if not exists and index > 0:
        wait_until_created(path)
        exists = True
    template = None
    if exists:
        description = describe(path)
        stores.check_same(description, grid, seed, pairs)
        chunk_pairs = description.chunk_pairs
        template = result_template(description, grid)
    plan = make_plan(
        grid, seed, pairs, memory_budget=memory_budget, chunk_pairs=chunk_pairs, template=template
    )
    if not exists:
        create(path, plan)
    return _in_store(plan, path, index, count, networks or path / TRAINED, show=show)


def _checked_process(process: tuple[int, int] | None, store: Any) -> tuple[int, int]:
    """Return index and count of this process, or refuse them."""
    if process is None:
        return jax.process_index(), jax.process_count()
    if not isinstance(process, tuple | list) or len(process) != 2:
        raise W2SError(f"process={shown(process)} is not a pair: pass (index, count).")
    count = check_integer("process[1]", process[1], least=1)
    index = check_integer("process[0]", process[0], least=0)
    if index >= count:
        raise W2SError(f"process=({index}, {count}) has no such index: pass an index < {count}.")
    if store is None and count > 1:
        raise W2SError(f"process=({index}, {count}) shares nothing without a store: pass store=... as well.")
    return index, count


def _warn_of_unreadable_code(grid: Grid) -> None:
    for name in sources(grid.world)[1]:
        warnings.warn(
            f"the source of {name} cannot be read: the store knows it by its bytecode, and would not see a change of "
            "what its class body computes.",
            stacklevel=3,
        )


def _in_memory(plan: Plan, folder: Path | None, *, show: bool) -> xr.Dataset:
    regions = plan.regions()
    preparations = Preparations(plan, regions, folder, show=show)
    collected: dict[str, np.ndarray] = {}
    if show:
        print(plan.describe(), file=sys.stderr, flush=True)
    with Meter(plan.pairs * len(plan.cells), show=show) as meter:
        for region, arrays in run_regions(plan, regions, preparations, meter.advance):
            for name, values in arrays.items():
                if name not in collected:
                    shape = (plan.pairs, *plan.grid.shape, *values.shape[1 + len(plan.grid.inner) :])
                    collected[name] = np.zeros(shape, values.dtype)
                collected[name][_where(plan.grid, plan, region)] = values
    return labels.dataset(plan.grid, plan.seed, range(plan.pairs), collected)


def _in_store(plan: Plan, path: Path, index: int, count: int, checkpoints: Path, *, show: bool) -> xr.Dataset:
    description = describe(path)
    stores.check_same(description, plan.grid, plan.seed, plan.pairs)  # another process may have created it
    done = stores.finished(description)
    mine = plan.regions(index, count)
    left = [region for region in mine if (region.cell, region.run) not in done]
    if show:
        print(plan.describe(len(done)), file=sys.stderr, flush=True)
    if left:
        if done:
            stores.warn_of_mixture(description)
        writer = Writer(description, plan)
        preparations = Preparations(plan, left, checkpoints, show=show)
        total = sum(len(region.pairs) for region in mine)
        before = total - sum(len(region.pairs) for region in left)
        with GracefulStop(show=show) as stop, Meter(total, show=show, done=before) as meter:
            finished_regions = run_regions(plan, left, preparations, meter.advance)
            for written, (region, arrays) in enumerate(finished_regions, start=1):
                writer.write(region, arrays, count_flagged(arrays))
                if show and written == 1 < len(left):
                    seconds = meter.seconds_left
                    about = "" if seconds is None else f"; about {seconds:.0f} s to go"
                    print(f"first chunk written{about}", file=sys.stderr, flush=True)
                if stop.requested and written < len(left):
                    raise SweepInterrupted(
                        f"stopped with {len(mine) - len(left) + written} of {len(mine)} chunks done in {path}"
                    )
        done = stores.finished(description)
    if len(done) == len(plan.cells) * plan.runs and (left or not summary_path(path).exists()):
        write_summary(description)
    return stores.open_dataset(description)


def _where(grid: Grid, plan: Plan, region: Region) -> tuple[Any, ...]:
    position = plan.cells[region.cell].position
    return place(grid.axes, position, slice(region.pairs.start, region.pairs.stop))
