"""Time the generators of random numbers, and measure how much less means over Sobol points vary.

Usage: python benchmarks/generators.py [--fast] [--out FILE.json]

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
from w2sjax.bench.timing import Work, alternate, group_call, pairs_per_call
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.draws import fold_in
from w2sjax.engine.randomness import BLOCK, pair_key
from w2sjax.sobol import sobol_keys

WORLD = w2s.worlds.PerturbedMLP()
OPTIONS = {
    "threefry": {},
    "threefry13": {"generator": "threefry13"},
    "threefry, sobol": {"evaluation_points": "sobol"},
}
WORKLOADS = {
    "T = 1, float32": (1, 0.0, False),
    "T = 100, float32": (100, 0.0, False),
    "T = 100, noisy labels, float32": (100, 0.5, False),
    "T = 100, float64": (100, 0.0, True),
    "T = 100, noisy labels, float64": (100, 0.5, True),
}
NAMES = ("weak_error", "w2s_error", "misfit", "deviation")
TASKS = 20


def times(fast: bool) -> list[dict[str, Any]]:
    """Return the least milliseconds per pair of every workload by generator."""
    step, records = pairs_per_call(), []
    for workload, (tasks, noise, double) in list(WORKLOADS.items())[: 1 if fast else None]:
        with jax.enable_x64(double):
            works = {}
            for name, fields in OPTIONS.items():
                protocol = w2s.Protocol(tasks=tasks, label_noise=noise, ridge=1e-8, **fields)
                calls = [
                    group_call(WORLD, protocol, np.arange(g * step, (g + 1) * step))
                    for g in range(1 if fast else 4)
                ]
                works[name] = Work(lambda calls=calls: [call() for call in calls], len(calls) * step)
            with one_linear_algebra_thread():
                timed = alternate(works, 1 if fast else 15)
        least = {name: round(1e3 * each.least, 4) for name, each in timed.items()}
        records.append({"workload": workload, "least_milliseconds_per_pair": least})
    return records


def fit(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return least-squares weights and biases."""
    solution = np.linalg.lstsq(np.column_stack([rows, np.ones(len(rows))]), labels, rcond=1e-12)[0]
    return solution[:-1], solution[-1]


def fitted_heads(pair: Any, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the residuals of the weak and the w2s model as heads on joint features: `[2, 48, task]`, `[2, task]`."""
    heads_key, *samples = fold_in(key, np.arange(9, dtype=np.uint32))
    weights, bias = (np.asarray(a, float) for a in pair.heads(heads_key, TASKS))
    weak, target, strong = (
        np.asarray(part, float).T
        for part in np.split(
            np.concatenate([pair.columns(k, BLOCK, ("weak", "target", "strong")) for k in samples], axis=1), 3
        )
    )
    half = len(weak) // 2
    of_weak = fit(weak[:half], target[:half] @ weights.T + bias)
    of_strong = fit(strong[half:], weak[half:] @ of_weak[0] + of_weak[1])
    none = np.zeros_like(of_weak[0])
    residuals = [
        np.concatenate([of_weak[0], -weights.T, none]),
        np.concatenate([none, -weights.T, of_strong[0]]),
    ]
    return jnp.asarray(np.stack(residuals)), jnp.asarray(np.stack([of_weak[1] - bias, of_strong[1] - bias]))


@functools.partial(jax.jit, static_argnames="n")
def means(pair: Any, keys: jax.Array, heads: jax.Array, biases: jax.Array, n: int) -> dict[str, jax.Array]:
    """Return the means of errors over the samples of the given keys, `[key, task]` by name."""

    def of_sample(key: jax.Array) -> dict[str, jax.Array]:
        features = pair.columns(key, n, ("weak", "target", "strong"))
        weak, w2s_ = jnp.einsum("ctk,cn->tnk", heads.swapaxes(0, 1), features) + biases[:, None, :]
        weak_error, w2s_error = jnp.mean(weak**2, axis=0), jnp.mean(w2s_**2, axis=0)
        misfit = jnp.mean((w2s_ - weak) ** 2, axis=0)
        deviation = weak_error - w2s_error - misfit
        return dict(zip(NAMES, (weak_error, w2s_error, misfit, deviation), strict=True))

    return jax.lax.map(of_sample, keys)


def variances(fast: bool) -> list[dict[str, Any]]:
    """Return, by sample size, the ratios of variances over independent samples and over scramblings."""
    sizes = (512,) if fast else (500, 2000, 2048, 8192, 32768)
    pairs, repeats, records = (1, 8, []) if fast else (12, 100, [])
    draws = {
        pair: (WORLD.draw(pair_key(jax.random.key(1), pair)), pair_key(jax.random.key(2), pair))
        for pair in range(pairs)
    }
    heads = {pair: fitted_heads(drawn, key) for pair, (drawn, key) in draws.items()}
    for n in sizes:
        ratios: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
        spreads: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
        for pair, (drawn, key) in draws.items():
            keys = fold_in(key, np.arange(1000, 1000 + repeats, dtype=np.uint32))
            scrambled = jax.vmap(lambda k: sobol_keys(k, 1, BLOCK)[0])(keys)
            random, sobol = (jax.device_get(means(drawn, k, *heads[pair], n)) for k in (keys, scrambled))
            for name in NAMES:
                ratios[name].append(random[name].var(axis=0) / sobol[name].var(axis=0))
                spreads[name].append(random[name].std(axis=0, ddof=1) / random["weak_error"].mean(axis=0))
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
        "benchmark": "generators",
        **recording.surroundings("scipy"),
        "times": times(options.fast),
        "pairs": 1 if options.fast else 12,
        "scramblings": 8 if options.fast else 100,
        "variances": spread,
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
