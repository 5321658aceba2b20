"""Many pairs at once: the mathematics of one pair, batched in groups and sharded over local devices."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from w2sjax.cores import compiler_options
from w2sjax.engine.design import Design, Numbers
from w2sjax.engine.outcome import Outcome
from w2sjax.engine.pair import run_grid
from w2sjax.random.keys import Role, pair_key, role_key


def local_mesh() -> Mesh:
    """Return a one-dimensional mesh of this process's devices."""
    return Mesh(np.array(jax.local_devices()), ("pair",))


def on_all_devices(arguments: Any) -> Any:
    """Copy what all pairs of a cell share to every local device, once instead of at every call."""
    return jax.device_put(arguments, NamedSharding(local_mesh(), PartitionSpec()))


def run_groups(
    world: Any,
    numbers: Numbers,
    seed: jax.Array,
    count: jax.Array,
    indices: jax.Array,
    prepared: Any = None,
    *,
    design: Design,
    mesh: Mesh,
) -> Outcome:
    """Run the pairs of the given indices, `[device * place, group]`, with what was prepared for them.

    Every device computes the first `count` of its groups, one after another; results of the other places are zero. The
    places and the pairs of a group are always as many, so that the compiled program, and with it every rounding error,
    is the same whatever the chunk and however many pairs there are. Two and four devices round alike; one device has a
    program of its own.
    """

    def local(
        world: Any, numbers: Numbers, seed: jax.Array, count: jax.Array, indices: jax.Array, prepared: Any
    ) -> Outcome:
        @jax.jit  # so that it is traced once, for its shapes and for the loop
        @jax.vmap
        def run_group(index: jax.Array, prepared: Any) -> Outcome:
            return run_grid(world, pair_key(seed, index), design, numbers, prepared)

        def entry(place: Any) -> Any:
            return jax.tree.map(
                lambda a: jax.lax.dynamic_index_in_dim(a, place, keepdims=False), (indices, prepared)
            )

        def add_group(place: jax.Array, found: Outcome) -> Outcome:
            write = functools.partial(jax.lax.dynamic_update_index_in_dim, index=place, axis=0)
            return jax.tree.map(write, found, run_group(*entry(place)))

        shapes = jax.eval_shape(lambda: run_group(*entry(0)))
        none = jax.tree.map(lambda s: jnp.zeros((len(indices), *s.shape), s.dtype), shapes)
        return jax.lax.fori_loop(0, count, add_group, none)

    sharded, replicated = PartitionSpec("pair"), PartitionSpec()
    specs = (replicated, replicated, replicated, replicated, sharded, sharded)
    run = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=sharded, check_vma=False)
    return run(world, numbers, seed, count, indices, prepared)


def group_program() -> Any:
    """Return `run_groups` compiled by `jax.jit`, once per process and options of the compiler."""
    return _group_program(tuple((compiler_options() or {}).items()))


@functools.cache
def _group_program(options: tuple[tuple[str, Any], ...]) -> Any:
    return jax.jit(run_groups, static_argnames=("design", "mesh"), compiler_options=dict(options))


def arranged(pairs: np.ndarray, group: int, places: int) -> tuple[np.ndarray, np.ndarray]:
    """Share pairs out among the local devices: `count` and `indices` of `run_groups`, the last pair as padding."""
    devices = len(jax.local_devices())
    count = -(-len(pairs) // (devices * group))
    indices = np.repeat(pairs[-1:], devices * places * group).reshape(devices, places, group)
    filled = np.concatenate([pairs, np.repeat(pairs[-1:], devices * count * group - len(pairs))])
    indices[:, :count] = filled.reshape(devices, count, group)
    return np.asarray(count, np.int32), indices.reshape(devices * places, group).astype(np.uint32)


def in_order(values: np.ndarray, count: int, pairs: int) -> np.ndarray:
    """Return results of `run_groups` as `[pair, ...]`, in the order that `arranged` was given."""
    by_device = values.reshape(len(jax.local_devices()), -1, *values.shape[1:])[:, :count]
    return by_device.reshape(-1, *values.shape[2:])[:pairs]


ACCELERATOR_TRAINING_GROUP = 256
"""Pairs whose preparations an accelerator runs together; part of the rounding there, and so of every result."""


def training_group(preparation: Any) -> int:
    """Return for how many pairs each device runs a preparation together: on a CPU what it asks for, else one."""
    if jax.default_backend() == "cpu":
        together: int = getattr(preparation, "together", 1)
        return together
    return ACCELERATOR_TRAINING_GROUP


def prepare_pairs(preparation: Any, seed: jax.Array, indices: np.ndarray) -> Any:
    """Run a preparation of a world for the pairs of the given indices, `[pair]`, at most a group per local device.

    Every device runs the program of a single device on its own group, padded: the same rounding, and so the same
    networks, whatever the number of devices. (A program partitioned over host devices by `shard_map` took 110
    microseconds for a training step that takes 23 alone; two programs side by side take 28.) On CPUs a group may be
    smaller, so that all of them have work: a preparation that asks for more than one pair must not depend on how many
    there are.

    Returns:
        What the preparation returns, as NumPy arrays `[pair, ...]`.
    """
    group, devices = training_group(preparation), jax.local_devices()
    if jax.default_backend() == "cpu":
        group = min(group, -(-len(indices) // len(devices)))
    groups = [indices[start : start + group] for start in range(0, len(indices), group)]
    started = []
    for device, mine in zip(devices, groups, strict=False):
        padded = np.concatenate([mine, np.repeat(mine[-1:], group - len(mine))]).astype(np.uint32)
        started.append(_preparation_program()(*jax.device_put((preparation, seed, padded), device)))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[: len(indices)], *jax.device_get(started))


@functools.cache
def _preparation_program() -> Any:
    return jax.jit(_prepare_group, compiler_options=compiler_options())


def _prepare_group(preparation: Any, seed: jax.Array, indices: jax.Array) -> Any:
    def one(index: jax.Array) -> Any:
        return preparation(role_key(pair_key(seed, index), Role.PAIR))

    return jax.vmap(one)(indices)
