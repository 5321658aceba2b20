"""A coordinate system in which second moments are safe to accumulate.

A Gram matrix squares the condition of its features, and a quadratic form of two nearly equal predictors cancels. Both
troubles vanish when the moments are taken in coordinates that are already close to uncorrelated. A small pilot sample
provides such coordinates. They change no result, only the rounding error: whatever the pilot, the map is invertible.
"""

import chex
import jax
import jax.numpy as jnp

from w2sjax.linalg import power_of_two, product, shifted_cholesky, solve_triangular
from w2sjax.random.draws import default_dtype
from w2sjax.rounding import constant_below

PILOT_ROWS_PER_UNIT = 5
"""Pilot sample size per feature; the whitened covariance then has a condition number near 6."""

LEAST_PILOT_ROWS = 240
"""Fewer would leave features that are zero on half of the rows too few for `RARE_ROWS`."""

RARE_ROWS = 30
"""A feature concentrated on fewer rows of the pilot, effectively, is a coordinate of its own."""

UNRESOLVED = 0.01
"""Directions of a smaller spread after the first round of whitening are left alone by the second."""


@chex.dataclass(frozen=True)
class Basis:
    """An invertible affine map u = center + unwhiten v with uncorrelated coordinates v on the pilot sample.

    Attributes:
        center: `[d]`, the pilot mean.
        whiten: `[d, d]`, lower triangular; v = whiten (u - center).
        unwhiten: `[d, d]`, lower triangular, the inverse of `whiten`.
    """

    center: jax.Array
    whiten: jax.Array
    unwhiten: jax.Array

    def part(self, start: int, size: int) -> "Basis":
        """Return a basis of `size` features alone, from `start` on.

        Of the first features a triangular map is a sub-block. Others are sums of all coordinates before them:
        u - center = rows v, and with the QR factorization rows' = Q R the coordinates Q' v are as uncorrelated as v,
        and u - center = R' Q' v. Householder's R keeps the digits of every feature, whatever its scale.
        """
        center, rows = self.center[start : start + size], self.unwhiten[start : start + size]
        if start == 0:
            return Basis(center=center, whiten=self.whiten[:size, :size], unwhiten=rows[:, :size])
        unwhiten = jnp.linalg.qr(rows[:, : start + size].T, mode="r").T
        return Basis(center=center, whiten=_inverse(unwhiten), unwhiten=unwhiten)

    def coordinates(self, features: jax.Array) -> jax.Array:
        """Map features `[d, n]` to coordinates `[d, n]`."""
        dtype = self.whiten.dtype
        if features.dtype != dtype:
            narrow = jax.tree.map(lambda a: a.astype(features.dtype), self)
            return narrow.coordinates(features).astype(dtype)
        return product(self.whiten, features - self.center[:, None])

    def widened(self) -> "Basis":
        """Return a basis found in float32 in the default precision: the same map, its inverse to all digits."""
        whiten = self.whiten.astype(default_dtype())
        return Basis(center=self.center.astype(whiten.dtype), whiten=whiten, unwhiten=_inverse(whiten))


def _inverse(triangle: jax.Array) -> jax.Array:
    """Return the inverse of a lower triangular matrix."""
    return solve_triangular(triangle, jnp.eye(len(triangle), dtype=triangle.dtype), lower=True)


def pilot_rows(size: int) -> int:
    """Return the pilot sample size for so many features."""
    return max(LEAST_PILOT_ROWS, PILOT_ROWS_PER_UNIT * size)


def rounding_shift(size: int, dtype: jnp.dtype) -> float:
    """Return the diagonal shift that keeps a Cholesky factorization of a unit-diagonal matrix positive."""
    return 4.0 * size * float(jnp.finfo(dtype).eps)


def pilot_basis(features: jax.Array) -> Basis:
    """Whiten a pilot sample by shifted Cholesky factorizations, applied twice.

    The shift (a few hundred units of rounding) keeps the first factorization positive when features are collinear; the
    second round whitens what the first one could not resolve. A direction of which the pilot shows less than
    `UNRESOLVED` of what the shift leaves, or nothing, is left as it is: a unit that is active on one row of the pilot
    may be active on many rows of a sample, and a coordinate magnified by the pilot's rounding would drown all others.
    Features that are zero on most rows are scaled only, not mixed with the others: where they are zero, rounding of the
    others would take their place and drown the few rows that they are fitted to; and between two of them the pilot has
    too few rows to tell how they go together.

    Args:
        features: `[d, n]` floating, n several times d.

    Returns:
        The `Basis`, in the default precision. Cost: four matmuls of `d * d * n` and two `d^3 / 3` factorizations.
    """
    size = features.shape[0]
    shift = rounding_shift(size, features.dtype) * jnp.eye(size, dtype=features.dtype)
    identity = jnp.eye(size, dtype=features.dtype)
    # Without rounding anything, and only so that no square overflows or vanishes.
    unit = power_of_two(features, axis=1)
    features = features / unit[:, None]
    rare = _effective_rows(features) < RARE_ROWS
    center = jnp.where(rare, 0, jnp.mean(features, axis=1))

    def whitening(coordinates: jax.Array, least: jax.Array | float) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return scales `[d]`, and a lower triangular factor and its inverse: coordinates = scale factor white."""
        spread = jnp.sqrt(jnp.mean(coordinates * coordinates, axis=1))
        resolved = (spread > least) & jnp.isfinite(spread)
        scale = jnp.where(resolved, spread, 1)
        scaled = coordinates / scale[:, None]
        mixed = resolved & ~rare
        covariance = product(scaled, scaled.T) / features.shape[1] + shift
        covariance = jnp.where(mixed[:, None] & mixed[None, :], covariance, identity)
        factor = shifted_cholesky(covariance, jnp.ones_like(scale), 0, rounding_shift(size, features.dtype))
        return scale, factor, _inverse(factor)

    # The first round compares with the features' own size, the second with the unit size that the first one leaves.
    constant = constant_below(features, axis=1)
    centred = features - center[:, None]
    scale, factor, inverse = whitening(centred, constant)
    whiten, unwhiten = inverse / scale[None, :], scale[:, None] * factor
    scale, factor, inverse = whitening(product(whiten, centred), UNRESOLVED)
    whiten, unwhiten = product(inverse / scale[None, :], whiten), product(unwhiten * scale[None, :], factor)
    basis = Basis(center=center * unit, whiten=whiten / unit[None, :], unwhiten=unit[:, None] * unwhiten)
    return basis if features.dtype == default_dtype() else basis.widened()


def _effective_rows(features: jax.Array) -> jax.Array:
    """Return (sum |u|)^2 / sum u^2 over rows, `[d]`: n for a constant feature, 1 for one that is active on one row.

    The largest entry of a feature is about 1, or all are 0.
    """
    total = jnp.sum(jnp.abs(features), axis=1)
    return total * total / jnp.maximum(jnp.sum(features * features, axis=1), 0.25)
