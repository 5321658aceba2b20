"""How supervision is done: sample sizes, ridge, label noise, head class."""

import dataclasses
from collections.abc import Collection
from typing import Any

import jax
import numpy as np

from w2sjax.engine.randomness import EVALUATION_POINTS
from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.sobol import POINTS
from w2sjax.validation import check_boolean, check_choice, check_integer, check_number, known_number
from w2sjax.worlds.layers import ACTIVATIONS

SIZES = ("n_weak", "n_strong", "n_eval")
RIDGES = ("ridge", "ridge_weak", "ridge_strong")
HEADS = ("ridge", "ball", "trained")
SCHEDULES = ("constant", "cosine")
FEATURE_PRECISIONS = ("default", "float32")

MOST_TASKS = 2**22
"""Tasks of a pair: label noise of a block of rows has fewer than 2^32 numbers, all that one key gives."""

_TRAINING_SHAPES = (
    "head_width",
    "head_activation",
    "head_copies",
    "head_epochs",
    "head_batch_size",
    "head_schedule",
    "head_standardize",
)
_TRAINING_NUMBERS = ("head_learning_rate", "head_weight_decay")

FIELDS_BY_HEAD = {
    "ball": ("head_radius",),
    "trained": (*_TRAINING_SHAPES, *_TRAINING_NUMBERS),
}
"""Fields that mean something for one class of heads only."""


@pytree(*RIDGES, "label_noise", "head_radius", *_TRAINING_NUMBERS)
@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """Sample sizes, regularization and evaluation of one weak-to-strong experiment.

    The weak head minimizes (1/n) sum (z'b + c - y)^2 + ridge |b|^2 on `n_weak` samples with true labels; the w2s head
    does so on `n_strong` samples with the weak model's labels; the ceiling on the same `n_strong` samples with true
    labels. The intercept is not penalized: scikit-learn's `Ridge(alpha=n * ridge)`. At ridge 0 the head is the
    minimum-norm least-squares one.

    Args:
        n_weak, n_strong, n_eval: sample sizes, >= 1. The evaluation sample is always fresh.
        tasks: target functions per pair, >= 1; they share the features.
        ridge: >= 0, in squared feature units, for every head.
        ridge_weak, ridge_strong: replace `ridge` for the weak head, and for the w2s and ceiling heads.
        label_noise: standard deviation of independent Gaussian noise on the true labels, in label units: those of the
            weak head, and those of the ceiling. Errors are measured against noiseless truth.
        reuse_inputs: label the weak model's own training inputs instead of fresh ones, as the notebook released with
            Charikar et al. 2024 does; needs n_strong <= n_weak.
        standard_errors: also return the standard error of every mean over the evaluation sample, from a second pass
            over it (about a third more time).
        fresh_misfit: measure the misfit on another fresh sample of `n_eval`, as the notebook does, and the deviation as
            gain minus that misfit. Not together with standard errors.
        feature_precision: "default", or "float32": networks and whitening in float32, moments and heads in float64
            where the x64 flag is set, about 1.4 times as fast. Draws are the same, where a world makes them by
            `w2sjax.draws` as those of this package do. Rounding of the features then moves
            gain and misfit by some 4e-8 of weak_error, and in a few pairs (with a unit that is active on a handful of
            rows) by more: 1% by more than 2e-6, 5e-5 at most in 384 pairs; no status tells which.
        evaluation_points: "random", or "sobol": errors and misfit are means over scrambled Sobol points, which differ
            less from the expectation than those over independent inputs (docs/performance.md says by how much), for
            worlds with Gaussian or uniform inputs. Training samples stay independent. Not with standard errors, which
            suppose independent inputs; n_eval is at most 2^20, and best a power of 2.
        head: class of all three heads. "ridge": linear, solved in closed form. "ball": linear with a norm of the
            weights of at most `head_radius`, in feature units and the intercept free, in closed form: a convex class
            that is no subspace, so that gain may exceed misfit (arXiv 2405.15116, Theorem 1). "trained": trained by
            AdamW, on the mean squared error, as the fields below say; it has no ridge.
        head_radius: > 0.
        head_width: hidden units, >= 0; 0 is a linear head.
        head_activation: of the hidden units: "relu", "tanh", "sigmoid", "gelu" or "identity".
        head_copies: >= 1; k > 1 is a convex combination of k heads with softmax weights, trained together.
        head_epochs: passes over the training split, >= 1; its order is drawn anew for each.
        head_batch_size: rows per step, the last batch of an epoch smaller; 0 takes all rows.
        head_learning_rate: > 0.
        head_weight_decay: >= 0, decoupled (AdamW), on all parameters.
        head_schedule: "constant", or "cosine" from the learning rate down to 0 over the whole run.
        head_standardize: centre and scale every feature by its mean and standard deviation on the training split.

    The defaults of trained heads are those of the notebook; the widths of the heads with a hidden layer in the paper
    (section 5.3, Appendix D) are not verified.

    Raises:
        W2SError: if a field is out of range or two contradict each other; the message names them.
    """

    n_weak: int = 2000
    n_strong: int = 2000
    n_eval: int = 2000
    tasks: int = 100
    ridge: float | jax.Array = 0.0
    ridge_weak: float | jax.Array | None = None
    ridge_strong: float | jax.Array | None = None
    label_noise: float | jax.Array = 0.0
    reuse_inputs: bool = False
    standard_errors: bool = False
    fresh_misfit: bool = False
    feature_precision: str = "default"
    evaluation_points: str = "random"
    head: str = "ridge"
    head_radius: float | jax.Array = 1.0
    head_width: int = 0
    head_activation: str = "relu"
    head_copies: int = 1
    head_epochs: int = 1000
    head_batch_size: int = 32
    head_learning_rate: float | jax.Array = 1e-3
    head_weight_decay: float | jax.Array = 1e-2
    head_schedule: str = "constant"
    head_standardize: bool = False

    def __post_init__(self) -> None:
        for name in SIZES:
            check_integer(name, getattr(self, name), least=1)
        check_integer("tasks", self.tasks, least=1, most=MOST_TASKS)
        for name in (*RIDGES, "label_noise", "head_weight_decay"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, least=0)
        for name in ("head_radius", "head_learning_rate"):
            check_number(name, getattr(self, name), above=0)
        for name, least in (
            ("head_width", 0),
            ("head_copies", 1),
            ("head_epochs", 1),
            ("head_batch_size", 0),
        ):
            check_integer(name, getattr(self, name), least=least)
        check_choice("head", self.head, HEADS)
        check_choice("feature_precision", self.feature_precision, FEATURE_PRECISIONS)
        check_choice("evaluation_points", self.evaluation_points, EVALUATION_POINTS)
        check_choice("head_activation", self.head_activation, tuple(ACTIVATIONS))
        check_choice("head_schedule", self.head_schedule, SCHEDULES)
        for name in ("reuse_inputs", "standard_errors", "fresh_misfit", "head_standardize"):
            check_boolean(name, getattr(self, name))
        if self.reuse_inputs and self.n_strong > self.n_weak:
            raise W2SError(
                f"reuse_inputs=True needs n_strong <= n_weak, but n_strong={self.n_strong} and "
                f"n_weak={self.n_weak}: lower n_strong or draw fresh inputs."
            )
        if self.standard_errors and self.fresh_misfit:
            raise W2SError(
                "fresh_misfit=True takes the misfit from a sample of its own, but standard_errors=True needs one "
                "sample for all: choose one."
            )
        if self.evaluation_points == "sobol" and self.standard_errors:
            raise W2SError(
                "standard_errors=True supposes independent inputs, but evaluation_points='sobol': choose one."
            )
        if self.evaluation_points == "sobol" and self.n_eval > POINTS:
            raise W2SError(
                f"n_eval={self.n_eval} is more than the {POINTS} points of evaluation_points='sobol': lower it."
            )
        if self.head == "trained" and self.feature_precision != "default":
            raise W2SError("feature_precision='float32' is not for head='trained': leave it at 'default'.")
        for name in RIDGES if self.head == "trained" else ():
            value = known_number(getattr(self, name))
            if value is not None and value > 0:
                raise W2SError(f"{name}={value:g} is not for head='trained': use head_weight_decay.")


def check_protocol(protocol: Any) -> None:
    """Refuse what is not a protocol of single values.

    Raises:
        W2SError: naming the field that holds several.
    """
    if not isinstance(protocol, Protocol):
        raise W2SError(f"protocol={protocol!r} is not a Protocol: pass Protocol(...).")
    for field in dataclasses.fields(protocol):
        if np.ndim(getattr(protocol, field.name)) > 0:
            raise W2SError(
                f"{field.name}={getattr(protocol, field.name)!r} is not a single value: pass one, or "
                f"axes={{{field.name!r}: [...]}} to a sweep."
            )


def check_head_fields(heads: Collection[str], names: Collection[str]) -> None:
    """Refuse fields that mean nothing to any of the classes of heads in use.

    Args:
        heads: the classes in use.
        names: fields that were set or vary.

    Raises:
        W2SError: naming the first such field and the class of heads that it belongs to.
    """
    for head, fields in FIELDS_BY_HEAD.items():
        for name in fields if head not in heads else ():
            if name in names:
                raise W2SError(f"{name} has no effect with head={min(heads)!r}: set head={head!r} as well.")


def fields_set(protocol: Protocol) -> set[str]:
    """Return the names of the fields that differ from their defaults, as far as their values are known.

    Under `jax.jit` every field that holds numbers is traced, whether the user set it or not.
    """
    values = {f.name: (getattr(protocol, f.name), f.default) for f in dataclasses.fields(protocol)}
    return {
        name
        for name, (value, default) in values.items()
        if not isinstance(value, jax.core.Tracer) and bool(value != default)
    }
