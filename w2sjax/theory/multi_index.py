"""A student that is fine-tuned on the labels of a teacher which cannot express the hard part of the target.

Student and labels are reckoned from the student's start b0: the teacher's function less b0, on inputs and the hard
feature, all of variance 1 and uncorrelated, is learned by ridge (`w2sjax.theory.ridge_chains`), and compared with the
truth less b0. A large ridge keeps the hard part and learns little of the easy one; none learns the teacher. The hard
part is noise of its variance to the teacher, and its feature a Gaussian one to the student: both hold in the limit
of many inputs.

Reference: the third mechanism of Moniri and Hassani 2025 (arXiv 2505.18346), not at hand: a student learns the easy
part from its teacher, and has the hard one from pre-training. Model and equations are this project's.
"""

from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.protocol import Protocol
from w2sjax.heads import FineTuned, RidgeThroughOrigin
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require
from w2sjax.theory.random_features import in_double
from w2sjax.theory.ridge_chains import Function, error_of, ridge_stage
from w2sjax.theory.usual import require_world
from w2sjax.worlds.multi_index import MultiIndex


@jax.jit
def fine_tuned_chain(target: Any, weak: Any, strong: Any, start: Any, noise: Any) -> dict[str, jax.Array]:
    """Return errors in squared label units, and `converged`; maps by `vmap`.

    Args:
        target: easy, hard and the number of inputs, float.
        weak, strong: samples and ridge each, float.
        start: the student's coefficient of the hard feature.
        noise: variance of the labels' noise.
    """
    easy, hard, dim = target
    zero, one, infinite = jnp.zeros_like(easy), jnp.ones_like(easy), jnp.full_like(easy, jnp.inf)
    # Coordinates: the first input, the others together, the hard feature.
    seen, linear = jnp.stack([one, one, zero]), jnp.stack([one, dim - 1, zero])
    truth = jnp.stack([easy**2, zero, zero])
    known = Function(truth, truth)
    teacher = ridge_stage(seen, known, weak[0], infinite, weak[1], noise + hard**2, linear)
    taught = Function(
        teacher.function.energy.at[2].set(start**2),
        teacher.function.overlap.at[2].set(-start * (hard - start)),
    )
    everything, copies = jnp.ones_like(seen), jnp.stack([one, dim - 1, one])
    student = ridge_stage(everything, taught, strong[0], infinite, strong[1], zero, copies)
    weak_error = error_of(teacher.function, truth) + hard**2
    w2s_error = error_of(student.function, truth.at[2].set((hard - start) ** 2))
    return {
        "weak_error": weak_error,
        "w2s_error": w2s_error,
        "misfit": student.misfit,
        "gain": weak_error - w2s_error,
        "converged": teacher.point.converged & student.point.converged,
    }


@in_double
def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    weak, student = (stage.head for stage in protocol.chain()[:2])

    def numbers(*values: Any) -> tuple[jax.Array, ...]:
        return tuple(jnp.asarray(float(value)) for value in values)

    found = fine_tuned_chain(
        numbers(world.easy, world.hard, world.dim),
        numbers(protocol.n_weak, weak.ridge),  # type: ignore[attr-defined]
        numbers(protocol.n_strong, student.ridge),  # type: ignore[attr-defined]
        *numbers(getattr(student, "start", 0.0), protocol.label_noise**2),
    )
    converged = bool(found.pop("converged"))
    require(converged, "a fixed point within 1e-10", "the ridge", "move n away from the number of inputs")
    return {name: float(value) for name, value in found.items()}


def _assume(world: Any, protocol: Protocol) -> None:
    require_world(world, MultiIndex, "a linear and a hard part of Gaussian inputs")
    names = [stage.name for stage in protocol.chain()[:2]]
    require(names == ["weak", "w2s"], "a weak and a w2s model", f"stages={names}", "begin with these")
    require(not protocol.reuse_inputs, "fresh inputs", "reuse_inputs=True", "set it to False")
    weak, student = protocol.chain()[:2]
    plain = isinstance(weak.head, RidgeThroughOrigin) and not isinstance(weak.head, FineTuned)
    require(plain, "a ridge teacher", f"weak_head={weak.head!r}", "set weak_head=RidgeThroughOrigin(...)")
    tuned = isinstance(student.head, RidgeThroughOrigin) and isinstance(student.method, Naive)
    require(tuned, "a fine-tuned student", f"head={student.head!r}", "set head=FineTuned(...)")
    last = getattr(student.head, "features", 1)
    require(last == 1, "one hard feature", f"features={last}", "set it to 1")
    for stage, n, width in zip((weak, student), (protocol.n_weak, protocol.n_strong), (0, 1), strict=True):
        width += world.dim
        ridge = float(stage.head.ridge)  # type: ignore[attr-defined]
        require(
            ridge > 0 or not 0.5 < n / width < 2,
            "a ridge, or samples far from as many as features: at ridge 0 the variance diverges there",
            f"ridge={ridge:g} of {stage.name} with {n} samples of {width} features",
            "raise the ridge",
        )
    least = min(protocol.n_weak, protocol.n_strong, world.dim)
    require(least >= 20, "many samples and inputs", f"the least of them being {least}", "take 20 or more")


MULTI_INDEX = Theory(
    name="fine-tuned student, many inputs",
    reference="Moniri, Hassani 2025 (mechanism; model and equations are this project's)",
    assume=_assume,
    expect=_expect,
    finite_size=lambda world, protocol: 2 / min(protocol.n_weak, protocol.n_strong, world.dim),
)
