"""When a feature is constant as far as its rounding tells."""

import jax
import jax.numpy as jnp
import numpy as np

CONSTANT_IN_EPS = 256
"""A feature that varies by fewer units of rounding of its size, within a sample, is constant there."""


def constant_below(values: jax.Array, axis: int) -> jax.Array:
    """Return the spread below which values along an axis are constant: `CONSTANT_IN_EPS` roundings of the largest."""
    eps = float(jnp.finfo(values.dtype).eps)
    return CONSTANT_IN_EPS * eps * jnp.max(jnp.abs(values), axis=axis)


def is_near_rounding(values: np.ndarray) -> bool:
    """Say whether a column `[n, width]` varies, but by little more than the rounding of what it was computed from."""
    spread, eps = values.std(axis=0), float(jnp.finfo(values.dtype).eps)
    return bool(((spread > 0) & (spread <= CONSTANT_IN_EPS * eps * np.abs(values).max(axis=0))).any())
