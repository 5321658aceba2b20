"""Least squares in a ball: the smallest ridge at which the coefficients are short enough, task by task."""

import jax
import jax.numpy as jnp

from w2sjax.engine.products import product
from w2sjax.engine.ridge import RidgeFactor, solve

NEWTON_STEPS = 24
"""Twelve sufficed for singular values spread over 1e15 and radii down to 1e-10 of the unconstrained norm."""


def solve_in_ball(
    factor: RidgeFactor, targets: jax.Array, ridge: jax.Array | None, radius: jax.Array
) -> jax.Array:
    """Return the coefficients `[d, task]` that minimize |X b - y|^2 + ridge |b|^2 subject to |b| <= radius.

    Where the unconstrained solution (at ridge 0 the minimum-norm one) lies in the ball it is returned. Elsewhere the
    constraint binds, and the solution is the ridge one at the multiplier m > ridge that solves the secular equation

        |b(m)|^2 = sum_i (s_i c_i / (s_i^2 + m))^2 = radius^2,

    with s the singular values of the factorization and c the targets in its left singular basis. 1 / |b(m)| is concave
    and increasing in m, so that Newton's iteration on 1 / |b| - 1 / radius, started below the root, rises to it
    monotonically. All tasks iterate together; each step costs O(d task).

    Args:
        factor: from `w2sjax.engine.ridge.factorize`; rows carry the 1/n.
        targets: `[r, task]`, centred and scaled like the rows.
        ridge: scalar >= 0, in squared feature units; None is 0.
        radius: scalar > 0, in label units per feature unit.

    Reference: Conn, Gould and Toint, "Trust Region Methods" (2000), section 7.3.
    """
    if factor.core_left is None or factor.core_values is None or factor.core_right is None:
        raise ValueError("factor has no decomposed core: factorize with many_ridges=True.")
    free = solve(factor, targets, ridge)
    kept = jnp.arange(factor.core_values.shape[0], dtype=jnp.int32) < factor.rank
    squares = jnp.where(kept, factor.core_values**2, 1)[:, None]
    along = product(factor.core_left.T, product(factor.left.T, targets))
    pull = jnp.where(kept[:, None], factor.core_values[:, None] * along, 0)  # s_i c_i, [k, task]
    # |pull| / (s_max^2 + m) <= |b(m)| <= |pull| / m brackets the root.
    most = jnp.linalg.norm(pull, axis=0) / radius
    least = jnp.maximum(0 if ridge is None else ridge, most - jnp.max(squares))
    most = jnp.maximum(most, least)

    def rise(_: jax.Array, multiplier: jax.Array) -> jax.Array:
        shifted = squares + multiplier[None, :]
        coefficients = pull / shifted
        square = jnp.sum(coefficients * coefficients, axis=0)
        slope = jnp.sum(coefficients * coefficients / shifted, axis=0)  # -|b| d|b|/dm
        excess = jnp.sqrt(square) / radius - 1
        step = excess * square / jnp.where(slope > 0, slope, 1)
        return jnp.clip(multiplier + step, least, most)

    multiplier = jax.lax.fori_loop(0, NEWTON_STEPS, rise, least)
    bound = product(factor.frame, product(factor.core_right.T, pull / (squares + multiplier[None, :])))
    inside = jnp.linalg.norm(free, axis=0) <= radius
    return jnp.where(inside[None, :], free, bound)
