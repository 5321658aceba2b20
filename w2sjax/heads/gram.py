"""Ridge regression on the host from a Gram matrix: of columns or of rows, whichever are fewer."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from w2sjax.heads.base import Fit, Rows

WIDE = 64
"""Features that are fewer cost little by a singular value decomposition, which also tells rank and condition."""

LARGEST_CONDITION = 1e6
"""Bound on the condition of Gram matrix and ridge: solutions then have at least nine digits in float64."""


class Gram(NamedTuple):
    """The Gram matrix of centred features, which all ridges and labels share.

    Attributes:
        mean: `[width]`.
        matrix: Z'Z / n, or ZZ' / n where there are fewer rows than columns, with Z the centred features.
        largest: bound on the eigenvalues of both, and of what the mean was taken from.
    """

    mean: np.ndarray
    matrix: np.ndarray
    largest: float


def gram_of(sample: Rows, *, intercept: bool) -> Gram:
    """Return the Gram matrix of a sample, the one that it keeps where it keeps any. Cost: O(n d min(n, d))."""
    kept = {} if sample.kept is None else sample.kept
    if ("gram", intercept) not in kept:
        z = np.asarray(sample.features)
        rows, width = z.shape
        mean = z.mean(axis=0) if intercept else np.zeros_like(z[0])
        matrix = (z @ z.T if rows < width else z.T @ z) / rows
        largest = float(np.trace(matrix))
        if rows < width:
            along = z @ mean / rows
            matrix -= along[:, None] + along[None, :] - mean @ mean / rows
        else:
            matrix -= np.outer(mean, mean)
        kept["gram", intercept] = Gram(mean, matrix, largest)
    found: Gram = kept["gram", intercept]
    return found


def suits_gram(sample: Rows, ridge: Any, *, intercept: bool) -> bool:
    """Say whether a Gram matrix loses no digits that count: wide float64 features on the host, and enough of a ridge.

    The bound on the largest eigenvalue is the trace before the mean was taken from it, so that large means do not go
    this way.
    """
    features = sample.features
    if not isinstance(features, np.ndarray) or features.dtype != np.float64 or features.shape[1] < WIDE:
        return False
    ridge = float(ridge)
    return ridge > 0 and 0 < gram_of(sample, intercept=intercept).largest <= LARGEST_CONDITION * ridge


def fit_by_gram(
    sample: Rows, labels: np.ndarray, ridge: float, *, intercept: bool
) -> tuple[np.ndarray, np.ndarray, Fit]:
    """Minimize (1/n) sum (z'b + c - y)^2 + ridge |b|^2 by a Cholesky factorization.

    Returns:
        Weights `[width, task]`, bias `[task]`, and a `Fit` that knows no condition: its rank is the most there can be,
        of columns that are not constant.

    Cost: O(min(n, d)^3) beside the Gram matrix. A sample that keeps things keeps the factorization of every ridge.
    """
    import scipy.linalg

    gram = gram_of(sample, intercept=intercept)
    kept = {} if sample.kept is None else sample.kept
    if ("factor", intercept, ridge) not in kept:
        shifted = gram.matrix.copy()
        shifted[np.diag_indices_from(shifted)] += ridge
        kept["factor", intercept, ridge] = scipy.linalg.cho_factor(
            shifted, lower=True, overwrite_a=True, check_finite=False
        )
    factor = kept["factor", intercept, ridge]
    z = sample.features
    rows, width = z.shape
    mean = labels.mean(axis=0) if intercept else np.zeros_like(labels[0])
    targets = (labels - mean) / rows
    if rows < width:
        dual = scipy.linalg.cho_solve(factor, targets, check_finite=False)
        weights = z.T @ dual - np.outer(gram.mean, dual.sum(axis=0))
    else:  # the mean of the targets is 0: z need not be centred
        weights = scipy.linalg.cho_solve(factor, z.T @ targets, check_finite=False)
    varying = int(np.count_nonzero(np.any(z != z[:1], axis=0))) if rows > width else width
    rank = np.int32(min(rows - 1 if intercept else rows, varying))
    fit = Fit(
        rank=rank,
        condition=np.float64(jnp.nan),
        dropped=np.int32(width - rank),
        effect=np.float64(0),
        code=np.int32(0),
    )
    return weights, mean - gram.mean @ weights, fit
