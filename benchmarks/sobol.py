"""Time evaluation on Sobol points, and measure how much less means over them vary.

Usage: python benchmarks/sobol.py [--fast] [--out FILE.json]

Times are of calls of a sweep's program on the canonical workload (n = 2000 per split, 5 layers of 16 units), in turn.
Variances are those of the means over an evaluation sample, of heads that stay as they are, over independent samples and
over independent scramblings; reported are medians over pairs and tasks of their ratio, and of the standard deviation
over independent samples relative to weak_error.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import recording

import w2sjax as w2s
from w2sjax.bench.timing import alternate, sweep_calls
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.engine.by_labels import fit_by_labels
from w2sjax.engine.design import Design, Numbers, design_keys, design_of, numbers_of
from w2sjax.engine.evaluation import means_by_rows
from w2sjax.engine.protocol import EVALUATION_POINTS
from w2sjax.engine.source import Source, feature_widths, target_heads
from w2sjax.random.keys import Role, pair_key
from w2sjax.random.threefry import seed_key

WORLD = w2s.worlds.PerturbedMLP()
HEAD = w2s.heads.Ridge(1e-8)
NUMERICS = {points: w2s.Numerics(evaluation_points=points) for points in EVALUATION_POINTS}
WORKLOADS = {
    "T = 1, float32": (1, 0.0, False),
    "T = 100, float32": (100, 0.0, False),
    "T = 100, noisy labels, float32": (100, 0.5, False),
    "T = 100, float64": (100, 0.0, True),
    "T = 100, noisy labels, float64": (100, 0.5, True),
}
NAMES = ("weak_error", "w2s_error", "misfit", "deviation")
TASKS, PAIRS, SAMPLES = 20, 12, 100


def times(fast: bool) -> list[dict[str, Any]]:
    """Return the least milliseconds per pair of every workload by evaluation points."""
    records = []
    for workload, (tasks, noise, double) in list(WORKLOADS.items())[: 1 if fast else None]:
        with jax.enable_x64(double):
            works = {}
            for name, numerics in NUMERICS.items():
                protocol = w2s.Protocol(tasks=tasks, label_noise=noise, head=HEAD, numerics=numerics)
                works[name] = sweep_calls(WORLD, protocol).work(1 if fast else 2)
            with one_linear_algebra_thread():
                timed = alternate(works, 1 if fast else 15)
        least = {name: round(1e3 * each.least, 4) for name, each in timed.items()}
        records.append({"workload": workload, "least_milliseconds_per_pair": least})
    return records


@functools.partial(jax.jit, static_argnames=("design", "count"))
def means(key: jax.Array, numbers: Numbers, design: Design, count: int) -> dict[str, jax.Array]:
    """Return the means of one pair over several evaluation samples, `[sample, task]`; its heads stay."""
    keys = design_keys(key, design)
    pair = WORLD.draw(keys[Role.PAIR, 0][0])
    widths = feature_widths(pair, design.order)
    target = target_heads(pair, keys[Role.TASKS, 0][0], design.tasks, widths["target"])
    source = Source(pair, design, widths, keys)
    stages, fitted, _, _ = fit_by_labels(source, numbers, target)
    metrics = [metric for metric in design.metrics if metric.name in NAMES]
    size = jnp.array(design.n_eval[0], jnp.int32)

    def on_sample(own: jax.Array) -> dict[str, jax.Array]:
        evaluation = {(Role.EVAL, 0): design_keys(own, design)[Role.EVAL, 0]}
        mine = source._replace(keys=keys | evaluation)
        return means_by_rows(mine, Role.EVAL, target, stages, fitted, metrics, size)

    # The pilot sample changes rounding only: its key may serve.
    return jax.lax.map(on_sample, jax.random.split(keys[Role.PILOT, 0][0], count))


def variances(fast: bool) -> list[dict[str, Any]]:
    """Return, by sample size, the ratios of variances over independent samples and over scramblings."""
    sizes = (512,) if fast else (500, 2000, 2048, 8192, 32768)
    pairs, count = (1, 8) if fast else (PAIRS, SAMPLES)
    records = []
    for n in sizes:
        ratios: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
        spreads: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
        for index in range(pairs):
            key = pair_key(seed_key(1), index)
            protocols = [w2s.Protocol(n_eval=n, tasks=TASKS, numerics=each) for each in NUMERICS.values()]
            random, sobol = (
                jax.device_get(means(key, numbers_of(protocol), design_of(protocol), count))
                for protocol in protocols
            )
            for name in NAMES:
                ours, other = random[name], sobol[name]
                ratios[name].append(ours.var(axis=0) / other.var(axis=0))
                spreads[name].append(ours.std(axis=0, ddof=1) / random["weak_error"].mean(axis=0))
        records.append(
            {
                "n_eval": n,
                "variance_ratio": {k: round(float(np.median(v)), 2) for k, v in ratios.items()},
                "relative_deviation_random": {k: float(f"{np.median(v):.2g}") for k, v in spreads.items()},
            }
        )
    return records


def main() -> None:
    """Write one report of both."""
    options = recording.options(__doc__)
    w2s.use_all_cores()
    with jax.enable_x64(True):
        spread = variances(options.fast)
    report = {
        "benchmark": "sobol",
        **recording.surroundings("scipy"),
        "times": times(options.fast),
        "pairs": 1 if options.fast else PAIRS,
        "scramblings": 8 if options.fast else SAMPLES,
        "variances": spread,
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
