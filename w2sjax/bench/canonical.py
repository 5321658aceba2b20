"""The canonical workload, timed beside its floor: n = 2000 per split, networks of 5 layers of 16 units."""

import resource
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.bench.floor import floor_parts
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.engine.design import design_of, numbers_of
from w2sjax.engine.outcome import UNUSABLE, Outcome
from w2sjax.engine.protocol import Protocol
from w2sjax.sweeps.batch import group_size, local_mesh, run_group
from w2sjax.worlds.mlp import PerturbedMLP

N = 2000
RIDGE = 1e-8
COMPARED = 64
"""Pairs whose gain and misfit are compared with float64."""


def measure(tasks: int, repeats: int = 15, groups: int = 4) -> dict[str, Any]:
    """Time the canonical workload and its floor, alternating, in the precision of JAX's x64 flag.

    Every repeat runs `groups` calls of the sweep's program, then every part of the floor once, so that a change of the
    machine's speed meets all of them. The least time of each counts: noise only adds.

    Args:
        tasks: per pair, >= 1.
        repeats: of everything, >= 1.
        groups: calls of the program per repeat, dispatched without waiting, >= 1.

    Returns:
        A record of plain numbers: seconds per pair measured and for each part of the floor, efficiency = floor /
        measured, compile seconds, peak memory in MiB, errors of gain and misfit against float64.
    """
    with one_linear_algebra_thread():  # as in a sweep
        return _measure(tasks, repeats, groups)


def _measure(tasks: int, repeats: int, groups: int) -> dict[str, Any]:
    world = PerturbedMLP()
    protocol = Protocol(n_weak=N, n_strong=N, n_eval=N, tasks=tasks, ridge=RIDGE)
    step = group_size() * local_mesh().devices.size
    calls = [_program(world, protocol, np.arange(g * step, (g + 1) * step)) for g in range(groups)]
    started = time.perf_counter()
    jax.block_until_ready(calls[0]())
    first = time.perf_counter() - started

    parts = floor_parts(world, protocol)
    for part in parts.values():
        part.run()
    times: dict[str, list[float]] = {name: [] for name in ("measured", *parts)}
    for _ in range(repeats):
        times["measured"].append(_seconds(lambda: [call() for call in calls]) / (groups * step))
        for name, part in parts.items():
            times[name].append(_seconds(part.run) * part.share / step)
    least = {name: min(values) for name, values in times.items()}
    floor = sum(least[name] for name in parts)
    x64 = jax.config.jax_enable_x64
    return {
        "tasks": tasks,
        "dtype": "float64" if x64 else "float32",
        "n": N,
        "pairs_per_second": round(1 / least["measured"], 1),
        "experiments_per_second": round(tasks / least["measured"], 1),
        "milliseconds_per_pair": _milliseconds(least["measured"]),
        "milliseconds_per_pair_median": _milliseconds(float(np.median(times["measured"]))),
        "floor_milliseconds": {name: _milliseconds(least[name]) for name in parts}
        | {"sum": _milliseconds(floor)},
        "floor_parts": {name: part.description for name, part in parts.items()},
        "efficiency": round(floor / least["measured"], 3),
        "compile_seconds": round(max(0.0, first - least["measured"] * step), 2),
        "peak_memory_mib": round(peak_memory() / 2**20),
        "error_against_float64": None if x64 else _error(world, protocol),
    }


def peak_memory() -> int:
    """Return the peak bytes in use on the first device, or resident in this process where the device does not tell."""
    statistics = jax.local_devices()[0].memory_stats()
    if statistics and "peak_bytes_in_use" in statistics:
        return int(statistics["peak_bytes_in_use"])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _program(world: PerturbedMLP, protocol: Protocol, indices: np.ndarray) -> Callable[[], Outcome]:
    arguments = (world, numbers_of(protocol), jax.random.key(0), jnp.asarray(indices, jnp.uint32))
    design, mesh = design_of(protocol), local_mesh()
    return lambda: run_group(*arguments, design=design, mesh=mesh)


def _seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - started


def _milliseconds(seconds: float) -> float:
    return round(1e3 * seconds, 4)


def _error(world: PerturbedMLP, protocol: Protocol) -> dict[str, Any] | None:
    """Compare gain and misfit with those in float64, relative to weak_error; None where the device has no float64."""
    if jax.default_backend() == "tpu":
        return None
    step = group_size() * local_mesh().devices.size
    indices = np.arange(-(-COMPARED // step) * step)
    outcomes = []
    for x64 in (False, True):
        with jax.enable_x64(x64):
            parts = [_program(world, protocol, part)() for part in np.split(indices, len(indices) // step)]
            outcomes.append(jax.tree.map(lambda *a: np.concatenate(a).astype(float), *jax.device_get(parts)))
    single, double = outcomes
    usable = (double.status.code.astype(int) & int(UNUSABLE)) == 0
    report: dict[str, Any] = {"pairs": int(usable.sum())}
    for name in ("gain", "misfit"):
        error = np.abs(getattr(single, name) - getattr(double, name)) / double.weak_error
        report[name] = {
            "median": float(np.median(error[usable])),
            "quantile_99": float(np.quantile(error[usable], 0.99)),
            "largest": float(error[usable].max()),
        }
    return report
