"""Linear heads fitted to the caller's features with every digit of the working precision.

An orthogonal factorization of the centred features loses as many digits as their condition number has. Iterative
refinement restores them: the residuals and the gradient of the least-squares problem are evaluated in twice the working
precision on the features as given, and the factorization only has to point in about the right direction.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.extended import (
    Extended,
    Sliced,
    add,
    cut,
    exact_sum,
    extended,
    product,
    slicing,
    subtract,
    transposed_product,
)
from w2sjax.engine.products import column_norms
from w2sjax.engine.products import product as matmul
from w2sjax.engine.ridge import (
    RANK_TOLERANCE_IN_EPS,
    RidgeFactor,
    augmented_core,
    dropped_effect,
    factorize,
    solve_in_frame,
)

MOST_CORRECTIONS = 4
"""Each correction gains about 16 digits (in float64) less those of the condition number; one or two are usual."""

BLOCK_ROWS = 1024
"""Rows whose residuals are evaluated at once: extended arithmetic takes a dozen times the memory of its operands."""

DEAD_COLUMN_IN_EPS = 4
"""A feature that deviates from its mean by fewer units of rounding of its largest value is a constant."""

PROPORTIONAL_IN_EPS = 8
"""Columns that agree to so many units of rounding of their largest entry, once of unit norm, are the same feature."""

PURIFICATIONS = 2
"""Rounds; each one shrinks what columns of large scale leave in those of small scale by a rounding error."""


class Training(NamedTuple):
    """Features of a training split, prepared for any labels and ridge.

    Attributes:
        blocks: the features as given less `shift`, cut for exact products, in row blocks padded with zeros: pieces
            `[block, slice, row, d]` and columns `[block, 1, d]`.
        shift: `[d]`, close to their mean; zero without an intercept.
        orthogonal: `[n, d]`, reduces n > d rows to d; None where there are no more rows than features.
        factor: of the reduced, centred features divided by sqrt(n).
        frame: `[d, k]`, the frame of `factor` as exact combinations of the rows; None where n > d.
        blurred: whether a feature was dropped as constant that is so to rounding only.
    """

    blocks: Sliced
    shift: jax.Array
    orthogonal: jax.Array | None
    factor: RidgeFactor
    frame: Sliced | None
    blurred: jax.Array


class ExtendedHead(NamedTuple):
    """Predicts (x - shift)' weights + bias, with weights `[d, task]` and bias `[task]`."""

    shift: jax.Array
    weights: Extended
    bias: Extended


class _Refinement(NamedTuple):
    """Weights and the bias that belongs to them, the corrected weights, and the size `[task]` of the correction."""

    weights: Extended
    bias: Extended
    proposed: Extended
    size: jax.Array
    settled: jax.Array
    round: jax.Array


def prepare(features: jax.Array, fit_intercept: bool) -> Training:
    """Centre and factorize features `[n, d]` once for every ridge and label.

    Columns are centred twice, so that a large mean costs no digits. A column that is constant up to a few units of
    rounding is dropped: its weight is zero. Columns proportional to each other are factorized as one. Directions below
    eps * max(64, d, sqrt(n)) of the largest are dropped too, after scaling columns to unit norm.

    Args:
        features: `[n, d]` floating, finite.
        fit_intercept: whether to centre them.

    Returns:
        A `Training`. Cost: O(n d min(n, d)) time, and memory for about six copies of the features.
    """
    rows, width = features.shape
    eps = float(jnp.finfo(features.dtype).eps)
    shift = jnp.mean(features, axis=0) if fit_intercept else jnp.zeros_like(features[0])
    shifted = exact_sum(features, -shift[None, :])
    centred = shifted.high
    if fit_intercept:
        centred = centred - jnp.mean(centred, axis=0)[None, :]
    spread = column_norms(centred) / math.sqrt(rows)
    dead = spread <= DEAD_COLUMN_IN_EPS * eps * jnp.max(jnp.abs(features), axis=0)
    blurred = jnp.any(dead & (jnp.ptp(features, axis=0) > 0)) if fit_intercept else jnp.zeros((), bool)
    centred = jnp.where(dead[None, :], 0, centred) / math.sqrt(rows)
    centred, source, share = _merge_proportional(centred)

    orthogonal, reduced = jnp.linalg.qr(centred) if rows > width else (None, centred)
    tolerance = eps * max(RANK_TOLERANCE_IN_EPS, width, math.sqrt(rows))
    factor = factorize(reduced, tolerance, rows - 1 if fit_intercept else rows)
    frame_of_all = jnp.take(factor.frame, source, axis=0) * share[:, None]
    # Columns that are constant or joined to others could account for nothing, so they have no part in what was lost.
    occupied = jnp.sum(jnp.any(centred != 0, axis=0), dtype=jnp.int32)
    lost = jnp.arange(factor.discarded_left.shape[1], dtype=jnp.int32) < occupied
    factor = factor.replace(  # type: ignore[attr-defined]
        frame=frame_of_all, discarded_left=jnp.where(lost[None, :], factor.discarded_left, 0)
    )
    bits, count = _slicing(features.shape, features.dtype)
    frame = None
    if orthogonal is None:
        alive = Extended(*(jnp.where(dead[None, :], 0, a) for a in shifted))
        frame = cut(_span_of_rows(cut(alive, bits, count), factor, bits, count), bits, count)
    blocks = Extended(*(_in_blocks(a) for a in shifted))
    cut_blocks = jax.lax.map(lambda block: cut(block, bits, count), blocks)
    return Training(cut_blocks, shift, orthogonal, factor, frame, blurred)


def _merge_proportional(centred: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Join columns `[n, d]` that are multiples of each other into one of them, which takes their joint norm.

    With z_i = s_i u for i in a group and S^2 = sum s_i^2, the minimum-norm weights are s_i / S times the weight of the
    one column S u. Left to a factorization, rounding in the difference of two large copies would drown the features
    that are smaller by more than the working precision.

    Returns:
        The columns, zero where joined to another; for each, the column that stands for it `[d]`; and its share
        s_i / S `[d]`, so that weights of all are weights[source] * share.
    """
    rows, width = centred.shape
    eps = float(jnp.finfo(centred.dtype).eps)
    norm = column_norms(centred)
    unit = centred / jnp.where(norm > 0, norm, 1)[None, :]
    # Along a random direction multiples of each other are neighbours, and hardly anything comes between them.
    direction = jnp.asarray(np.random.default_rng(0).standard_normal(rows), centred.dtype)
    along = matmul(direction, unit)
    sign = jnp.where(along < 0, -1, 1).astype(centred.dtype)
    order = jnp.argsort(jnp.abs(along))
    sorted_unit = jnp.take(unit * sign[None, :], order, axis=1)
    previous = jnp.roll(sorted_unit, 1, axis=1)
    distance = jnp.max(jnp.abs(sorted_unit - previous), axis=0)
    index = jnp.arange(width, dtype=order.dtype)
    new = (distance > PROPORTIONAL_IN_EPS * eps * jnp.max(jnp.abs(previous), axis=0)) | (index == 0)
    first = jax.lax.cummax(jnp.where(new, index, 0))
    source = jnp.zeros_like(order).at[order].set(order[first])
    # Norms are divided by their largest in the group: squares of the smallest would underflow in float32.
    largest = jnp.zeros_like(norm).at[source].max(norm)
    relative = norm / jnp.where(largest > 0, largest, 1)[source]
    joint = jnp.sqrt(jnp.zeros_like(norm).at[source].add(relative * relative))
    share = sign * sign[source] * relative / jnp.where(joint > 0, joint, 1)[source]
    return unit * (largest * joint)[None, :], source, share


def _span_of_rows(rows: Sliced, factor: RidgeFactor, bits: int, count: int) -> Extended:
    """Return the frame `[d, k]` of a factorization as combinations of the rows themselves.

    Weights sought in their span have no component outside it, not even of the size of rounding, which the condition of
    the features would magnify: the data do not determine it, so that refinement could not remove it.
    """
    combinations = _triangular(
        factor.triangle, (factor.left / factor.scaled_values[None, :]).T, transpose=True
    ).T
    spanning = transposed_product(rows, extended(combinations), bits)

    def purify(spanning: Extended, _: None) -> tuple[Extended, None]:
        # Rounding of the combinations leaves parts of columns of large scale in those of small scale.
        mixture = jnp.triu(matmul(factor.frame.T, spanning.high))
        dropped = jnp.arange(mixture.shape[0], dtype=jnp.int32) >= factor.rank
        mixture = jnp.where(jnp.diag(dropped), 1, mixture)
        inverse = _triangular(mixture, jnp.eye(mixture.shape[0], dtype=mixture.dtype), transpose=False)
        return product(cut(spanning, bits, count), extended(inverse), bits), None

    spanning, _ = jax.lax.scan(purify, spanning, None, length=PURIFICATIONS)
    return spanning


def fit(
    training: Training, labels: jax.Array, ridge: jax.Array, fit_intercept: bool
) -> tuple[ExtendedHead, jax.Array]:
    """Minimize (1/n) |X b + c - y|^2 + ridge |b|^2 for labels `[n, task]`: minimum-norm where ridge is 0.

    Returns:
        The head, and the largest share of explained label variance along dropped directions (see `dropped_effect`).

    Cost: four extended products of the features with a `[d, task]` matrix, two more per further correction.
    """
    rows = labels.shape[0]
    factor = training.factor
    centred = labels
    if fit_intercept:
        centred = centred - jnp.mean(centred, axis=0)[None, :]
        centred = centred - jnp.mean(centred, axis=0)[None, :]
    centred = centred / math.sqrt(rows)
    power = jnp.sum(centred * centred, axis=0)
    targets = centred
    if training.orthogonal is not None:
        targets = matmul(training.orthogonal.T, centred)

    bits, _ = _slicing((rows, training.shift.shape[0]), labels.dtype)

    def lift(coordinates: jax.Array) -> Extended:
        if training.frame is None:
            return extended(matmul(factor.frame, coordinates))
        return product(training.frame, extended(coordinates), bits)

    _, triangle = augmented_core(factor, ridge)
    kept = (jnp.arange(triangle.shape[0], dtype=jnp.int32) < factor.rank)[:, None]
    padded = jax.tree.map(_in_blocks, extended(labels))

    def unsettled(state: _Refinement) -> jax.Array:
        return ~state.settled & (state.round <= MOST_CORRECTIONS)

    def correct(state: _Refinement) -> _Refinement:
        weights = state.proposed

        def residual_of(block: tuple[Sliced, Extended]) -> Extended:
            return subtract(block[1], product(block[0], weights, bits))

        residual = jax.lax.map(residual_of, (training.blocks, padded))
        bias = extended(jnp.zeros_like(power))
        for _round in range(2 if fit_intercept else 0):  # the second mean is what rounding left of the first
            flat = residual.high.reshape(-1, power.shape[0])[:rows]
            mean = extended(jnp.mean(flat, axis=0))
            residual = subtract(residual, jax.tree.map(lambda a: a[None, None, :], mean))
            bias = add(bias, mean)

        def add_block(total: Extended, block: tuple[Sliced, Extended]) -> tuple[Extended, None]:
            return add(total, transposed_product(*block, bits)), None

        zero = jax.tree.map(jnp.zeros_like, weights)
        gradient, _none = jax.lax.scan(add_block, zero, (training.blocks, residual))
        descent = gradient.high / rows + (gradient.low / rows - ridge * weights.high)
        inner = matmul(factor.frame.T, descent)
        step = jnp.where(kept, _triangular(triangle, inner, transpose=True), 0)
        size = jnp.sum(step * step, axis=0)  # the change of the predictions
        useful = size < state.size / 4  # where it does not shrink, rounding has taken over
        change = jnp.where(kept & useful[None, :], _triangular(triangle, step, transpose=False), 0)
        return _Refinement(
            weights=weights,
            bias=bias,
            proposed=add(weights, lift(change)),
            size=jnp.where(useful, size, 0),
            settled=jnp.all(state.size <= settled_size),
            round=state.round + 1,
        )

    # A correction that small leaves an error of about its square: one more evaluation, and it is over.
    settled_size = float(jnp.finfo(labels.dtype).eps) ** 1.5 * power
    weights = lift(solve_in_frame(factor, targets, ridge))
    start = _Refinement(
        weights=weights,
        bias=extended(jnp.zeros_like(power)),
        proposed=weights,
        size=power,
        settled=jnp.zeros((), bool),
        round=jnp.zeros((), jnp.int32),
    )
    final = jax.lax.while_loop(unsettled, correct, start)
    head = ExtendedHead(training.shift, final.weights, final.bias)
    return head, dropped_effect(factor, targets)


def predict(head: ExtendedHead, features: jax.Array) -> Extended:
    """Return predictions `[n, task]` on features `[n, d]`."""
    rows, tasks = features.shape[0], head.bias.high.shape[0]
    bits, count = _slicing(features.shape, features.dtype)

    def of_block(block: jax.Array) -> Extended:
        shifted = cut(exact_sum(block, -head.shift[None, :]), bits, count)
        on_block = product(shifted, head.weights, bits)
        return add(on_block, jax.tree.map(lambda a: a[None, :], head.bias))

    predictions = jax.lax.map(of_block, _in_blocks(features))
    return jax.tree.map(lambda a: a.reshape(-1, tasks)[:rows], predictions)


def _slicing(shape: tuple[int, ...], dtype: jnp.dtype) -> tuple[int, int]:
    """Return bits and count of slices that suit products with a block of features `[n, d]` and its transpose."""
    rows, width = shape
    return slicing(dtype, max(width, min(rows, BLOCK_ROWS)))


def _in_blocks(values: jax.Array) -> jax.Array:
    """Cut `[n, d]` into equal blocks of rows, padded with zeros: `[block, row, d]`."""
    rows, width = values.shape
    count = -(-rows // BLOCK_ROWS)
    size = -(-rows // count)
    return jnp.pad(values, ((0, count * size - rows), (0, 0))).reshape(count, size, width)


def _triangular(triangle: jax.Array, right_side: jax.Array, transpose: bool) -> jax.Array:
    return jax.lax.linalg.triangular_solve(
        triangle, right_side, left_side=True, lower=False, transpose_a=transpose
    )
