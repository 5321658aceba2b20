"""Products, norms and factorizations that no size, scale or device spoils."""

import jax
import jax.numpy as jnp
import numpy as np


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return a @ b with every bit of the factors used."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def power_of_two(values: jax.Array, axis: int) -> jax.Array:
    """Return a power of two as large as the largest absolute value along an axis, within a factor of two; 1 for zeros.

    Dividing by it rounds nothing, and squares of the quotients neither overflow nor vanish.
    """
    largest = jnp.max(jnp.abs(values), axis=axis)
    power = jax.lax.reduce_precision(largest, jnp.finfo(values.dtype).nexp, 0)
    return jnp.where((power > 0) & jnp.isfinite(power), power, 1)


def column_norms(rows: jax.Array) -> jax.Array:
    """Return the norms `[d]` of the columns of `[r, d]`, whatever their scale."""
    power = power_of_two(rows, axis=0)
    return jnp.linalg.norm(rows / power[None, :], axis=0) * power


def shifted_cholesky(matrix: jax.Array, diagonal: jax.Array, shifts: tuple[float, ...]) -> jax.Array:
    """Factorize a matrix after the least of some diagonal shifts that leaves it positive in floating point.

    Args:
        matrix: `[d, d]`, symmetric, with entries of at most about 1, positive but for rounding.
        diagonal: `[d]`, what a shift of 1 adds.
        shifts: those to try first, in order; then every one four times the last, until the diagonal dominates.

    Returns:
        The lower triangular factor `[d, d]`; NaN only where the matrix is not finite.
    """
    size = matrix.shape[0]
    identity = jnp.eye(size, dtype=matrix.dtype)
    tried = list(shifts)
    while tried[-1] <= 2 * size:
        tried.append(4 * tried[-1])
    table = jnp.asarray(np.array(tried), matrix.dtype)

    def factor(trial: jax.Array) -> jax.Array:
        return jnp.linalg.cholesky(matrix + identity * (table[trial] * diagonal)[None, :])

    def failed(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        trial, found = state
        return (trial < len(tried) - 1) & ~jnp.all(jnp.isfinite(found))

    def again(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        trial, _ = state
        return trial + 1, factor(trial + 1)

    first = jnp.zeros((), jnp.int32)
    return jax.lax.while_loop(failed, again, (first, factor(first)))[1]
