"""The canonical workload, timed beside its floor: n = 2000 per split, networks of 5 layers of 16 units."""

import resource
from typing import Any

import jax
import numpy as np
import xarray as xr

from w2sjax.bench.floor import floor_parts
from w2sjax.bench.timing import Work, alternate, sweep_calls
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.engine.protocol import Protocol
from w2sjax.flags import UNUSABLE
from w2sjax.heads.ridge import Ridge
from w2sjax.sweeps.run import sweep
from w2sjax.worlds.mlp import PerturbedMLP

N = 2000
RIDGE = 1e-8
COMPARED = 64
"""Pairs whose gain and misfit are compared with float64."""


def measure(tasks: int, repeats: int = 15, calls: int = 2) -> dict[str, Any]:
    """Time the canonical workload and its floor, alternating, in the precision of JAX's x64 flag.

    Every repeat runs some calls of the sweep's program, then every part of the floor once, so that a change of the
    machine's speed meets all of them. The least time of each counts: noise only adds.

    Args:
        tasks: per pair, >= 1.
        repeats: of everything, >= 1.
        calls: of the program per repeat, dispatched without waiting, >= 1.

    Returns:
        A record of plain numbers: milliseconds per pair measured and for each part of the floor, efficiency = floor /
        measured, compile seconds, peak memory in MiB, errors of gain and misfit against float64.
    """
    world = PerturbedMLP()
    protocol = Protocol(n_weak=N, n_strong=N, n_eval=N, tasks=tasks, head=Ridge(RIDGE))
    program = sweep_calls(world, protocol)
    parts = floor_parts(world, protocol)
    works = {"measured": program.work(calls)} | {
        name: Work(part.run, part.pairs) for name, part in parts.items()
    }
    with one_linear_algebra_thread():  # as in a sweep
        times = alternate(works, repeats)
    measured = times["measured"]
    floor = sum(times[name].least for name in parts)
    x64 = jax.config.jax_enable_x64
    return {
        "tasks": tasks,
        "dtype": "float64" if x64 else "float32",
        "n": N,
        "pairs_per_second": round(1 / measured.least, 1),
        "experiments_per_second": round(tasks / measured.least, 1),
        "milliseconds_per_pair": _milliseconds(measured.least),
        "milliseconds_per_pair_median": _milliseconds(measured.median),
        "floor_milliseconds": {name: _milliseconds(times[name].least) for name in parts}
        | {"sum": _milliseconds(floor)},
        "floor_parts": {name: part.description for name, part in parts.items()},
        "efficiency": round(floor / measured.least, 3),
        "compile_seconds": round(max(0.0, measured.first - measured.least * calls * program.pairs), 2),
        "peak_memory_mib": round(peak_memory() / 2**20),
        "error_against_float64": None if x64 else _error(world, protocol),
    }


def peak_memory() -> int:
    """Return the peak bytes in use on the first device, or resident in this process where the device does not tell."""
    statistics = jax.local_devices()[0].memory_stats()
    if statistics and "peak_bytes_in_use" in statistics:
        return int(statistics["peak_bytes_in_use"])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _milliseconds(seconds: float) -> float:
    return float(f"{1e3 * seconds:.4g}")  # an accelerator takes microseconds


def _error(world: PerturbedMLP, protocol: Protocol) -> dict[str, Any] | None:
    """Compare gain and misfit with those in float64, relative to weak_error; None where the device has no float64."""
    if jax.default_backend() == "tpu":
        return None
    outcomes = []
    for x64 in (False, True):
        with jax.enable_x64(x64):
            outcomes.append(sweep(world, protocol, pairs=COMPARED))
    return errors_against(*outcomes)


def errors_against(ours: xr.Dataset, exact: xr.Dataset) -> dict[str, Any]:
    """Return the number of usable pairs, and for gain and misfit the median, 99% quantile and largest error over them.

    Errors are relative to weak_error; both sweeps are of the same pairs and tasks.
    """
    usable = (exact.status_code.to_numpy().astype(int) & int(UNUSABLE)) == 0
    report: dict[str, Any] = {"pairs": int(usable.sum())}
    for name in ("gain", "misfit"):
        error = (abs(ours[name] - exact[name]) / exact.weak_error).to_numpy()
        report[name] = {
            "median": float(np.median(error[usable])),
            "quantile_99": float(np.quantile(error[usable], 0.99)),
            "largest": float(error[usable].max()),
        }
    return report
