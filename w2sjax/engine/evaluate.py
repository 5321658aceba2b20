"""The weak-to-strong experiment on features that the caller has, instead of features drawn from a world."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from w2sjax.engine.arrays import LABELS, cast, check_arrays, encode, hold_classes
from w2sjax.engine.chain import Stage, shared_heads, usual_stages
from w2sjax.engine.classification import classification_metrics
from w2sjax.engine.given import EVAL, is_blurred, run_centred, run_given
from w2sjax.engine.metrics import Metric, check_metrics, metrics_of
from w2sjax.engine.outcome import Models, Outcome
from w2sjax.errors import W2SError
from w2sjax.heads.base import Head, check_head
from w2sjax.heads.logistic import Logistic, Softmax
from w2sjax.heads.ridge import Ridge
from w2sjax.losses import SQUARED, Loss, check_loss
from w2sjax.methods.base import NAIVE, Method, Naive
from w2sjax.random.draws import default_dtype
from w2sjax.random.threefry import as_threefry, check_key, seed_key
from w2sjax.validation import check_boolean


def evaluate_features(
    weak_train: ArrayLike,
    y_train: ArrayLike,
    weak_transfer: ArrayLike,
    strong_transfer: ArrayLike,
    weak_eval: ArrayLike,
    strong_eval: ArrayLike,
    y_eval: ArrayLike,
    y_transfer: ArrayLike | None = None,
    *,
    head: Head | None = None,
    weak_head: Head | None = None,
    method: Method = NAIVE,
    fit_intercept: bool = True,
    loss: Loss = SQUARED,
    metrics: Sequence[Metric] = (),
    key: jax.Array | None = None,
    return_models: bool = False,
) -> Outcome | tuple[Outcome, Models]:
    """Run one weak-to-strong experiment on features the caller has.

    Fits the weak head to true labels on the weak training split, the w2s head to the weak head's predictions on the
    transfer split, and, where `y_transfer` is given, the ceiling to the truth on the transfer split. `Ridge` minimizes

        (1/n) sum (z'b + c - y)^2 + ridge |b|^2

    over its n samples, the intercept c not penalized: scikit-learn's `Ridge(alpha=n * ridge)`. At ridge 0 it is the
    minimum-norm least-squares solution in the units of the features given. Errors are means over the evaluation split:

        gain = weak_error - w2s_error,  misfit = mean (w2s - weak)^2,  deviation = gain - misfit.

    Linear heads are computed in float64 by NumPy, which compiles nothing. Features are factorized by QR and singular
    values, never through a Gram matrix: every error, misfit and gain is within 1e-9 of `weak_error` of the exact one at
    condition numbers (columns centred and scaled to unit norm) up to 1e6, and 1e-6 up to 1e10, whatever the scales of
    columns. Constant columns, and directions below eps * max(64, d, sqrt(n)) of the largest, are dropped; `status` says
    how many, and how much of the labels they could account for.

    Args:
        weak_train: `[n_weak, d_w]`, weak features of the weak model's training split.
        y_train: `[n_weak]` or `[n_weak, task]`, its true labels: floating numbers, or classes, as integers, booleans or
            text. Labels of all splits are then classes; see below.
        weak_transfer, strong_transfer: `[n_strong, d_w]` and `[n_strong, d_s]`, of the same inputs row by row.
        weak_eval, strong_eval: `[n_eval, d_w]` and `[n_eval, d_s]`, of the same inputs row by row.
        y_eval: `[n_eval]` or `[n_eval, task]`, the truth that errors are measured against.
        y_transfer: `[n_strong]` or `[n_strong, task]`, the truth on the transfer split. Without it `ceiling_error`
            and `pgr` are NaN.
        head: the class of the w2s head and the ceiling. None is `Ridge()`, and for classes `Logistic(C=1)`, or
            `Softmax(C=1)` where there are more than two.
        weak_head: the class of the weak head, if another.
        method: how the weak model's labels become targets of the w2s head, one of `w2sjax.methods`.
        fit_intercept: whether linear heads have an intercept. Without one, features and labels are not centred.
        loss: what errors and misfit are means of.
        metrics: further metrics to measure.
        key: a typed key, for heads that draw; None is `jax.random.key(0)`.
        return_models: also return the fitted heads, and features and predictions on the evaluation split.

    All arrays are floating, NumPy or JAX, of any precision. They and the numbers of heads may be traced by `jax.jit`
    and batched by `jax.vmap`; everything is then computed in JAX's default float dtype, and values are not checked,
    shapes are. Heads that are not in closed form are compiled for every combination of shapes.

    Classes are sorted. Of two, predictions are probabilities of the second; of more, those of all, with a last axis of
    classes. Errors, gain and misfit are means of `loss` over these, and the metrics of
    `w2sjax.engine.classification.classification_metrics`, accuracy first, stand beside them, as they do where `head` is
    for classes and labels are floating numbers in [0, 1], which are probabilities of class 1.

    Returns:
        An `Outcome` with arrays of shape `()` for labels `[n]`, and `[task]` for labels `[n, task]`; with
        `return_models` a tuple of that and `Models`, of arrays with a task axis.

    Raises:
        W2SError: for an array that is not floating, of wrong rank, empty, not finite, or that does not match the
            others in rows, width or tasks, and for what is no head, loss or metric; the message names it.

    Cost: O(n d min(n, d)) time per split and memory for about ten copies of the largest array.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal((3, 200, 8))  # training, transfer and evaluation inputs
        >>> y = np.sin(x) @ np.ones(8)
        >>> weak, strong = np.tanh(x[..., :4]), np.tanh(x)
        >>> outcome = evaluate_features(weak[0], y[0], weak[1], strong[1], weak[2], strong[2], y[2], y[1])
        >>> bool(outcome.ceiling_error < outcome.weak_error)
        True
    """
    given = {
        "weak_train": weak_train,
        "y_train": y_train,
        "weak_transfer": weak_transfer,
        "strong_transfer": strong_transfer,
        "weak_eval": weak_eval,
        "strong_eval": strong_eval,
        "y_eval": y_eval,
    }
    given |= {} if y_transfer is None else {"y_transfer": y_transfer}
    arrays, single, classes = _checked(given)
    usual = Ridge() if not classes else Logistic(C=1.0) if classes == 2 else Softmax(C=1.0)
    head = usual if head is None else head
    check_head("head", head)
    weak_head = head if weak_head is None else weak_head
    check_head("weak_head", weak_head)
    check_loss(loss)
    if key is not None:
        check_key(key)
    check_boolean("fit_intercept", fit_intercept)
    check_boolean("return_models", return_models)
    weak, *others = usual_stages(head, weak_head)[: 3 if "y_transfer" in arrays else 2]
    stages = (weak, dataclasses.replace(others[0], method=method), *others[1:])
    own = check_metrics(metrics)
    if _are_classes(stages, arrays, classes):
        own = (*classification_metrics(stages), *own)
    table = metrics_of(stages, loss, own)
    linear = all(stage.head.needs == "moments" for stage in stages)
    if not linear and not fit_intercept:
        raise W2SError(
            "fit_intercept=False is for linear heads in closed form: leave it True, or pass such heads."
        )

    columns = {name: a[:, None] if a.ndim == 1 else a for name, a in arrays.items()}
    leaves = jax.tree.leaves((stages, columns))
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    blurred = (
        linear
        and fit_intercept
        and not traced
        and any(is_blurred(columns[name]) for name in ("weak_train", "strong_transfer"))
    )
    if linear and not traced:
        columns = {name: np.asarray(a, np.float64) for name, a in columns.items()}
        stages = jax.tree.map(np.asarray, stages)
    elif traced:
        columns = {name: jnp.asarray(a).astype(default_dtype()) for name, a in columns.items()}
    else:
        columns = {name: cast(name, a, default_dtype()) for name, a in columns.items()}
    features = {
        "weak": {"weak": columns["weak_train"]},
        "strong": {"weak": columns["weak_transfer"], "strong": columns["strong_transfer"]},
        EVAL: {"weak": columns["weak_eval"], "strong": columns["strong_eval"]},
    }
    splits = {"weak": "y_train", "strong": "y_transfer", EVAL: "y_eval"}
    truth = {split: columns[name] for split, name in splits.items() if name in columns}
    random = seed_key(0) if key is None else as_threefry(key)
    options: dict[str, Any] = {"metrics": table, "shared": shared_heads(stages), "intercept": fit_intercept}
    if (
        linear and fit_intercept and isinstance(method, Naive)
    ):  # others see labels, not what they are less a mean
        outcome, models = run_centred(stages, features, truth, random, blurred=blurred, **options)
    else:
        run = run_given if linear or traced else _run_compiled
        outcome, models = run(stages, features, truth, random, **options)
    values = outcome.values
    if "y_transfer" not in columns:
        values = values | dict.fromkeys(("ceiling_error", "pgr"), np.nan * values["gain"])
    if single:
        values = {name: value[0] for name, value in values.items()}
        outcome = dataclasses.replace(outcome, learning={name: v[0] for name, v in outcome.learning.items()})
    outcome = dataclasses.replace(outcome, values=values)
    return (outcome, models) if return_models else outcome


def _checked(given: dict[str, Any]) -> tuple[dict[str, Any], bool, int]:
    """Return the arrays, whether labels are of one task without an axis, and how many classes they have (0: none)."""
    if not hold_classes(given):
        arrays = check_arrays(given)
        return arrays, arrays["y_train"].ndim == 1, 0
    labels = {name: value for name, value in given.items() if name in LABELS}
    encoded, names = encode(labels)
    single = np.ndim(given["y_train"]) == 1
    # Shapes are checked as they were given.
    plain = check_arrays(given | {name: np.asarray(np.zeros(np.shape(v))) for name, v in labels.items()})
    return plain | encoded, single, len(names)


def _are_classes(stages: Sequence[Stage], arrays: dict[str, Any], classes: int) -> bool:
    """Say whether labels are classes, and refuse heads that are not for them."""
    kinds = {getattr(stage.head, "labels", None) for stage in stages} - {None}
    if not classes:
        for name in LABELS if kinds else ():
            values = arrays.get(name)
            if values is None or isinstance(values, jax.core.Tracer):
                continue
            if values.min() < 0 or values.max() > 1:
                raise W2SError(
                    f"{name} holds numbers outside [0, 1], but the head is for classes: pass classes as integers, or "
                    "another head."
                )
        return bool(kinds)
    if classes > 2 and any(stage.head.needs == "moments" for stage in stages):
        raise W2SError(
            f"labels are of {classes} classes: pass head=Softmax(...), or numbers as astype(float) to a linear head."
        )
    return True


_run_compiled = jax.jit(run_given, static_argnames=("metrics", "shared", "intercept"))
