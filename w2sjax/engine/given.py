"""A chain of models on arrays that are there, row by row: on the host where they are NumPy's."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.chain import TRUTH, Stage, fits_in_order, groups_of
from w2sjax.engine.evaluation import over_sample, terms_of
from w2sjax.engine.learning import learning_curves
from w2sjax.engine.metrics import Metric
from w2sjax.engine.outcome import Models, Outcome, mean_squares, outcome_of, status_of, with_flag
from w2sjax.errors import W2SError
from w2sjax.flags import Flag
from w2sjax.heads.base import Fit, Rows, fit_all, predicted, worse_of
from w2sjax.heads.linear import CONSTANT_IN_EPS, Linear
from w2sjax.linalg import namespace, product
from w2sjax.random.draws import fold_in

EVAL = "eval"
"""Name of the split that errors are means over."""


def run_given(
    stages: Sequence[Stage],
    features: Mapping[str, Mapping[str, Any]],
    truth: Mapping[str, Any],
    key: jax.Array,
    *,
    metrics: Sequence[Metric],
    shared: Sequence[int],
    intercept: bool = True,
    kept: Mapping[str, dict[str, Any]] | None = None,
) -> tuple[Outcome, Models]:
    """Fit and measure a chain of models on given features.

    Args:
        stages: the chain.
        features: `[n, width]` by split and representation; those of the evaluation sample are of the split "eval".
        truth: true labels `[n, task]` by split.
        key: a typed key, for heads that draw.
        metrics: what is measured.
        shared: from `w2sjax.engine.chain.shared_heads`.
        intercept: whether linear heads have one; others always do.
        kept: by split, what heads keep of its samples by representation, for further calls on the same rows.

    Returns:
        An `Outcome` with arrays `[task]`, and the `Models`.

    Raises:
        W2SError: for a metric that sees features.
    """
    options = {} if intercept else {"intercept": False}
    for metric in metrics:
        if metric.features:
            raise W2SError(
                f"metric {metric.name} sees features, which metrics of given arrays do not: leave it out."
            )
    by_name = {stage.name: stage for stage in stages}
    fitted: dict[str, Any] = {}
    fits: dict[str, Fit] = {}
    label_power = None
    for group, ready in fits_in_order(stages, shared):
        rows = features[group.split]
        labels = []
        for i in ready:
            stage = stages[i]
            teacher = by_name.get(stage.labels)
            if teacher is None:
                labels.append(truth[stage.split])
            else:
                own = rows[teacher.features]
                labels.append(predicted(teacher.head, fitted[teacher.name], own, truth.get(group.split)))
        if label_power is None:
            label_power = mean_squares(labels[0])
        head, method = stages[ready[0]].head, stages[ready[0]].method
        numbers = np.array([*ready, len(stages) + ready[0]], np.uint32)
        keys = [key] * len(numbers) if head.needs == "moments" else list(fold_in(key, numbers))
        memory = None if kept is None else kept[group.split].setdefault(group.features, {})
        sample = Rows(rows[group.features], memory, truth.get(group.split))
        found = fit_all(head, method, sample, labels, keys[:-1], keys[-1], **options)
        for i, (each, fit) in zip(ready, found, strict=True):
            fitted[stages[i].name] = each
            fits[group.name] = worse_of(fits.get(group.name, fit), fit)

    def predict(heads: Mapping[str, Any]) -> dict[str, Any]:
        found = {TRUTH: truth[EVAL]}
        for stage in stages:
            rows = features[EVAL][stage.features]
            found[stage.name] = predicted(stage.head, heads[stage.name], rows, truth[EVAL])
        return found

    def evaluate(heads: Mapping[str, Any], own: Sequence[Metric]) -> dict[str, Any]:
        seen = {name: values.T for name, values in predict(heads).items()}
        return {name: xp.mean(values, axis=1) for name, values in terms_of(own, seen).items()}

    predictions = predict(fitted)
    xp = namespace(truth[EVAL])
    columns = {name: values.T for name, values in predictions.items()}
    means = {name: xp.mean(values, axis=1) for name, values in terms_of(metrics, columns).items()}
    means |= over_sample(metrics, columns, xp.ones(len(truth[EVAL]), bool))
    effect = xp.max(xp.stack([xp.asarray(fit.effect) for fit in fits.values()]))
    eps = float(jnp.finfo(truth[EVAL].dtype).eps)
    outcome = outcome_of(means, metrics, status_of(fits, effect), label_power, eps)
    learning = learning_curves(stages, fitted, metrics, evaluate, truth[EVAL].ndim)
    outcome = dataclasses.replace(outcome, learning=learning)
    return outcome, Models(fitted, dict(features[EVAL]), predictions)


def run_centred(
    stages: tuple[Stage, ...],
    features: Mapping[str, Mapping[str, Any]],
    truth: Mapping[str, Any],
    key: jax.Array,
    *,
    blurred: bool = False,
    **options: Any,
) -> tuple[Outcome, Models]:
    """Run a chain of linear heads with features and labels less their training means; see `run_given`.

    Labels less their mean are exact where they are near it; elsewhere nothing is gained.

    Args:
        stages, features, truth, key, options: as for `run_given`.
        blurred: whether a feature is known to be constant but for rounding, which the status then says.
    """
    mean: dict[str, Any] = {}
    for group in groups_of(stages):
        mean.setdefault(group.features, features[group.split][group.features].mean(axis=0))
    moved = {
        split: {name: named[name] - mean[name][None, :] for name in mean if name in named}
        for split, named in features.items()
    }
    labels = truth[stages[0].split]
    xp = namespace(labels)
    origin = labels.mean(axis=0)
    far = xp.max(xp.abs(labels - origin[None, :]), axis=0) < xp.abs(origin) / 2
    origin = xp.where(far, origin, xp.zeros_like(origin))
    less = {split: values - origin[None, :] for split, values in truth.items()}
    outcome, models = run_given(stages, moved, less, key, **options)
    fitted = {}
    for stage in stages:
        head = models.fitted[stage.name]
        bias = head.bias + origin - product(mean[stage.features][None, :], head.weights)[0]
        fitted[stage.name] = Linear(head.weights, bias)
    predictions = {name: values + origin[None, :] for name, values in models.predictions.items()}
    if blurred:
        status = with_flag(outcome.status, True, Flag.FEATURE_BELOW_ROUNDING)
        outcome = dataclasses.replace(outcome, status=status)
    return outcome, Models(fitted, dict(features[EVAL]), predictions)


def is_blurred(values: Any) -> bool:
    """Say whether a feature varies, but by no more than rounding of the dtype that it is given in."""
    eps, wide = float(jnp.finfo(values.dtype).eps), np.asarray(values, np.float64)
    spread = np.ptp(wide, axis=0)
    return bool(((spread > 0) & (spread <= 2 * CONSTANT_IN_EPS * eps * np.abs(wide).max(axis=0))).any())
