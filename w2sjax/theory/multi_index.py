"""A student that is fine-tuned on the labels of a teacher which cannot express the hard part of the target.

Student and labels are reckoned from the student's start b0: the teacher's function less b0, on inputs and the hard
feature, all of variance 1 and uncorrelated, is learned by ridge regression (`w2sjax.theory.ridge_chains`), and compared
with the truth less b0. A large ridge keeps the hard part and learns little of the easy one; none learns the teacher. The
hard part is noise of its variance to the teacher, and its feature a Gaussian one to the student: both hold in the limit
of many inputs.

Reference: the third mechanism of Moniri and Hassani 2025 (arXiv 2505.18346), not at hand: a student learns the easy part
from its teacher, and has the hard one from pre-training. Model and equations are this project's.
"""

from typing import Any

import jax.numpy as jnp

from w2sjax.engine.protocol import Protocol
from w2sjax.heads import FineTuned, RidgeThroughOrigin
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require
from w2sjax.theory.random_features import in_double
from w2sjax.theory.ridge_chains import Function, error_of, ridge_stage
from w2sjax.theory.usual import require_world
from w2sjax.worlds.multi_index import MultiIndex


@in_double
def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    weak, student = (stage.head for stage in protocol.chain()[:2])
    start = float(getattr(student, "start", 0.0))
    easy, hard, dim = float(world.easy), float(world.hard), world.dim
    # Coordinates: the first input, the others together, the hard feature.
    ones, copies = jnp.ones(3), jnp.asarray([1.0, dim - 1.0, 1.0])
    linear, seen = jnp.asarray([1.0, dim - 1.0, 0.0]), jnp.asarray([1.0, 1.0, 0.0])
    n, infinite, m = (jnp.asarray(float(value)) for value in (protocol.n_weak, jnp.inf, protocol.n_strong))
    ridges = [jnp.asarray(float(head.ridge)) for head in (weak, student)]  # type: ignore[attr-defined]
    truth = jnp.asarray([easy**2, 0.0, 0.0])
    noise = jnp.asarray(float(protocol.label_noise) ** 2 + hard**2)
    teacher = ridge_stage(seen, Function(truth, truth), n, infinite, ridges[0], noise, linear)
    taught = Function(
        teacher.function.energy.at[2].set(start**2),
        teacher.function.overlap.at[2].set(-start * (hard - start)),
    )
    rest = jnp.asarray([easy**2, 0.0, (hard - start) ** 2])
    found = ridge_stage(ones, taught, m, infinite, ridges[1], jnp.asarray(0.0), copies)
    converged = bool(teacher.point.converged & found.point.converged)
    require(converged, "a fixed point within 1e-10", "the ridge", "move n away from the number of inputs")
    weak_error = float(error_of(teacher.function, truth)) + hard**2
    w2s_error = float(error_of(found.function, rest))
    errors = {"weak_error": weak_error, "w2s_error": w2s_error, "misfit": float(found.misfit)}
    return errors | {"gain": weak_error - w2s_error}


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
