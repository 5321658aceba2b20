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
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import recording
from scikit_learn_loop import RIDGE, numpy_features
from threadpoolctl import threadpool_limits

import w2sjax as w2s
from w2sjax.worlds.mlp import PerturbedMLP

Run = Callable[[int, int], Any]
"""Runs so many pairs from a seed, and waits for them."""

JAX_BATCH = 8
EPOCHS, BATCH = 1000, 32


def ours(world: PerturbedMLP, n: int, tasks: int, dtype: Any) -> Run:
    """Return this package's sweep."""
    protocol = w2s.Protocol(n_weak=n, n_strong=n, n_eval=n, tasks=tasks, ridge=RIDGE)
    return lambda pairs, seed: w2s.sweep(world, protocol, pairs=pairs, seed=seed)


def loop(estimator: Callable[[], Any], world: PerturbedMLP, n: int, tasks: int, dtype: Any) -> Run:
    """Return a Python loop over pairs with a multi-target estimator."""

    def one(rng: np.random.Generator) -> None:
        bound = world.width**-0.5
        weights = rng.uniform(-bound, bound, (world.width, tasks)).astype(dtype)
        weak, strong, evaluation = numpy_features(rng, world, dtype, n)
        weak_head = estimator().fit(weak[1], weak[0] @ weights)
        w2s_head = estimator().fit(strong[2], np.asarray(weak_head.predict(strong[1])).reshape(n, tasks))
        ceiling = estimator().fit(strong[2], strong[0] @ weights)
        truth = evaluation[0] @ weights
        predictions = [
            np.asarray(head.predict(features)).reshape(n, tasks)
            for head, features in (
                (weak_head, evaluation[1]),
                (w2s_head, evaluation[2]),
                (ceiling, evaluation[2]),
            )
        ]
        for a, b in (
            (truth, predictions[0]),
            (truth, predictions[1]),
            (truth, predictions[2]),
            (*predictions[:2],),
        ):
            np.mean((a - b) ** 2, axis=0)

    def run(pairs: int, seed: int) -> None:
        with threadpool_limits(1 if n * world.width < 10**6 else None, user_api="blas"):
            for index in range(pairs):
                one(np.random.default_rng([seed, index]))

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

        weak, strong, evaluation = splits
        weak_head = ridge(weak[1], weak[0] @ heads)
        w2s_head = ridge(strong[2], predict(weak_head, strong[1]))
        ceiling = ridge(strong[2], strong[0] @ heads)
        truth, weak_labels = evaluation[0] @ heads, predict(weak_head, evaluation[1])
        w2s_labels, best = predict(w2s_head, evaluation[2]), predict(ceiling, evaluation[2])
        errors = [truth - weak_labels, truth - w2s_labels, truth - best, w2s_labels - weak_labels]
        return jnp.stack([jnp.mean(e * e, axis=0) for e in errors])

    batch = jax.jit(jax.vmap(pair))

    def run(pairs: int, seed: int) -> None:
        keys = jax.random.split(jax.random.key(seed), -(-pairs // JAX_BATCH) * JAX_BATCH)
        size = min(JAX_BATCH, pairs)
        outputs = [batch(keys[start : start + size]) for start in range(0, pairs, size)]
        jax.block_until_ready(outputs)

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
        weak, strong, evaluation = ([batched(network, x) for network in networks] for x in inputs)
        heads = (2 * torch.rand(size, world.width, tasks, dtype=kind) - 1) * world.width**-0.5
        weak_head = ridge(weak[1], weak[0] @ heads)
        w2s_head = ridge(strong[2], predict(weak_head, strong[1]))
        ceiling = ridge(strong[2], strong[0] @ heads)
        truth, weak_labels = evaluation[0] @ heads, predict(weak_head, evaluation[1])
        w2s_labels, best = predict(w2s_head, evaluation[2]), predict(ceiling, evaluation[2])
        errors = [truth - weak_labels, truth - w2s_labels, truth - best, w2s_labels - weak_labels]
        return [torch.mean(e * e, dim=1) for e in errors]

    def run(pairs: int, seed: int) -> None:
        torch.manual_seed(seed)
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


def record(width: int, n: int, tasks: int, precision: str, repeats: int, pairs: int) -> dict[str, Any]:
    """Time all sides in turn on one setting."""
    world, dtype = PerturbedMLP(width=width), np.dtype(precision).type
    from sklearn.linear_model import Ridge

    alpha = n * RIDGE
    sides: dict[str, Callable[..., Run]] = {
        "w2sjax": ours,
        "scikit-learn": functools.partial(loop, lambda: Ridge(alpha=alpha)),
        "JAX, naive vmap": naive_jax,
    }
    if importlib.util.find_spec("himalaya"):
        from himalaya.ridge import Ridge as HimalayaRidge

        sides["himalaya"] = functools.partial(loop, lambda: HimalayaRidge(alpha=alpha, fit_intercept=True))
    with_torch = importlib.util.find_spec("torch") is not None
    if with_torch:
        sides["torch.func"] = torch_func
    with jax.enable_x64(precision == "float64"):
        runs = {name: side(world, n, tasks, dtype) for name, side in sides.items()}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for repeat in range(repeats + 1):
            for name, run in runs.items():
                started = time.perf_counter()
                run(pairs, repeat)
                if repeat > 0:  # the first compiles
                    seconds[name].append((time.perf_counter() - started) / pairs)
    least = {name: min(values) for name, values in seconds.items()}
    middle = {name: float(np.median(values)) for name, values in seconds.items()}
    if with_torch:
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
    w2s.use_all_cores()
    settings = [
        (16, 2000, 1, "float32", 15, 32),
        (16, 2000, 100, "float32", 15, 32),
        (16, 2000, 100, "float64", 15, 32),
        (256, 20_000, 10, "float32", 3, 4),
    ]
    if options.fast:
        settings = [(16, 500, 5, "float64", 1, 8)]
    packages = [p for p in ("scikit-learn", "himalaya", "torch") if importlib.util.find_spec(_module(p))]
    report = {
        "benchmark": "peers",
        **recording.surroundings(*packages),
        "missing": [p for p in ("himalaya", "torch") if p not in packages],
        "records": [record(*setting) for setting in settings],
    }
    recording.write(report, options.out)


def _module(package: str) -> str:
    return {"scikit-learn": "sklearn"}.get(package, package)


if __name__ == "__main__":
    main()
