"""Ridge regression on centred rows: one factorization, any ridge, any number of targets.

Rows stand for a sample: `rows' rows` is the second moment of the centred features (a raw sample divided by sqrt(n), or
the square root of a covariance). The loss is the design's: mean squared error + ridge * |coefficients|^2.
"""

import chex
import jax
import jax.numpy as jnp

from w2sjax.engine.products import column_norms, product

RANK_TOLERANCE_IN_EPS = 64
"""Singular values below this many units of rounding, relative to the largest, are noise of the features themselves."""


@chex.dataclass(frozen=True)
class RidgeFactor:
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
    rows: jax.Array,
    rank_tolerance: float,
    rank_limit: jax.Array | int | None = None,
    *,
    many_ridges: bool = True,
) -> RidgeFactor:
    """Factorize centred rows once for every ridge and target.

    Columns are scaled to unit norm before the rank is decided, so that a badly scaled but independent feature is kept;
    the minimum norm is nevertheless taken in the caller's units, as the limit of a vanishing ridge requires.

    Args:
        rows: `[r, d]` floating, centred.
        rank_tolerance: directions whose singular value is below this fraction of the largest are dropped.
        rank_limit: int32 scalar, the rank that is known not to be exceeded, if any.
        many_ridges: whether to decompose the core, which then is not factorized anew for every ridge.

    Returns:
        A `RidgeFactor`. Cost: two small singular value decompositions, O(r d min(r, d)); one without `many_ridges`.
    """
    scale = column_norms(rows)
    # Rows of the frame are sorted by size: Householder QR is then accurate row by row.
    order = jnp.argsort(-scale)
    scale = scale[order]
    scaled = rows[:, order] / jnp.where(scale > 0, scale, 1)[None, :]
    left, values, right = jnp.linalg.svd(scaled, full_matrices=False)
    kept = (values > rank_tolerance * values[0]) & (values > 0)
    if rank_limit is not None:
        kept &= jnp.arange(values.shape[0], dtype=jnp.int32) < rank_limit
    # As many singular values are 0 as columns are, and their left vectors belong to no feature.
    absent = jnp.arange(values.shape[0], dtype=jnp.int32) >= jnp.sum(scale > 0, dtype=jnp.int32)
    rank = jnp.sum(kept, dtype=jnp.int32)
    safe_values = jnp.where(kept, values, 1)

    frame, triangle = jnp.linalg.qr(jnp.where(kept[None, :], scale[:, None] * right.T, 0))
    frame = jnp.zeros_like(frame).at[order].set(frame)
    kept_both = kept[:, None] & kept[None, :]
    triangle = jnp.where(kept_both, triangle, jnp.eye(triangle.shape[0], dtype=rows.dtype))
    core_left = core_values = core_right = None
    if many_ridges:
        core = jnp.where(kept_both, safe_values[:, None] * triangle.T, 0)
        core_left, core_values, core_right = jnp.linalg.svd(core)
    return RidgeFactor(
        left=jnp.where(kept[None, :], left, 0),
        scaled_values=safe_values,
        triangle=triangle,
        frame=jnp.where(kept[None, :], frame, 0),
        core_left=core_left,
        core_values=core_values,
        core_right=core_right,
        rank=rank,
        condition=safe_values[0] / jnp.min(jnp.where(kept, values, safe_values[0])),
        discarded_left=jnp.where((kept | absent)[None, :], 0, left),
    )


def solve(factor: RidgeFactor, targets: jax.Array, ridge: jax.Array | None) -> jax.Array:
    """Return the ridge coefficients `[d, task]` for centred targets `[r, task]`.

    Minimizes |X b - y|^2 + ridge |b|^2 with rows that carry the 1/n, and returns the minimum-norm solution at ridge 0.
    The shrinkage is applied in the singular basis of the core, where that is there: accurate to rounding times the
    condition number of X in the caller's units. Otherwise, and at ridge 0, triangular factors are used, and column
    scales do not matter.

    Args:
        factor: from `factorize`.
        targets: `[r, task]`, centred and scaled like the rows.
        ridge: scalar >= 0, in squared feature units; None is 0, and saves the factorization that a ridge needs.
    """
    if ridge is None:
        return product(factor.frame, _interpolating(factor, product(factor.left.T, targets)))
    if factor.core_left is None or factor.core_values is None or factor.core_right is None:
        return product(factor.frame, solve_in_frame(factor, targets, ridge))
    projected = product(factor.left.T, targets)
    kept = jnp.arange(projected.shape[0], dtype=jnp.int32) < factor.rank
    values = factor.core_values
    shrunk = jnp.where(kept, values / jnp.where(kept, values * values + ridge, 1), 0)
    penalized = product(factor.core_right.T, shrunk[:, None] * product(factor.core_left.T, projected))
    return product(factor.frame, jnp.where(ridge > 0, penalized, _interpolating(factor, projected)))


def _interpolating(factor: RidgeFactor, projected: jax.Array) -> jax.Array:
    """Return the solution at ridge 0, in coordinates of the frame, for targets in the basis `left`."""
    inverse = jax.lax.linalg.triangular_solve(
        factor.triangle,
        jnp.eye(factor.triangle.shape[0], dtype=projected.dtype),
        left_side=True,
        lower=False,
        transpose_a=True,
    )
    return product(inverse, projected / factor.scaled_values[:, None])


def augmented_core(factor: RidgeFactor, ridge: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Factorize the augmented core: [core; sqrt(ridge) I] = orthogonal triangle.

    Returns:
        orthogonal `[2k, k]` and triangle `[k, k]`, upper, with triangle' triangle = core' core + ridge I within the
        rank and one on the diagonal beyond it. Column scales do not matter.
    """
    size = factor.triangle.shape[0]
    kept = jnp.arange(size, dtype=jnp.int32) < factor.rank
    core = factor.scaled_values[:, None] * factor.triangle.T
    core = jnp.where(kept[:, None] & kept[None, :], core, 0)
    diagonal = jnp.where(kept, jnp.sqrt(ridge), 1)[:, None] * jnp.eye(size, dtype=core.dtype)
    orthogonal, triangle = jnp.linalg.qr(jnp.concatenate([core, diagonal]))
    return orthogonal, triangle


def solve_in_frame(factor: RidgeFactor, targets: jax.Array, ridge: jax.Array) -> jax.Array:
    """Like `solve`, but in coordinates of the frame and by a QR factorization of the augmented core for each ridge.

    The augmented problem [core; sqrt(ridge) I] is invariant to column scales, so features whose scales differ by many
    orders of magnitude keep their digits at every ridge. One factorization of `2k x k` per ridge.

    Returns:
        `[k, task]`; coefficients are frame @ coordinates.
    """
    size = factor.triangle.shape[0]
    projected = product(factor.left.T, targets)
    kept = jnp.arange(size, dtype=jnp.int32) < factor.rank
    orthogonal, triangle = augmented_core(factor, jnp.where(ridge > 0, ridge, 1))
    solution = jax.lax.linalg.triangular_solve(
        triangle, product(orthogonal[:size].T, projected), left_side=True, lower=False
    )
    interpolating = jax.lax.linalg.triangular_solve(
        factor.triangle,
        projected / factor.scaled_values[:, None],
        left_side=True,
        lower=False,
        transpose_a=True,
    )
    return jnp.where(ridge > 0, jnp.where(kept[:, None], solution, 0), interpolating)


def dropped_effect(factor: RidgeFactor, targets: jax.Array) -> jax.Array:
    """Return the largest share, over tasks, of the explained label variance along the directions that were dropped.

    Restoring the dropped directions can lower the training error of a task by at most this share of the label variance
    that all features together explain.

    Args:
        factor: from `factorize`.
        targets: `[r, task]`, centred labels projected on all features, scaled like the rows.
    """
    power = jnp.sum(targets * targets, axis=0)
    along = product(factor.discarded_left.T, targets)
    share = jnp.sum(along * along, axis=0) / jnp.where(power > 0, power, 1)
    return jnp.max(share)
