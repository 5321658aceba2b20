"""Heads in closed form on the rows of a data set: a small program deals the rows out, NumPy fits and measures.

The rows are there already, and wide: what a compiled program would gather, factorize and compile anew for every shape
is a few calls of a library here. All sizes, ridges and labels of a pair share the Gram matrices of its samples.
"""

import functools
import itertools
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.cores import cores, one_linear_algebra_thread
from w2sjax.engine.chain import TARGET, Stage
from w2sjax.engine.design import Design, Numbers, is_naive, sizes_of, stream_sizes, streams_of
from w2sjax.engine.given import EVAL, run_given
from w2sjax.engine.outcome import Outcome
from w2sjax.engine.source import source_of, stack_blocks
from w2sjax.random.draws import default_dtype, normal
from w2sjax.random.keys import BLOCK, Role, pair_key
from w2sjax.random.threefry import seed_key
from w2sjax.rounding import is_near_rounding

DEALT = 64
"""Pairs whose rows one call of a compiled program deals out, however many of them are wanted."""


def suits_tables(world: Any, design: Design) -> bool:
    """Say whether the pairs of a world go by `run_on_tables`: heads of the host in float64, on tables of rows."""
    plain = not (design.standard_errors or design.fresh_misfit or design.single_features)
    ours = all(getattr(stage.head, "on_host", False) and is_naive(stage) for stage in design.chain)
    if not hasattr(world, "table") or not plain or not ours or jax.default_backend() != "cpu":
        return False
    if design.target is not None:
        return False
    if default_dtype() != jnp.float64 or any(
        isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(world)
    ):
        return False
    return not any(is_near_rounding(np.asarray(world.table(name))) for name in design.order)


def run_on_tables(
    world: Any, numbers: Numbers, seed: jax.Array, indices: np.ndarray, design: Design
) -> Outcome:
    """Run the pairs of the given indices: what `run_grid` computes of each, but for rounding.

    Args:
        world: with `table(name)`, all rows of a representation, and pairs that deal them out.
        numbers, design: the grid.
        seed: the typed key that pairs are drawn from.
        indices: of the pairs, `[pair]`.

    Returns:
        An `Outcome` of NumPy arrays `[pair, n_weak, n_strong, n_eval, combination, task]`.

    Cost: per pair a Gram matrix and a factorization for every sample, size and representation. One pair per core.
    """
    places = np.resize(indices, -(-len(indices) // DEALT) * DEALT).astype(np.uint32)
    drawn = jax.device_get(_deal(world, numbers.label_noise, seed, places, design=design))
    as_given = {TARGET} | {stage.features for stage in design.chain if stage.head.needs != "moments"}
    tables = {name: _table(world, name, centred=name not in as_given) for name in design.order}
    grid = [
        jax.tree.map(lambda a, i=i: np.asarray(a)[i], design.stages(numbers))
        for i in range(design.combinations)
    ]

    own = threading.local()

    def one(place: int) -> Outcome:
        own.buffers = getattr(own, "buffers", {})
        return _run_pair(tables, jax.tree.map(lambda a: a[place], drawn), grid, design, own.buffers)

    with one_linear_algebra_thread(), np.errstate(all="ignore"), ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(one, range(len(indices))))
    return jax.tree.map(lambda *parts: np.stack(parts), *found)


def _table(world: Any, name: str, *, centred: bool) -> np.ndarray:
    """Return all rows in float64, less their mean where that is nothing to linear heads: a large one costs digits."""
    values = np.asarray(world.table(name), np.float64)
    return values - values.mean(axis=0) if centred else values


@functools.partial(jax.jit, static_argnames=("design",))
def _deal(world: Any, label_noise: jax.Array, seed: jax.Array, indices: jax.Array, *, design: Design) -> Any:
    """Draw the target heads of pairs, the rows of every stream and its label noise, `[pair, ...]`."""

    def one(index: jax.Array) -> Any:
        source = source_of(world, pair_key(seed, index), design)
        rows, noise = {}, {}
        for stream in stream_sizes(design):
            if stream[0] in (Role.WEAK, Role.STRONG, Role.EVAL):
                rows[stream] = source.entries(stream).reshape(-1)
            else:
                draw = lambda key: normal(key, (design.tasks, BLOCK)).T  # noqa: E731
                noise[stream] = label_noise * stack_blocks(draw, source.keys[stream])
        return source.target_heads(design.tasks), rows, noise

    return jax.vmap(one)(indices)


def _run_pair(
    tables: Mapping[str, np.ndarray],
    drawn: Any,
    grid: list[tuple[Stage, ...]],
    design: Design,
    buffers: dict[tuple[str, str], np.ndarray],
) -> Outcome:
    """Run every cell of a grid on one pair. Rows are gathered into buffers: fresh memory takes longer than the copy."""
    target, rows, noise = drawn
    samples: dict[tuple[str, int], tuple[dict[str, np.ndarray], np.ndarray, dict[str, Any]]] = {}
    streams = {group.split: streams_of(design, group) for group in design.groups}
    sizes = {group.split: sizes_of(design, group) for group in design.groups} | {EVAL: design.n_eval}
    for split, counts in sizes.items():
        inputs, errors = streams.get(split, ((Role.EVAL, 0), None))
        chosen = rows[inputs][: max(counts)]
        needed = {group.features for group in design.groups if split in (group.split, EVAL)}
        needed |= {name for group in design.groups if group.split == split for name in group.names}
        features = {}
        for name in needed - {TARGET}:
            if (split, name) not in buffers:
                buffers[split, name] = np.empty((len(chosen), tables[name].shape[1]))
            features[name] = np.take(tables[name], chosen, axis=0, out=buffers[split, name], mode="clip")
        truth = target.of_rows(tables[TARGET][chosen])
        if errors in noise:
            truth = truth + noise[errors][: len(truth)]
        for n in counts:
            samples[split, n] = {name: values[:n] for name, values in features.items()}, truth[:n], {}
    found = []
    for n_weak, n_strong, n_eval, stages in itertools.product(
        design.n_weak, design.n_strong, design.n_eval, grid
    ):
        own = {split: n_weak if split == "weak" else n_strong for split in streams} | {EVAL: n_eval}
        cell = {split: samples[split, n] for split, n in own.items()}
        outcome, _ = run_given(
            stages,
            {split: features for split, (features, _, _) in cell.items()},
            {split: truth for split, (_, truth, _) in cell.items()},
            seed_key(0),  # none of these heads draws
            metrics=design.metrics,
            shared=design.shared_heads,
            kept={split: kept for split, (_, _, kept) in cell.items()},
        )
        found.append(outcome)
    shape = (len(design.n_weak), len(design.n_strong), len(design.n_eval), len(grid))
    return jax.tree.map(lambda *parts: np.stack(parts).reshape(*shape, *np.shape(parts[0])), *found)
