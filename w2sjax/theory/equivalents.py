"""Deterministic equivalents of ridge regression in high dimension: the ridge that features of finite number see.

For n rows of Gaussian features with the variances lambda_i and the ridge of `w2sjax.heads.Ridge`, kappa solves

    kappa = ridge + (kappa / n) sum_i lambda_i / (lambda_i + kappa),

and zeta_i = kappa / (lambda_i + kappa) is what the fit leaves of coefficient i, in the limit of many features and rows
in proportion; errors of finite size are of order 1/n. It is the fixed point of `w2sjax.theory.ridge_chains` for
infinitely many random features; to a residual below 1e-10 of kappa where `converged`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.theory import ridge_chains


class Effective(NamedTuple):
    """The effective ridge of a sample.

    Attributes:
        kappa: >= 0, in squared feature units; 0 at ridge 0 with more rows than features.
        zeta: `[feature]`, in [0, 1], the share of each coefficient that is lost.
        omega: sum (1 - zeta)^2 / n, in [0, 1): 1 / (1 - omega) is how the variance is amplified.
        residual: of the fixed point, relative to kappa.
        converged: whether it is below 1e-10.
    """

    kappa: Any
    zeta: Any
    omega: Any
    residual: Any
    converged: Any


def effective_ridge(spectrum: jax.Array, n: jax.Array | float, ridge: jax.Array | float = 0.0) -> Effective:
    """Solve the fixed point for one sample; map it by `jax.vmap`. float64 is needed for the residual.

    Args:
        spectrum: `[feature]`, variances > 0.
        n: rows, > 0, a real number.
        ridge: >= 0, in squared feature units. 0 with as many rows as features has no limit: not converged.

    Cost: some 50 passes over the spectrum.
    """
    n, ridge = jnp.asarray(n, spectrum.dtype), jnp.asarray(ridge, spectrum.dtype)
    population = jnp.full_like(n, jnp.inf)  # as many random features
    kappa, residual, _ = ridge_chains.effective_ridge(spectrum, n, population, ridge)
    residual = residual * (ridge + kappa) / jnp.where(kappa > 0, kappa, 1)
    zeta = kappa / (spectrum + kappa)
    omega = jnp.sum((1 - zeta) ** 2) / n
    converged = (residual < ridge_chains.TOLERANCE) & (omega < 1 - 1e-9)
    return Effective(kappa, zeta, omega, residual, converged)


class Coefficients(NamedTuple):
    """First and second moments `[feature]` of random coefficients, those of labels or of a fit."""

    mean: Any
    square: Any


def fit_moments(
    spectrum: jax.Array, labels: Coefficients, noise: Any, n: Any, effective: Effective, weight: Any = 1.0
) -> Coefficients:
    """Return the moments of the ridge coefficients for labels x'b + noise, b independent of the sample.

        E b_hat = (1 - zeta) E b,   E b_hat^2 = (1 - zeta)^2 E b^2 + F lambda / (lambda + kappa)^2 / n,
        F = (noise^2 + sum lambda zeta^2 b^2) / (1 - omega).

    Args:
        spectrum: `[feature]`, of x.
        labels: of b.
        noise: standard deviation.
        n: rows.
        effective: of the spectrum times weight^2: the features that are penalized evenly are weight * x.
        weight: `[feature]` or 1.
    """
    kept = 1 - effective.zeta
    amplified = noise**2 + jnp.sum(spectrum * effective.zeta**2 * labels.square)
    amplified = amplified / (1 - effective.omega)
    scaled = spectrum * weight**2
    spread = amplified * weight**2 * scaled / (scaled + effective.kappa) ** 2 / n
    return Coefficients(kept * labels.mean, kept**2 * labels.square + spread)
