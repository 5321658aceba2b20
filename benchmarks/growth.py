"""Time a pair as each size grows: sample size, width, depth, tasks, sample sizes and ridges per pair, pairs.

Usage: python benchmarks/growth.py [--fast] [--out FILE.json]

All else is as in the canonical workload (n = 2000 per split, 5 layers of 16 units, 10 tasks). The values of an axis
alternate within one run; the least time of each counts. All axes but the last are calls of the sweep's program for a
group of pairs; the last is `sweep` itself, with the labelled Dataset. Exponents are slopes between the two largest
values, in log-log coordinates.
"""

import dataclasses
import math
from typing import Any

import jax
import numpy as np
import recording

import w2sjax as w2s
from w2sjax.bench.timing import Work, alternate, sweep_calls
from w2sjax.cores import one_linear_algebra_thread

PROTOCOL = w2s.Protocol(n_weak=2000, n_strong=2000, n_eval=2000, tasks=10, head=w2s.heads.Ridge(1e-8))
WORLD = w2s.worlds.PerturbedMLP()
SIZES = (500, 2000, 8000, 32_000)
PAIRS = (16, 64, 256, 1024, 4096)
WIDTHS = (16, 64, 256, 1024)
REPEATS = {"width": 3, "pairs": 3}
"""Repeats of axes whose largest value takes long; 8 of the others."""


def _group(world: Any = WORLD, protocol: w2s.Protocol = PROTOCOL, axes: Any = None) -> Work:
    return sweep_calls(world, protocol, axes).work(1)


def _protocol(**fields: Any) -> Work:
    return _group(protocol=dataclasses.replace(PROTOCOL, **fields))


def _world(**fields: Any) -> Work:
    return _group(dataclasses.replace(WORLD, **fields))


def _sweep(pairs: int) -> Work:
    return Work(lambda: w2s.sweep(WORLD, PROTOCOL, pairs=pairs, seed=0), pairs)


def settings(fast: bool) -> dict[str, dict[int, Work]]:
    """Return what is timed, by axis and value."""
    if fast:
        return {"tasks": {n: _protocol(tasks=n) for n in (1, 10)}}
    return {
        "n (all three splits)": {n: _protocol(n_weak=n, n_strong=n, n_eval=n) for n in SIZES},
        "width": {n: _world(width=n) for n in WIDTHS},
        "depth": {n: _world(depth=n) for n in (2, 5, 10, 20)},
        "tasks": {n: _protocol(tasks=n) for n in (1, 10, 100, 1000, 10_000)},
        "sample sizes": {
            n: _group(axes={"n_strong": np.linspace(2000 / n, 2000, n).astype(int).tolist()})
            for n in (1, 5, 20)
        },
        "ridges": {n: _group(axes={"ridge": np.geomspace(1e-8, 1, n).tolist()}) for n in (1, 10, 50)},
        "pairs": {n: _sweep(n) for n in PAIRS},
    }


def record(axis: str, works: dict[int, Work], repeats: int) -> dict[str, Any]:
    """Time all values of an axis in turn."""
    times = alternate(works, repeats)
    (small, large) = list(times)[-2:]
    return {
        "axis": axis,
        "values": list(times),
        "least_milliseconds_per_pair": [round(1e3 * t.least, 3) for t in times.values()],
        "median_milliseconds_per_pair": [round(1e3 * t.median, 3) for t in times.values()],
        "first_call_seconds": [round(t.first, 1) for t in times.values()],
        "exponent_at_the_end": round(
            math.log(times[large].least / times[small].least) / math.log(large / small), 2
        ),
    }


def main() -> None:
    """Run all axes and write one record each."""
    options = recording.options(__doc__)
    w2s.use_all_cores()
    report: dict[str, Any] = {
        "benchmark": "growth",
        **recording.surroundings(),
        "dtype": str(jax.numpy.zeros(()).dtype),
        "records": [],
    }
    with one_linear_algebra_thread():  # as in a sweep
        for axis, works in settings(options.fast).items():
            report["records"].append(record(axis, works, 1 if options.fast else REPEATS.get(axis, 8)))
            recording.write(report, options.out)  # what was measured is not lost with the rest


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
