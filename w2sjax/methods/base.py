"""What a method is: how labels become targets while a head is fitted."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

from w2sjax.pytrees import pytree


@runtime_checkable
class Method(Protocol):
    """A frozen object. One that is a pytree compiles once for all values of its numeric fields.

    Heads in closed form are fitted to the targets that a method gives without predictions; heads that are trained ask
    for new targets at every step, with their own predictions.
    """

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return what a head is fitted to, in the shape of the labels.

        Args:
            labels: `[n, task]`, of the stage.
            predictions: `[n, task]`, of the head as it is, without derivative; None before there is one.
            progress: share of the training that is done, from 0 to 1; None where nothing is trained.
        """
        ...


@pytree()
@dataclasses.dataclass(frozen=True)
class Naive:
    """Labels are the targets."""

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return the labels."""
        return labels


NAIVE = Naive()
