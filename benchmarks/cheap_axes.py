"""Time twenty sample sizes against the largest alone, and fifty ridges against one.

Usage: python benchmarks/cheap_axes.py [--fast] [--out FILE.json]

Every grid is one call of the compiled program for a group of pairs. The variants alternate within one run, so that a
change of the machine's speed meets all of them; the record holds the least and the median time of each.
"""

from typing import Any

import jax
import numpy as np
import recording

import w2sjax as w2s
from w2sjax.bench.canonical import peak_memory
from w2sjax.bench.timing import alternate, sweep_calls
from w2sjax.cores import one_linear_algebra_thread

SIZES = [int(n) for n in np.round(np.geomspace(50, 20_000, 20), -1)]
RIDGES = [0.0, *np.geomspace(1e-8, 1e2, 49).tolist()]
TASKS = 10
BASE = "largest size"


def variants() -> dict[str, dict[str, list[Any]]]:
    """Return the axes of every variant, by name."""
    return {
        BASE: {"n_strong": SIZES[-1:], "n_weak": SIZES[-1:]},
        "20 sizes of the strong split": {"n_strong": SIZES, "n_weak": SIZES[-1:]},
        "20 sizes of the weak split": {"n_strong": SIZES[-1:], "n_weak": SIZES},
        "50 ridges": {"n_strong": SIZES[-1:], "n_weak": SIZES[-1:], "ridge": RIDGES},
    }


def main() -> None:
    """Run all variants in turn and write the record as JSON."""
    options = recording.options(__doc__)
    w2s.use_all_cores()
    world, protocol = w2s.worlds.PerturbedMLP(), w2s.Protocol(n_eval=SIZES[-1], tasks=TASKS)
    calls = {name: sweep_calls(world, protocol, axes) for name, axes in variants().items()}
    works = {name: each.work(1) for name, each in calls.items()}
    with one_linear_algebra_thread():  # as in a sweep
        times = alternate(works, 2 if options.fast else 15)
    base = times[BASE]
    records = [
        {
            "variant": name,
            "first_call_seconds": round(timed.first, 2),
            "least_ms_per_pair": round(timed.least * 1e3, 3),
            "median_ms_per_pair": round(timed.median * 1e3, 3),
            "ratio_of_least": round(timed.least / base.least, 3),
            "ratio_of_medians": round(timed.median / base.median, 3),
        }
        for name, timed in times.items()
    ]
    report = {
        "benchmark": "cheap_axes",
        **recording.surroundings(),
        "dtype": str(jax.numpy.zeros(()).dtype),
        "sizes": SIZES,
        "ridges": len(RIDGES),
        "tasks": TASKS,
        "pairs_per_call": {name: each.pairs for name, each in calls.items()},
        "records": records,
        "peak_resident_mib": peak_memory() // 2**20,
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
