"""CPU-seconds until the first results: what every kind of call takes in a process that has compiled nothing.

Usage: python benchmarks/compile_times.py [--fast] [--out FILE.json]

Every kind of call runs in a process of its own, once without a cache of compiled programs and once with one that the
first run has filled. CPU-seconds count all threads, so that a busy machine spoils them less than seconds by the clock.
`--fast` leaves out the runs with many tasks. The size of the sweep's program is that of its StableHLO.
"""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import recording

SETUP = """
import json, sys, time
started = time.process_time()
import jax
jax.config.update("jax_enable_x64", True)
imported = time.process_time() - started
import numpy as np
import w2sjax as w2s
w2s.use_all_cores()
world = w2s.worlds.PerturbedMLP(weak_noise=0.05, strong_noise=0.01)
protocol = w2s.Protocol(tasks=int(sys.argv[1]), head=w2s.heads.Ridge(1e-8))
marks = {"import jax": imported}
def mark(name):
    global started
    marks[name] = time.process_time() - started
    started = time.process_time()
mark("import w2sjax too")
"""

CALLS = {
    "run_pair": """
jax.block_until_ready(w2s.run_pair(world, protocol, jax.random.key(0)).gain); mark("first")
jax.block_until_ready(w2s.run_pair(world, protocol, jax.random.key(1)).gain); mark("second")
""",
    "sweep": """
w2s.sweep(world, protocol, pairs=16); mark("first")
w2s.sweep(world, protocol, pairs=40, seed=1); mark("other pairs and seed")
""",
    "evaluate_features": """
def features(n, width):
    x = np.random.default_rng(0).standard_normal((3, n, width)); y = np.sin(x).sum(2); w = np.tanh(x)
    return w2s.evaluate_features(w[0], y[0], w[1], x[1], w[2], x[2], y[2], y[1])
features(142, 10); mark("first")
features(250, 12); mark("next shape")
""",
}

END = "\nprint(json.dumps(marks))"

SIZE = """
from w2sjax.sweeps.batch import arranged, group_program, local_mesh
from w2sjax.sweeps.batch_size import choose_batch
from w2sjax.sweeps.grid import make_grid
from w2sjax.sweeps.plan import shared_arguments
cell = make_grid(world, protocol, {}).cell({})
batch = choose_batch(cell, 16)
count, indices = arranged(np.arange(16), batch.group, batch.places)
lowered = group_program().lower(
    *shared_arguments(0, cell), count, indices, None, design=cell.design, mesh=local_mesh()
)
marks = {"lines": lowered.as_text().count("\\n")}
"""

COMMANDS = (["--help"], ["--version"], ["settings"])


def run(program: str, tasks: int, cache: str | None) -> dict[str, float]:
    """Return what a fresh process reports, with a cache in a folder, or none."""
    where = {"JAX_COMPILATION_CACHE_DIR": cache} if cache else {"JAX_ENABLE_COMPILATION_CACHE": "0"}
    where |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2"}
    command = [sys.executable, "-c", SETUP + program + END, str(tasks)]
    done = subprocess.run(command, env=os.environ | where, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {name: round(value, 2) for name, value in found.items()}


def command_seconds(arguments: list[str]) -> float:
    """Return the CPU-seconds of a command."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "w2sjax", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return round(
        after.children_user - before.children_user + after.children_system - before.children_system, 2
    )


def main() -> None:
    """Run every kind of call with and without a cache, and write the record as JSON."""
    options = recording.options(__doc__)
    records: list[dict[str, Any]] = []
    for tasks in (1,) if options.fast else (1, 100):
        for name, program in CALLS.items():
            with tempfile.TemporaryDirectory() as cache:
                without = run(program, tasks, None)
                run(program, tasks, cache)
                cached = run(program, tasks, cache)
            records.append({"call": name, "tasks": tasks, "no_cache": without, "cache": cached})
        records.append({"call": "size of the sweep's program", "tasks": tasks, **run(SIZE, tasks, None)})
    report = {
        "benchmark": "compile_times",
        **recording.surroundings(),
        "dtype": "float64",
        "unit": "CPU-seconds of one process, all threads",
        "records": records,
        "commands": {" ".join(arguments): command_seconds(arguments) for arguments in COMMANDS},
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
