"""What every benchmark does: calls of a sweep's program for a group of pairs, timed in turn with others."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from w2sjax.engine.outcome import Outcome
from w2sjax.engine.protocol import Protocol
from w2sjax.sweeps.batch import group_program, group_size, local_mesh, on_all_devices
from w2sjax.sweeps.grid import make_grid


class Work(NamedTuple):
    """A call to be timed, which returns what must be waited for, and how many pairs it computes."""

    call: Callable[[], Any]
    pairs: float


@dataclasses.dataclass(frozen=True)
class Timed:
    """Seconds of the first call, which compiles, and seconds per pair of the later ones: least and median."""

    first: float
    least: float
    median: float


def alternate(works: Mapping[Any, Work], repeats: int) -> dict[Any, Timed]:
    """Time calls in turn, so that a change of the machine's speed meets all; the first round is kept apart."""
    seconds: dict[Any, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            started = time.perf_counter()
            jax.block_until_ready(work.call())
            seconds[name].append(time.perf_counter() - started)
    return {
        name: Timed(first, min(later) / works[name].pairs, float(np.median(later)) / works[name].pairs)
        for name, (first, *later) in seconds.items()
    }


def pairs_per_call() -> int:
    """Return how many pairs one call of a sweep's program computes, all local devices together."""
    return group_size() * local_mesh().devices.size


def group_call(
    world: Any, protocol: Protocol, indices: np.ndarray, axes: Mapping[str, Any] | None = None
) -> Callable[[], Outcome]:
    """Return a call of a sweep's program, in the one cell of its axes, for the pairs of the given indices of seed 0."""
    (cell,) = make_grid(world, protocol, axes or {}).cells()
    arguments = (
        *on_all_devices((cell.world, cell.numbers, jax.random.key(0))),
        np.asarray(indices, np.uint32),
    )
    mesh = local_mesh()
    return lambda: group_program()(*arguments, design=cell.design, mesh=mesh)
