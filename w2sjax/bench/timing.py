"""What every benchmark does: calls of a sweep's program for a group of pairs, timed in turn with others."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from w2sjax.engine.outcome import Outcome
from w2sjax.engine.protocol import Protocol
from w2sjax.random.threefry import seed_key
from w2sjax.sweeps.batch import arranged, group_program, local_mesh, on_all_devices
from w2sjax.sweeps.batch_size import choose_batch
from w2sjax.sweeps.grid import make_grid


class Work(NamedTuple):
    """A call to be timed, which returns what must be waited for, and how many pairs it computes."""

    call: Callable[[], Any]
    pairs: float


@dataclasses.dataclass(frozen=True)
class Timed:
    """Seconds of the first call, which compiles, and seconds per pair of the later ones, one by one."""

    first: float
    later: tuple[float, ...]

    @property
    def least(self) -> float:
        """The least seconds per pair."""
        return min(self.later)

    @property
    def median(self) -> float:
        """The median of the seconds per pair."""
        return statistics.median(self.later)


def alternate(works: Mapping[Any, Work], repeats: int) -> dict[Any, Timed]:
    """Time calls in turn, so that a change of the machine's speed meets all; the first round is kept apart."""
    seconds: dict[Any, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            started = time.perf_counter()
            jax.block_until_ready(work.call())
            seconds[name].append(time.perf_counter() - started)
    return {
        name: Timed(first, tuple(each / works[name].pairs for each in later))
        for name, (first, *later) in seconds.items()
    }


@dataclasses.dataclass(frozen=True)
class Calls:
    """Calls of a sweep's program in one cell.

    Attributes:
        start: dispatches a call for the pairs from a given one on, of seed 0.
        pairs: how many pairs each call computes.
    """

    start: Callable[[int], Outcome]
    pairs: int

    def work(self, count: int) -> Work:
        """Return so many calls in a row, dispatched without waiting."""
        return Work(lambda: [self.start(i * self.pairs) for i in range(count)], count * self.pairs)


def sweep_calls(world: Any, protocol: Protocol, axes: Mapping[str, Any] | None = None) -> Calls:
    """Return the calls that a long sweep makes, in the one cell of its axes."""
    cell = make_grid(world, protocol, axes or {}).cell({})
    batch, mesh = choose_batch(cell, pairs=2**31), local_mesh()
    shared = on_all_devices((cell.world, cell.numbers, seed_key(0)))

    def start(first: int) -> Outcome:
        pairs = arranged(np.arange(first, first + batch.step), batch.group, batch.places)
        outcome: Outcome = group_program()(*shared, *pairs, design=cell.design, mesh=mesh)
        return outcome

    return Calls(start, batch.step)
