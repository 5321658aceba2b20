"""Ridge regression in closed form."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from w2sjax.heads.base import Fit, Rows
from w2sjax.heads.factor import Factor
from w2sjax.heads.gram import fit_by_gram, suits_gram
from w2sjax.heads.linear import Linear, LinearHead
from w2sjax.linalg import namespace, product, solve_triangular
from w2sjax.pytrees import pytree, unchecked
from w2sjax.validation import Checked, real


@pytree("ridge")
@dataclasses.dataclass(frozen=True)
class Ridge(Checked, LinearHead):
    """Linear heads that minimize (1/n) sum (z'b + c - y)^2 + ridge |b|^2, in closed form.

    The intercept c is not penalized: scikit-learn's `Ridge(alpha=n * ridge)`. At ridge 0 the head is the minimum-norm
    least-squares one.

    Args:
        ridge: >= 0, in squared feature units.
    """

    ridge: Any = real(0.0, least=0)

    def fit(
        self, sample: Rows, labels: Any, key: Any = None, *, intercept: bool = True
    ) -> tuple[Linear, Fit]:
        """Fit by a Gram matrix where that loses no digits that count, which for wide features takes far less time."""
        if not suits_gram(sample, self.ridge, intercept=intercept) or labels.ndim != 2:
            return super().fit(sample, labels, key, intercept=intercept)
        weights, bias, fit = fit_by_gram(
            sample, np.asarray(labels, np.float64), float(self.ridge), intercept=intercept
        )
        return Linear(weights, bias), fit

    def weights(self, factor: Factor, targets: Any, *, ridgeless: bool) -> Any:
        """Return the weights `[width, task]`; see `solve`."""
        return solve(factor, targets, None if ridgeless else self.ridge)

    def in_units(self, unit: Any) -> "Ridge":
        """Return the ridge for features divided by `unit`."""
        return unchecked(Ridge, ridge=self.ridge / unit / unit)


RIDGELESS = Ridge()
"""Least squares, with the minimum norm where that is not unique."""


def solve(factor: Factor, targets: Any, ridge: Any) -> Any:
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
    xp = namespace(targets)
    projected = product(factor.left.T, targets)
    kept = xp.arange(projected.shape[0], dtype=jnp.int32) < factor.rank
    values = factor.core_values
    one, zero = xp.ones_like(values), xp.zeros_like(values)
    shrunk = xp.where(kept, values / xp.where(kept, values * values + ridge, one), zero)
    penalized = product(factor.core_right.T, shrunk[:, None] * product(factor.core_left.T, projected))
    return product(factor.frame, xp.where(ridge > 0, penalized, _interpolating(factor, projected)))


def _interpolating(factor: Factor, projected: Any) -> Any:
    """Return the solution at ridge 0, in coordinates of the frame, for targets in the basis `left`."""
    identity = namespace(projected).eye(factor.triangle.shape[0], dtype=projected.dtype)
    inverse = solve_triangular(factor.triangle, identity, lower=False, transpose=True)
    return product(inverse, projected / factor.scaled_values[:, None])


def solve_in_frame(factor: Factor, targets: Any, ridge: Any) -> Any:
    """Like `solve`, but in coordinates of the frame and by a QR factorization of the augmented core for each ridge.

    The augmented problem [core; sqrt(ridge) I] is invariant to column scales, so features whose scales differ by many
    orders of magnitude keep their digits at every ridge. One factorization of `2k x k` per ridge.

    Returns:
        `[k, task]`; coefficients are frame @ coordinates.
    """
    xp = namespace(targets)
    size = factor.triangle.shape[0]
    projected = product(factor.left.T, targets)
    kept = xp.arange(size, dtype=jnp.int32) < factor.rank
    core = factor.scaled_values[:, None] * factor.triangle.T
    core = xp.where(kept[:, None] & kept[None, :], core, xp.zeros_like(core))
    largest = jnp.finfo(core.dtype).max  # beyond it all coefficients are 0
    safe = xp.where(ridge > 0, xp.minimum(xp.asarray(ridge, core.dtype), largest), xp.ones((), core.dtype))
    diagonal = xp.where(kept, xp.sqrt(safe), xp.ones((), core.dtype))[:, None] * xp.eye(
        size, dtype=core.dtype
    )
    orthogonal, triangle = xp.linalg.qr(xp.concatenate([core, diagonal]))
    solution = solve_triangular(triangle, product(orthogonal[:size].T, projected), lower=False)
    scaled = projected / factor.scaled_values[:, None]
    interpolating = solve_triangular(factor.triangle, scaled, lower=False, transpose=True)
    return xp.where(ridge > 0, xp.where(kept[:, None], solution, xp.zeros_like(solution)), interpolating)
