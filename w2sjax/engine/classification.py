"""Metrics of classes: how often, how surely and with whom the models of a chain agree.

Predictions and truth are the probability of class 1, `[task, n]`, or those of all classes, `[class, task, n]`. What a
model predicts is its most probable class (class 0 at probability 1/2), and so is the true class of soft labels.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from w2sjax.engine.chain import TRUTH, Stage
from w2sjax.engine.metrics import MODELS, Metric
from w2sjax.flags import Flag
from w2sjax.linalg import namespace
from w2sjax.losses import CROSS_ENTROPY

BINS = 15
"""Of confidence, equally wide, in the calibration error."""

Predictions = Mapping[str, Any]


def classification_metrics(stages: Sequence[Stage]) -> tuple[Metric, ...]:
    """Return the metrics of a chain whose labels are classes: of every stage, of every student, and of the usual pair.

    By stage, `<stage>_accuracy`, `_cross_entropy` (mean -log of the probability of the truth, which is clipped at
    rounding), `_auc` (area under the ROC curve, of several classes the mean of each against the rest) and
    `_calibration_error` (mean over samples of |accuracy - confidence| of their bin of confidence).

    By student, `w2s` without a prefix: `agreement` with its teacher, also on the samples where that is right and where
    it is wrong; `errors_inherited` (both wrong, of one class), `errors_corrected` and `errors_introduced`, as shares of
    all samples; `capa`, chance-adjusted probabilistic agreement (Goel et al. 2025, arXiv 2502.04313).

    `accuracy_pgr`, `cross_entropy_pgr` and `auc_pgr` are (w2s - weak) / (ceiling - weak), NaN where the ceiling is not
    better than the weak model; `accuracy_opr`, `cross_entropy_opr` and `auc_opr` those errors (1 - accuracy, 1 - auc)
    of the baseline over those of the w2s model. `constant_teacher`, `no_gap` and `at_chance` are 1 where their flag is.
    """
    names = [stage.name for stage in stages]
    found = [metric for name in names for metric in _of_stage(name)]
    for stage in stages:
        if stage.labels != TRUTH:
            found += _of_student(stage.labels, stage.name)
    if {"weak", "w2s", "ceiling"} <= set(names):
        found += _of_chain()
    if {"w2s", "baseline"} <= set(names):
        found += _of_baseline()
    return tuple(found)


def class_of(predictions: Any) -> Any:
    """Return the predicted class `[task, n]`, int32."""
    xp = namespace(predictions)
    if predictions.ndim == 3:
        return xp.argmax(predictions, axis=0).astype(jnp.int32)
    return (predictions > 0.5).astype(jnp.int32)


def shares_of(predictions: Any) -> Any:
    """Return probabilities of all classes `[class, task, n]`."""
    xp = namespace(predictions)
    return predictions if predictions.ndim == 3 else xp.stack([1 - predictions, predictions])


def right(predictions: Any, truth: Any) -> Any:
    """Return 1 where the most probable class is the true one, `[task, n]`."""
    return (class_of(predictions) == class_of(truth)).astype(truth.dtype)


@functools.cache  # a metric that is the same is not compiled again
def _of_stage(name: str) -> tuple[Metric, ...]:
    words = MODELS.get(name, name)
    return (
        Metric(f"{name}_accuracy", f"accuracy of the {words}", "1", lambda p: right(p[name], p[TRUTH])),
        Metric(
            f"{name}_cross_entropy",
            f"mean cross-entropy of the {words}",
            "nat",
            lambda p: CROSS_ENTROPY.value(p[name], p[TRUTH]),
        ),
        Metric(
            f"{name}_auc",
            f"area under the ROC curve of the {words}",
            "1",
            of_sample=lambda p, inside: auc(p[name], p[TRUTH], inside),
        ),
        Metric(
            f"{name}_calibration_error",
            f"expected calibration error of the {words}",
            "1",
            of_sample=lambda p, inside: calibration_error(p[name], p[TRUTH], inside),
        ),
    )


@functools.cache
def _of_student(teacher: str, student: str) -> tuple[Metric, ...]:
    prefix = "" if (teacher, student) == ("weak", "w2s") else f"{student}_"

    def named(name: str, meaning: str, per_sample: Callable[[Predictions], Any]) -> Metric:
        return Metric(prefix + name, meaning, "1", per_sample)

    def same(p: Predictions) -> Any:
        return (class_of(p[student]) == class_of(p[teacher])).astype(p[TRUTH].dtype)

    def kept_errors(p: Predictions) -> Any:
        return same(p) * (1 - right(p[teacher], p[TRUTH]))

    def on_right(means: Mapping[str, Any]) -> Any:
        return _ratio(
            means[f"{prefix}agreement"] - means[f"{prefix}errors_inherited"], means[f"{teacher}_accuracy"]
        )

    def on_wrong(means: Mapping[str, Any]) -> Any:
        return _ratio(means[f"{prefix}errors_inherited"], 1 - means[f"{teacher}_accuracy"])

    return (
        named("agreement", f"share of samples where {student} predicts what {teacher} does", same),
        named(
            "errors_inherited", f"share of samples where {student} repeats an error of {teacher}", kept_errors
        ),
        named(
            "errors_corrected",
            f"share of samples where {student} is right and {teacher} wrong",
            lambda p: right(p[student], p[TRUTH]) * (1 - right(p[teacher], p[TRUTH])),
        ),
        named(
            "errors_introduced",
            f"share of samples where {student} is wrong and {teacher} right",
            lambda p: right(p[teacher], p[TRUTH]) * (1 - right(p[student], p[TRUTH])),
        ),
        Metric(f"{prefix}agreement_on_right", f"agreement where {teacher} is right", "1", of_means=on_right),
        Metric(f"{prefix}agreement_on_wrong", f"agreement where {teacher} is wrong", "1", of_means=on_wrong),
        Metric(
            f"{prefix}capa",
            f"chance-adjusted agreement of {student} and {teacher}",
            "1",
            of_sample=lambda p, inside: capa(p[student], p[teacher], p[TRUTH], inside),
        ),
        Metric(
            f"{prefix}constant_teacher",
            f"whether {teacher} predicts one class for all samples",
            "1",
            of_sample=lambda p, inside: _is_constant(p[teacher], inside),
            flag=Flag.CONSTANT_TEACHER,
        ),
    )


@functools.cache
def _of_chain() -> tuple[Metric, ...]:
    found = [
        Metric(
            f"{what}_pgr",
            f"gap of {what.replace('_', '-')} between weak and ceiling that w2s recovers",
            "1",
            of_means=functools.partial(_recovered, what),
        )
        for what in _BETTER
    ]
    return (
        *found,
        Metric(
            "no_gap",
            "whether the ceiling is no more accurate than the weak model",
            "1",
            of_means=_no_gap,
            flag=Flag.NO_GAP,
        ),
        Metric(
            "at_chance",
            "whether the ceiling is within two standard errors of the share of the largest class, or below",
            "1",
            of_sample=lambda p, inside: _at_chance(p["ceiling"], p[TRUTH], inside),
            flag=Flag.AT_CHANCE,
        ),
    )


_BETTER = {"accuracy": 1, "cross_entropy": -1, "auc": 1}
"""1 where more is better."""


def _gap(what: str, means: Mapping[str, Any]) -> Any:
    """Return what the ceiling has over the weak model, 0 where it is rounding."""
    weak, ceiling = (means[f"{name}_{what}"] * _BETTER[what] for name in ("weak", "ceiling"))
    xp = namespace(weak)
    rounding = 8 * float(jnp.finfo(weak.dtype).eps) * (xp.abs(weak) + xp.abs(ceiling))
    return xp.where(xp.abs(ceiling - weak) > rounding, ceiling - weak, xp.zeros_like(weak))


def _recovered(what: str, means: Mapping[str, Any]) -> Any:
    return _ratio((means[f"w2s_{what}"] - means[f"weak_{what}"]) * _BETTER[what], _gap(what, means))


def _no_gap(means: Mapping[str, Any]) -> Any:
    return (_gap("accuracy", means) <= 0).astype(means["weak_accuracy"].dtype)


@functools.cache
def _of_baseline() -> tuple[Metric, ...]:
    def outperformance(what: str, means: Mapping[str, Any]) -> Any:
        errors = [means[f"{name}_{what}"] for name in ("baseline", "w2s")]
        baseline, w2s = errors if _BETTER[what] < 0 else [1 - error for error in errors]
        return _ratio(baseline, w2s)

    return tuple(
        Metric(
            f"{what}_opr",
            f"error of the baseline over that of w2s, in {what.replace('_', '-')}",
            "1",
            of_means=functools.partial(outperformance, what),
        )
        for what in _BETTER
    )


def _ratio(above: Any, below: Any) -> Any:
    """Return a ratio, NaN where the denominator is not positive."""
    xp = namespace(below)
    one, none = xp.ones_like(below), xp.full_like(below, jnp.nan)
    return xp.where(below > 0, above / xp.where(below > 0, below, one), none)


def _mean(values: Any, inside: Any) -> Any:
    """Return means over the samples inside, of values `[..., n]`."""
    xp = namespace(values)
    weight = inside.astype(values.dtype).reshape((1,) * (values.ndim - 1) + (-1,))
    return xp.sum(values * weight, axis=-1) / xp.sum(weight)


def auc(predictions: Any, truth: Any, inside: Any) -> Any:
    """Return areas under the ROC curve `[task]`, ties counted half; NaN where a class is missing.

    Args:
        predictions, truth: see the module.
        inside: `[n]`, which samples count.

    Cost: a sort per task and class.
    """
    if predictions.ndim == 3:
        xp = namespace(predictions)
        labels = class_of(truth)
        each = [
            auc(predictions[k], (labels == k).astype(predictions.dtype), inside)
            for k in range(len(predictions))
        ]
        return xp.mean(xp.stack(each), axis=0)
    xp = namespace(predictions)
    n = predictions.shape[1]
    order = xp.argsort(predictions, axis=1)
    scores = xp.take_along_axis(predictions, order, axis=1)
    counted = inside.astype(predictions.dtype)[order]
    ones = counted * xp.take_along_axis(class_of(truth), order, axis=1).astype(predictions.dtype)
    zeros = counted - ones
    below = xp.cumsum(zeros, axis=1)
    place = xp.broadcast_to(xp.arange(n)[None, :], scores.shape)
    new = xp.concatenate([xp.ones_like(scores[:, :1], dtype=bool), scores[:, 1:] > scores[:, :-1]], axis=1)
    last = xp.concatenate([new[:, 1:], xp.ones_like(new[:, :1])], axis=1)
    first_of = _running_max(xp.where(new, place, xp.zeros_like(place)))
    last_of = n - 1 - _running_max(xp.where(last, n - 1 - place, xp.zeros_like(place))[:, ::-1])[:, ::-1]
    before = xp.take_along_axis(below - zeros, first_of, axis=1)
    upto = xp.take_along_axis(below, last_of, axis=1)
    total = xp.sum(ones, axis=1) * xp.sum(zeros, axis=1)
    return _ratio(xp.sum(ones * (before + upto) / 2, axis=1), total)


def _running_max(values: Any) -> Any:
    if namespace(values) is jnp:
        import jax

        return jax.lax.cummax(values, axis=1)
    return namespace(values).maximum.accumulate(values, axis=1)


def calibration_error(predictions: Any, truth: Any, inside: Any) -> Any:
    """Return expected calibration errors `[task]` over `BINS` bins of confidence, that of the predicted class."""
    xp = namespace(predictions)
    shares = shares_of(predictions)
    confidence = xp.max(shares, axis=0)
    excess = right(predictions, truth) - confidence
    bins = xp.clip((confidence * BINS).astype(jnp.int32), 0, BINS - 1)
    zeros = xp.zeros_like(excess)
    parts = [xp.abs(_mean(xp.where(bins == b, excess, zeros), inside)) for b in range(BINS)]
    return sum(parts[1:], parts[0])


def capa(first: Any, second: Any, truth: Any, inside: Any) -> Any:
    """Return chance-adjusted probabilistic agreement `[task]` of two models.

        (observed - expected) / (1 - expected),  observed = mean sum_k p_k q_k,
        expected = a b + (1 - a) (1 - b) / (classes - 1),

    with a and b the mean probabilities that the models give to the true class: what independent models of their
    accuracies would have (Goel et al. 2025; the form of `expected` is a recollection, not verified).
    """
    xp = namespace(first)
    p, q, t = (shares_of(each) for each in (first, second, truth))
    hard = (xp.argmax(t, axis=0)[None] == xp.arange(len(t))[:, None, None]).astype(p.dtype)
    observed = _mean(xp.sum(p * q, axis=0), inside)
    a, b = (_mean(xp.sum(each * hard, axis=0), inside) for each in (p, q))
    expected = a * b + (1 - a) * (1 - b) / (len(t) - 1)
    return _ratio(observed - expected, 1 - expected)


def _class_counts(predictions: Any, inside: Any) -> Any:
    """Return shares of samples by predicted class, `[class, task]`."""
    xp = namespace(predictions)
    labels = class_of(predictions)
    classes = len(shares_of(predictions[..., :1]))
    dtype = predictions.dtype
    return xp.stack([_mean((labels == k).astype(dtype), inside) for k in range(classes)])


def _is_constant(predictions: Any, inside: Any) -> Any:
    xp = namespace(predictions)
    largest = xp.max(_class_counts(predictions, inside), axis=0)
    return (largest >= 1).astype(predictions.dtype)


def _at_chance(predictions: Any, truth: Any, inside: Any) -> Any:
    xp = namespace(predictions)
    largest = xp.max(_class_counts(truth, inside), axis=0)
    accuracy = _mean(right(predictions, truth), inside)
    margin = 2 * xp.sqrt(largest * (1 - largest) / xp.sum(inside).astype(largest.dtype))
    return (accuracy <= largest + margin).astype(predictions.dtype)
