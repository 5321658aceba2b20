"""Losses: what heads minimize and what errors are means of."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.linalg import namespace
from w2sjax.validation import shown


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


def check_loss(loss: Any) -> None:
    """Refuse what is no loss."""
    if not isinstance(loss, Loss):
        raise W2SError(f"loss={shown(loss)} is not a loss: pass one of w2sjax.losses.")


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


def bregman(name: str, generator: Callable[[jax.Array], jax.Array], unit: str = "1") -> Loss:
    """Return the loss of the Bregman divergence of a convex function g of single numbers, summed over classes.

        D(a, b) = g(a) - g(b) - g'(b) (a - b)

    The loss of a prediction p against a label y is D(y, p), and the divergence of a student s from its teacher w is
    D(s, w). For students that minimize the mean of D(s, w) over a convex class that holds the truth, gain >= misfit in
    the population limit (Mulgund and Pabbaraju 2025, arXiv 2501.19105). Values are as accurate as the difference above:
    they lose the digits that D is smaller by than g.

    Args:
        name: in words.
        generator: maps arrays elementwise, differentiable by JAX at every prediction.
        unit: of the values.
    """

    def divergence(first: Any, second: Any) -> jax.Array:
        a, b = jnp.asarray(first), jnp.asarray(second)
        value, slope = jax.jvp(generator, (b,), (jnp.ones_like(b),))
        return generator(a) - value - slope * (a - b)

    return Loss(name, unit, lambda prediction, label: divergence(label, prediction), divergence)


def _entropy(p: jax.Array) -> jax.Array:
    """Return p log p, 0 at 0."""
    return p * jnp.log(clipped(p))


def _binary_entropy(p: jax.Array) -> jax.Array:
    return _entropy(p) + _entropy(1 - p)


BREGMAN_SQUARED = bregman("squared error", lambda x: x * x, "squared label unit")
"""Of g(x) = x^2: `SQUARED` by another route."""

KL = bregman("relative entropy", _entropy, "nat")
"""Of g(p) = p log p: for shares of classes KL(truth || prediction), and KL(student || teacher)."""

LOGISTIC = bregman("logistic divergence", _binary_entropy, "nat")
"""Of g(p) = p log p + (1 - p) log(1 - p): that for the probability of class 1."""

ITAKURA_SAITO = bregman("Itakura-Saito divergence", lambda x: -jnp.log(x))
"""Of g(x) = -log x, for positive numbers: y / p - log(y / p) - 1."""


def _disagreement(prediction: Any, label: Any) -> Any:
    return ((prediction >= 0) != (label >= 0)).astype(prediction.dtype)


ZERO_ONE = Loss("rate of wrong signs", "1", _disagreement)
"""1 where the signs of prediction and label differ, else 0: errors are misclassification rates."""
