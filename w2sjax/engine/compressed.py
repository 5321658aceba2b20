"""A sample reduced to few rows with its mean and covariance."""

import chex
import jax
import jax.numpy as jnp

from w2sjax.linalg import column_norms, product
from w2sjax.random.draws import default_dtype
from w2sjax.rounding import CONSTANT_IN_EPS

NOISE_IN_EPS = 32
"""Rounding leaves of a constant a spread of at most so many units of rounding of its size."""


@chex.dataclass(frozen=True)
class CompressedSample:
    """A sample of features, reduced to its mean and d centred rows with the same covariance.

    Attributes:
        mean: `[d]`.
        rows: `[d, d]`; rows' rows is the covariance (normalized by n). The column of a constant feature is zero.
        blurred: whether a feature counts as constant that varies by more than rounding makes of a constant.
        label_mean: `[label]` or None; label_rows: `[d, label]` or None, with rows' label_rows the covariance of
            features and labels.
    """

    mean: jax.Array
    rows: jax.Array
    blurred: jax.Array
    label_mean: jax.Array | None
    label_rows: jax.Array | None


Block = tuple[jax.Array, jax.Array | None]
"""Features `[d, BLOCK]` and labels `[label, BLOCK]` or None."""


def zero_constant(rows: jax.Array, magnitude: jax.Array, eps: float) -> tuple[jax.Array, jax.Array]:
    """Zero the columns whose norm is rounding error of terms of the given magnitude `[d]`.

    Returns:
        The rows, and whether one of those columns varies by more than rounding usually makes of a constant.
    """
    norms = column_norms(rows)
    constant = norms <= CONSTANT_IN_EPS * eps * magnitude
    blurred = constant & (norms > NOISE_IN_EPS * eps * magnitude)
    return jnp.where(constant[None, :], 0, rows), jnp.any(blurred)


def compress_rows(blocks: list[Block], size: int, width: int, eps: float) -> CompressedSample:
    """Compress few rows by an orthogonal reduction: a moment matrix of so few would be near singular."""
    features = jnp.concatenate([c for c, _ in blocks], axis=1)[:, :size].astype(default_dtype())
    mean = jnp.mean(features, axis=1)
    centred, blurred = zero_constant((features - mean[:, None]).T / size**0.5, jnp.abs(mean), eps)
    orthogonal, rows = jnp.linalg.qr(centred)
    padding = ((0, width - rows.shape[0]), (0, 0))
    label_mean = label_rows = None
    if blocks[0][1] is not None:
        labels = jnp.concatenate([y for _, y in blocks if y is not None], axis=1)[:, :size]
        label_mean = jnp.mean(labels, axis=1)
        label_rows = product(orthogonal.T, (labels - label_mean[:, None]).T / size**0.5)
        label_rows = jnp.pad(label_rows, padding)
    return CompressedSample(
        mean=mean,
        rows=jnp.pad(rows, padding),
        blurred=blurred,
        label_mean=label_mean,
        label_rows=label_rows,
    )
