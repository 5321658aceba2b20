"""Losses: what heads minimize and what errors are means of."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from w2sjax.linalg import namespace


class Loss(NamedTuple):
    """A loss of predictions against labels.

    Attributes:
        name: in words.
        unit: of its values.
        value: maps predictions and labels of one shape to losses of that shape. Where these have a leading axis of
            classes, so may the losses, which are then summed over it.
        divergence: between the predictions of two models, in the order (student, teacher): what misfit is a mean of;
            None is `value`.
    """

    name: str
    unit: str
    value: Callable[[Any, Any], Any]
    divergence: Callable[[Any, Any], Any] | None = None

    def between(self, student: Any, teacher: Any) -> Any:
        """Return the divergence of a student from its teacher."""
        return (self.divergence or self.value)(student, teacher)


def _squared(prediction: Any, label: Any) -> Any:
    difference = prediction - label
    return difference * difference


SQUARED = Loss("squared error", "squared label unit", _squared)
"""(prediction - label)^2."""


def over_classes(terms: Any) -> Any:
    """Return losses `[task, n]` of terms of that shape, or summed over a leading axis of classes."""
    return terms.sum(axis=0) if terms.ndim == 3 else terms


def clipped(shares: Any) -> Any:
    """Return probabilities no closer to 0 and 1 than rounding."""
    eps = float(jnp.finfo(shares.dtype).eps)
    return namespace(shares).clip(shares, eps, 1 - eps)


def _cross_entropy(prediction: Any, label: Any) -> Any:
    xp = namespace(prediction)
    shares = clipped(prediction)
    if prediction.ndim == 3:
        return -xp.sum(label * xp.log(shares), axis=0)
    return -(label * xp.log(shares) + (1 - label) * xp.log(1 - shares))


def _kl(first: Any, second: Any) -> Any:
    """Return KL(first || second) of probabilities of class 1, or of classes along the leading axis."""
    xp = namespace(first)
    p, q = clipped(first), clipped(second)
    if first.ndim == 3:
        return xp.sum(p * xp.log(p / q), axis=0)
    return p * xp.log(p / q) + (1 - p) * xp.log((1 - p) / (1 - q))


CROSS_ENTROPY = Loss("cross-entropy", "nat", _cross_entropy, _kl)
"""-log of the probability of the truth, clipped at rounding; misfit is KL(student || teacher)."""
