"""Least squares in a ball: the smallest ridge at which the coefficients are short enough, task by task."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from w2sjax.heads.factor import Factor
from w2sjax.heads.linear import LinearHead
from w2sjax.heads.ridge import solve
from w2sjax.linalg import namespace, product
from w2sjax.pytrees import pytree, unchecked
from w2sjax.validation import Checked, real

NEWTON_STEPS = 24
"""Twelve sufficed for singular values spread over 1e15 and radii down to 1e-10 of the unconstrained norm."""


@pytree("radius", "ridge")
@dataclasses.dataclass(frozen=True)
class Ball(Checked, LinearHead):
    """Linear heads with a norm of the weights of at most `radius`, the intercept free, in closed form.

    A convex class that is no subspace, so that gain may exceed misfit (arXiv 2405.15116, Theorem 1). Minimizes
    (1/n) sum (z'b + c - y)^2 + ridge |b|^2 subject to |b| <= radius.

    Args:
        radius: > 0, in label units per feature unit.
        ridge: >= 0, in squared feature units.
    """

    decomposes: ClassVar[bool] = True

    radius: Any = real(1.0, above=0)
    ridge: Any = real(0.0, least=0)

    def weights(self, factor: Factor, targets: Any, *, ridgeless: bool) -> Any:
        """Return the weights `[width, task]`; see `solve_in_ball`."""
        return solve_in_ball(factor, targets, None if ridgeless else self.ridge, self.radius)

    def in_units(self, unit: Any) -> "Ball":
        """Return the ball and the ridge for features divided by `unit`."""
        return unchecked(Ball, radius=self.radius * unit, ridge=self.ridge / unit / unit)


def solve_in_ball(factor: Factor, targets: Any, ridge: Any, radius: Any) -> Any:
    """Return the coefficients `[d, task]` that minimize |X b - y|^2 + ridge |b|^2 subject to |b| <= radius.

    Where the unconstrained solution (at ridge 0 the minimum-norm one) lies in the ball it is returned. Elsewhere the
    constraint binds, and the solution is the ridge one at the multiplier m > ridge that solves the secular equation

        |b(m)|^2 = sum_i (s_i c_i / (s_i^2 + m))^2 = radius^2,

    with s the singular values of the factorization and c the targets in its left singular basis. 1 / |b(m)| is concave
    and increasing in m, so that Newton's iteration on 1 / |b| - 1 / radius, started below the root, rises to it
    monotonically. All tasks iterate together; each step costs O(d task).

    Args:
        factor: from `w2sjax.heads.factor.factorize`; rows carry the 1/n.
        targets: `[r, task]`, centred and scaled like the rows.
        ridge: scalar >= 0, in squared feature units; None is 0.
        radius: scalar > 0, in label units per feature unit.

    Reference: Conn, Gould and Toint, "Trust Region Methods" (2000), section 7.3.
    """
    if factor.core_left is None or factor.core_values is None or factor.core_right is None:
        raise ValueError("factor has no decomposed core: factorize with decompose_core=True.")
    xp = namespace(targets)
    free = solve(factor, targets, ridge)
    kept = xp.arange(factor.core_values.shape[0], dtype=jnp.int32) < factor.rank
    squares = xp.where(kept, factor.core_values**2, xp.ones_like(factor.core_values))[:, None]
    along = product(factor.core_left.T, product(factor.left.T, targets))
    pull = xp.where(
        kept[:, None], factor.core_values[:, None] * along, xp.zeros_like(along)
    )  # s_i c_i, [k, task]
    # |pull| / (s_max^2 + m) <= |b(m)| <= |pull| / m brackets the root.
    most = xp.linalg.norm(pull, axis=0) / radius
    least = xp.maximum(xp.asarray(0 if ridge is None else ridge, most.dtype), most - xp.max(squares))
    most = xp.maximum(most, least)

    def rise(_: Any, multiplier: Any) -> Any:
        shifted = squares + multiplier[None, :]
        coefficients = pull / shifted
        square = xp.sum(coefficients * coefficients, axis=0)
        slope = xp.sum(coefficients * coefficients / shifted, axis=0)  # -|b| d|b|/dm
        excess = xp.sqrt(square) / radius - 1
        step = excess * square / xp.where(slope > 0, slope, xp.ones_like(slope))
        return xp.clip(multiplier + step, least, most)

    if xp is jnp:
        multiplier = jax.lax.fori_loop(0, NEWTON_STEPS, rise, least)
    else:
        multiplier = least
        for step in range(NEWTON_STEPS):
            multiplier = rise(step, multiplier)
    bound = product(factor.frame, product(factor.core_right.T, pull / (squares + multiplier[None, :])))
    inside = xp.linalg.norm(free, axis=0) <= radius
    return xp.where(inside[None, :], free, bound)
