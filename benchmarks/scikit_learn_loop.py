"""Time `sweep` against the loop that a user would write with NumPy and scikit-learn, on the same work.

Usage: python benchmarks/scikit_learn_loop.py [--fast] [--out FILE.json]

The loop is timed twice: as it is, and with one thread for linear algebra, which a user who measures would choose for
matrices this small; beside sweeps in float32 also in float64. Both sides draw fresh networks and inputs for every pair,
fit the weak head, the w2s head and the ceiling for all tasks at once, and measure errors and misfit on a fresh sample.
All alternate within one run, so that a change of the machine's speed meets all; each repeat is timed after a warm-up
that is reported apart, and the ratio is taken repeat by repeat. Agreement compares the two on identical features: the
loop's regression code is run on the features that the sweep draws.
"""

import platform
import resource
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import recording
from experiment import differences
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

import w2sjax as w2s
from w2sjax.bench.timing import Work, alternate
from w2sjax.random.keys import BLOCK, Role, block_keys, pair_key, run_pair_key
from w2sjax.worlds.base import default_heads
from w2sjax.worlds.mlp import PerturbedMLP

RIDGE = 1e-8
N = 2000


def numpy_features(
    rng: np.random.Generator, world: PerturbedMLP, dtype: Any, n: int
) -> list[list[np.ndarray]]:
    """Draw one pair and three samples: per split the target, weak and strong features, `[n, width]`."""
    sizes = [world.input_dim, *[world.width] * world.depth]
    bounds = [a**-0.5 for a in sizes[:-1]]
    layers = [
        (rng.uniform(-s, s, (a, b)).astype(dtype), rng.uniform(-s, s, b).astype(dtype))
        for a, b, s in zip(sizes[:-1], sizes[1:], bounds, strict=True)
    ]

    def noisy(scale: float) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            tuple(p + dtype(scale) * rng.standard_normal(p.shape, dtype=dtype) for p in layer)  # type: ignore[misc]
            for layer in layers
        ]

    networks = [layers, noisy(float(world.weak_noise)), noisy(float(world.strong_noise))]
    splits = []
    for _ in range(3):
        inputs = dtype(world.input_scale) * rng.standard_normal((n, world.input_dim), dtype=dtype)
        features = []
        for network in networks:
            hidden = inputs
            for weight, bias in network:
                hidden = np.maximum(hidden @ weight + bias, 0)
            features.append(hidden)
        splits.append(features)
    return splits


def scikit_learn_ridge(n: int) -> Ridge:
    """Return the estimator of a head from n rows."""
    return Ridge(alpha=n * RIDGE)


def fit_and_measure(
    splits: list[list[np.ndarray]],
    weights: np.ndarray,
    bias: np.ndarray,
    estimator: Callable[[int], Any] = scikit_learn_ridge,
) -> dict[str, np.ndarray]:
    """Fit the three heads with a multi-target estimator and return gain and misfit, `[task]`."""
    compared = differences(
        splits,
        label=lambda features: features @ weights + bias,
        fit=lambda features, labels: estimator(len(features)).fit(features, labels),
        predict=lambda head, features: np.asarray(head.predict(features)).reshape(len(features), -1),
    )
    errors = {name: np.mean(values**2, axis=0) for name, values in compared._asdict().items()}
    return {
        "weak_error": errors["weak"],
        "ceiling_error": errors["ceiling"],
        "gain": errors["weak"] - errors["w2s"],
        "misfit": errors["misfit"],
    }


def loop(
    pairs: int,
    tasks: int,
    world: PerturbedMLP,
    dtype: Any,
    seed: int,
    n: int = N,
    estimator: Callable[[int], Any] = scikit_learn_ridge,
) -> list[dict[str, np.ndarray]]:
    """The user's program: a Python loop over pairs."""
    results = []
    for index in range(pairs):
        rng = np.random.default_rng([seed, index])
        splits = numpy_features(rng, world, dtype, n)
        bound = world.width**-0.5
        weights = rng.uniform(-bound, bound, (world.width, tasks)).astype(dtype)
        bias = rng.uniform(-bound, bound, tasks).astype(dtype)
        results.append(fit_and_measure(splits, weights, bias, estimator))
    return results


@jax.jit
def features(pair: Any, key: jax.Array) -> list[jax.Array]:
    """Return the target, weak and strong features of a block of inputs, `[BLOCK, width]`."""
    inputs = pair.inputs(key, BLOCK, "eval")  # of the same law in every split
    return [pair.represent(name, inputs) for name in ("target", "weak", "strong")]


def agreement(world: PerturbedMLP, protocol: w2s.Protocol) -> dict[str, float]:
    """Largest difference of the two sides on identical float64 features, relative to weak_error, over three pairs."""
    worst = {"gain": 0.0, "misfit": 0.0}
    with jax.enable_x64(True):
        for index in range(3):
            key = pair_key(jax.random.key(0), index)
            outcome = w2s.run_pair(world, protocol, key)
            counts = {(Role.PAIR, 0): 1, (Role.TASKS, 0): 1}
            samples = dict.fromkeys([(role, 0) for role in (Role.WEAK, Role.STRONG, Role.EVAL)], N // BLOCK)
            keys = block_keys(run_pair_key(key), counts | samples)
            pair = world.draw(keys[Role.PAIR, 0][0])
            weights, bias = default_heads(keys[Role.TASKS, 0][0], protocol.tasks, world.width)
            splits = [
                [
                    np.concatenate(parts)
                    for parts in zip(*(features(pair, k) for k in keys[sample]), strict=True)
                ]
                for sample in samples
            ]
            reference = fit_and_measure(splits, np.asarray(weights).T, np.asarray(bias))
            for name in worst:
                error = np.abs(np.asarray(getattr(outcome, name)) - reference[name]) / reference["weak_error"]
                worst[name] = max(worst[name], float(error.max()))
    return worst


def record(
    tasks: int, precision: str, feature_precision: str, repeats: int, loop_pairs: int, sweep_pairs: int
) -> dict[str, Any]:
    """Time both sides in turn and return one record."""
    world = PerturbedMLP(weak_noise=0.05, strong_noise=0.01)
    protocol = w2s.Protocol(
        n_weak=N,
        n_strong=N,
        n_eval=N,
        tasks=tasks,
        head=w2s.heads.Ridge(RIDGE),
        numerics=w2s.Numerics(feature_precision=feature_precision),
    )
    dtype = np.dtype(precision).type
    # A user's loop is in float64, NumPy's default, whatever the precision of the sweep.
    loops = {"loop": (None, dtype), "loop_one_thread": (1, dtype)}
    loops |= {"loop_float64": (None, np.float64)} if precision == "float32" else {}

    def run_loop(threads: int | None, own: Any) -> None:
        with threadpool_limits(threads, user_api="blas"):
            loop(loop_pairs, tasks, world, own, seed=0)

    def run_sweep() -> None:
        w2s.sweep(world, protocol, pairs=sweep_pairs, seed=0)

    works = {"sweep": Work(run_sweep, sweep_pairs)}
    works |= {name: Work(partial(run_loop, *how), loop_pairs) for name, how in loops.items()}
    with jax.enable_x64(precision == "float64"):
        times = alternate(works, repeats)
    rates = {name: 1 / np.array(timed.later) for name, timed in times.items()}
    ratios = {
        name: {
            "median": round(float(np.median(rates["sweep"] / rates[name])), 2),
            "of_best": round(float(rates["sweep"].max() / rates[name].max()), 2),
        }
        for name in loops
    }
    return {
        "tasks": tasks,
        "dtype": precision,
        "n": N,
        "first_call_seconds": round(times["sweep"].first, 2),
        "feature_precision": protocol.numerics.feature_precision,
        **{f"{name}_pairs_per_second": np.round(mine, 2).tolist() for name, mine in rates.items()},
        "ratio": ratios,
        "peak_resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "largest_difference_over_weak_error_float64": agreement(world, protocol),
    }


def main() -> None:
    """Run all records and write them as JSON."""
    options = recording.options(__doc__)
    # The loop's ridge is too small for scikit-learn's taste; that is part of the setting.
    warnings.filterwarnings("ignore", module="sklearn")
    w2s.use_all_cores()
    settings = [
        (1, "float32", "default"),
        (1, "float64", "default"),
        (100, "float32", "default"),
        (100, "float64", "default"),
        (100, "float64", "float32"),
    ]
    settings = settings[3:4] if options.fast else settings
    repeats, loop_pairs, sweep_pairs = (1, 2, 8) if options.fast else (7, 6, 2048)
    report = {
        "benchmark": "scikit_learn_loop",
        **recording.surroundings("scikit-learn"),
        "processor": platform.processor() or platform.machine(),
        "records": [record(*setting, repeats, loop_pairs, sweep_pairs) for setting in settings],
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
