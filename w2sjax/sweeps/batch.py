"""Many pairs at once: the mathematics of one pair, batched in groups and sharded over local devices."""

import functools
from typing import Any

import jax
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
    indices: jax.Array,
    prepared: Any = None,
    *,
    design: Design,
    mesh: Mesh,
    group: int,
) -> Outcome:
    """Run the pairs of the given indices, `[pair]`, a multiple of devices * group, with what was prepared for them.

    Every device computes its pairs in groups, one after another. Groups are always of the same size, so that the
    compiled program, and with it every rounding error, is the same whatever the chunk. Two and four devices round
    alike; one device has a program of its own.
    """

    def local(world: Any, numbers: Numbers, seed: jax.Array, indices: jax.Array, prepared: Any) -> Outcome:
        def one(entry: tuple[jax.Array, Any]) -> Outcome:
            index, prepared = entry
            return run_grid(world, pair_key(seed, index), design, numbers, prepared)

        return jax.lax.map(one, (indices, prepared), batch_size=group)

    sharded, replicated = PartitionSpec("pair"), PartitionSpec()
    specs = (replicated, replicated, replicated, sharded, sharded)
    run = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=sharded, check_vma=False)
    return run(world, numbers, seed, indices, prepared)


@functools.cache
def group_program() -> Any:
    """Return `run_groups` compiled by `jax.jit`, once per process: its options depend on the kind of device."""
    return jax.jit(
        run_groups, static_argnames=("design", "mesh", "group"), compiler_options=compiler_options()
    )


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
