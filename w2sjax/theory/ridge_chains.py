"""Deterministic equivalents of ridge regression on random features, for chains of models of any length.

Inputs psi are whitened coordinates, the truth is sum b_k psi_k, random features are psi' L^(1/2) F / sqrt(P) with
independent standard normal F `[D, P]` and L = diag(eigenvalues). With T = Tr L (L + v)^-1, T2 = Tr L^2 (L + v)^-2, the
fixed point v > 0 of n rows and the ridge r of (1/n) sum loss + r |b|^2 solves

    v (1 - T / P) (1 - T / n) = r,

which is nu2 of papers on random-feature ridge (n - n r / nu1 = T, P - P nu1 / nu2 = T). A model with labels
sum t_k psi_k + noise of variance s2, t fixed, has coefficients u with

    E u_k   = A_k t_k,    A = L / (L + v),
    E u_k^2 = A_k^2 t_k^2 + q v^2 (sum t^2 L / (L + v)^2) L_k / (L_k + v)^2
              + (E / n) (A_k^2 + q v^2 (Tr L (L + v)^-2) L_k / (L_k + v)^2),          q = 1 / (P - T2),

where E = s2 + its error against t solves the second line summed. All is diagonal, so that a student of a teacher with
random t needs E t_k^2 and E t_k b_k only: the equivalent of two stages follows from that of one, as does any chain.
Coordinates of one eigenvalue may stand as one, with how many they are as `copies` and with the sum of their energies.

Reference: one stage: Defilippis, Loureiro and Misiakiewicz, as used by Wu, Chen, Misiakiewicz and Mondelli 2026 (arXiv
2603.05691); recalled, checked by simulation. The form by coordinates and that of several stages are this project's.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optimistix

TOLERANCE = 1e-10
"""Largest residual of a fixed point that counts as converged."""


_NODES = 4096
"""Of integrals around a spectrum, trapezoidal rule: 1e-12 where time times the largest eigenvalue is below 400."""


class FixedPoint(NamedTuple):
    """The effective ridge v; the residual of its equation relative to r + v; and whether that is small enough."""

    value: jax.Array
    residual: jax.Array
    converged: jax.Array


class Function(NamedTuple):
    """A random function sum t_k psi_k by coordinates: E t_k^2, and E t_k b_k with the truth's b_k."""

    energy: jax.Array
    overlap: jax.Array


def truth_of(energy: jax.Array) -> Function:
    """Return the truth itself, from b_k^2."""
    return Function(energy, energy)


def effective_ridge(
    eigenvalues: jax.Array,
    samples: jax.Array,
    features: jax.Array,
    ridge: jax.Array,
    copies: jax.Array | float = 1.0,
) -> FixedPoint:
    """Solve for v by bisection of its logarithm and Newton's method; maps by `vmap`, differentiates by `grad`.

    Args:
        eigenvalues: `[D]`, >= 0, some of them positive.
        samples, features: n and P, float; infinite for the population, and for all of the inputs as features.
        ridge: r >= 0. At 0 v is 0 where n and P are no fewer than the positive eigenvalues.
        copies: `[D]` or 1, how many coordinates have each eigenvalue.
    """
    least = jnp.minimum(samples, features)
    rank = jnp.sum(jnp.where(eigenvalues > 0, copies, 0.0))
    smallest = jnp.min(jnp.where(eigenvalues > 0, eigenvalues, jnp.inf))
    total = jnp.sum(copies * eigenvalues)
    bounded = least < rank
    inside = jnp.where(bounded, least, rank / 2)
    low = jnp.log(smallest * (rank - inside) / inside) - 1
    positive = jnp.where(ridge > 0, ridge, 1.0)
    high = jnp.log(2 * total / inside + 4 * positive + smallest) + 1

    def degrees(log_value: jax.Array) -> jax.Array:
        return jnp.sum(copies * eigenvalues / (eigenvalues + jnp.exp(log_value)))

    def solve(function: Any, start: Any, below: Any, above: Any, arguments: Any) -> jax.Array:
        bisection: Any = optimistix.Bisection(  # type: ignore[call-arg]
            rtol=1e-15, atol=1e-13, expand_if_necessary=True
        )
        options = {"lower": below, "upper": above}
        first = optimistix.root_find(
            function, bisection, start, arguments, options=options, max_steps=100, throw=False
        ).value
        newton: Any = optimistix.Newton(rtol=1e-14, atol=1e-14)
        return optimistix.root_find(function, newton, first, arguments, max_steps=20, throw=False).value

    edge = solve(lambda x, a: degrees(x) - a, (low + high) / 2, low, high, inside)

    def equation(x: jax.Array, given: tuple[jax.Array, jax.Array]) -> jax.Array:
        t = degrees(x)
        return (1 - t / features) * (1 - t / samples) * jnp.exp(x) / given[0] - given[1] / given[0]

    start = jnp.where(bounded, edge, jnp.log(positive) - 1)
    found = solve(equation, (start + high) / 2, start, high, (positive, positive))
    value = jnp.where(ridge > 0, jnp.exp(found), jnp.where(bounded, jnp.exp(edge), 0.0))
    shares = eigenvalues / (eigenvalues + jnp.where(value > 0, value, 1.0))
    t = jnp.where(value > 0, jnp.sum(copies * shares), rank)
    slack = (1 - t / features) * (1 - t / samples) * value - ridge
    residual = jnp.abs(slack) / jnp.where(ridge + value > 0, ridge + value, 1.0)
    return FixedPoint(value, residual, residual < TOLERANCE)


class Stage(NamedTuple):
    """What one model of a chain does: the fixed point, its function, its error against its own labels' function."""

    point: FixedPoint
    function: Function
    misfit: jax.Array


def ridge_stage(
    eigenvalues: jax.Array,
    taught: Function,
    samples: jax.Array,
    features: jax.Array,
    ridge: jax.Array,
    noise: jax.Array,
    copies: jax.Array | float = 1.0,
) -> Stage:
    """Return a ridge model on random features, taught by a function with independent label noise.

    Args:
        eigenvalues: `[D]`, L of its features; 0 for coordinates that it does not see.
        taught: by coordinates.
        samples, features, ridge: as in `effective_ridge`.
        noise: variance of the labels' noise.
        copies: as in `effective_ridge`.
    """
    point = effective_ridge(eigenvalues, samples, features, ridge, copies)
    v = point.value
    seen = eigenvalues + v > 0
    share = jnp.where(seen, eigenvalues / jnp.where(seen, eigenvalues + v, 1.0), 0.0)
    rest = jnp.where(seen, v / jnp.where(seen, eigenvalues + v, 1.0), 1.0)
    spread = share * rest  # v L / (L + v)^2
    room = 1 / (features - jnp.sum(copies * share**2))
    whole = jnp.sum(copies * spread)
    bias = jnp.sum(rest**2 * taught.energy) + room * whole * jnp.sum(spread * taught.energy)
    covariance = copies * (share**2 + room * whole * spread)
    used = jnp.sum(covariance) / samples
    total = (bias + noise) / (1 - used)  # E, error and noise
    energy = share**2 * taught.energy + room * jnp.sum(spread * taught.energy) * copies * spread
    energy = energy + total / samples * covariance
    return Stage(point, Function(energy, share * taught.overlap), total - noise)


def flow_stage(
    eigenvalues: jax.Array,
    taught: Function,
    time: jax.Array,
    features: jax.Array | float = jnp.inf,
    copies: jax.Array | float = 1.0,
) -> Stage:
    """Return gradient flow from 0 on the population, stopped at a time, as the last model of a chain.

    The Gram operator A of the features keeps h = 1 - exp(-time A) of its labels' function, so that the error needs the
    diagonals of E h and E h^2. With z(v) = -v (1 - T/P) the resolvent (A - z)^-1 is v / (-z) (L + v)^-1 on the average,
    and Cauchy's formula around the spectrum is an integral over v:

        E f(A)_kk = (1 / 2 pi i) integral of f(z) (1 + v S / (P - T)) / (L_k + v) dv,    S = Tr L (L + v)^-2.

    Args:
        eigenvalues, taught, copies: as in `ridge_stage`.
        time: > 0.
        features: P; infinite gives 1 - exp(-time L).
    """
    point, share, square = flow_filter(eigenvalues, time, features, copies)
    misfit = jnp.sum((1 - 2 * share + square) * taught.energy)
    return Stage(point, Function(square * taught.energy, share * taught.overlap), misfit)


def flow_filter(
    eigenvalues: jax.Array, time: jax.Array, features: jax.Array | float, copies: jax.Array | float
) -> tuple[FixedPoint, jax.Array, jax.Array]:
    """Return where the contour of `flow_stage` begins, and the diagonals `[D]` of E h and E h^2."""
    own = 3 / time  # the ridge where the contour crosses the real axis: exp(-time z) is at most exp(3) there
    point = effective_ridge(eigenvalues, jnp.full_like(time, jnp.inf), jnp.asarray(features), own, copies)
    right, left = point.value, 1.5 * (jnp.max(eigenvalues) + jnp.sum(copies * eigenvalues) / features)
    turns = (jnp.arange(_NODES, dtype=eigenvalues.dtype) + 0.5) / _NODES
    angle = jax.lax.complex(jnp.cos(2 * jnp.pi * turns), jnp.sin(2 * jnp.pi * turns))
    kind, per_feature = angle.dtype, 1 / jnp.asarray(features)
    radius = ((right + left) / 2).astype(kind)
    v = ((right - left) / 2).astype(kind) + radius * angle
    shifted = eigenvalues.astype(kind)[None, :] + v[:, None]
    many = jnp.broadcast_to(jnp.asarray(copies), eigenvalues.shape)
    ratio = (many * eigenvalues).astype(kind)[None, :] / shifted
    t = jnp.sum(ratio, axis=1) * per_feature.astype(kind)  # T / P
    s = jnp.sum(ratio / shifted, axis=1) * per_feature.astype(kind)
    kept = -jnp.expm1(time.astype(kind) * v * (1 - t))
    weight = (1 + v * s / (1 - t)) * angle * radius / _NODES
    share, square = (jnp.sum((weight * f)[:, None] / shifted, axis=0).real for f in (kept, kept**2))
    return point, share, square


def error_of(function: Function, energy: jax.Array) -> jax.Array:
    """Return the mean squared distance of a function from the truth with b_k^2 = energy."""
    return jnp.sum(function.energy - 2 * function.overlap + energy)
