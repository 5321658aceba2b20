"""How supervision is done: sample sizes, ridge, label noise."""

import dataclasses
import functools

import jax

from w2sjax.validation import check_integer, check_number

SIZES = ("n_weak", "n_strong", "n_eval")
RIDGES = ("ridge", "ridge_weak", "ridge_strong")


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=[*RIDGES, "label_noise"],
    meta_fields=[*SIZES, "tasks", "reuse_inputs", "standard_errors"],
)
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

    Raises:
        ValueError: if a field is out of range or two contradict each other; the message names them.
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

    def __post_init__(self) -> None:
        for name in (*SIZES, "tasks"):
            check_integer(name, getattr(self, name), least=1)
        for name in (*RIDGES, "label_noise"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, least=0)
        for name in ("reuse_inputs", "standard_errors"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}={getattr(self, name)!r} is not a boolean: pass True or False.")
        if self.reuse_inputs and self.n_strong > self.n_weak:
            raise ValueError(
                f"reuse_inputs=True needs n_strong <= n_weak, but n_strong={self.n_strong} and "
                f"n_weak={self.n_weak}: lower n_strong or draw fresh inputs."
            )
