"""Time `sweep` against every other way to run the same experiments, in one run.

Usage: python benchmarks/peers.py [--fast] [--out FILE.json]

All sides draw fresh networks and inputs for every pair, fit the weak head, the w2s head and the ceiling for all tasks
and measure errors and misfit on a fresh sample. They alternate, so that a change of the machine's speed meets all; the
least time of each counts. Torch and himalaya are not installed with this package: what is missing is left out, and the
record says so.

- scikit-learn: a loop over pairs with multi-target `Ridge`, as `scikit_learn_loop.py`, linear algebra on one thread.
- himalaya: the same loop with himalaya's `Ridge`.
- JAX, naive: one `vmap` over pairs of the code that one would write for one, with predictions on every row.
- torch.func: the same in torch, by `torch.func.vmap`.
- notebook: heads trained by AdamW in torch, one task after another, batches of 32 for 1000 epochs; a few hundred steps
  are timed and scaled to all, and features are not counted.
"""

import functools
import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import recording
from experiment import differences
from scikit_learn_loop import RIDGE, loop, scikit_learn_ridge
from threadpoolctl import threadpool_limits

import w2sjax as w2s
from w2sjax.bench.timing import Work, alternate
from w2sjax.worlds.mlp import PerturbedMLP

Run = Callable[[int], Any]
"""Runs so many pairs, and returns what must be waited for."""

JAX_BATCH = 8
EPOCHS, BATCH = 1000, 32


def ours(world: PerturbedMLP, n: int, tasks: int, dtype: Any) -> Run:
    """Return this package's sweep."""
    protocol = w2s.Protocol(n_weak=n, n_strong=n, n_eval=n, tasks=tasks, head=w2s.heads.Ridge(RIDGE))
    return lambda pairs: w2s.sweep(world, protocol, pairs=pairs, seed=0)


def numpy_loop(estimator: Callable[[int], Any], world: PerturbedMLP, n: int, tasks: int, dtype: Any) -> Run:
    """Return a Python loop over pairs with a multi-target estimator."""
    threads = 1 if n * world.width < 10**6 else None  # more only wait for each other at small sizes

    def run(pairs: int) -> None:
        with threadpool_limits(threads, user_api="blas"):
            loop(pairs, tasks, world, dtype, 0, n, estimator)

    return run


def naive_jax(world: PerturbedMLP, n: int, tasks: int, dtype: Any) -> Run:
    """Return one `vmap` over pairs of a straightforward program."""

    def pair(key: jax.Array) -> jax.Array:
        keys = iter(jax.random.split(key, 40))
        sizes = [world.input_dim, *[world.width] * world.depth]

        def layer(a: int, b: int) -> list[jax.Array]:
            return [
                jax.random.uniform(next(keys), s, dtype, -(a**-0.5), a**-0.5) for s in ((a, b), (b,))
            ]  # fmt: skip

        target = [layer(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]

        def noisy(scale: float) -> Any:
            leaves, structure = jax.tree.flatten(target)
            noise = jax.random.split(next(keys), len(leaves))
            return jax.tree.unflatten(
                structure,
                [
                    leaf + dtype(scale) * jax.random.normal(k, leaf.shape, dtype)
                    for leaf, k in zip(leaves, noise, strict=True)
                ],
            )

        networks = [target, noisy(float(world.weak_noise)), noisy(float(world.strong_noise))]
        splits = []
        for _ in range(3):
            x = dtype(world.input_scale) * jax.random.normal(next(keys), (n, world.input_dim), dtype)
            features = []
            for network in networks:
                hidden = x
                for weight, bias in network:
                    hidden = jax.nn.relu(hidden @ weight + bias[None, :])
                features.append(hidden)
            splits.append(features)
        bound = world.width**-0.5
        heads = jax.random.uniform(next(keys), (world.width, tasks), dtype, -bound, bound)

        def ridge(features: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
            means = features.mean(0), labels.mean(0)
            centred = features - means[0][None, :]
            gram = centred.T @ centred + dtype(n * RIDGE) * jnp.eye(world.width, dtype=dtype)
            weights = jnp.linalg.solve(gram, centred.T @ (labels - means[1][None, :]))
            return weights, means[1] - means[0] @ weights

        def predict(head: tuple[jax.Array, jax.Array], features: jax.Array) -> jax.Array:
            return features @ head[0] + head[1][None, :]

        compared = differences(splits, lambda features: features @ heads, ridge, predict)
        return jnp.stack([jnp.mean(values**2, axis=0) for values in compared])

    batch = jax.jit(jax.vmap(pair))

    def run(pairs: int) -> Any:
        keys = jax.random.split(jax.random.key(0), pairs)
        return [batch(keys[start : start + JAX_BATCH]) for start in range(0, pairs, JAX_BATCH)]

    return run


def torch_func(world: PerturbedMLP, n: int, tasks: int, dtype: Any) -> Run:
    """Return a batched program in torch: features of a batch of pairs by `torch.func.vmap`, batched solves."""
    import torch

    kind = torch.float64 if dtype is np.float64 else torch.float32
    sizes = [world.input_dim, *[world.width] * world.depth]

    def features(network: list[Any], x: Any) -> Any:
        for weight, bias in network:
            x = torch.relu(torch.addmm(bias, x, weight))
        return x

    batched = torch.func.vmap(features)

    def ridge(z: Any, labels: Any) -> tuple[Any, Any]:
        means = z.mean(1, keepdim=True), labels.mean(1, keepdim=True)
        centred = z - means[0]
        gram = centred.mT @ centred + n * RIDGE * torch.eye(world.width, dtype=kind)
        # float32 Gram matrices of dead units are singular to rounding, where `solve` would raise.
        weights = torch.linalg.solve_ex(gram, centred.mT @ (labels - means[1]))[0]
        return weights, means[1] - means[0] @ weights

    def predict(head: tuple[Any, Any], z: Any) -> Any:
        return torch.baddbmm(head[1].expand(-1, n, -1), z, head[0])

    def batch(size: int) -> Any:
        target = [
            [(2 * torch.rand(size, *shape, dtype=kind) - 1) * a**-0.5 for shape in ((a, b), (b,))]
            for a, b in zip(sizes[:-1], sizes[1:], strict=True)
        ]
        networks = [target] + [
            [[p + float(scale) * torch.randn(p.shape, dtype=kind) for p in layer] for layer in target]
            for scale in (world.weak_noise, world.strong_noise)
        ]
        inputs = [
            float(world.input_scale) * torch.randn(size, n, world.input_dim, dtype=kind) for _ in range(3)
        ]
        splits = [[batched(network, x) for network in networks] for x in inputs]
        heads = (2 * torch.rand(size, world.width, tasks, dtype=kind) - 1) * world.width**-0.5
        compared = differences(splits, lambda features: features @ heads, ridge, predict)
        return [torch.mean(values**2, dim=1) for values in compared]

    def run(pairs: int) -> None:
        with torch.no_grad():
            for start in range(0, pairs, JAX_BATCH):
                batch(min(JAX_BATCH, pairs - start))

    return run


def notebook_seconds_per_pair(n: int, tasks: int, width: int, steps: int) -> float:
    """Return the seconds that AdamW takes for the weak, w2s and ceiling heads of a pair, scaled from some steps."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    head = nn.Linear(width, 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    loss_of = nn.MSELoss()
    x, y = torch.randn(n, width), torch.randn(n, 1)
    started = time.perf_counter()
    for step in range(steps):
        begin = step * BATCH % (n - BATCH + 1)
        optimizer.zero_grad()
        loss = loss_of(head(x[begin : begin + BATCH]), y[begin : begin + BATCH])
        loss.backward()
        optimizer.step()
    per_step = (time.perf_counter() - started) / steps
    return 3 * tasks * EPOCHS * -(-n // BATCH) * per_step


def sides_of() -> dict[str, Callable[..., Run]]:
    """Return all sides that are installed, by name."""
    sides: dict[str, Callable[..., Run]] = {
        "w2sjax": ours,
        "scikit-learn": functools.partial(numpy_loop, scikit_learn_ridge),
        "JAX, naive vmap": naive_jax,
    }
    if importlib.util.find_spec("himalaya"):
        from himalaya.ridge import Ridge

        sides["himalaya"] = functools.partial(
            numpy_loop, lambda n: Ridge(alpha=n * RIDGE, fit_intercept=True)
        )
    if importlib.util.find_spec("torch"):
        sides["torch.func"] = torch_func
    return sides


def record(width: int, n: int, tasks: int, precision: str, repeats: int, pairs: int) -> dict[str, Any]:
    """Time all sides in turn on one setting."""
    world, dtype = PerturbedMLP(width=width), np.dtype(precision).type
    with jax.enable_x64(precision == "float64"):
        works = {
            name: Work(functools.partial(side(world, n, tasks, dtype), pairs), pairs)
            for name, side in sides_of().items()
        }
        times = alternate(works, repeats)
    least = {name: timed.least for name, timed in times.items()}
    middle = {name: timed.median for name, timed in times.items()}
    if importlib.util.find_spec("torch"):
        least["notebook"] = middle["notebook"] = notebook_seconds_per_pair(n, tasks, width, 300)
    return {
        "width": width,
        "n": n,
        "tasks": tasks,
        "dtype": precision,
        "pairs_per_call": pairs,
        "least_milliseconds_per_pair": {name: round(1e3 * s, 3) for name, s in least.items()},
        "median_milliseconds_per_pair": {name: round(1e3 * s, 3) for name, s in middle.items()},
        "times_slower_than_w2sjax": {name: round(s / least["w2sjax"], 2) for name, s in least.items()},
    }


def main() -> None:
    """Run all settings and write one record each."""
    options = recording.options(__doc__)
    # The loop's ridge is too small for scikit-learn's taste; that is part of the setting.
    warnings.filterwarnings("ignore", module="sklearn")
    w2s.use_all_cores()
    settings = [
        (16, 2000, 1, "float32", 15, 32),
        (16, 2000, 100, "float32", 15, 32),
        (16, 2000, 100, "float64", 15, 32),
        (256, 20_000, 10, "float32", 3, 4),
    ]
    if options.fast:
        settings = [(16, 500, 5, "float64", 1, 8)]
    modules = {"scikit-learn": "sklearn", "himalaya": "himalaya", "torch": "torch"}
    packages = [name for name, module in modules.items() if importlib.util.find_spec(module)]
    report: dict[str, Any] = {
        "benchmark": "peers",
        **recording.surroundings(*packages),
        "missing": [name for name in modules if name not in packages],
        "records": [],
    }
    for setting in settings:
        report["records"].append(record(*setting))
        recording.write(report, options.out)  # what was measured is not lost with the rest


if __name__ == "__main__":
    main()
