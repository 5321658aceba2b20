"""Early stopping: a head is what it was where it served best on rows that it was not trained on."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.losses import clipped
from w2sjax.methods.base import NAIVE, Method
from w2sjax.pytrees import pytree
from w2sjax.validation import check_choice, check_number, shown


@pytree("method", objects=("method",))
@dataclasses.dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """Another method, with the parameters of the place of training that is best on held-out rows, for every task.

    Places are `CURVE_POINTS` equal shares of the steps. Burns et al. 2023 (arXiv 2312.09390) stop on weak labels, and
    on the truth as an oracle (section 5.1.1 and Appendix D); both select by accuracy.

    Args:
        on: "labels", those that the stage is given; "truth", an oracle; "end", which stops nowhere, for comparison on
            the same rows.
        by: "accuracy"; "cross_entropy", which has fewer ties and moves before classes do; or "squared_error", which is
            for labels that are no classes too.
        share: of the training rows that are held out, in (0, 1).
        method: what labels become in training.

    For trained heads.

    Raises:
        W2SError: if a field is out of range.
    """

    on: str = "labels"
    by: str = "accuracy"
    share: float = 0.2
    method: Method = NAIVE

    def __post_init__(self) -> None:
        check_choice("on", self.on, ("labels", "truth", "end"))
        check_choice("by", self.by, ("accuracy", "cross_entropy", "squared_error"))
        check_number("share", self.share, above=0)
        if self.share >= 1:
            raise W2SError(f"share={self.share:g} leaves no row to train on: pass a number below 1.")
        if not callable(getattr(self.method, "targets", None)):
            raise W2SError(f"method={shown(self.method)} is not a method: pass one of w2sjax.methods.")

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return the targets of the other method.

        Raises:
            W2SError: for a head in closed form, which stops nowhere.
        """
        if predictions is None:
            raise W2SError(
                "EarlyStopping needs a head in training: use it with a head such as TrainedLogistic."
            )
        return self.method.targets(labels, predictions, progress)

    def held_out(self, n: int) -> int:
        """Return how many of n rows are held out.

        Raises:
            W2SError: if none is, or all.
        """
        count = round(self.share * n)
        if not 0 < count < n:
            raise W2SError(f"share={self.share:g} of {n} rows holds out {count}: train on more rows.")
        return count

    def best(self, labels: Any, truth: Any, predictions: Any) -> Any:
        """Return the place `[task]` of the largest accuracy or the least mean loss, the earliest of equal ones.

        Raises:
            W2SError: for an oracle where nobody knows the truth.
        """
        if self.on == "end":
            return jnp.full(labels.shape[1:2], len(predictions) - 1, jnp.int32)
        if self.on == "truth" and truth is None:
            raise W2SError(
                'EarlyStopping(on="truth") is an oracle, and the truth on its training rows is not given: pass '
                'y_transfer, or on="labels".'
            )
        wanted = (truth if self.on == "truth" else labels)[None]
        several = labels.ndim == 3
        if self.by == "accuracy":
            classes = [jnp.argmax(a, axis=-1) if several else a > 0.5 for a in (predictions, wanted)]
            return jnp.argmax(jnp.mean(classes[0] == classes[1], axis=1), axis=0)
        if self.by == "squared_error":
            losses = (predictions - wanted) ** 2
        else:
            p = clipped(predictions)
            losses = -wanted * jnp.log(p) - (0 if several else (1 - wanted) * jnp.log(1 - p))
        losses = jnp.mean(losses, axis=1)
        return jnp.argmin(jnp.sum(losses, axis=2) if several else losses, axis=0)
