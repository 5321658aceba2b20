"""How many pairs go together: what a cache holds, what memory holds, and what lets the host keep pace."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from w2sjax.cores import cores
from w2sjax.engine.design import Design
from w2sjax.engine.on_tables import DEALT, suits_tables
from w2sjax.engine.source import widths_of
from w2sjax.heads.trained import Trained
from w2sjax.random.keys import BLOCK
from w2sjax.sweeps.batch import local_mesh
from w2sjax.sweeps.grid import Cell

CPU_GROUP = 4
"""Most pairs batched together on a CPU core: enough to amortize the start of every operation; more fill its cache."""

LEAST_CPU_GROUP = 2
"""One pair alone took up to 15% longer, whatever its width."""

CACHE_BYTES = 3 * 2**18
"""Features of a block that a CPU's core keeps near it, while it writes as many more: 2 MiB of L2 cache hold both."""

ACCELERATOR_GROUP = 8192
"""Most pairs batched together on an accelerator: some 600 kernels are launched for a group, however large it is.

An H200 computes 126,000 pairs per second of the canonical workload in groups of 4096, 135,000 of 8192, 138,000 of
16,384.
"""

HOST_BUDGET = 2**30
"""Bytes of working memory on a CPU, by default."""

DEVICE_SHARE = 4
"""By default the working memory is one part in so many of an accelerator's memory."""

CALL_FEATURES = 5 * 2**22
"""Numbers that each device computes as features in one call: some 0.1 s of a CPU, so that the host keeps pace."""

FEATURES_IN_FLIGHT = 12
"""Rough number of feature-sized block arrays that a pair holds while it streams."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """How many pairs of a cell go together.

    Attributes:
        group: pairs that each device batches together.
        places: groups that one call computes on each device, at most.
        at_once: pairs in flight on all local devices.
        working_bytes: estimated bytes of their working memory.
        work: numbers that a pair computes as features; its time is about proportional to it.
        tables: the pairs deal out tables of rows, on the host.
    """

    group: int
    places: int
    at_once: int
    working_bytes: int
    work: float
    tables: bool = False

    @property
    def step(self) -> int:
        """Pairs that one call computes on all local devices, at most."""
        return self.at_once * self.places


def default_memory_budget() -> int:
    """Return the bytes of working memory of a sweep on all local devices: more where they have memory of their own."""
    devices = jax.local_devices()
    limits = [(device.memory_stats() or {}).get("bytes_limit", 0) for device in devices]
    if jax.default_backend() == "cpu" or not all(limits):
        return HOST_BUDGET
    return max(HOST_BUDGET, len(devices) * min(limits) // DEVICE_SHARE)


def choose_batch(cell: Cell, pairs: int, memory_budget: int | None = None) -> Batch:
    """Choose how many pairs of a cell go together, for a sweep of so many in so many bytes of working memory.

    Programs compile once: on CPUs it does not depend on the number of pairs, on accelerators on its power of two. Few
    pairs whose heads go by rows, which takes much longer, share devices evenly.
    """
    memory_budget = default_memory_budget() if memory_budget is None else memory_budget
    devices = local_mesh().devices.size
    design = cell.design
    width = sum(widths_of(cell.world, design.order).values())
    work = rows_per_pair(design) * width
    if suits_tables(cell.world, design):
        samples = sum(design.n_weak + design.n_strong) * width + work
        bytes_held = 8 * cores() * (samples + width * max(max(design.n_weak), max(design.n_strong)))
        places = -(-DEALT // cores())
        return Batch(1, places, at_once=cores(), working_bytes=bytes_held, work=work, tables=True)
    need = bytes_per_pair(design, width)
    itemsize = 4 if design.single_features else jnp.zeros(()).dtype.itemsize
    group = min(
        group_size(width * BLOCK * itemsize),
        max(1, memory_budget // (devices * need)),
    )
    each = math.ceil(pairs / devices)
    if jax.default_backend() != "cpu":
        group = min(group, 2 ** math.ceil(math.log2(each)))
    elif not design.linear:
        group = min(group, each)
    # What is prepared for a call takes much longer than the call.
    alone = hasattr(cell.world, "preparations")
    places = 1 if alone else max(1, CALL_FEATURES // (group * work))
    at_once = devices * group
    return Batch(group=group, places=places, at_once=at_once, working_bytes=at_once * need, work=work)


def group_size(block_bytes: int) -> int:
    """Return how many pairs each device batches together.

    On a CPU as many as have their features in its cache: a program goes over them layer by layer. Networks of width 16
    take the least time with 4 pairs, in float32 and in float64, where 8 take 10% longer; of width 64 with 2.

    Args:
        block_bytes: of one block of all features of a pair.
    """
    if jax.default_backend() != "cpu":
        return ACCELERATOR_GROUP
    group = CPU_GROUP
    while group > LEAST_CPU_GROUP and group * block_bytes > CACHE_BYTES:
        group //= 2
    return group


def bytes_per_pair(design: Design, width: int) -> int:
    """Estimate the working memory of one pair, in bytes: streamed blocks, moments per size, and results.

    Args:
        design: of its cell.
        width: of all features together.
    """
    itemsize = jnp.zeros(()).dtype.itemsize
    cells = len(design.n_weak) * len(design.n_strong) * len(design.n_eval) * design.combinations
    streamed = FEATURES_IN_FLIGHT * width * BLOCK + (design.tasks * BLOCK if design.noisy else 0)
    moments = 4 * width * width * (len(design.n_weak) + len(design.n_strong) + len(design.n_eval))
    results = cells * design.tasks * (16 + 4 * width)
    if design.standard_errors:
        results += cells * design.tasks * 8 * BLOCK
    if not design.linear:
        moments, results = 0, cells * design.tasks * 16 + _held_entries(design, width)
    return itemsize * (streamed + moments + results)


def _held_entries(design: Design, width: int) -> int:
    """Return how many numbers heads that go by rows keep: samples, parameters with their moments, activations."""
    rows = max(design.n_weak) + max(design.n_strong)
    entries = 3 * rows * (width + design.tasks * (1 + len(design.n_weak)))
    for stage in design.chain:
        columns = design.tasks * len(design.n_weak)
        if isinstance(stage.head, Trained):
            units = max(1, stage.head.width) * stage.head.copies
            batch = stage.head.batch_size or max(*design.n_weak, *design.n_strong)
            entries += columns * (6 * units * (width + 2) + 3 * batch * units + stage.head.epochs)
    return entries


def rows_per_pair(design: Design) -> int:
    """Return how many rows one pair goes through: trained heads go through theirs once an epoch."""
    epochs = max(getattr(stage.head, "epochs", 1) for stage in design.chain)
    return epochs * (max(design.n_weak) + max(design.n_strong)) + max(design.n_eval)
