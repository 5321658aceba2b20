"""Sweeps: every pair of every grid cell as one labelled Dataset, in memory or in a store that can be resumed."""

import dataclasses
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from w2sjax.cache import keep_compiled_programs
from w2sjax.engine.metrics import Metric
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError
from w2sjax.paths import user_path
from w2sjax.random.keys import LARGEST_SEED, MOST_PAIRS
from w2sjax.sweeps import labels
from w2sjax.sweeps.grid import Grid, make_grid
from w2sjax.sweeps.interrupt import SweepInterrupted, graceful_stop
from w2sjax.sweeps.plan import Plan, make_plan
from w2sjax.sweeps.preparation import Preparations
from w2sjax.sweeps.provenance import attributes, code_of
from w2sjax.sweeps.store.creation import create, extend, extended, layout_for, wait_until
from w2sjax.sweeps.store.layout import GROWING, TRAINED, Layout, layout_of, layout_while_growing
from w2sjax.sweeps.store.marks import done_in_cell, done_pairs, read_marks
from w2sjax.sweeps.store.reading import check_same, open_dataset, warn_of_mixture
from w2sjax.sweeps.store.summary import has_summary, write_summary
from w2sjax.sweeps.store.writing import Writer
from w2sjax.sweeps.stream import place, plan_meter, run_items
from w2sjax.validation import check_boolean, check_integer, shown
from w2sjax.worlds.base import World


def sweep(
    world: World,
    protocol: Protocol,
    *,
    pairs: int,
    first_pair: int = 0,
    seed: int = 0,
    axes: Mapping[str, Sequence[Any]] | None = None,
    metrics: Sequence[Metric] = (),
    paired: bool = True,
    memory_budget: int | None = None,
    store: str | os.PathLike[str] | None = None,
    chunk_pairs: int | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    process: tuple[int, int] | None = None,
    progress: bool = False,
    title: str = "",
) -> xr.Dataset:
    """Run many independent pairs of a world, over a grid of settings, and label the results.

    Args:
        world: any object with `draw(key)`; one that is a pytree is compiled once for all its numeric fields.
        protocol: sample sizes and regularization where no axis replaces them.
        pairs: independent draws of (h*, h_w, h_s), from 1 to 2^32.
        first_pair: number of the first of them; `w2sjax.merge_stores` joins stores of different pairs.
        seed: pair i is a function of (seed, i) only; from 0 to 2^32 - 1.
        axes: values by the name of a field of the world, the protocol or a head, the shortest that no other has
            ("ridge"), or its path ("weak_head.ridge"). Values of the axes head and weak_head are heads. Sample sizes
            share one pass over the data and ridges share one factorization; other axes cost one run per value.
        metrics: further metrics to measure.
        paired: share the draws of pair i between all grid cells (common random numbers); False draws anew per cell.
        memory_budget: bytes of working memory; decides how many pairs are in flight. No result depends on it beyond
            rounding. None is 1 GiB, or a quarter of the memory of accelerators.
        store: a folder, such as "results.zarr", to which finished chunks are written; None keeps everything in memory.
            A store that exists is resumed: its finished chunks are kept, and missing or cut ones computed again. It is
            extended by more pairs, or by more values on its axes: only what is new is computed. When the last chunk is
            done, quantiles are written into it; see `w2sjax.sweeps.store.summary`.
        chunk_pairs: pairs per chunk of a new store, >= 1; None chooses from the size of the results. A store that
            exists keeps its own.
        checkpoints: a folder for the networks that a world trains, such as "trained", from which another sweep with
            the same training takes them; None is one in the store, and memory without a store. Worlds that train
            nothing write nothing.
        process: (index, count) of this process among those that write the same store at once; None asks JAX. Process 0
            creates the store, and process p computes every count-th chunk from chunk p. Only with a store.
        progress: report on stderr: the plan, then pairs done, rate and time left.
        title: one line about the results, an attribute of theirs; without it, the world and the axes.

    Returns:
        A Dataset with dims ("pair", one per axis in the order given, "task"): the values of `Outcome`, its status as
        `status_*`, standard errors as `*_standard_error` where asked for; configuration and versions as attributes.
        What a cell does not have, such as `opr` where baseline is False, is NaN there.
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
    first_pair = check_integer("first_pair", first_pair, least=0, most=MOST_PAIRS - 1)
    if first_pair + pairs > MOST_PAIRS:
        raise W2SError(
            f"first_pair={first_pair} and pairs={pairs} go beyond pair 2^32 - 1: lower one of them."
        )
    wanted = range(first_pair, first_pair + pairs)
    seed = check_integer("seed", seed, least=0, most=LARGEST_SEED)
    if memory_budget is not None:
        memory_budget = check_integer("memory_budget", memory_budget, least=1, most=2**63 - 1)
    if chunk_pairs is not None:
        chunk_pairs = check_integer("chunk_pairs", chunk_pairs, least=1, most=MOST_PAIRS)
    place_among = _checked_process(process, store)
    show = check_boolean("progress", progress)
    if not isinstance(title, str):
        raise W2SError(f"title={shown(title)} is not text: pass one line.")
    keep_compiled_programs()
    path = None if store is None else user_path("store", store)
    networks = None if checkpoints is None else user_path("checkpoints", checkpoints)
    grid = make_grid(world, protocol, axes, paired=paired, metrics=metrics)
    options: dict[str, Any] = {"memory_budget": memory_budget, "process": place_among, "title": title}
    if path is None:
        plan = make_plan(grid, seed, wanted, chunk_pairs=chunk_pairs, **options)
        return _in_memory(plan, networks, show=show)
    for name in code_of(grid)[1]:
        warnings.warn(
            f"the source of {name} cannot be read: the store knows it by its bytecode, and would not see a change of "
            "what its class body computes.",
            stacklevel=2,
        )
    layout, plan = _opened(path, grid, seed, wanted, chunk_pairs, options)
    return _in_store(layout, plan, networks or path / TRAINED, grid, place_among[1], show=show)


def _opened(
    path: Path, grid: Grid, seed: int, pairs: range, chunk_pairs: int | None, options: dict[str, Any]
) -> tuple[Layout, Plan]:
    """Create or extend a store so that it holds a sweep, and plan what is left to do in it."""
    first = options["process"][0] == 0
    created = None
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        if first:
            created = make_plan(grid, seed, pairs, chunk_pairs=chunk_pairs, **options)
            create(layout_for(path, created))
        else:
            wait_until(path, (path / "zarr.json").exists)
    layout = layout_while_growing(path)
    if check_same(layout, grid, seed, pairs) or (path / GROWING).exists():
        if first:
            stored = _in_order_of(layout, grid)
            more = make_plan(stored, seed, pairs, chunk_pairs=layout.chunk_pairs, **options)
            extend(extended(layout, more))
        else:
            wait_until(
                path,
                lambda: (
                    not (path / GROWING).exists()
                    and not check_same(layout_while_growing(path), grid, seed, pairs)
                ),
            )
    layout = layout_of(path)
    marks = read_marks(layout)
    if created is not None and not marks and created.chunk_pairs == layout.chunk_pairs:
        return layout, created
    grid = _in_order_of(layout, grid)
    positions = list(grid.positions())
    plan = make_plan(
        grid,
        seed,
        pairs,
        chunk_pairs=layout.chunk_pairs,
        variables=layout.variables,
        done=lambda cell, run: done_in_cell(layout, marks, positions[cell], grid.inner, run),
        **options,
    )
    return layout, plan


def _in_order_of(layout: Layout, grid: Grid) -> Grid:
    """Return the grid with the values of every axis in the order of the store, those that are new after them."""
    axes = {}
    for name, values in grid.axes.items():
        place = {label: i for i, label in enumerate(layout.axes[name])}
        places = [place.get(label, len(place)) for label in grid.labels[name]]
        axes[name] = tuple(values[i] for i in sorted(range(len(values)), key=places.__getitem__))
    return dataclasses.replace(grid, axes=axes)


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


def _in_memory(plan: Plan, folder: Path | None, *, show: bool) -> xr.Dataset:
    grid = plan.grid
    arrays = {
        name: np.full((len(plan.pairs), *grid.shape, *variable.shape), variable.missing, variable.dtype)
        for name, variable in plan.variables.items()
    }
    if show:
        print(plan.describe(), file=sys.stderr, flush=True)
    preparations = Preparations(plan, folder, show=show)
    with plan_meter(plan, show=show) as meter:
        for item, found in run_items(plan, preparations, meter):
            where = place(plan, item)
            for name, values in found.items():
                arrays[name][where] = values
    variables = {
        name: (("pair", *grid.axes, *variable.own), arrays[name], variable.attributes)
        for name, variable in plan.variables.items()
    }
    coordinates = labels.coordinates(grid.labels, grid.protocol.tasks, plan.pairs)
    return xr.Dataset(variables, coordinates, attributes(grid, plan.seed, plan.pairs, plan.title))


def _in_store(
    layout: Layout, plan: Plan, checkpoints: Path, grid: Grid, processes: int, *, show: bool
) -> xr.Dataset:
    path, items = layout.path, plan.items
    if show:
        print(plan.describe(), file=sys.stderr, flush=True)
    if items:
        marks = read_marks(layout)
        if marks:
            warn_of_mixture(layout)
        writer = Writer(layout, marks)
        preparations = Preparations(plan, checkpoints, show=show)
        with graceful_stop(show=show) as stop, plan_meter(plan, show=show) as meter:
            for written, (item, arrays) in enumerate(run_items(plan, preparations, meter), start=1):
                writer.write_item(plan, item, arrays)
                if show and written == 1 < len(items):
                    seconds = meter.seconds_left
                    about = "" if seconds is None else f"; about {seconds:.0f} s to go"
                    print(f"first chunk written{about}", file=sys.stderr, flush=True)
                if stop.is_set() and written < len(items):
                    chunks = plan.finished_regions + len(items)
                    raise SweepInterrupted(
                        f"stopped with {plan.finished_regions + written} of {chunks} chunks done in {path}"
                    )
    whole = layout.cells * len(layout.pairs)
    if (items or not has_summary(layout)) and done_pairs(layout, read_marks(layout)) == whole:
        write_summary(layout)
    return open_dataset(layout, grid.labels)
