"""Streaming second moments of the joint features, and the small sample that they are equivalent to.

A linear-head experiment depends on a sample only through its mean and covariance. `accumulate` streams them in
whitened coordinates, block by block, for every requested sample size in one pass; `compress` turns them into at most d
rows with the same mean and covariance, on which fitting and evaluation are ordinary regressions.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from w2sjax.engine.basis import Basis, rounding_shift
from w2sjax.engine.randomness import BLOCK

ROWS_KEPT_PER_UNIT = 4
"""A sample of at most this many rows per feature is compressed by QR of its rows instead of through moments."""

CONSTANT_IN_EPS = 256
"""A feature that varies by fewer units of rounding of its size, within a sample, is constant there."""

Stream = Any
"""Whatever a block is drawn from, stacked over blocks on leading axes: keys."""

DrawBlock = Callable[[Stream], tuple[jax.Array, jax.Array | None]]
"""Maps one entry of a stream to features `[d, BLOCK]` and label noise `[task, BLOCK]` (or None)."""


class Sums(NamedTuple):
    """Sums over rows of v v', v, v e' and e, for coordinates v `[d]` and label noise e `[task]`."""

    products: jax.Array
    coordinates: jax.Array
    noise_products: jax.Array | None
    noise: jax.Array | None


@chex.dataclass(frozen=True)
class CompressedSample:
    """A sample of features, reduced to its mean and d centred rows with the same covariance.

    Attributes:
        mean: `[d]`.
        rows: `[d, d]`; rows' rows is the covariance (normalized by n). The column of a constant feature is zero.
        noise_mean: `[task]` or None; noise_rows: `[d, task]` or None, with rows' noise_rows the covariance of
            features and label noise.
    """

    mean: jax.Array
    rows: jax.Array
    noise_mean: jax.Array | None
    noise_rows: jax.Array | None


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _block_sums(basis: Basis, features: jax.Array, noise: jax.Array | None) -> Sums:
    coordinates = basis.coordinates(features)
    return Sums(
        products=_product(coordinates, coordinates.T),
        coordinates=jnp.sum(coordinates, axis=1),
        noise_products=None if noise is None else _product(coordinates, noise.T),
        noise=None if noise is None else jnp.sum(noise, axis=1),
    )


def _add_compensated(total: Sums, lost: Sums, term: Sums) -> tuple[Sums, Sums]:
    """Add `term` with Kahan's correction, so that float32 sums do not drift with the number of blocks."""
    corrected = jax.tree.map(jnp.subtract, term, lost)
    new = jax.tree.map(jnp.add, total, corrected)
    lost = jax.tree.map(lambda n, t, c: (n - t) - c, new, total, corrected)
    return new, lost


def accumulate(
    draw_block: DrawBlock, stream: Stream, basis: Basis, sizes: Sequence[int]
) -> list[CompressedSample]:
    """Compress the first n rows of a stream for every n in `sizes`, in one pass.

    Args:
        draw_block: draws rows j * BLOCK to (j + 1) * BLOCK from entry j of `stream`.
        stream: a pytree of arrays with one leading entry per block.
        basis: coordinates of the features drawn.
        sizes: increasing positive sample sizes (static).

    Returns:
        One `CompressedSample` per size. Memory: one block and one `[d, d]` matrix per size.
    """
    width = basis.center.shape[0]
    shapes = jax.eval_shape(lambda: draw_block(_entry(stream, 0)))
    zero = jax.tree.map(
        lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(functools.partial(_block_sums, basis), *shapes)
    )

    @functools.cache
    def drawn(block: int) -> tuple[jax.Array, jax.Array | None]:
        return draw_block(_entry(stream, block))

    def add_block(carry: tuple[Sums, Sums], block: Stream) -> tuple[tuple[Sums, Sums], None]:
        return _add_compensated(*carry, _block_sums(basis, *draw_block(block))), None

    total = (zero, zero)  # sums over the first `done` rows, with what rounding lost
    done = 0
    compressed = []
    for size in sizes:
        if size <= ROWS_KEPT_PER_UNIT * width:
            compressed.append(_compress_rows(drawn, size, width))
            continue
        while done < size:
            block, start = divmod(done, BLOCK)
            whole = size // BLOCK
            if start == 0 and whole > block:
                blocks = jax.tree.map(lambda a, s=slice(block, whole): a[s], stream)
                total, _ = jax.lax.scan(add_block, total, blocks)
                done = whole * BLOCK
            else:  # a sample size ends within this block: it is drawn once and added in slices
                stop = min(size, (block + 1) * BLOCK)
                rows = slice(start, stop - block * BLOCK)
                part = jax.tree.map(lambda a, rows=rows: a[:, rows], drawn(block))
                total = _add_compensated(*total, _block_sums(basis, *part))
                done = stop
        compressed.append(_compress_sums(total[0], basis, size))
    return compressed


def _entry(stream: Stream, index: int) -> Stream:
    return jax.tree.map(lambda a: a[index], stream)


def _compress_sums(sums: Sums, basis: Basis, size: int) -> CompressedSample:
    width = sums.coordinates.shape[0]
    mean = sums.coordinates / size
    second = sums.products / size
    covariance = second - mean[:, None] * mean[None, :]
    # The entries are known to rounding of the uncentred moments, and the shift must cover that.
    shift = rounding_shift(width, mean.dtype) * jnp.diagonal(second)
    alive = jnp.diagonal(covariance) > shift
    covariance = jnp.where(alive[:, None] & alive[None, :], covariance, 0)
    shifted = covariance + jnp.diag(jnp.where(alive, shift, 1))
    scale = jnp.sqrt(jnp.diagonal(shifted))
    factor = jnp.linalg.cholesky(shifted / (scale[:, None] * scale[None, :]))
    coordinate_rows = jnp.where(alive[None, :], factor.T * scale[None, :], 0)
    rows = _product(coordinate_rows, basis.unwhiten.T)
    size_of_terms = _product(jnp.abs(basis.unwhiten), jnp.linalg.norm(coordinate_rows, axis=0)[:, None])[:, 0]
    features_mean = basis.center + _product(basis.unwhiten, mean[:, None])[:, 0]
    rows = _zero_constant(rows, size_of_terms + jnp.abs(features_mean))
    if sums.noise is None or sums.noise_products is None:
        return CompressedSample(mean=features_mean, rows=rows, noise_mean=None, noise_rows=None)
    noise_mean = sums.noise / size
    cross = sums.noise_products / size - mean[:, None] * noise_mean[None, :]
    noise_rows = jax.lax.linalg.triangular_solve(
        factor, jnp.where(alive[:, None], cross / scale[:, None], 0), left_side=True, lower=True
    )
    return CompressedSample(mean=features_mean, rows=rows, noise_mean=noise_mean, noise_rows=noise_rows)


def _zero_constant(rows: jax.Array, magnitude: jax.Array) -> jax.Array:
    """Zero the columns whose norm is rounding error of terms of the given magnitude `[d]`."""
    tolerance = CONSTANT_IN_EPS * float(jnp.finfo(rows.dtype).eps)
    constant = jnp.linalg.norm(rows, axis=0) <= tolerance * magnitude
    return jnp.where(constant[None, :], 0, rows)


def _compress_rows(
    drawn: Callable[[int], tuple[jax.Array, jax.Array | None]], size: int, width: int
) -> CompressedSample:
    """Compress few rows by an orthogonal reduction: a moment matrix of so few would be near singular."""
    blocks = [drawn(j) for j in range(-(-size // BLOCK))]
    features = jnp.concatenate([c for c, _ in blocks], axis=1)[:, :size]
    mean = jnp.mean(features, axis=1)
    centred = _zero_constant((features - mean[:, None]).T / size**0.5, jnp.abs(mean))
    orthogonal, rows = jnp.linalg.qr(centred)
    padding = ((0, width - rows.shape[0]), (0, 0))
    noise_mean = noise_rows = None
    if blocks[0][1] is not None:
        noise = jnp.concatenate([e for _, e in blocks if e is not None], axis=1)[:, :size]
        noise_mean = jnp.mean(noise, axis=1)
        noise_rows = orthogonal.T @ (noise - noise_mean[:, None]).T / size**0.5
        noise_rows = jnp.pad(noise_rows, padding)
    return CompressedSample(
        mean=mean, rows=jnp.pad(rows, padding), noise_mean=noise_mean, noise_rows=noise_rows
    )
