"""When a feature is constant as far as its rounding tells."""

import jax
import jax.numpy as jnp

CONSTANT_IN_EPS = 256
"""A feature that varies by fewer units of rounding of its size, within a sample, is constant there."""


def constant_below(values: jax.Array, axis: int) -> jax.Array:
    """Return the spread below which values along an axis are constant: `CONSTANT_IN_EPS` roundings of the largest."""
    eps = float(jnp.finfo(values.dtype).eps)
    return CONSTANT_IN_EPS * eps * jnp.max(jnp.abs(values), axis=axis)
