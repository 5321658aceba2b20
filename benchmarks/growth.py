"""Time a pair as each size grows: sample size, width, depth, tasks, sample sizes and ridges per pair, pairs.

Usage: python benchmarks/growth.py [--fast] [--out FILE.json]

All else is as in the canonical workload (n = 2000 per split, 5 layers of 16 units, 10 tasks). The values of an axis
alternate within one run; the least time of each counts. Exponents are slopes between the two largest values, in
log-log coordinates.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import recording

import w2sjax as w2s
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.sweeps.batch import group_size, local_mesh, run_group
from w2sjax.sweeps.grid import make_grid

PROTOCOL = w2s.Protocol(n_weak=2000, n_strong=2000, n_eval=2000, tasks=10, ridge=1e-8)
WORLD = w2s.worlds.PerturbedMLP()
MOST_ENTRIES = 2e8
"""Rows x width of a group of pairs above which the group is made smaller."""


def settings(fast: bool) -> dict[str, dict[int, Any]]:
    """Return (world, protocol, axes) by axis and value."""

    def protocol(**fields: Any) -> Any:
        return WORLD, dataclasses.replace(PROTOCOL, **fields), {}

    def world(**fields: Any) -> Any:
        return dataclasses.replace(WORLD, **fields), PROTOCOL, {}

    def grid(name: str, values: list[Any]) -> Any:
        return WORLD, PROTOCOL, {name: values}

    if fast:
        return {"tasks": {n: protocol(tasks=n) for n in (1, 10)}}
    sizes = (500, 2000, 8000, 32_000)
    return {
        "n (all three splits)": {n: protocol(n_weak=n, n_strong=n, n_eval=n) for n in sizes},
        "width": {n: world(width=n) for n in (16, 64, 256)},
        "depth": {n: world(depth=n) for n in (2, 5, 10, 20)},
        "tasks": {n: protocol(tasks=n) for n in (1, 10, 100, 1000, 10_000)},
        "sample sizes": {
            n: grid("n_strong", [int(v) for v in np.linspace(100, 2000, n)] if n > 1 else [2000])
            for n in (1, 5, 20)
        },
        "ridges": {n: grid("ridge", np.geomspace(1e-8, 1, n).tolist()) for n in (1, 10, 50)},
    }


def prepare(world: Any, protocol: Any, axes: dict[str, Any]) -> tuple[Callable[[], None], int]:
    """Return a call of the sweep's program for a group of pairs, and how many they are."""
    mesh = local_mesh()
    rows = protocol.n_weak + protocol.n_strong + protocol.n_eval
    most = max(1, int(MOST_ENTRIES / (rows * world.width)))
    pairs = min(group_size(), most) * mesh.devices.size
    (cell,) = make_grid(world, protocol, axes).cells()
    indices = jax.numpy.arange(pairs, dtype=jax.numpy.uint32)

    def call() -> None:
        key = jax.random.key(0)
        outcome = run_group(cell.world, cell.numbers, key, indices, design=cell.design, mesh=mesh)
        jax.block_until_ready(outcome)

    return call, pairs


def record(axis: str, values: dict[int, Any], repeats: int) -> dict[str, Any]:
    """Time all values of an axis in turn."""
    calls = {value: prepare(*setting) for value, setting in values.items()}
    first: dict[int, float] = {}
    times: dict[int, list[float]] = {value: [] for value in calls}
    for value, (call, _) in calls.items():
        started = time.perf_counter()
        call()
        first[value] = time.perf_counter() - started
    for _ in range(repeats):
        for value, (call, pairs) in calls.items():
            started = time.perf_counter()
            call()
            times[value].append((time.perf_counter() - started) / pairs)
    least = {value: min(mine) for value, mine in times.items()}
    (small, large) = list(least)[-2:]
    return {
        "axis": axis,
        "values": list(least),
        "least_milliseconds_per_pair": [round(1e3 * s, 3) for s in least.values()],
        "median_milliseconds_per_pair": [round(1e3 * float(np.median(t)), 3) for t in times.values()],
        "first_call_seconds": [round(s, 1) for s in first.values()],
        "exponent_at_the_end": round(math.log(least[large] / least[small]) / math.log(large / small), 2),
    }


def main() -> None:
    """Run all axes and write one record each."""
    options = recording.options(__doc__)
    w2s.use_all_cores()
    with one_linear_algebra_thread():  # as in a sweep
        records = [
            record(axis, values, 1 if options.fast else 8) for axis, values in settings(options.fast).items()
        ]
    report = {
        "benchmark": "growth",
        **recording.surroundings(),
        "dtype": str(jax.numpy.zeros(()).dtype),
        "records": records,
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
