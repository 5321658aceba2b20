"""How supervision is done, and how it is computed."""

import dataclasses
from typing import Any

import jax
import numpy as np

from w2sjax.engine.chain import Stage, check_stages, usual_stages
from w2sjax.errors import W2SError
from w2sjax.heads.base import Head, check_head
from w2sjax.heads.ridge import Ridge
from w2sjax.losses import SQUARED, Loss, check_loss
from w2sjax.pytrees import pytree
from w2sjax.random.sobol import POINTS
from w2sjax.targets import Target
from w2sjax.validation import Checked, choice, known_number, real, shown, switch, whole

SIZES = ("n_weak", "n_strong", "n_eval")
FEATURE_PRECISIONS = ("default", "float32")
EVALUATION_POINTS = ("random", "sobol")

MOST_TASKS = 2**22
"""Tasks of a pair: label noise of a block of rows has fewer than 2^32 numbers, all that one key gives."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Numerics(Checked):
    """How an experiment is computed, which is no part of what it is.

    Args:
        feature_precision: "default", or "float32": networks and whitening in float32, moments and heads in float64
            where the x64 flag is set, about 1.4 times as fast. Draws are the same, where a world makes them by
            `w2sjax.random` as those of this package do. Rounding of the features then moves gain and misfit by some
            4e-8 of weak_error, and in a few pairs (with a unit that is active on a handful of rows) by more: 1% by more
            than 2e-6, 5e-5 at most in 384 pairs; no status tells which. For heads in closed form.
        evaluation_points: "random", or "sobol": errors and misfit are means over scrambled Sobol points, which differ
            less from the expectation than those over independent inputs (docs/performance.md says by how much), for
            worlds whose inputs are a function of uniform numbers. Training samples stay independent. Not with standard
            errors, which suppose independent inputs; n_eval is at most 2^20, and best a power of 2.

    Raises:
        W2SError: if a field is not one of its choices.
    """

    feature_precision: str = choice("default", FEATURE_PRECISIONS)
    evaluation_points: str = choice("random", EVALUATION_POINTS)


@pytree("head", "weak_head", "label_noise", "stages", "target", objects=("head", "weak_head", "target"))
@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol(Checked):
    """Sample sizes, heads and evaluation of one weak-to-strong experiment.

    The weak model is a head on the weak features, fitted to true labels of `n_weak` samples; the w2s model a head on
    the strong features, fitted to the weak model's labels of `n_strong` samples; the ceiling one fitted to true labels
    of the same `n_strong` samples.

    Args:
        n_weak, n_strong, n_eval: sample sizes, >= 1. The evaluation sample is always fresh.
        tasks: target functions per pair, >= 1; they share the features.
        head: the class of all heads; see `w2sjax.heads`.
        weak_head: the class of the weak model's heads, if another.
        label_noise: standard deviation of independent Gaussian noise on the true labels, in label units: those of the
            weak head, and those of the ceiling. Errors are measured against noiseless truth.
        reuse_inputs: label the weak model's own training inputs instead of fresh ones, as the notebook released with
            Charikar et al. 2024 does; needs n_strong <= n_weak.
        baseline: also fit a strong head to the weak model's own true labels: `baseline_error`, and `opr`.
        stages: any chain of models in place of the usual three, a tuple of `Stage`; they bring their own heads.
        loss: what errors and misfit are means of.
        target: what labels are of the scores of the target heads, one of `w2sjax.targets`, such as classes; None is the
            scores themselves. Training labels are then spoiled as it says, and label_noise is 0.
        standard_errors: also return the standard error of every mean over the evaluation sample, from a second pass
            over it (about a third more time).
        fresh_misfit: measure the misfit on another fresh sample of `n_eval`, as the notebook does, and the deviation as
            gain minus that misfit. Not together with standard errors.
        numerics: how it is computed.

    Raises:
        W2SError: if a field is out of range or two contradict each other; the message names them.
    """

    n_weak: int = whole(2000, least=1)
    n_strong: int = whole(2000, least=1)
    n_eval: int = whole(2000, least=1)
    tasks: int = whole(100, least=1, most=MOST_TASKS)
    head: Head = Ridge()
    weak_head: Head | None = None
    label_noise: float | jax.Array = real(0.0, least=0)
    reuse_inputs: bool = switch(False)
    baseline: bool = switch(False)
    stages: tuple[Stage, ...] | None = None
    loss: Loss = SQUARED
    target: Target | None = None
    standard_errors: bool = switch(False)
    fresh_misfit: bool = switch(False)
    numerics: Numerics = Numerics()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_head("head", self.head)
        if self.weak_head is not None:
            check_head("weak_head", self.weak_head)
        check_loss(self.loss)
        if self.target is not None and (
            isinstance(self.target, type) or not callable(getattr(self.target, "truth", None))
        ):
            raise W2SError(f"target={shown(self.target)} is not a target: pass one of w2sjax.targets.")
        if not isinstance(self.numerics, Numerics):
            raise W2SError(f"numerics={shown(self.numerics)} is not Numerics: pass Numerics(...).")
        if self.stages is not None:
            object.__setattr__(self, "stages", check_stages(self.stages))
            for name, default in (("head", Ridge()), ("weak_head", None), ("baseline", False)):
                if getattr(self, name) != default:
                    raise W2SError(f"{name} has no effect with stages, which bring their own: leave it out.")
        self._check_together()

    def _check_together(self) -> None:
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
        if self.target is not None and known_number(self.label_noise) != 0:
            raise W2SError(
                "label_noise is for labels that are scores: pass Binary(flip=...) as target instead."
            )
        for stage in self.chain() if self.target is None else ():
            if hasattr(stage.head, "labels"):
                raise W2SError(
                    f"the head of stage {stage.name} is for classes: pass target=Binary(), say, from w2sjax.targets."
                )
        names = [stage.name for stage in self.stages or ()]
        if self.fresh_misfit and names and not {"weak", "w2s"} <= set(names):
            raise W2SError(
                "fresh_misfit=True is for stages named weak and w2s: name two so, or leave it False."
            )
        sobol = self.numerics.evaluation_points == "sobol"
        if sobol and self.standard_errors:
            raise W2SError(
                "standard_errors=True supposes independent inputs, but evaluation_points='sobol': choose one."
            )
        if sobol and self.n_eval > POINTS:
            raise W2SError(
                f"n_eval={self.n_eval} is more than the {POINTS} points of evaluation_points='sobol': lower it."
            )
        if self.numerics.feature_precision != "default" and not all(
            stage.head.needs == "moments" for stage in self.chain()
        ):
            raise W2SError(
                "feature_precision='float32' is for heads in closed form only: leave it at 'default'."
            )

    def chain(self) -> tuple[Stage, ...]:
        """Return the stages: those that were given, or the usual ones."""
        if self.stages is not None:
            return self.stages
        weak_head = self.head if self.weak_head is None else self.weak_head
        return usual_stages(self.head, weak_head, baseline=self.baseline)


def check_protocol(protocol: Any) -> None:
    """Refuse what is not a protocol of single values.

    Raises:
        W2SError: naming the field that holds several.
    """
    if not isinstance(protocol, Protocol):
        raise W2SError(f"protocol={shown(protocol)} is not a Protocol: pass Protocol(...).")
    for path, leaf in jax.tree_util.tree_leaves_with_path(protocol):
        if np.ndim(leaf) > 0:
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise W2SError(
                f"{name}={shown(leaf)} is not a single value: pass one, or axes={{{name!r}: [...]}} to a sweep."
            )
