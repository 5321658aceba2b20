"""Products, norms and factorizations that no size, scale or device spoils, for JAX and for NumPy arrays."""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def namespace(array: Any) -> ModuleType:
    """Return the module of functions for an array: NumPy for its own, which compiles nothing, JAX's for others."""
    return np if isinstance(array, np.ndarray | np.generic) else jnp


def ratio(above: Any, below: Any) -> Any:
    """Return a ratio, NaN where the denominator is not positive."""
    xp = namespace(below)
    one, none = xp.ones_like(below), xp.full_like(below, jnp.nan)
    return xp.where(below > 0, above / xp.where(below > 0, below, one), none)


def product(a: Any, b: Any) -> Any:
    """Return a @ b with every bit of the factors used: accelerators round float32 to fewer unless told otherwise."""
    if namespace(a) is np and namespace(b) is np:
        return a @ b
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def solve_triangular(triangle: Any, right_side: Any, *, lower: bool, transpose: bool = False) -> Any:
    """Return the solution x of triangle x = right_side, or of its transpose."""
    if namespace(triangle) is np:
        import scipy.linalg

        return scipy.linalg.solve_triangular(
            triangle, right_side, lower=lower, trans="T" if transpose else "N"
        )
    return jax.lax.linalg.triangular_solve(
        triangle, right_side, left_side=True, lower=lower, transpose_a=transpose
    )


def power_of_two(values: Any, axis: int) -> Any:
    """Return a power of two as large as the largest absolute value along an axis, within a factor of two; 1 for zeros.

    Dividing by it rounds nothing, and squares of the quotients neither overflow nor vanish.
    """
    xp = namespace(values)
    largest = xp.max(xp.abs(values), axis=axis)
    if xp is np:
        power = np.ldexp(np.ones_like(largest), np.frexp(largest)[1] - 1)
    else:
        power = jax.lax.reduce_precision(largest, jnp.finfo(values.dtype).nexp, 0)
    return xp.where((largest > 0) & xp.isfinite(power), power, xp.ones_like(power))


def column_norms(rows: Any) -> Any:
    """Return the norms `[d]` of the columns of `[r, d]`, whatever their scale."""
    power = power_of_two(rows, axis=0)
    return namespace(rows).linalg.norm(rows / power[None, :], axis=0) * power


def shifted_cholesky(matrix: jax.Array, diagonal: jax.Array, first: float, second: float) -> jax.Array:
    """Factorize a matrix after the least of some diagonal shifts that leaves it positive in floating point.

    Args:
        matrix: `[d, d]`, symmetric, with entries of at most about 1, positive but for rounding.
        diagonal: `[d]`, what a shift of 1 adds.
        first, second: shifts to try, in increasing order; then every one four times the last, until the diagonal
            dominates.

    Returns:
        The lower triangular factor `[d, d]`; NaN only where the matrix is not finite.
    """
    size = matrix.shape[0]
    identity = jnp.eye(size, dtype=matrix.dtype)

    def failed(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        shift, found = state
        return (shift <= 8 * size) & ~jnp.isfinite(found[-1, -1])  # a failure leaves NaN from some column on

    def again(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        shift, _ = state
        shifted = matrix + identity * (shift * diagonal)[None, :]
        return jnp.maximum(4 * shift, second), jax.lax.linalg.cholesky(shifted, symmetrize_input=False)

    # The first trial is the loop's too: outside of it the factorization would be compiled twice.
    none = (jnp.asarray(first, matrix.dtype), jnp.full_like(matrix, jnp.nan))
    return jax.lax.while_loop(failed, again, none)[1]
