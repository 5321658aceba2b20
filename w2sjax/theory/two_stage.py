"""Two stages of ridge regression in the proportional limit: when a student beats the teacher that labels for it.

Moniri and Hassani 2025 (arXiv 2505.18346) show that a student compensates a teacher of too little ridge, and, by a
penalty that is aligned with the target, one of an even penalty. The text was not at hand: the expressions here are this
project's, from the equivalents of `w2sjax.theory.equivalents` in a chain, and are checked by simulation and against
closed forms.

Features are Gaussian with independent coordinates; both models see all of them. With an intercept n rows have n - 1
degrees of freedom, and a fresh row is off the sample's mean, which adds |b - b_hat|^2 / n.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.protocol import Protocol
from w2sjax.heads.ridge import Ridge
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require
from w2sjax.theory.equivalents import Coefficients, Effective, effective_ridge, fit_moments
from w2sjax.worlds.power_law import PowerLaw


class TwoStage(NamedTuple):
    """Expected errors in squared label units, and whether the fixed points of both stages converged."""

    weak_error: Any
    w2s_error: Any
    ceiling_error: Any
    misfit: Any
    converged: Any

    @property
    def gain(self) -> Any:
        """weak_error - w2s_error."""
        return self.weak_error - self.w2s_error


def two_stage_ridge(
    spectrum: Any,
    target: Any,
    n_weak: Any,
    weak_ridge: Any,
    n_strong: Any,
    ridge: Any,
    noise: Any,
    weight: Any = None,
) -> TwoStage:
    """Return the errors of a ridge teacher, of its student and of the ceiling, for any number of settings at once.

    Args:
        spectrum: `[feature]`, variances of the coordinates.
        target: `[feature]`, coefficients of the truth; only their squares matter.
        n_weak, weak_ridge, n_strong, ridge, noise: numbers or arrays that broadcast; ridges as of `w2sjax.heads.Ridge`,
            noise the standard deviation on true labels.
        weight: `[feature]`, by which the student's features are multiplied: its penalty is sum (b / weight)^2.

    Returns:
        `TwoStage` of NumPy arrays of the broadcast shape; NaN where a fixed point did not converge.

    Cost: three fixed points per setting, 50 passes over the spectrum each; in float64 whatever the x64 flag.
    """
    given = np.broadcast_arrays(*(np.asarray(v, float) for v in (n_weak, weak_ridge, n_strong, ridge, noise)))
    shape = given[0].shape
    spectrum, target = np.asarray(spectrum, float), np.asarray(target, float)
    weight = np.ones_like(spectrum) if weight is None else np.asarray(weight, float)
    with jax.enable_x64(True):
        arrays = [jnp.asarray(v.ravel()) for v in given]
        found = _all_settings(jnp.asarray(spectrum), jnp.asarray(target), jnp.asarray(weight), *arrays)
        return TwoStage(*(np.asarray(v).reshape(shape) for v in found))


@jax.jit
def _all_settings(
    spectrum: jax.Array, target: jax.Array, weight: jax.Array, *settings: jax.Array
) -> TwoStage:
    one = functools.partial(_one_setting, spectrum, target, weight)
    return jax.lax.map(lambda each: one(*each), settings, batch_size=256)


def _one_setting(
    spectrum: jax.Array,
    target: jax.Array,
    weight: jax.Array,
    n_weak: jax.Array,
    weak_ridge: jax.Array,
    n_strong: jax.Array,
    ridge: jax.Array,
    noise: jax.Array,
) -> TwoStage:
    def fitted(
        labels: Coefficients, own: Any, n: Any, penalty: Any, by: Any
    ) -> tuple[Coefficients, Effective]:
        effective = effective_ridge(spectrum * by**2, n - 1, penalty * n / (n - 1))
        return fit_moments(spectrum, labels, own, n - 1, effective, by), effective

    def distance(fit: Coefficients, to: jax.Array) -> jax.Array:
        return jnp.sum(spectrum * (fit.square - 2 * fit.mean * to + to**2))

    truth, even = Coefficients(target, target**2), jnp.ones_like(weight)
    weak, of_weak = fitted(truth, noise, n_weak, weak_ridge, even)
    offset = (distance(weak, target) + noise**2) / n_weak  # of the teacher's intercept
    weak_error = distance(weak, target) + offset
    student, of_student = fitted(weak, jnp.zeros_like(noise), n_strong, ridge, weight)
    # Of the labels that the student sees, b_hat keeps (1 - zeta) b in the mean.
    misfit = jnp.sum(spectrum * (student.square - 2 * (1 - of_student.zeta) * weak.square + weak.square))
    misfit = misfit * (1 + 1 / n_strong)
    w2s_error = distance(student, target) + misfit / (n_strong + 1) + offset
    ceiling, of_ceiling = fitted(truth, noise, n_strong, ridge, weight)
    ceiling_error = distance(ceiling, target) * (1 + 1 / n_strong) + noise**2 / n_strong
    converged = of_weak.converged & of_student.converged & of_ceiling.converged
    found = TwoStage(weak_error, w2s_error, ceiling_error, misfit, converged)
    masked = {name: jnp.where(converged, getattr(found, name), jnp.nan) for name in TwoStage._fields[:-1]}
    return found._replace(**masked)


def _assume(world: Any, protocol: Protocol) -> None:
    require(
        isinstance(world, PowerLaw),
        "independent Gaussian features",
        f"world={type(world).__name__}(...)",
        "pass a PowerLaw",
    )
    require(protocol.stages is None, "the usual three stages", "stages=...", "leave them out")
    for stage in protocol.chain():
        plain = isinstance(stage.head, Ridge) and isinstance(stage.method, Naive)
        require(plain, "ridge regression", f"head={stage.head!r} of {stage.name}", "set head=Ridge(...)")
        ridge = float(stage.head.ridge)  # type: ignore[attr-defined]
        n = getattr(protocol, f"n_{stage.split}")
        require(
            ridge > 0 or not 0.5 < (n - 1) / world.dim < 2,
            "a ridge, or samples far from as many as features: at ridge 0 the variance diverges there",
            f"ridge={ridge:g} of {stage.name} with {n} samples of {world.dim} features",
            "raise the ridge",
        )
    require(not protocol.reuse_inputs, "fresh inputs", "reuse_inputs=True", "set reuse_inputs=False")
    for field in ("n_weak", "n_strong"):
        n = getattr(protocol, field)
        require(
            min(n, world.dim) >= 30,
            "many samples and features",
            f"{field}={n}, dim={world.dim}",
            "take 30 or more",
        )


def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    weak, student = (stage.head.ridge for stage in protocol.chain()[:2])  # type: ignore[attr-defined]
    found = two_stage_ridge(
        world.spectrum(),
        world.target(),
        protocol.n_weak,
        float(weak),
        protocol.n_strong,
        float(student),
        float(protocol.label_noise),
        world.weight(),
    )
    names = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain")
    return {name: float(getattr(found, name)) for name in names}


TWO_STAGE = Theory(
    name="two-stage ridge, proportional limit",
    reference="Moniri, Hassani 2025 (expressions of this project)",
    assume=_assume,
    expect=_expect,
    finite_size=lambda world, protocol: 1 / min(protocol.n_weak, protocol.n_strong, world.dim),
)
