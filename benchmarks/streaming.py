"""Stream pairs into stores: peak memory as their number grows, and what a sweep costs beside its compiled program.

Usage: python benchmarks/streaming.py [--fast] [--out FILE.json]

The canonical sizes with 10 tasks, in float32. Every number of pairs is swept in a process of its own, into a store that
is deleted afterwards; a million pairs take a quarter of an hour on two cores. Then, within this process, a sweep into a
store alternates with bare calls of the same compiled program for the same pairs, dispatched and fetched one behind the
other: the ratio is what planning, storing and progress cost.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import recording

import w2sjax as w2s
from w2sjax.bench.canonical import peak_memory
from w2sjax.bench.timing import Calls, Work, alternate, sweep_calls
from w2sjax.cores import one_linear_algebra_thread

WORLD = w2s.worlds.PerturbedMLP()
PROTOCOL = w2s.Protocol(n_weak=2000, n_strong=2000, n_eval=2000, tasks=10, head=w2s.heads.Ridge(1e-8))
PAIRS = (50_000, 1_000_000)


def swept(pairs: int, folder: Path) -> dict[str, Any]:
    """Sweep into a store and return seconds and the peak memory of this process."""
    started = time.perf_counter()
    w2s.sweep(WORLD, PROTOCOL, pairs=pairs, seed=0, store=folder / "pairs.zarr")
    return {
        "pairs": pairs,
        "seconds": round(time.perf_counter() - started, 1),
        "peak_resident_mib": round(peak_memory() / 2**20, 1),
    }


def in_a_process(pairs: int) -> dict[str, Any]:
    """Run `swept` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--pairs", str(pairs), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def bare(calls: Calls, pairs: int) -> None:
    """Run calls of the compiled program, fetching each outcome while the next is computed."""
    running = None
    with one_linear_algebra_thread():
        for first in range(0, pairs, calls.pairs):
            started = calls.start(first)
            if running is not None:
                jax.device_get(running)
            running = started
        jax.device_get(running)


def stored(pairs: int) -> None:
    """Sweep into a store that is deleted afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        swept(pairs, Path(folder))


def overhead(pairs: int, repeats: int) -> dict[str, Any]:
    """Time sweeps and bare calls in turn."""
    calls = sweep_calls(WORLD, PROTOCOL)
    works = {"sweep": Work(lambda: stored(pairs), pairs), "bare": Work(lambda: bare(calls, pairs), pairs)}
    times = alternate(works, repeats)
    return {
        "pairs": pairs,
        "least_milliseconds_per_pair": {name: round(1e3 * t.least, 4) for name, t in times.items()},
        "median_milliseconds_per_pair": {name: round(1e3 * t.median, 4) for name, t in times.items()},
        "sweep_over_bare": round(times["sweep"].median / times["bare"].median, 3),
    }


def main() -> None:
    """Run both parts and write the record."""
    if sys.argv[1:2] == ["--pairs"]:
        print(json.dumps(swept(int(sys.argv[2]), Path(sys.argv[3]))))
        return
    options = recording.options(__doc__)
    report: dict[str, Any] = {"benchmark": "streaming", **recording.surroundings(), "dtype": "float32"}
    report["overhead"] = overhead(64, 1) if options.fast else overhead(50_000, 3)
    report["records"] = []
    for pairs in (64, 128) if options.fast else PAIRS:
        report["records"].append(in_a_process(pairs))
        recording.write(report, options.out)  # what was measured is not lost with the rest


if __name__ == "__main__":
    w2s.use_all_cores()
    main()
