"""One factorization of centred rows for every ridge, norm and target.

Rows stand for a sample: `rows' rows` is the second moment of the centred features (a raw sample divided by sqrt(n), or
the square root of a covariance). The functions take JAX and NumPy arrays.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.linalg import column_norms, namespace, product

RANK_TOLERANCE_IN_EPS = 64
"""Singular values below this many units of rounding, relative to the largest, are noise of the features themselves."""

PROPORTIONAL_IN_EPS = 8
"""Columns that agree to so many units of rounding of their largest entry, once of unit norm, are the same feature."""


@chex.dataclass(frozen=True)
class Factor:
    """A factorization X = left core frame' of centred rows `[r, d]`, with k = min(r, d).

    `core` is `scaled_values[:, None] * triangle.T`. Directions beyond the numerical rank are zero throughout, with ones
    on the diagonal of `triangle` and in `scaled_values`, so that solving with them yields zero.

    Attributes:
        left: `[r, k]`, orthonormal columns (zero beyond the rank).
        scaled_values: `[k]`, singular values of the column-scaled rows, descending.
        triangle: `[k, k]`, upper triangular.
        frame: `[d, k]`, an orthonormal basis of the row space of X in the caller's units.
        core_left, core_values, core_right: singular value decomposition of the core; None where few ridges are wanted.
        rank: int32 scalar.
        condition: ratio of the extreme singular values kept, columns scaled to unit norm; 1 if none is.
        discarded_left: `[r, k]`, the left singular vectors that `left` leaves out, but for those of zero columns.
    """

    left: jax.Array
    scaled_values: jax.Array
    triangle: jax.Array
    frame: jax.Array
    core_left: jax.Array | None
    core_values: jax.Array | None
    core_right: jax.Array | None
    rank: jax.Array
    condition: jax.Array
    discarded_left: jax.Array


def factorize(
    rows: Any, rank_tolerance: float, rank_limit: Any = None, *, decompose_core: bool = True
) -> Factor:
    """Factorize centred rows once for every ridge and target.

    Columns are scaled to unit norm before the rank is decided, so that a badly scaled but independent feature is kept;
    the minimum norm is nevertheless taken in the caller's units, as the limit of a vanishing ridge requires.

    Args:
        rows: `[r, d]` floating, centred.
        rank_tolerance: directions whose singular value is below this fraction of the largest are dropped.
        rank_limit: int32 scalar, the rank that is known not to be exceeded, if any.
        decompose_core: whether to decompose the core, which then is not factorized anew for every ridge.

    Returns:
        A `Factor`. Cost: two small singular value decompositions, O(r d min(r, d)); one without `decompose_core`.
    """
    xp = namespace(rows)
    scale = column_norms(rows)
    # Rows of the frame are sorted by size: Householder QR is then accurate row by row.
    order = xp.argsort(-scale)
    scale = scale[order]
    scaled = rows[:, order] / xp.where(scale > 0, scale, xp.ones_like(scale))[None, :]
    left, values, right = xp.linalg.svd(scaled, full_matrices=False)
    kept = (values > rank_tolerance * values[0]) & (values > 0)
    place = xp.arange(values.shape[0], dtype=jnp.int32)
    if rank_limit is not None:
        kept &= place < rank_limit
    # As many singular values are 0 as columns are, and their left vectors belong to no feature.
    absent = place >= xp.sum(scale > 0, dtype=jnp.int32)
    rank = xp.sum(kept, dtype=jnp.int32)
    one = xp.ones_like(values)
    safe_values = xp.where(kept, values, one)

    frame, triangle = xp.linalg.qr(_zero_unless(kept[None, :], scale[:, None] * right.T))
    frame = xp.take(frame, xp.argsort(order), axis=0)
    kept_both = kept[:, None] & kept[None, :]
    triangle = xp.where(kept_both, triangle, xp.eye(triangle.shape[0], dtype=rows.dtype))
    core_left = core_values = core_right = None
    if decompose_core:
        core = _zero_unless(kept_both, safe_values[:, None] * triangle.T)
        core_left, core_values, core_right = xp.linalg.svd(core)
    return Factor(
        left=_zero_unless(kept[None, :], left),
        scaled_values=safe_values,
        triangle=triangle,
        frame=_zero_unless(kept[None, :], frame),
        core_left=core_left,
        core_values=core_values,
        core_right=core_right,
        rank=rank,
        condition=safe_values[0] / xp.min(xp.where(kept, values, safe_values[0])),
        discarded_left=_zero_unless(~(kept | absent)[None, :], left),
    )


def _zero_unless(kept: Any, values: Any) -> Any:
    xp = namespace(values)
    return xp.where(kept, values, xp.zeros_like(values))


def dropped_effect(factor: Factor, targets: Any) -> Any:
    """Return the largest share, over tasks, of the explained label variance along the directions that were dropped.

    Restoring the dropped directions can lower the training error of a task by at most this share of the label variance
    that all features together explain.

    Args:
        factor: from `factorize`.
        targets: `[r, task]`, centred labels projected on all features, scaled like the rows.
    """
    xp = namespace(targets)
    power = xp.sum(targets * targets, axis=0)
    along = product(factor.discarded_left.T, targets)
    share = xp.sum(along * along, axis=0) / xp.where(power > 0, power, xp.ones_like(power))
    return xp.max(share)


class Merged(NamedTuple):
    """Columns `[n, d]` of which those that are multiples of one another are one.

    Attributes:
        columns: `[n, d]`, zero where joined to another.
        source: `[d]`, the column that stands for each.
        share: `[d]`: weights of all columns are weights[source] * share.
        occupied: how many columns are not zero.
    """

    columns: Any
    source: Any
    share: Any
    occupied: Any


def merge_proportional(columns: Any) -> Merged:
    """Join columns `[n, d]` that are multiples of each other into one of them, which takes their joint norm.

    With z_i = s_i u for i in a group and S^2 = sum s_i^2, the minimum-norm weights are s_i / S times the weight of the
    one column S u. Left to a factorization, rounding in the difference of two large copies would drown the features
    that are smaller by more than the working precision.
    """
    xp = namespace(columns)
    rows, width = columns.shape
    eps = float(jnp.finfo(columns.dtype).eps)
    norm = column_norms(columns)
    unit = columns / xp.where(norm > 0, norm, xp.ones_like(norm))[None, :]
    # Along a random direction multiples of each other are neighbours, and hardly anything comes between them.
    direction = xp.asarray(np.random.default_rng(0).standard_normal(rows), columns.dtype)
    along = product(direction, unit)
    sign = xp.where(along < 0, -xp.ones_like(along), xp.ones_like(along))
    order = xp.argsort(xp.abs(along))
    ordered = (unit * sign[None, :])[:, order]
    previous = xp.roll(ordered, 1, axis=1)
    distance = xp.max(xp.abs(ordered - previous), axis=0)
    place = xp.arange(width, dtype=order.dtype)
    new = (distance > PROPORTIONAL_IN_EPS * eps * xp.max(xp.abs(previous), axis=0)) | (place == 0)
    number = (xp.cumsum(new) - 1).astype(order.dtype)  # of the group, along the order
    first = xp.argmax(number[None, :] == place[:, None], axis=1)  # of each group
    source = order[first[number]][xp.argsort(order)]
    member = source[None, :] == place[:, None]
    # Norms are divided by their largest in the group: squares of the smallest would underflow in float32.
    largest = xp.max(xp.where(member, norm[None, :], xp.zeros_like(norm)[None, :]), axis=1)
    relative = norm / xp.where(largest > 0, largest, xp.ones_like(largest))[source]
    joint = xp.sqrt(
        xp.sum(xp.where(member, (relative * relative)[None, :], xp.zeros_like(norm)[None, :]), axis=1)
    )
    share = sign * sign[source] * relative / xp.where(joint > 0, joint, xp.ones_like(joint))[source]
    size = largest * joint
    return Merged(unit * size[None, :], source, share, xp.sum(size > 0, dtype=jnp.int32))
