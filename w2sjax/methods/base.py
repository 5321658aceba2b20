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


@runtime_checkable
class Stopping(Method, Protocol):
    """A method that also says when a head that is trained should have stopped, by rows that it holds out."""

    def held_out(self, n: int) -> int:
        """Return how many of n rows, the last ones, are held out."""
        ...

    def best(self, labels: Any, truth: Any, predictions: Any) -> Any:
        """Return the place of training whose parameters are kept, an integer per task, `[task]`.

        Args:
            labels: `[n, task]` or `[n, task, class]`, of the rows that are held out.
            truth: of the same shape, without noise; None where nobody knows it.
            predictions: of the same shape after a leading axis of places, equally many steps apart.
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
