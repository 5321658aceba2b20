"""Least squares on core features times spurious ones, whose groups have other shares in every sample.

Rows are z (x) w, z ~ N(0, I_d), w = [1, the spurious features that the teacher sees]; v likewise for the student. With
gamma = d / n_weak, nu = d / n_strong and mixtures E_l, E_u, E_t over the groups of the samples, for d -> infinity at a
fixed number of spurious features:

    G^-1 = E_l[w w' / (1 + gamma w'G w)],    weak_error = s^2 gamma E_t[w'G w],
    H^-1 = E_u[v v' / (1 + nu v'H v)],       M = H E_u[v w' / (1 + nu v'H v)],       ceiling_error = s^2 nu E_t[v'H v],
    C = nu H E_u[v v' (s^2 gamma r'G r + v'C v) / (1 + nu v'H v)^2] H,               r = w - M'v,
    w2s_error = E_t[s^2 gamma v'M G M'v + v'C v],      misfit = E_t[s^2 gamma r'G r + v'C v].

The teacher's errors of the coefficients have the covariance (s^2 / n_weak) I (x) G. What the student's class holds of
w'e is M'v; the rest r is noise to it, whose variance depends on the group, and C is what that leaves at finite n.
Errors of finite d are of order 1 / d. These equations are this project's, checked by simulation.

`published_errors` has the formulas of Liu, Dong et al. 2026 (OpenReview 5hfa2itwGz) as a third party's note gives them,
not verified against the paper: gamma -> 0, and, as simulation shows, too small unless eta_l is.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optimistix

from w2sjax.engine.protocol import Protocol
from w2sjax.heads import RidgeThroughOrigin
from w2sjax.theory.base import Theory, require
from w2sjax.theory.random_features import in_double
from w2sjax.theory.usual import require_chain, require_world
from w2sjax.worlds.groups import SpuriousGroups

TOLERANCE = 1e-10

_POINTS = 2**11
"""Quasi-random points that expectations over the spurious features are taken on, with their negatives."""


class Factor(NamedTuple):
    """A fixed point G `[p, p]`, the norm of its residual relative to G^-1, and whether it is below 1e-10."""

    matrix: jax.Array
    residual: jax.Array
    converged: jax.Array


class Mixture(NamedTuple):
    """Points `[m, p]` of the features that multiply the core ones, and their weights `[m]`, which sum to 1."""

    weak: Any
    strong: Any
    weights: Any


def mixtures(spurious: int, windows: Any, shift: Any, shares: Any) -> list[Mixture]:
    """Return one mixture per share of the minority: both groups on the same quasi-random normal points."""
    from scipy.stats import norm, qmc

    points = np.zeros((1, 0))
    if spurious:
        half = norm.ppf(qmc.Sobol(spurious, seed=0).random(_POINTS))
        points = np.concatenate([half, -half])
        points /= np.sqrt((points**2).mean(0))
    both = jnp.concatenate([jnp.asarray(points), jnp.asarray(points) + shift])
    one = jnp.ones((both.shape[0], 1))
    seen = {name: jnp.concatenate([one, both[:, a : a + count]], axis=1) for name, a, count in windows}
    first = jnp.arange(both.shape[0], dtype=jnp.int32) < len(points)
    weights = [jnp.where(first, 1 - share, share) / len(points) for share in shares]
    return [Mixture(seen["weak"], seen["strong"], own) for own in weights]


def _mean(weights: Any, values: Any, left: Any, right: Any) -> jax.Array:
    return jnp.einsum("m,mp,mq->pq", weights * values, left, right, precision="highest")


def _form(points: Any, matrix: Any) -> jax.Array:
    return jnp.einsum("mp,pq,mq->m", points, matrix, points, precision="highest")


def factor(points: jax.Array, weights: jax.Array, ratio: jax.Array) -> Factor:
    """Solve G^-1 = E[w w' / (1 + ratio w'G w)] by Newton's method; maps by `vmap`, differentiates by `grad`.

    Args:
        points, weights: of w.
        ratio: core features per sample; ratio times the features must be below 1.
    """

    def equation(matrix: jax.Array, arguments: Any) -> jax.Array:
        second = _mean(
            arguments[1], 1 / (1 + arguments[2] * _form(arguments[0], matrix)), *[arguments[0]] * 2
        )
        return jnp.matmul(second, matrix, precision="highest") - jnp.eye(matrix.shape[0])

    second = _mean(weights, jnp.ones_like(weights), points, points)
    width = points.shape[1]
    start = jnp.linalg.inv(second) / jnp.maximum(1 - ratio * width, 0.05)
    newton: Any = optimistix.Newton(rtol=1e-13, atol=1e-13)
    given = (points, weights, ratio)
    found = optimistix.root_find(equation, newton, start, given, max_steps=60, throw=False).value
    residual = jnp.linalg.norm(equation(found, given))
    positive = jnp.all(jnp.isfinite(found)) & (jnp.linalg.eigvalsh(found)[0] > 0)
    return Factor(found, residual, (residual < TOLERANCE) & positive)


@jax.jit
def group_chain(
    weak: Mixture, strong: Mixture, test: Mixture, ratios: Any, noise: Any
) -> dict[str, jax.Array]:
    """Return errors in squared label units, and `converged`.

    Args:
        weak, strong, test: the mixtures of the three samples.
        ratios: gamma and nu.
        noise: variance of the labels' noise.
    """
    gamma, nu = ratios
    teacher = factor(weak.weak, weak.weights, gamma)
    student = factor(strong.strong, strong.weights, nu)
    taught = noise * gamma * teacher.matrix
    h, w, v = student.matrix, strong.weak, strong.strong
    less = 1 / (1 + nu * _form(v, h))
    m = jnp.matmul(h, _mean(strong.weights, less, v, w), precision="highest")
    rest = _form(w - jnp.matmul(v, m, precision="highest"), taught)
    sides = jnp.matmul(v, h, precision="highest")
    source = nu * _mean(strong.weights, less**2 * rest, sides, sides)
    size = source.shape[0]
    basis = jnp.eye(size * size).reshape(-1, size, size)
    through = jax.vmap(lambda c: nu * _mean(strong.weights, less**2 * _form(v, c), sides, sides))(basis)
    system = jnp.eye(size * size) - through.reshape(size * size, -1).T
    spread = jnp.linalg.solve(system, source.reshape(-1)).reshape(size, size)

    def mean(values: jax.Array) -> jax.Array:
        return jnp.sum(test.weights * values)

    projected = jnp.matmul(test.strong, m, precision="highest")
    noisy = mean(_form(test.strong, spread))
    found = {
        "weak_error": mean(_form(test.weak, taught)),
        "w2s_error": mean(_form(projected, taught)) + noisy,
        "ceiling_error": noise * nu * mean(_form(test.strong, h)),
        "misfit": mean(_form(test.weak - projected, taught)) + noisy,
    }
    found["gain"] = found["weak_error"] - found["w2s_error"]
    return found | {"converged": teacher.converged & student.converged}


def published_errors(world: SpuriousGroups, protocol: Protocol) -> dict[str, float]:
    """Return weak_error, w2s_error and gain by the formulas of a third party's note, to first order in gamma.

        s^2 gamma (p_T + |(eta_t - eta_l) mu_T|^2),
        s^2 gamma (1 + |Xi|^2 + |(eta_u - eta_l) mu_T + (eta_t - eta_u) Xi mu_S|^2),

    Xi = T'S, |Xi|^2 the number of spurious features that both see; the term of order nu is left out.
    """
    gamma, noise = world.dim / protocol.n_weak, float(protocol.label_noise) ** 2
    least, more, test = (float(getattr(world, f"minority_{name}")) for name in ("weak", "strong", "eval"))
    alone, both = world.weak_spurious - world.shared, world.shared
    square = float(world.shift) ** 2
    weak = 1 + world.weak_spurious + (test - least) ** 2 * square * world.weak_spurious
    student = 1 + both + square * (alone * (more - least) ** 2 + both * (test - least) ** 2)
    errors = {"weak_error": noise * gamma * weak, "w2s_error": noise * gamma * student}
    return errors | {"gain": errors["weak_error"] - errors["w2s_error"]}


def _assume(world: Any, protocol: Protocol) -> None:
    require_world(world, SpuriousGroups, "core features times spurious ones")
    require_chain(protocol, RidgeThroughOrigin, "least squares without intercept")
    for stage, name in zip(protocol.chain()[:2], ("weak", "strong"), strict=True):
        ridge, n = float(stage.head.ridge), getattr(protocol, f"n_{name}")  # type: ignore[attr-defined]
        require(ridge == 0, "least squares", f"ridge={ridge:g} of {stage.name}", "set it to 0")
        width = world.dim * (1 + getattr(world, f"{name}_spurious"))
        require(
            n >= 1.2 * width,
            "more samples than 1.2 times the features, below which errors diverge",
            f"n_{name}={n} with {width} features",
            f"set n_{name} to {-(-width * 6 // 5)} or more",
        )
    require(world.dim >= 20, "many core features", f"dim={world.dim}", "set it to 20 or more")


@in_double
def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    names = ("weak", "strong", "eval")
    shares = [float(getattr(world, f"minority_{name}")) for name in names]
    spurious = world.weak_spurious + world.strong_spurious - world.shared
    samples = mixtures(spurious, world.windows(), float(world.shift), shares)
    ratios = tuple(jnp.asarray(world.dim / n) for n in (protocol.n_weak, protocol.n_strong))
    found = group_chain(*samples, ratios, jnp.asarray(float(protocol.label_noise) ** 2))
    require(bool(found.pop("converged")), "a fixed point within 1e-10", "the ratio", "raise the samples")
    return {name: float(value) for name, value in found.items()}


def _finite_size(world: Any, protocol: Protocol) -> float:
    return 1 / world.dim


GROUPS = Theory(
    name="groups in proportion",
    reference="Liu, Dong et al. 2026 (model, as noted); the fixed point is this project's",
    assume=_assume,
    expect=_expect,
    finite_size=_finite_size,
)

PUBLISHED_GROUPS = Theory(
    name="published first order in gamma",
    reference="Liu, Dong et al. 2026, as a third party's note has it",
    assume=_assume,
    expect=published_errors,
)
"""For comparison: simulation does not support it, see docs/theory.md."""
