"""Time the two ways from a sample to its compressed form: moments of blocks, and QR of the rows.

Usage: python benchmarks/crossover.py [--fast] [--out FILE.json]

A sample of n rows of d features is reduced to d rows with the same mean and covariance. Moments lose digits where n is
close to d, so that the engine keeps the rows up to `ROWS_KEPT_PER_UNIT` rows per feature whatever the times; this shows
what that costs. Both ways alternate within one run, on a group of samples; both draw them, and the basis is given.
"""

from typing import Any

import jax
import jax.numpy as jnp
import recording

from w2sjax.bench.timing import Timed, Work, alternate
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.draws import normal
from w2sjax.engine.basis import Basis, pilot_basis, pilot_rows
from w2sjax.engine.moments import compress_splits
from w2sjax.engine.randomness import BLOCK
from w2sjax.sweeps.batch import group_size

ROWS_PER_FEATURE = (0.5, 1, 2, 4, 8, 16)
FEATURES = (48, 192)
KEEP_ALL = 10**9


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
        jax.random.split(pilots, group_size())
    )
    keys = jax.random.split(streams, (group_size(), -(-n // BLOCK)))
    return Work(lambda: compress(bases, keys), group_size())


def record(d: int, times: dict[Any, Timed]) -> dict[str, Any]:
    """Return the record of one number of features."""
    rows = sorted({n for n, _ in times})
    by_way = {
        way: [round(1e3 * times[n, way].least, 3) for n in rows] for way in dict.fromkeys(w for _, w in times)
    }
    return {"features": d, "rows": rows, "least_milliseconds_per_sample": by_way}


def main() -> None:
    """Time both ways for all sizes and write the record."""
    options = recording.options(__doc__)
    ratios = (1, 4) if options.fast else ROWS_PER_FEATURE
    records = []
    with one_linear_algebra_thread():  # as in a sweep
        for d in FEATURES[:1] if options.fast else FEATURES:
            works = {
                (int(r * d), way): compression(d, int(r * d), kept)
                for r in ratios
                for way, kept in (("moments", 0), ("rows", KEEP_ALL))
            }
            records.append(record(d, alternate(works, 1 if options.fast else 20)))
    report = {
        "benchmark": "crossover",
        **recording.surroundings(),
        "dtype": str(jnp.zeros(()).dtype),
        "records": records,
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
