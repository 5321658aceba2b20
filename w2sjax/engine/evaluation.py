"""Means over an evaluation sample: of any metric row by row, and of quadratic ones by second moments."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.chain import TARGET, TRUTH, Stage
from w2sjax.engine.metrics import Metric
from w2sjax.engine.moments import add_compensated
from w2sjax.engine.samples import Sample
from w2sjax.engine.source import Source, stack_blocks
from w2sjax.errors import W2SError
from w2sjax.heads.base import predicted
from w2sjax.heads.linear import Linear
from w2sjax.losses import over_classes
from w2sjax.random.keys import BLOCK, Role

Fitted = Mapping[str, Any]
"""The fitted heads of a chain, by stage."""


def predictions_of(
    features: Mapping[str, jax.Array], target: Linear, stages: Sequence[Stage], fitted: Fitted
) -> dict[str, jax.Array]:
    """Return the predictions of all stages and the truth, `[task, n]` by name, on features `[width, n]` by name."""
    found = {TRUTH: target.of_columns(features[TARGET])}
    for stage in stages:
        head, columns = fitted[stage.name], features[stage.features]
        if isinstance(head, Linear):
            found[stage.name] = head.of_columns(columns)
        else:
            rows = columns.T.astype(found[TRUTH].dtype)
            found[stage.name] = predicted(stage.head, head, rows, found[TRUTH].T).T
        if found[stage.name].shape != found[TRUTH].shape:
            raise W2SError(
                f"the head of stage {stage.name} predicts shape {found[stage.name].T.shape}: return [n, task], "
                f"{found[TRUTH].T.shape}."
            )
    return found


def _seen_by(
    metrics: Sequence[Metric],
    features: Mapping[str, jax.Array],
    target: Linear,
    stages: Sequence[Stage],
    fitted: Fitted,
) -> dict[str, jax.Array]:
    """Return what metrics see: predictions, and the features that some of them name."""
    seen = {f"features.{name}": features[name] for metric in metrics for name in metric.features}
    return predictions_of(features, target, stages, fitted) | seen


def means_by_rows(
    source: Source,
    role: Role,
    target: Linear,
    stages: Sequence[Stage],
    fitted: Fitted,
    metrics: Sequence[Metric],
    size: jax.Array,
) -> dict[str, jax.Array]:
    """Return the values of metrics, `[task]` by name, over the first `size` rows of an evaluation stream.

    Cost: one pass over the stream, block by block: the networks, predictions of all heads, and the metrics; another,
    and memory for all predictions, where a metric is one of the whole sample.
    """
    entries = source.entries((role, 0))
    whole = [metric for metric in metrics if metric.of_sample is not None]
    found: dict[str, jax.Array] = {}
    if len(whole) < len(metrics):
        sums = sum_over_sample(_terms(source, target, stages, fitted, metrics), entries, size)
        found = jax.tree.map(lambda s: s / size.astype(s.dtype), sums)
    if whole:
        order = source.design.order

        def of_block(entry: Any) -> dict[str, jax.Array]:
            features = source.by_name(source.draw(entry, order, "eval"), order)
            return jax.tree.map(jnp.transpose, _seen_by(whole, features, target, stages, fitted))

        predictions = jax.tree.map(jnp.transpose, stack_blocks(of_block, entries))
        inside = jnp.arange(predictions[TRUTH].shape[-1], dtype=jnp.int32) < size
        found |= over_sample(whole, predictions, inside)
    return found


def over_sample(metrics: Sequence[Metric], predictions: Mapping[str, Any], inside: Any) -> dict[str, Any]:
    """Return the values `[task]` of metrics of the whole sample, checked."""
    found = {}
    for metric in metrics:
        if metric.of_sample is None:
            continue
        found[metric.name] = metric.of_sample(predictions, inside)
        if getattr(found[metric.name], "shape", None) != predictions[TRUTH].shape[-2:-1]:
            raise W2SError(f"metric {metric.name} does not return one value per task.")
    return found


def standard_errors(
    source: Source,
    target: Linear,
    stages: Sequence[Stage],
    fitted: Fitted,
    metrics: Sequence[Metric],
    means: Mapping[str, jax.Array],
    size: jax.Array,
) -> dict[str, jax.Array]:
    """Return std / sqrt(n_eval) of the terms of each mean, `[task]` by name; NaN for one sample.

    Cost: one more pass over the evaluation sample, and an array `[task, BLOCK]` per metric.
    """
    terms = _terms(source, target, stages, fitted, metrics)

    def squares_of_block(entry: Any) -> dict[str, jax.Array]:
        return {name: (value - means[name][:, None]) ** 2 for name, value in terms(entry).items()}

    squares = sum_over_sample(squares_of_block, source.entries((Role.EVAL, 0)), size)
    count = size.astype(next(iter(squares.values())).dtype)
    several = jnp.where(count > 1, count * (count - 1), jnp.nan)
    return {name: jnp.sqrt(s / several) for name, s in squares.items()}


def _terms(
    source: Source, target: Linear, stages: Sequence[Stage], fitted: Fitted, metrics: Sequence[Metric]
) -> Callable[[Any], dict[str, jax.Array]]:
    """Return the map from an entry of a stream to the terms of every mean, `[task, BLOCK]` by name."""
    order = source.design.order

    def of_block(entry: Any) -> dict[str, jax.Array]:
        features = source.by_name(source.draw(entry, order, "eval"), order)
        return terms_of(metrics, _seen_by(metrics, features, target, stages, fitted))

    return of_block


def terms_of(metrics: Sequence[Metric], predictions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the terms of every mean, `[task, n]`, checked; those of several classes are summed over them."""
    found = {}
    for metric in metrics:
        if metric.per_sample is None:
            continue
        try:
            found[metric.name] = metric.per_sample(predictions)
        except KeyError as error:
            known = ", ".join(predictions)
            raise W2SError(
                f"metric {metric.name} asks for {error}, which is no stage: it has {known}."
            ) from error
        shape = predictions[TRUTH].shape
        if getattr(found[metric.name], "shape", None) == shape:
            found[metric.name] = over_classes(found[metric.name])
        elif getattr(found[metric.name], "shape", None) != shape[-2:]:
            raise W2SError(f"metric {metric.name} does not return one term per prediction, of shape {shape}.")
    return found


def sum_over_sample(
    values_of_block: Callable[[Any], dict[str, jax.Array]], entries: Any, size: jax.Array
) -> dict[str, jax.Array]:
    """Return the sums `[task]` of values over the first rows of a stream.

    Args:
        values_of_block: maps an entry to values by name, `[task, BLOCK]`.
        entries: of the stream, stacked.
        size: int32 scalar, the number of rows.
    """

    def add_block(sums: Any, given: tuple[Any, jax.Array]) -> tuple[Any, None]:
        entry, block = given
        inside = block * BLOCK + jnp.arange(BLOCK, dtype=jnp.int32) < size
        kept = jax.tree.map(lambda v: jnp.where(inside[None, :], v, 0), values_of_block(entry))
        return add_compensated(sums, jax.tree.map(lambda v: jnp.sum(v, axis=1), kept)), None

    shapes = jax.eval_shape(values_of_block, jax.tree.map(lambda a: a[0], entries))
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape[:1], s.dtype), shapes)
    blocks = jnp.arange(len(jax.tree.leaves(entries)[0]), dtype=jnp.int32)
    (sums, _), _ = jax.lax.scan(add_block, (zero, zero), (entries, blocks))
    return sums


def means_by_moments(
    sample: Sample, target: Linear, stages: Sequence[Stage], fitted: Fitted, metrics: Sequence[Metric]
) -> dict[str, jax.Array]:
    """Return the means of quadratic metrics, `[task]` by name, on a compressed evaluation sample.

    A quadratic form has the same mean over a sample as over what stands for it: its value at the mean, plus the sum of
    its values at the rows.
    """
    at_mean, at_rows = {}, {}
    at_mean[TRUTH], at_rows[TRUTH] = sample.predict(TARGET, target)
    for stage in stages:
        at_mean[stage.name], at_rows[stage.name] = sample.predict(stage.features, fitted[stage.name])
    first, rest = terms_of(metrics, at_mean), terms_of(metrics, at_rows)
    return {name: first[name] + jnp.sum(rest[name], axis=0) for name in first}
