"""The weak-to-strong experiment on features that the caller has, instead of features drawn from a world."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.draws import default_dtype
from w2sjax.engine.extended import Extended, extended, subtract
from w2sjax.engine.given import SPLITS, cast, centred
from w2sjax.engine.models import status_of
from w2sjax.engine.outcome import (
    Flag,
    Outcome,
    in_label_units,
    outcome_from_residuals,
    with_flag,
    with_rounding,
)
from w2sjax.engine.products import power_of_two
from w2sjax.engine.refinement import fit, predict, prepare
from w2sjax.errors import W2SError
from w2sjax.validation import check_boolean, check_number, check_unmasked

FEATURES = ("weak_train", "weak_transfer", "strong_transfer", "weak_eval", "strong_eval")
LABELS = ("y_train", "y_eval", "y_transfer")

_SAME_ROWS = (
    ("weak_train", "y_train"),
    ("weak_transfer", "strong_transfer"),
    ("strong_transfer", "y_transfer"),
    ("weak_eval", "strong_eval"),
    ("weak_eval", "y_eval"),
)
_SAME_WIDTH = (
    ("weak_train", "weak_transfer"),
    ("weak_train", "weak_eval"),
    ("strong_transfer", "strong_eval"),
)
_MEANING = (
    ("rows", "the same inputs, in the same order, in both"),
    ("columns", "features of the same representation in both"),
)


def evaluate_features(
    weak_train: Any,
    y_train: Any,
    weak_transfer: Any,
    strong_transfer: Any,
    weak_eval: Any,
    strong_eval: Any,
    y_eval: Any,
    y_transfer: Any = None,
    ridge_weak: Any = 0.0,
    ridge_strong: Any = 0.0,
    fit_intercept: bool = True,
) -> Outcome:
    """Run one weak-to-strong experiment on features the caller has.

    Fits the weak head to true labels on the weak training split, the w2s head to the weak head's predictions on the
    transfer split, and, where `y_transfer` is given, the ceiling to the truth on the transfer split. Every head
    minimizes

        (1/n) sum (z'b + c - y)^2 + ridge |b|^2

    over its n samples, the intercept c not penalized: scikit-learn's `Ridge(alpha=n * ridge)`. At ridge 0 it is the
    minimum-norm least-squares solution in the units of the features given. Errors are means over the evaluation split:

        gain = weak_error - w2s_error,  misfit = mean (w2s - weak)^2,  deviation = gain - misfit.

    Features are factorized by QR and singular values, never through a Gram matrix, and the solution is refined with
    residuals in twice the working precision. In float64 every error, misfit and gain was within 2e-12 of `weak_error`
    of the same experiment in 160 decimal digits, in 420 experiments with condition numbers (columns centred and scaled
    to unit norm) up to 1e10, column scales from 1e-8 to 1e8, repeated and constant columns, more columns than rows, and
    ridges from 0 to 1e3; without the refinement 2e-10 at condition 1e6 and 1e-6 at 1e10.

    Constant columns, and directions below eps * max(64, d, sqrt(n)) of the largest, are dropped; `status` says how
    many, and how much of the labels they could account for. Scales of columns do not matter to that, nor do columns
    that are multiples of others; but where a feature is a sum of others, at ridge 0, scales that differ by more than
    the working precision cost the smaller features.

    Args:
        weak_train: `[n_weak, d_w]`, weak features of the weak model's training split.
        y_train: `[n_weak]` or `[n_weak, task]`, its true labels.
        weak_transfer, strong_transfer: `[n_strong, d_w]` and `[n_strong, d_s]`, of the same inputs row by row.
        weak_eval, strong_eval: `[n_eval, d_w]` and `[n_eval, d_s]`, of the same inputs row by row.
        y_eval: `[n_eval]` or `[n_eval, task]`, the truth that errors are measured against.
        y_transfer: `[n_strong]` or `[n_strong, task]`, the truth on the transfer split. Without it `ceiling_error`
            and `pgr` are NaN.
        ridge_weak: >= 0, in squared feature units, for the weak head.
        ridge_strong: >= 0, likewise, for the w2s head and the ceiling.
        fit_intercept: whether heads have an intercept. Without one, features and labels are not centred.

    All arrays are floating, NumPy or JAX, of any precision. They are centred in float64, where heads have an intercept,
    and cast to JAX's default float dtype. They and the
    ridges may be traced by `jax.jit` and batched by `jax.vmap`; values are then not checked, shapes are. There are no
    derivatives.

    Returns:
        An `Outcome` with arrays of shape `()` for labels `[n]`, and `[task]` for labels `[n, task]`.

    Raises:
        W2SError: for an array that is not floating, of wrong rank, empty, not finite, or that does not match the
            others in rows, width or tasks, and for a ridge that is negative or not finite; the message names it.

    Cost: O(n d min(n, d) + 100 n d task) time per split and memory for about ten copies of the largest array. Compiled
    anew for every combination of shapes, which takes seconds.

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
    if y_transfer is not None:
        given["y_transfer"] = y_transfer
    arrays = {name: _checked(name, value) for name, value in given.items()}
    _check_shapes({name: array.shape for name, array in arrays.items()})
    ridges = {
        "ridge_weak": _checked_ridge("ridge_weak", ridge_weak),
        "ridge_strong": _checked_ridge("ridge_strong", ridge_strong),
    }
    fit_intercept = check_boolean("fit_intercept", fit_intercept)

    single = arrays["y_train"].ndim == 1
    if single:
        arrays |= {name: arrays[name][:, None] for name in LABELS if name in arrays}
    blurred = False
    if not any(isinstance(array, jax.core.Tracer) for array in arrays.values()):
        if fit_intercept:
            arrays, blurred = centred(arrays, [name for name in LABELS if name in arrays])
        else:
            arrays = {name: cast(name, array) for name, array in arrays.items()}
    dtype = default_dtype()
    arrays = {name: jnp.asarray(array).astype(dtype) for name, array in arrays.items()}
    outcome = _evaluate(arrays, ridges, fit_intercept)
    outcome = outcome.replace(
        status=with_flag(outcome.status, jnp.asarray(blurred), Flag.FEATURE_BELOW_ROUNDING)
    )
    if not single:
        return outcome
    by_task = {name: value[0] for name, value in outcome.items() if isinstance(value, jax.Array)}
    return outcome.replace(**by_task)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _experiment(arrays: dict[str, jax.Array], ridges: dict[str, jax.Array], fit_intercept: bool) -> Outcome:
    """Run the experiment on checked arrays, labels `[n, task]`."""
    tasks = arrays["y_train"].shape[1]
    labels_given = [name for name in LABELS if name in arrays]
    if fit_intercept:  # no error depends on a constant that is added to all labels
        mean = jnp.mean(arrays["y_train"], axis=0)[None, :]
        # Near their mean, labels less the mean are exact; elsewhere nothing is gained.
        far = jnp.max(jnp.abs(arrays["y_train"] - mean), axis=0, keepdims=True) < jnp.abs(mean) / 2
        origin = jnp.where(far, mean, 0)
        arrays = arrays | {name: arrays[name] - origin for name in labels_given}
    # Powers of two, so that no square overflows or vanishes: nothing is rounded.
    unit = power_of_two(arrays["y_train"], axis=0)
    arrays = arrays | {name: arrays[name] / unit[None, :] for name in labels_given}
    for representation, splits in SPLITS.items():
        power = jnp.max(power_of_two(arrays[splits[0]], axis=0))
        arrays = arrays | {name: arrays[name] / power for name in splits}
        ridge = f"ridge_{representation}"
        ridges = ridges | {ridge: ridges[ridge] / power / power}
    label_power = jnp.mean(arrays["y_train"] ** 2, axis=0)
    weak_training = prepare(arrays["weak_train"], fit_intercept)
    weak, weak_effect = fit(weak_training, arrays["y_train"], ridges["ridge_weak"], fit_intercept)
    by_weak = predict(weak, jnp.concatenate([arrays["weak_transfer"], arrays["weak_eval"]]))
    transfer_rows = arrays["weak_transfer"].shape[0]
    labels = by_weak.high[:transfer_rows]
    if "y_transfer" in arrays:  # the ceiling's labels are further columns of the same regression
        labels = jnp.concatenate([labels, arrays["y_transfer"]], axis=1)
    strong_training = prepare(arrays["strong_transfer"], fit_intercept)
    strong, strong_effect = fit(strong_training, labels, ridges["ridge_strong"], fit_intercept)

    truth = extended(arrays["y_eval"])

    def residual(predictions: Extended) -> tuple[jax.Array, jax.Array]:
        rows = subtract(predictions, truth).high / math.sqrt(truth.high.shape[0])
        return jnp.zeros_like(rows[0]), rows

    by_strong = predict(strong, arrays["strong_eval"])
    w2s = jax.tree.map(lambda a: a[:, :tasks], by_strong)
    ceiling = jax.tree.map(lambda a: a[:, tasks:], by_strong) if "y_transfer" in arrays else None
    outcome = outcome_from_residuals(
        residual(jax.tree.map(lambda a: a[transfer_rows:], by_weak)),
        residual(w2s),
        None if ceiling is None else residual(ceiling),
        status_of(
            weak_training.factor,
            strong_training.factor,
            jnp.maximum(weak_effect, strong_effect),
            weak_training.blurred | strong_training.blurred,
        ),
    )
    eps = float(jnp.finfo(label_power.dtype).eps)
    return in_label_units(with_rounding(outcome, label_power, eps), unit)


@_experiment.defjvp
def _no_derivative(*_: Any) -> Any:
    """Refuse to differentiate: rounding to slices has derivative zero, and the result would be silently wrong."""
    raise NotImplementedError("evaluate_features has no derivatives: use finite differences.")


_evaluate = jax.jit(_experiment, static_argnums=2)


def _checked(name: str, value: Any) -> Any:
    """Return an array of features or labels, or refuse it."""
    layout = "[n, width]" if name in FEATURES else "[n] or [n, task]"
    traced = isinstance(value, jax.core.Tracer)
    if value is None:
        raise W2SError(f"{name} is missing: pass floating numbers of shape {layout}.")
    if not traced:
        check_unmasked(name, value)
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise W2SError(f"{name} is not an array: pass floating numbers of shape {layout}.") from error
    if not jnp.issubdtype(value.dtype, jnp.floating):
        remedy = "its real part" if jnp.issubdtype(value.dtype, jnp.complexfloating) else "astype(float)"
        raise W2SError(f"{name} has dtype {value.dtype}: pass floating numbers, by {remedy} for example.")
    if value.ndim not in ((2,) if name in FEATURES else (1, 2)):
        raise W2SError(f"{name} has shape {value.shape}: pass an array of shape {layout}.")
    if 0 in value.shape:
        raise W2SError(f"{name} is empty, of shape {value.shape}: pass at least one row and one column.")
    if not traced:
        _check_values(name, value)
    return value


def _check_values(name: str, value: np.ndarray) -> None:
    """Refuse NaN, infinity, and numbers that float64 cannot hold."""
    finite = np.isfinite(value)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise W2SError(
            f"{name} holds {np.size(finite) - np.count_nonzero(finite)} NaN or infinite values, the first "
            f"({value[first]}) at row {first[0]}: drop or fill those rows."
        )
    if not np.isfinite(value.astype(np.float64)).all():
        raise W2SError(f"{name} holds numbers that are too large for float64: rescale it.")


def _check_shapes(shapes: dict[str, tuple[int, ...]]) -> None:
    """Refuse arrays that do not belong together."""
    for axis, pairs in enumerate((_SAME_ROWS, _SAME_WIDTH)):
        for a, b in pairs:
            if a in shapes and b in shapes and shapes[a][axis] != shapes[b][axis]:
                what, why = _MEANING[axis]
                raise W2SError(f"{b} has {shapes[b][axis]} {what} but {a} has {shapes[a][axis]}: pass {why}.")
    for name in LABELS[1:]:
        if name in shapes and shapes[name][1:] != shapes["y_train"][1:]:
            raise W2SError(
                f"{name} has shape {shapes[name]} but y_train has {shapes['y_train']}: pass the same tasks "
                f"in both, as [n] for one or [n, task] for many."
            )


def _checked_ridge(name: str, value: Any) -> jax.Array:
    """Return a ridge in the default dtype, or refuse it."""
    if np.ndim(value) != 0:
        raise W2SError(f"{name} has shape {np.shape(value)}: pass one number, or jax.vmap over many.")
    check_number(name, value, least=0)
    return jnp.asarray(value).astype(default_dtype())
