"""Classification by minimum-norm interpolation of signs: survival of the label's coordinate against contamination.

A label sign(psi_1) is sqrt(2 / pi) psi_1 plus what no linear function can explain, of variance 1 - 2 / pi, which acts
as noise. The moments of the fitted coefficients t_k follow from `w2sjax.theory.ridge_chains` with infinitely many
features. A classifier with coefficients t errs with probability

    1/2 - (1/pi) arctan(t_1 / sqrt(sum over k > 1 of t_k^2)),

here at the moments' values. The next model is taught t (logits), or sqrt(2 / pi) t / |t| with noise of variance
1 - 2 / pi (hard labels).

Reference: Wu and Sahai 2024 (arXiv 2410.04638) for the setting, whose results are asymptotic rates; this finite-size
form is this project's, checked by simulation.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.protocol import Protocol
from w2sjax.heads import RidgeThroughOrigin
from w2sjax.losses import ZERO_ONE
from w2sjax.methods import HardLabels
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require
from w2sjax.theory.random_features import in_double
from w2sjax.theory.ridge_chains import Function, ridge_stage
from w2sjax.theory.usual import require_world
from w2sjax.worlds.bilevel import BilevelClassification

_SHARE = 2 / math.pi


@jax.jit
def sign_chain(weak: Any, strong: Any, sizes: Any) -> dict[str, jax.Array]:
    """Return the error rates of weak model, student of logits, student of hard labels, and strong model on true labels.

    Args:
        weak, strong: eigenvalues `[dim]` over common coordinates, the label's first; 0 for those not seen.
        sizes: n_weak and n_strong, float.
    """
    first = (jnp.arange(weak.shape[0], dtype=jnp.int32) == 0).astype(weak.dtype)
    one, zero = jnp.ones((), weak.dtype), jnp.zeros((), weak.dtype)
    infinite = jnp.full_like(one, jnp.inf)
    truth = Function(_SHARE * first, _SHARE * first)
    rest = (1 - _SHARE) * one

    def fit(eigenvalues: jax.Array, taught: Function, n: jax.Array, noise: jax.Array) -> Any:
        return ridge_stage(eigenvalues, taught, n, infinite, zero, noise)

    teacher = fit(weak, truth, sizes[0], rest)
    size = jnp.sum(teacher.function.energy)
    hard = Function(
        _SHARE * teacher.function.energy / size, _SHARE**0.5 * teacher.function.overlap / size**0.5
    )
    stages = {
        "weak": teacher,
        "w2s": fit(strong, teacher.function, sizes[1], zero),
        "hard": fit(strong, hard, sizes[1], rest),
        "ceiling": fit(strong, truth, sizes[1], rest),
    }
    found = {f"{name}_error": _error_rate(stage.function) for name, stage in stages.items()}
    converged = jnp.stack([stage.point.converged for stage in stages.values()]).all()
    return found | {"gain": found["weak_error"] - found["w2s_error"], "converged": converged}


def _error_rate(function: Function) -> jax.Array:
    along = function.overlap[0] / _SHARE**0.5
    across = jnp.sqrt(jnp.maximum(jnp.sum(function.energy) - along**2, 0))
    return 0.5 - jnp.arctan2(along, across) / jnp.pi


def _assume(world: Any, protocol: Protocol) -> None:
    require_world(world, BilevelClassification, "a sign of one Gaussian coordinate")
    require(
        protocol.loss is ZERO_ONE, "misclassification rates", f"loss={protocol.loss.name!r}", "pass ZERO_ONE"
    )
    noise = float(protocol.label_noise)
    require(noise == 0, "noiseless labels", f"label_noise={noise:g}", "set it to 0")
    wanted = {"weak": Naive, "w2s": Naive, "hard": HardLabels, "ceiling": Naive}
    names = [stage.name for stage in protocol.chain()]
    require(names == list(wanted), "four stages", f"stages={names}", f"name them {list(wanted)}")
    for stage, n, sight in zip(
        protocol.chain(),
        (protocol.n_weak, *[protocol.n_strong] * 3),
        (world.sights()[0], *[world.sights()[1]] * 3),
        strict=True,
    ):
        head = isinstance(stage.head, RidgeThroughOrigin) and float(stage.head.ridge) == 0
        require(head, "minimum-norm interpolation", f"head={stage.head!r}", "set it to RidgeThroughOrigin(0)")
        require(
            isinstance(stage.method, wanted[stage.name]),
            f"{wanted[stage.name].__name__} labels of stage {stage.name}",
            f"method={stage.method!r}",
            f"set it to {wanted[stage.name].__name__}()",
        )
        width = sight.favored + sight.rest
        require(n >= 20, "many samples", f"{n} samples of stage {stage.name}", "set it to 20 or more")
        require(
            n <= 0.8 * width,
            "interpolation, fewer samples than 0.8 times the features",
            f"{n} samples of stage {stage.name} with {width} features",
            "lower the samples",
        )


@in_double
def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    weak, strong = world.sights()
    offset = max(weak.favored, strong.favored)
    dim = offset + max(weak.rest, strong.rest)
    place = jnp.arange(dim, dtype=jnp.int32)

    def variances(sight: Any) -> jax.Array:
        tail = (place >= offset) & (place < offset + sight.rest)
        return jnp.where(place < sight.favored, float(sight.large), jnp.where(tail, float(sight.small), 0.0))

    sizes = (jnp.asarray(float(protocol.n_weak)), jnp.asarray(float(protocol.n_strong)))
    found = sign_chain(variances(weak), variances(strong), sizes)
    require(bool(found.pop("converged")), "a fixed point within 1e-10", "the spectrum", "change the sizes")
    return {name: float(value) for name, value in found.items()}


SIGN_INTERPOLATION = Theory(
    name="survival against contamination",
    reference="Wu, Sahai 2024 (setting); the finite-size form is this project's",
    assume=_assume,
    expect=_expect,
    finite_size=lambda world, protocol: 1 / min(protocol.n_weak, protocol.n_strong),
)
