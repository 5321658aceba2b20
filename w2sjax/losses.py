"""Losses: what heads minimize and what errors are means of."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Loss(NamedTuple):
    """A loss of predictions against labels.

    Attributes:
        name: in words.
        unit: of its values.
        value: maps predictions and labels of one shape to losses of that shape. It is also the divergence between the
            predictions of two models, in the order (student, teacher).
    """

    name: str
    unit: str
    value: Callable[[Any, Any], Any]


def _squared(prediction: Any, label: Any) -> Any:
    difference = prediction - label
    return difference * difference


SQUARED = Loss("squared error", "squared label unit", _squared)
"""(prediction - label)^2."""


def _disagreement(prediction: Any, label: Any) -> Any:
    return ((prediction >= 0) != (label >= 0)).astype(prediction.dtype)


ZERO_ONE = Loss("rate of wrong signs", "1", _disagreement)
"""1 where the signs of prediction and label differ, else 0: errors are misclassification rates."""
