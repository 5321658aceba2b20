"""Time twenty sample sizes against the largest alone, and fifty ridges against one.

Usage: python benchmarks/cheap_axes.py [--fast] [--out FILE.json]

Every grid is one call of the compiled program for a group of pairs. The variants alternate within one run, so that a
change of the machine's speed meets all of them; the record holds the least and the median time of each.
"""

import resource
import time
from typing import Any

import jax
import numpy as np
import recording

import w2sjax as w2s
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.sweeps.batch import group_size, local_mesh, run_group
from w2sjax.sweeps.grid import make_grid

SIZES = [int(n) for n in np.round(np.geomspace(50, 20_000, 20), -1)]
RIDGES = [0.0, *np.geomspace(1e-8, 1e2, 49).tolist()]
TASKS = 10


def variants() -> dict[str, dict[str, list[Any]]]:
    """Return the axes of every variant, by name."""
    return {
        "largest size": {"n_strong": SIZES[-1:], "n_weak": SIZES[-1:]},
        "20 sizes of the strong split": {"n_strong": SIZES, "n_weak": SIZES[-1:]},
        "20 sizes of the weak split": {"n_strong": SIZES[-1:], "n_weak": SIZES},
        "50 ridges": {"n_strong": SIZES[-1:], "n_weak": SIZES[-1:], "ridge": RIDGES},
    }


def main() -> None:
    """Run all variants and write the record as JSON."""
    options = recording.options(__doc__)
    w2s.use_all_cores()
    with one_linear_algebra_thread():  # as in a sweep
        recording.write(measure(options.fast), options.out)


def measure(fast: bool) -> dict[str, Any]:
    """Time all variants in turn and return the record."""
    protocol = w2s.Protocol(n_eval=SIZES[-1], tasks=TASKS)
    mesh = local_mesh()
    group = group_size() * mesh.devices.size
    calls, compile_seconds = {}, {}
    for name, axes in variants().items():
        (cell,) = make_grid(w2s.worlds.PerturbedMLP(), protocol, axes).cells()

        def call(cell: Any = cell) -> None:
            indices = jax.numpy.arange(group, dtype=jax.numpy.uint32)
            key = jax.random.key(0)
            outcome = run_group(cell.world, cell.numbers, key, indices, design=cell.design, mesh=mesh)
            jax.block_until_ready(outcome)

        started = time.perf_counter()
        call()
        compile_seconds[name] = round(time.perf_counter() - started, 2)
        calls[name] = call
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(2 if fast else 15):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - started) / group)
    least = {name: min(values) for name, values in times.items()}
    middle = {name: float(np.median(values)) for name, values in times.items()}
    base = "largest size"
    return {
        "benchmark": "cheap_axes",
        **recording.surroundings(),
        "dtype": str(jax.numpy.zeros(()).dtype),
        "sizes": SIZES,
        "ridges": len(RIDGES),
        "tasks": TASKS,
        "pairs_per_call": group,
        "records": [
            {
                "variant": name,
                "first_call_seconds": compile_seconds[name],
                "least_ms_per_pair": round(least[name] * 1e3, 3),
                "median_ms_per_pair": round(middle[name] * 1e3, 3),
                "ratio_of_least": round(least[name] / least[base], 3),
                "ratio_of_medians": round(middle[name] / middle[base], 3),
            }
            for name in calls
        ],
        "peak_resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
