"""Time the two ways from a sample to its compressed form, and the two routes of a pair.

Usage: python benchmarks/crossover.py [--fast] [--out FILE.json]

A sample of n rows of d features is reduced to d rows with the same mean and covariance. Moments lose digits where n is
close to d, so that the engine keeps the rows up to `ROWS_KEPT_PER_UNIT` rows per feature whatever the times; this shows
what that costs. Both ways alternate within one run, on a group of samples; both draw them, and the basis is given.

A pair goes by the moments of all features, or by labels where tasks are few (`has_few_tasks`); both routes alternate
within one run, n = 2000 per split.

A head is solved from d compressed rows: by the engine's singular value decompositions, by an eigendecomposition of the
Gram matrix, which also serves all ridges, or by a Cholesky factor per ridge. `largest_error` is that of predictions, in
units of the largest, on rows of the condition number 1e9 at the smallest ridge, against the design matrix augmented by
sqrt(ridge) I and solved by NumPy.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import recording

import w2sjax as w2s
from w2sjax.bench.timing import Work, alternate
from w2sjax.cores import compiler_options, one_linear_algebra_thread
from w2sjax.engine.basis import Basis, pilot_basis, pilot_rows
from w2sjax.engine.design import design_of, numbers_of
from w2sjax.engine.moments import compress_splits
from w2sjax.engine.pair import run_grid
from w2sjax.heads.factor import factorize
from w2sjax.heads.ridge import solve
from w2sjax.linalg import product
from w2sjax.random.draws import normal
from w2sjax.random.keys import BLOCK, pair_key
from w2sjax.sweeps.batch_size import CPU_GROUP
from w2sjax.worlds.mlp import PerturbedMLP

ROWS_PER_FEATURE = (0.5, 1, 2, 4, 8, 16)
FEATURES = (48, 192)
TASKS = (1, 10, 20, 30, 50, 100, 200)
KEEP_ALL = 10**9
RIDGES = (1, 10, 50)
SMALLEST_RIDGE = 1e-14
CONDITION = 1e9


def compression(d: int, n: int, rows_kept_per_unit: int) -> Work:
    """Return the compression of a group of samples by moments (0) or by their rows (`KEEP_ALL`)."""

    def draw(key: jax.Array) -> tuple[jax.Array, None]:
        return normal(key, (d, BLOCK)), None

    @jax.jit
    @jax.vmap
    def compress(basis: Basis, keys: jax.Array) -> Any:
        return compress_splits(draw, [keys], [[n]], basis, rows_kept_per_unit)

    pilots, streams = jax.random.split(jax.random.key(0))
    bases = jax.jit(jax.vmap(lambda key: pilot_basis(normal(key, (d, pilot_rows(d))))))(
        jax.random.split(pilots, CPU_GROUP)
    )
    keys = jax.random.split(streams, (CPU_GROUP, -(-n // BLOCK)))
    return Work(lambda: compress(bases, keys), CPU_GROUP)


def by_way(works: dict[tuple[int, str], Work], repeats: int) -> dict[str, list[float]]:
    """Return the least milliseconds of works by (size, way): by way, in the order of sizes."""
    times = alternate(works, repeats)
    return {
        way: [round(1e3 * timed.least, 3) for (_, mine), timed in times.items() if mine == way]
        for way in dict.fromkeys(way for _, way in works)
    }


def compressions(d: int, ratios: tuple[float, ...], repeats: int) -> dict[str, Any]:
    """Return the record of both ways with d features."""
    ways = {"moments": 0, "rows": KEEP_ALL}
    rows = [int(ratio * d) for ratio in ratios]
    works = {(n, way): compression(d, n, kept) for n in rows for way, kept in ways.items()}
    return {"features": d, "rows": rows, "least_milliseconds_per_sample": by_way(works, repeats)}


def route(operations_per_label: float, width: int, tasks: int) -> Work:
    """Return a group of pairs by moments (infinity) or by labels (minus infinity)."""
    world, protocol = PerturbedMLP(width=width), w2s.Protocol(tasks=tasks, head=w2s.heads.Ridge(1e-8))
    design, numbers = design_of(protocol), numbers_of(protocol)

    def one(index: jax.Array) -> Any:
        key = pair_key(jax.random.key(0), index)
        return run_grid(world, key, design, numbers, operations_per_label=operations_per_label)

    run = jax.jit(jax.vmap(one), compiler_options=compiler_options())  # as in a sweep
    indices = jnp.arange(CPU_GROUP, dtype=jnp.uint32)
    return Work(lambda: run(indices), CPU_GROUP)


def routes(width: int, tasks: tuple[int, ...], repeats: int) -> dict[str, Any]:
    """Return the record of both routes at one width."""
    ways = {"moments": math.inf, "labels": -math.inf}
    works = {(t, way): route(limit, width, t) for t in tasks for way, limit in ways.items()}
    return {"width": width, "tasks": list(tasks), "least_milliseconds_per_pair": by_way(works, repeats)}


def by_singular_values(rows: jax.Array, targets: jax.Array, ridges: jax.Array) -> jax.Array:
    """Return the coefficients `[ridge, d, task]` as the engine finds them."""
    factor = factorize(rows, float(jnp.finfo(rows.dtype).eps))
    return jax.vmap(lambda ridge: solve(factor, targets, ridge))(ridges)


def by_eigenvalues(rows: jax.Array, targets: jax.Array, ridges: jax.Array) -> jax.Array:
    """Return the coefficients from one eigendecomposition of the Gram matrix."""
    values, vectors = jnp.linalg.eigh(product(rows.T, rows))
    projected = product(vectors.T, product(rows.T, targets))
    return jax.vmap(lambda ridge: product(vectors, projected / (values + ridge)[:, None]))(ridges)


def by_cholesky(rows: jax.Array, targets: jax.Array, ridges: jax.Array) -> jax.Array:
    """Return the coefficients from a Cholesky factor per ridge."""
    gram, right = product(rows.T, rows), product(rows.T, targets)
    shifted = lambda ridge: gram + ridge * jnp.eye(len(gram), dtype=gram.dtype)  # noqa: E731
    return jax.vmap(lambda ridge: jax.scipy.linalg.solve(shifted(ridge), right, assume_a="pos"))(ridges)


WAYS = {"singular values": by_singular_values, "eigenvalues": by_eigenvalues, "Cholesky": by_cholesky}


def factorizations(d: int, ridges: tuple[int, ...], repeats: int) -> dict[str, Any]:
    """Return the record of the three ways for d features and 100 tasks."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(CPU_GROUP, d, d)))[0] for _ in range(2))
    rows = left * np.geomspace(1, 1 / CONDITION, d) @ right
    targets = rng.normal(size=(CPU_GROUP, d, 100))
    augmented = np.concatenate([rows[0], SMALLEST_RIDGE**0.5 * np.eye(d)])
    exact = rows[0] @ np.linalg.lstsq(augmented, np.concatenate([targets[0], 0 * targets[0]]))[0]
    works, errors = {}, {}
    for way, function in WAYS.items():
        program = jax.jit(jax.vmap(function, in_axes=(0, 0, None)), compiler_options=compiler_options())
        for count in ridges:
            values = jnp.asarray(np.geomspace(SMALLEST_RIDGE, 1e-2, count))
            arguments = (jnp.asarray(rows), jnp.asarray(targets), values)
            works[count, way] = Work(lambda f=program, a=arguments: f(*a), CPU_GROUP)
        ours = rows[0] @ np.asarray(program(*arguments))[0, 0]
        error = np.abs(ours - exact).max() / np.abs(exact).max()
        errors[way] = float(error) if np.isfinite(error) else None
    times = by_way(works, repeats)
    return {
        "features": d,
        "ridges": list(ridges),
        "least_milliseconds_per_sample": times,
        "largest_error": errors,
    }


def main() -> None:
    """Time both ways for all sizes and write the record."""
    options = recording.options(__doc__)
    ratios, features, tasks = ROWS_PER_FEATURE, FEATURES, TASKS
    if options.fast:
        ratios, features, tasks = (1, 4), FEATURES[:1], (1,)
    with one_linear_algebra_thread():  # as in a sweep
        records = [compressions(d, ratios, 1 if options.fast else 20) for d in features]
        counts = RIDGES[:1] if options.fast else RIDGES
        by_factor = [factorizations(d, counts, 1 if options.fast else 20) for d in (16, 64, 256)]
        by_route = [routes(width, tasks, 1 if options.fast else 10) for width in (16, 32, 64)]
    report = {
        "benchmark": "crossover",
        **recording.surroundings(),
        "dtype": str(jnp.zeros(()).dtype),
        "records": records,
        "routes": by_route,
        "factorizations": by_factor,
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
