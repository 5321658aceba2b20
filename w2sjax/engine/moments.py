"""Streaming second moments of features and labels, and the small sample that they are equivalent to.

A linear-head experiment depends on a sample only through its mean and covariance. These are streamed in
whitened coordinates, block by block, for every requested sample size in one pass; `compress_splits` turns them into d
rows with the same mean and covariance, on which fitting and evaluation are ordinary regressions. Labels are whatever is
fitted to the features: only their covariance with the features is kept.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from w2sjax.engine.basis import Basis, rounding_shift
from w2sjax.engine.compressed import Block, CompressedSample, compress_rows, zero_constant
from w2sjax.engine.intervals import Plan, plan_intervals
from w2sjax.linalg import column_norms, product, shifted_cholesky
from w2sjax.random.keys import BLOCK

ROWS_KEPT_PER_UNIT = 4
"""Where the rows of a sample are reduced by QR instead of through moments, which lose digits on so few rows."""

SMALL_SHIFT_IN_EPS = 2
"""A correlation matrix is first factorized with its diagonal raised by this many units of rounding.

Fitted to labels, it shrinks predictions by as much: with 8, errors of most pairs in float32 were twice as large. With 1
or 0, features that are sums of others cost some pairs digits.
"""

NOISE_IN_SHIFTS = 4
"""A direction whose variance, given the directions before it, is below this many shifts is rounding noise."""


Stream = Any
"""Whatever a block is drawn from, stacked over blocks on leading axes: keys."""

DrawBlock = Callable[[Stream], tuple[jax.Array, jax.Array | None]]
"""Maps one entry of a stream to features `[d, BLOCK]` and labels `[label, BLOCK]` (or None)."""


class Sums(NamedTuple):
    """Sums over rows of v v', v, v y' and y, for coordinates v `[d]` of features and labels y `[label]`."""

    products: jax.Array
    coordinates: jax.Array
    label_products: jax.Array | None
    labels: jax.Array | None


def _block_sums(basis: Basis, features: jax.Array, labels: jax.Array | None) -> Sums:
    coordinates = basis.coordinates(features)
    return Sums(
        products=product(coordinates, coordinates.T),
        coordinates=jnp.sum(coordinates, axis=1),
        label_products=None if labels is None else product(coordinates, labels.T),
        labels=None if labels is None else jnp.sum(labels, axis=1),
    )


Compensated = tuple[Any, Any]
"""Sums, and what rounding added to them: the true sums are their difference."""


def add_compensated(sums: Compensated, term: Any) -> Compensated:
    """Add `term` with Kahan's correction, so that float32 sums do not drift with the number of blocks."""
    total, lost = sums
    corrected = jax.tree.map(jnp.subtract, term, lost)
    new = jax.tree.map(jnp.add, total, corrected)
    lost = jax.tree.map(lambda n, t, c: (n - t) - c, new, total, corrected)
    return new, lost


def _join(a: Compensated, b: Compensated) -> Compensated:
    """Add sums and their corrections."""
    return add_compensated((a[0], jax.tree.map(jnp.add, a[1], b[1])), b[0])


def compress_splits(
    draw_block: DrawBlock,
    streams: Sequence[Stream],
    sizes: Sequence[Sequence[int]],
    basis: Basis,
    rows_kept_per_unit: int = ROWS_KEPT_PER_UNIT,
) -> list[CompressedSample]:
    """Compress the first n rows of several streams, for every sample size n of each, in one pass.

    Args:
        draw_block: draws rows j * BLOCK to (j + 1) * BLOCK of a stream from its entry j.
        streams: one per split; pytrees of arrays with one leading entry per block.
        sizes: per split, positive sample sizes (static), in any order.
        basis: coordinates of the features drawn.
        rows_kept_per_unit: a sample of at most so many rows per feature is compressed by QR of its rows.

    Returns:
        Per split, a `CompressedSample` with a leading axis over its sizes as given. Memory: one block, the blocks that
        sample sizes cut, and one `[d, d]` matrix per size.
    """
    width = basis.center.shape[0]
    shapes = jax.eval_shape(lambda: draw_block(_entry(streams[0], 0)))
    # What a feature varies by is known to the precision that it is computed in.
    eps = float(jnp.finfo(shapes[0].dtype).eps)
    orders = [sorted(set(split)) for split in sizes]
    plan = plan_intervals(orders, rows_kept_per_unit * width)
    cut = _draw_cut(draw_block, streams, plan)
    block_sums = functools.partial(_block_sums, basis)
    none = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(block_sums, *shapes))
    zero, named = ravel_pytree(
        none
    )  # as one vector, sums and their corrections are few operations to compile
    flat_sums = lambda *rows: ravel_pytree(block_sums(*rows))[0]  # noqa: E731
    totals = _prefix_sums(plan, _interval_sums(draw_block, streams, plan, flat_sums, cut, zero))
    compressed: list[list[CompressedSample]] = [
        [compress_rows([cut[split, j] for j in range(-(-n // BLOCK))], n, width, eps) for n in small]
        for split, small in enumerate(plan.small)
    ]
    if plan.slots:
        counts = jnp.array([n for split in plan.large for n in split], zero.dtype)
        compress = lambda sums, size: _compress_sums(named(sums), size, basis, eps)  # noqa: E731
        large = jax.vmap(compress)(jnp.stack(totals), counts)
        slots = iter(range(plan.slots))
        for split, many in enumerate(plan.large):
            compressed[split] += [_entry(large, next(slots)) for _ in many]
    chosen = [
        [samples[order.index(n)] for n in split]
        for samples, order, split in zip(compressed, orders, sizes, strict=True)
    ]
    return [jax.tree.map(lambda *a: jnp.stack(a), *samples) for samples in chosen]


def _draw_cut(draw_block: DrawBlock, streams: Sequence[Stream], plan: Plan) -> dict[tuple[int, int], Block]:
    """Draw the blocks that sample sizes cut, by (split, block)."""
    if not plan.cut:
        return {}
    drawn = jax.lax.map(draw_block, _entries(streams, [(split, range(j, j + 1)) for split, j in plan.cut]))
    return {place: _entry(drawn, i) for i, place in enumerate(plan.cut)}


def _interval_sums(
    draw_block: DrawBlock,
    streams: Sequence[Stream],
    plan: Plan,
    sums_of: Callable[[jax.Array, jax.Array | None], jax.Array],
    cut: dict[tuple[int, int], Block],
    zero: jax.Array,
) -> list[Compensated]:
    """Return the sums over the rows of every interval, from the sums over none."""
    by_slot: list[Compensated] = [(zero, zero) for _ in range(plan.slots)]
    if plan.whole:
        totals = _whole_blocks(lambda entry: sums_of(*draw_block(entry)), streams, plan, zero)
        by_slot = [_entry(totals, slot) for slot in range(plan.slots)]
    for part in plan.parts:
        rows = jax.tree.map(lambda a, p=part: a[:, p.start : p.stop], cut[part.split, part.block])
        by_slot[part.slot] = add_compensated(by_slot[part.slot], sums_of(*rows))
    return by_slot


def _whole_blocks(
    sums_of_block: Callable[[Stream], jax.Array], streams: Sequence[Stream], plan: Plan, zero: jax.Array
) -> Compensated:
    """Return the sums over the whole blocks of every interval, stacked."""
    entries = _entries(streams, [(visit.split, visit.blocks) for visit in plan.whole])

    def add_block(visit: jax.Array, sums: Compensated) -> Compensated:
        entry = jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, visit, keepdims=False), entries)
        return add_compensated(sums, sums_of_block(entry))

    def add_interval(_: None, visits: jax.Array) -> tuple[None, Compensated]:
        return None, jax.lax.fori_loop(visits[0], visits[1], add_block, (zero, zero))

    counts = np.zeros(plan.slots, int)
    for visit in plan.whole:
        counts[visit.slot] = len(visit.blocks)
    stops = np.cumsum(counts)
    _, sums = jax.lax.scan(add_interval, None, jnp.array(np.stack([stops - counts, stops], 1), jnp.int32))
    return sums


def _prefix_sums(plan: Plan, intervals: list[Compensated]) -> list[jax.Array]:
    """Return the sums over the first n rows for every large size, from those over the intervals between sizes."""
    totals = []
    slots = iter(range(plan.slots))
    for split in plan.large:
        running: Compensated | None = None
        for _ in split:
            interval = intervals[next(slots)]
            running = interval if running is None else _join(running, interval)
            totals.append(running[0])
    return totals


def _entry(stream: Stream, index: int) -> Stream:
    return jax.tree.map(lambda a: a[index], stream)


def _entries(streams: Sequence[Stream], places: Sequence[tuple[int, range]]) -> Stream:
    """Return the entries of (split, blocks), stacked."""
    lengths = [len(jax.tree.leaves(stream)[0]) for stream in streams]
    starts = [0, *itertools.accumulate(lengths)]
    where = np.concatenate([starts[split] + np.array(blocks, int) for split, blocks in places])
    return jax.tree.map(lambda *a: jnp.concatenate(a)[where], *streams)


def _compress_sums(sums: Sums, size: jax.Array, basis: Basis, eps: float) -> CompressedSample:
    """Turn sums into rows: `eps` is the rounding of the features."""
    width = sums.coordinates.shape[0]
    mean = sums.coordinates / size
    second = sums.products / size
    covariance = second - mean[:, None] * mean[None, :]
    identity = jnp.eye(width, dtype=mean.dtype)
    diagonal_of = lambda matrix: jnp.sum(matrix * identity, axis=1)  # noqa: E731
    dtype = mean.dtype
    shift = rounding_shift(width, dtype)
    alive = diagonal_of(covariance) > shift * diagonal_of(second)
    scale = jnp.sqrt(jnp.where(alive, diagonal_of(covariance), 1))
    correlation = jnp.where(
        alive[:, None] & alive[None, :], covariance / (scale[:, None] * scale[None, :]), 0
    )
    # The entries are known to rounding of the uncentred moments.
    rounding = jnp.where(alive, diagonal_of(second) / scale**2, 1)
    small = SMALL_SHIFT_IN_EPS * float(jnp.finfo(dtype).eps)
    correlation += identity * jnp.where(alive, 0, 1)[None, :]
    # A shift acts like noise on the features: nearly all matrices are positive with the small one.
    factor = shifted_cholesky(correlation, rounding, small, shift)
    kept = diagonal_of(factor) ** 2 > NOISE_IN_SHIFTS * shift
    # What later features share with a direction of noise is theirs; only the noise itself is dropped.
    real = (kept[:, None] | kept[None, :]) & alive[None, :]
    coordinate_rows = jnp.where(real, factor.T * scale[None, :], 0)
    rows = product(coordinate_rows, basis.unwhiten.T)
    size_of_terms = product(jnp.abs(basis.unwhiten), column_norms(coordinate_rows)[:, None])[:, 0]
    features_mean = basis.center + product(basis.unwhiten, mean[:, None])[:, 0]
    rows, blurred = zero_constant(rows, size_of_terms + jnp.abs(features_mean), eps)
    if sums.labels is None or sums.label_products is None:
        return CompressedSample(
            mean=features_mean, rows=rows, blurred=blurred, label_mean=None, label_rows=None
        )
    label_mean = sums.labels / size
    cross = sums.label_products / size - mean[:, None] * label_mean[None, :]
    label_rows = jax.lax.linalg.triangular_solve(
        factor, jnp.where(alive[:, None], cross / scale[:, None], 0), left_side=True, lower=True
    )
    return CompressedSample(
        mean=features_mean, rows=rows, blurred=blurred, label_mean=label_mean, label_rows=label_rows
    )
