"""Metrics of classes: how often, how surely and with whom the models of a chain agree.

Predictions and truth are the probability of class 1, `[task, n]`, or those of all classes, `[class, task, n]`. What a
model predicts is its most probable class (class 0 at probability 1/2), and so is the true class of soft labels.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from w2sjax.engine.chain import TRUTH, Stage
from w2sjax.engine.class_statistics import (
    at_chance,
    auc,
    calibration_error,
    capa,
    class_of,
    is_constant,
    right,
)
from w2sjax.engine.metrics import MODELS, Metric
from w2sjax.flags import Flag
from w2sjax.linalg import namespace, ratio
from w2sjax.losses import CROSS_ENTROPY

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
        return ratio(
            means[f"{prefix}agreement"] - means[f"{prefix}errors_inherited"], means[f"{teacher}_accuracy"]
        )

    def on_wrong(means: Mapping[str, Any]) -> Any:
        return ratio(means[f"{prefix}errors_inherited"], 1 - means[f"{teacher}_accuracy"])

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
            of_sample=lambda p, inside: is_constant(p[teacher], inside),
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
            of_sample=lambda p, inside: at_chance(p["ceiling"], p[TRUTH], inside),
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
    return ratio((means[f"w2s_{what}"] - means[f"weak_{what}"]) * _BETTER[what], _gap(what, means))


def _no_gap(means: Mapping[str, Any]) -> Any:
    return (_gap("accuracy", means) <= 0).astype(means["weak_accuracy"].dtype)


@functools.cache
def _of_baseline() -> tuple[Metric, ...]:
    def outperformance(what: str, means: Mapping[str, Any]) -> Any:
        errors = [means[f"{name}_{what}"] for name in ("baseline", "w2s")]
        baseline, w2s = errors if _BETTER[what] < 0 else [1 - error for error in errors]
        return ratio(baseline, w2s)

    return tuple(
        Metric(
            f"{what}_opr",
            f"error of the baseline over that of w2s, in {what.replace('_', '-')}",
            "1",
            of_means=functools.partial(outperformance, what),
        )
        for what in _BETTER
    )
