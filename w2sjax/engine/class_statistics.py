"""Statistics of predicted classes over a sample: which are right, how they rank, how they are calibrated and agree."""

from typing import Any

import jax.numpy as jnp

from w2sjax.linalg import namespace, ratio

BINS = 15
"""Of confidence, equally wide, in the calibration error."""


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


def mean_inside(values: Any, inside: Any) -> Any:
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
    return ratio(xp.sum(ones * (before + upto) / 2, axis=1), total)


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
    parts = [xp.abs(mean_inside(xp.where(bins == b, excess, zeros), inside)) for b in range(BINS)]
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
    observed = mean_inside(xp.sum(p * q, axis=0), inside)
    a, b = (mean_inside(xp.sum(each * hard, axis=0), inside) for each in (p, q))
    expected = a * b + (1 - a) * (1 - b) / (len(t) - 1)
    return ratio(observed - expected, 1 - expected)


def _class_counts(predictions: Any, inside: Any) -> Any:
    """Return shares of samples by predicted class, `[class, task]`."""
    xp = namespace(predictions)
    labels = class_of(predictions)
    classes = len(shares_of(predictions[..., :1]))
    dtype = predictions.dtype
    return xp.stack([mean_inside((labels == k).astype(dtype), inside) for k in range(classes)])


def is_constant(predictions: Any, inside: Any) -> Any:
    xp = namespace(predictions)
    largest = xp.max(_class_counts(predictions, inside), axis=0)
    return (largest >= 1).astype(predictions.dtype)


def at_chance(predictions: Any, truth: Any, inside: Any) -> Any:
    xp = namespace(predictions)
    largest = xp.max(_class_counts(truth, inside), axis=0)
    accuracy = mean_inside(right(predictions, truth), inside)
    margin = 2 * xp.sqrt(largest * (1 - largest) / xp.sum(inside).astype(largest.dtype))
    return (accuracy <= largest + margin).astype(predictions.dtype)
