"""Weak-to-strong on random features: ridge at both stages, and early-stopped gradient flow on the population.

The equations are in `w2sjax.theory.ridge_chains`. References: for ridge Wu, Chen, Misiakiewicz and Mondelli 2026 (arXiv
2603.05691), whose own two-stage equivalent was not at hand: this one is this project's, checked by simulation. For a
teacher fitted on the population and a student by gradient flow Medvedev et al. 2025 (arXiv 2503.02877).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError
from w2sjax.heads import GradientFlow, RidgeThroughOrigin
from w2sjax.theory.base import Theory, require
from w2sjax.theory.ridge_chains import (
    Function,
    Stage,
    error_of,
    flow_filter,
    flow_stage,
    ridge_stage,
    truth_of,
)
from w2sjax.theory.usual import require_chain, require_world
from w2sjax.worlds.random_features import PowerLawFeatures, ScaledFeatures, TwoLevelFeatures
from w2sjax.worlds.sphere import SphereReLU

FEWEST = 20
"""Samples and features below which an equivalent, an asymptotic formula, is refused."""


@jax.jit
def ridge_chain(spectrum: Any, weak: Any, strong: Any, noise: Any) -> dict[str, jax.Array]:
    """Return expected results of two ridge stages, and `converged`; maps by `vmap` over any argument.

    Args:
        spectrum: eigenvalues, target energy and copies, `[dim]` each; see `w2sjax.theory.ridge_chains`.
        weak, strong: (samples, features, ridge) each, float.
        noise: variance of the noise of true labels.
    """
    eigenvalues, energy, copies = spectrum

    def stage(taught: Function, own: Any, noisy: Any) -> Stage:
        return ridge_stage(eigenvalues, taught, own[0], own[1], own[2], noisy, copies)

    teacher = stage(truth_of(energy), weak, noise)
    student = stage(teacher.function, strong, jnp.zeros_like(noise))
    ceiling = stage(truth_of(energy), strong, noise)
    return _results(energy, teacher, student) | {
        "ceiling_error": error_of(ceiling.function, energy),
        "converged": teacher.point.converged & student.point.converged & ceiling.point.converged,
    }


@jax.jit
def flow_chain(spectrum: Any, widths: Any, time: Any) -> dict[str, jax.Array]:
    """Return expected results of a teacher on random features and the population, and a student by gradient flow.

    Args:
        spectrum: as for `ridge_chain`.
        widths: random features of teacher and student, float; infinite for all of the inputs.
        time: at which the student is stopped.
    """
    eigenvalues, energy, copies = spectrum
    zero, infinite = jnp.zeros_like(time), jnp.full_like(time, jnp.inf)
    teacher = ridge_stage(eigenvalues, truth_of(energy), infinite, widths[0], zero, zero, copies)
    student = flow_stage(eigenvalues, teacher.function, time, widths[1], copies)
    converged = teacher.point.converged & student.point.converged
    return _results(energy, teacher, student) | {"converged": converged}


@jax.jit
def best_flow_ratios(spectrum: Any, weak: Any, strong: Any, times: Any) -> jax.Array:
    """Return least w2s_error / weak_error over times, `[weak, strong]`; NaN where a fixed point did not converge.

    Args:
        spectrum: as for `ridge_chain`.
        weak, strong, times: widths of teachers and students, and when students may be stopped, arrays of one axis.

    Cost: one filter per student and time, one fixed point per teacher.
    """
    eigenvalues, energy, copies = spectrum
    zero = jnp.zeros((), eigenvalues.dtype)

    def teacher(width: jax.Array) -> Any:
        infinite = jnp.full_like(width, jnp.inf)
        stage = ridge_stage(eigenvalues, truth_of(energy), infinite, width, zero, zero, copies)
        return stage.function, stage.point.converged

    def student(width: jax.Array) -> Any:
        return jax.lax.map(lambda time: flow_filter(eigenvalues, time, width, copies), times)

    taught, certain = jax.vmap(teacher)(weak)
    points, share, square = jax.lax.map(student, strong)  # [strong, time, level]
    product = functools.partial(jnp.einsum, "stl,wl->wst", precision="highest")
    errors = product(square, taught.energy) - 2 * product(share, taught.overlap) + jnp.sum(energy)
    own = jnp.sum(taught.energy - 2 * taught.overlap + energy[None, :], axis=1)
    known = certain[:, None, None] & points.converged[None]
    return jnp.min(jnp.where(known, errors, jnp.nan), axis=2) / own[:, None]


def _results(energy: Any, teacher: Any, student: Any) -> dict[str, jax.Array]:
    weak, w2s = (error_of(stage.function, energy) for stage in (teacher, student))
    return {
        "weak_error": weak,
        "w2s_error": w2s,
        "misfit": student.misfit,
        "gain": weak - w2s,
        "deviation": weak - w2s - student.misfit,
    }


def _spectrum_of(world: Any) -> tuple[jax.Array, ...]:
    """Return eigenvalues, energy and copies of a world, coordinates of one variance together where it has them so."""
    found = getattr(world, "levels", world.spectrum)()
    return tuple(jnp.asarray(values, jnp.float64) for values in found)


def _numbers(*values: Any) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(float(value)) for value in values)


def _checked(found: dict[str, jax.Array]) -> dict[str, float]:
    if not bool(found.pop("converged")):
        raise W2SError("the fixed point did not converge to 1e-10: move away from samples = features.")
    return {name: float(value) for name, value in found.items()}


def in_double[T](function: T) -> T:
    """Return a function that runs with the x64 flag set: fixed points need float64."""

    @functools.wraps(function)  # type: ignore[arg-type]
    def run(*arguments: Any, **options: Any) -> Any:
        with jax.enable_x64(True):
            return function(*arguments, **options)  # type: ignore[operator]

    return run  # type: ignore[return-value]


def smallest(world: Any, protocol: Protocol) -> int:
    """Return the least of samples and random features, which the error of an equivalent goes by."""
    widths = [width for width in (world.weak_width, world.strong_width) if width]
    return min(protocol.n_weak, protocol.n_strong, *widths)


def _require_sizes(sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        require(size >= FEWEST, "many samples and features", f"{name}={size}", f"set it to {FEWEST} or more")


def _assume_ridge(world: Any, protocol: Protocol) -> None:
    require_world(world, (PowerLawFeatures, TwoLevelFeatures), "linear random features of Gaussian inputs")
    require(not world.population, "independent samples", "population=True", "set it to False")
    require_chain(protocol, RidgeThroughOrigin, "ridge regression without intercept")
    widths = {f"{name}_width": getattr(world, f"{name}_width") for name in ("weak", "strong")}
    _require_sizes({name: width for name, width in widths.items() if width})
    _require_sizes({name: getattr(protocol, name) for name in ("n_weak", "n_strong")})
    for stage, name in zip(protocol.chain()[:2], ("weak", "strong"), strict=True):
        ridge, n = float(stage.head.ridge), getattr(protocol, f"n_{name}")  # type: ignore[attr-defined]
        width = widths[f"{name}_width"] or world.dim
        near = abs(n - width) < 0.1 * max(n, width)
        require(
            ridge > 0 or not near,
            "a positive ridge near as many samples as features, where errors diverge",
            f"ridge={ridge:g} with n_{name}={n} and {width} features",
            "raise the ridge, or move n away",
        )


@in_double
def _expect_ridge(world: Any, protocol: Protocol) -> dict[str, float]:
    weak, strong = (
        _numbers(n, width or np.inf, stage.head.ridge)  # type: ignore[attr-defined]
        for n, width, stage in zip(
            (protocol.n_weak, protocol.n_strong),
            (world.weak_width, world.strong_width),
            protocol.chain()[:2],
            strict=True,
        )
    )
    found = ridge_chain(_spectrum_of(world), weak, strong, _numbers(protocol.label_noise**2)[0])
    return _checked(found)


def _assume_flow(world: Any, protocol: Protocol) -> None:
    kinds = (PowerLawFeatures, TwoLevelFeatures, ScaledFeatures, SphereReLU)
    require_world(world, kinds, "random features, linear ones of Gaussian inputs or ReLU ones on a sphere")
    require(world.population, "training on the population", "population=False", "set it to True")
    for name in ("n_weak", "n_strong", "n_eval"):
        n = getattr(protocol, name)
        rows = world.table_rows()
        require(n == rows, "training on the population", f"{name}={n}", f"set it to the table's {rows} rows")
    _require_sizes({"weak_width": world.weak_width})
    if world.strong_width:
        _require_sizes({"strong_width": world.strong_width})
    weak, student = protocol.chain()[:2]
    least = isinstance(weak.head, RidgeThroughOrigin) and float(weak.head.ridge) == 0
    require(
        least, "a least-squares teacher", f"weak_head={weak.head!r}", "set weak_head=RidgeThroughOrigin(0)"
    )
    flow = isinstance(student.head, GradientFlow)
    require(flow, "a student by gradient flow", f"head={student.head!r}", "set head=GradientFlow(time)")
    noise = float(protocol.label_noise)
    require(noise == 0, "noiseless labels", f"label_noise={noise:g}", "set it to 0")


@in_double
def _expect_flow(world: Any, protocol: Protocol) -> dict[str, float]:
    time = protocol.chain()[1].head.time  # type: ignore[attr-defined]
    weak, strong, time = _numbers(world.weak_width, world.strong_width or np.inf, time)
    return _checked(flow_chain(_spectrum_of(world), (weak, strong), time))


RANDOM_FEATURE_RIDGE = Theory(
    name="deterministic equivalents",
    reference="Wu, Chen, Misiakiewicz, Mondelli 2026 (one stage); two stages: this project",
    assume=_assume_ridge,
    expect=_expect_ridge,
    finite_size=lambda world, protocol: 1 / smallest(world, protocol),
)

RANDOM_FEATURE_FLOW = Theory(
    name="deterministic equivalents, gradient flow",
    reference="Medvedev et al. 2025 (setting); the equivalent is this project's",
    assume=_assume_flow,
    expect=_expect_flow,
    finite_size=lambda world, protocol: 1 / world.weak_width,
)
