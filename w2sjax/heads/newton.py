"""Convex fits of many columns of labels at once by Newton's method, in coordinates in which the problem is round."""

import itertools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.heads.factor import RANK_TOLERANCE_IN_EPS, factorize
from w2sjax.linalg import power_of_two, product, solve_triangular

STEPS = 40
"""Most evaluations. Ten suffice but where logits grow without bound, by about one a step."""

SINGLE_STEPS = 15
"""Most evaluations in float32 on the way to float64."""

LARGE = 10**5
"""Labels from which the passes that float32 saves are worth a second program."""

SHORTEN = 0.25
"""What a step that went too far is multiplied by."""


class Family(Protocol):
    """A likelihood of labels `[n, logit, task]` given logits of that shape, convex in these."""

    def residual(self, logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the derivative `[n, logit, task]` of the losses, and their second derivatives `[n, pair, task]`.

        A pair are two logits i <= j, in the order of `itertools.combinations_with_replacement`.
        """
        ...


class Round(NamedTuple):
    """Centred features in coordinates in which the Hessian of the mean logistic loss at logit 0 is the identity.

    Attributes:
        rows: `[n, k + 1]`, the last column 1, or 0 without an intercept.
        penalty: `[k + 1, k + 1]`: the ridge is half its quadratic form.
        back: `[width, k]`: weights are back @ coordinates.
        mean: `[width]` of the features.
        rank, condition: of the centred features, as in `Fit`.
    """

    rows: jax.Array
    penalty: jax.Array
    back: jax.Array
    mean: jax.Array
    rank: jax.Array
    condition: jax.Array

    def weights(self, found: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return weights `[width, ...]` and bias `[...]` of features for coordinates `[k + 1, ...]`."""
        flat = found.reshape(found.shape[0], -1)
        weights = product(self.back, flat[:-1])
        bias = flat[-1] - product(self.mean[None, :], weights)[0]
        return weights.reshape(-1, *found.shape[1:]), bias.reshape(found.shape[1:])


def make_round(features: jax.Array, ridge: jax.Array, *, intercept: bool = True) -> Round:
    """Return the coordinates of a sample for the penalty ridge |b|^2 on its weights b.

    Directions below rounding of the features, columns scaled, are left out; at ridge 0 weights are those of minimum
    norm among all that give the same logits.

    Args:
        features: `[n, width]`.
        ridge: scalar >= 0.
        intercept: whether there is one; without, features are not centred and the last of the rows is 0.

    Cost: O(n width min(n, width)).
    """
    n, width = features.shape
    eps = float(jnp.finfo(features.dtype).eps)
    unit = jnp.max(power_of_two(features, axis=0))
    scaled = features / unit
    mean, centred = jnp.zeros_like(scaled[0]), scaled
    for _ in range(2 if intercept else 0):  # twice, so that a large mean costs no digits
        more = jnp.mean(centred, axis=0)
        centred, mean = centred - more[None, :], mean + more
    centred = centred / np.sqrt(n).astype(features.dtype)
    varies = jnp.max(jnp.abs(centred), axis=0) > 4 * eps * jnp.max(jnp.abs(scaled), axis=0)
    centred = jnp.where(varies[None, :], centred, 0)
    orthogonal = None
    if n > width:
        orthogonal, centred = jnp.linalg.qr(centred)
    tolerance = eps * max(RANK_TOLERANCE_IN_EPS, width, n**0.5)
    factor = factorize(centred, tolerance, n - intercept, decompose_core=False)
    k = factor.scaled_values.shape[0]
    kept = jnp.arange(k, dtype=jnp.int32) < factor.rank
    core = factor.scaled_values[:, None] * factor.triangle.T
    core = jnp.where(kept[:, None] & kept[None, :], core, 0)
    shrink = jnp.where(kept, jnp.sqrt(2 * ridge) / unit, 1)
    augmented = jnp.concatenate([core / 2, shrink[:, None] * jnp.eye(k, dtype=core.dtype)])
    triangle = jnp.linalg.qr(augmented, mode="r")
    inverse = solve_triangular(triangle, jnp.eye(k, dtype=core.dtype), lower=False)
    rows = product(factor.left, product(core, inverse)) * np.sqrt(n).astype(core.dtype)
    if orthogonal is not None:
        rows = product(orthogonal, rows)
    root = shrink[:, None] * inverse
    return Round(
        rows=jnp.concatenate([rows, jnp.full_like(rows[:, :1], intercept)], axis=1),
        penalty=jnp.pad(product(root.T, root), ((0, 1), (0, 1))).at[-1, -1].set(1 - intercept),
        back=product(factor.frame, inverse) / unit,
        mean=mean * unit,
        rank=factor.rank,
        condition=factor.condition,
    )


class Found(NamedTuple):
    """Minimizers `[k + 1, logit, task]`; whether each task converged; the least curvature met at the end."""

    coordinates: jax.Array
    converged: jax.Array
    curvature: jax.Array


def minimize_by_newton(problem: Round, labels: jax.Array, family: Family) -> Found:
    """Minimize (1/n) sum loss(logits, labels) + penalty for every task, in the precision of the labels.

    Large problems in float64 go the way there in float32, and mostly a single step is left.

    Args:
        problem: the sample.
        labels: `[n, logit, task]`.
        family: the likelihood.

    Cost: per step O(n k^2 logit^2 task) in matrix products, and a Cholesky factorization of k * logit per task.
    """
    start = jnp.zeros((problem.rows.shape[1], *labels.shape[1:]), labels.dtype)
    if labels.dtype == jnp.float64 and labels.size >= LARGE:
        single: Round = jax.tree.map(_single, problem)
        near = _newton(single, _single(labels), family, _single(start), SINGLE_STEPS)
        start = jnp.where(near.converged[None, None], near.coordinates.astype(labels.dtype), start)
    return _newton(problem, labels, family, start, STEPS)


def _single(values: jax.Array) -> jax.Array:
    return values.astype(jnp.float32) if jnp.issubdtype(values.dtype, jnp.floating) else values


def _newton(problem: Round, labels: jax.Array, family: Family, first_guess: jax.Array, steps: int) -> Found:
    """Iterate from a start.

    A step is accepted where the slope along it has changed from falling to at most half as steeply rising, and a
    quarter of it is tried elsewhere. All tasks iterate together; those that are done stay.

    Args:
        problem, labels, family: what to minimize.
        first_guess: `[k + 1, logit, task]`.
        steps: most evaluations.
    """
    n, logits, tasks = labels.shape
    size = problem.rows.shape[1]
    dtype = labels.dtype
    first, second = np.triu_indices(size)
    products = problem.rows[:, first] * problem.rows[:, second] / n
    place = np.zeros((size, size), np.int32)
    place[first, second] = place[second, first] = np.arange(len(first))
    pairs = list(itertools.combinations_with_replacement(range(logits), 2))
    pair = np.array([[pairs.index((min(i, j), max(i, j))) for j in range(logits)] for i in range(logits)])
    penalty = jnp.kron(problem.penalty, jnp.eye(logits, dtype=dtype))
    jitter = 4 * float(jnp.finfo(dtype).eps) * jnp.eye(size * logits, dtype=dtype)
    enough = float(jnp.finfo(dtype).eps) ** 0.7

    def at(coordinates: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return the gradient `[k + 1, logit, task]`, Newton's step, and the least pivot `[task]`."""
        flat = coordinates.reshape(size, -1)
        residual, curvature = family.residual(product(problem.rows, flat).reshape(labels.shape), labels)
        gradient = product(problem.rows.T, residual.reshape(n, -1)) / n + product(problem.penalty, flat)
        moments = product(products.T, curvature.reshape(n, -1)).reshape(len(first), len(pairs), tasks)
        blocks = moments[
            place[:, None, :, None], pair[None, :, None, :]
        ]  # [k + 1, logit, k + 1, logit, task]
        hessian = jnp.moveaxis(blocks.reshape(size * logits, size * logits, tasks), 2, 0)
        lower = jnp.linalg.cholesky(hessian + (penalty + jitter)[None])
        right = gradient.reshape(size * logits, tasks).T[..., None]
        half = jax.lax.linalg.triangular_solve(lower, right, left_side=True, lower=True)
        step = jax.lax.linalg.triangular_solve(lower, half, left_side=True, lower=True, transpose_a=True)
        pivot = jnp.min(jnp.diagonal(lower, axis1=1, axis2=2), axis=1) ** 2
        gradient = gradient.reshape(coordinates.shape)
        return gradient, -step[..., 0].T.reshape(coordinates.shape), pivot

    def advance(state: tuple[Any, ...]) -> tuple[Any, ...]:
        number, accepted, step, slope, scale, done, pivot = state
        trial = accepted + scale[None, None] * step
        gradient, fresh, least = at(trial)
        fits = jnp.sum(gradient * step, axis=(0, 1)) <= -slope / 2  # false where it is not finite
        moves = fits & ~done
        accepted = jnp.where(moves[None, None], trial, accepted)
        step = jnp.where(moves[None, None], fresh, step)
        slope = jnp.where(moves, jnp.sum(gradient * fresh, axis=(0, 1)), slope)
        scale = jnp.where(fits, 1, scale * SHORTEN)
        short = (
            jnp.sum(fresh * fresh, axis=(0, 1)) < enough * least
        )  # its square bounds what is left after it
        return (
            number + 1,
            accepted,
            step,
            slope,
            scale,
            done | (moves & short),
            jnp.where(moves, least, pivot),
        )

    start = (
        jnp.zeros((), jnp.int32),
        first_guess,
        jnp.zeros_like(first_guess),
        jnp.zeros(tasks, dtype),
        jnp.ones(tasks, dtype),
        jnp.zeros(tasks, bool),
        jnp.ones(tasks, dtype),
    )
    state = jax.lax.while_loop(lambda s: (s[0] < steps) & ~jnp.all(s[5]), advance, start)
    _, accepted, step, _, _, done, pivot = state
    return Found(jnp.where(done[None, None], accepted + step, accepted), done, pivot)
