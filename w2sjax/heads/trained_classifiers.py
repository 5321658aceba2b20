"""Heads for classes that are trained by AdamW on cross-entropy."""

import dataclasses
from typing import Any, ClassVar

import jax

from w2sjax.errors import W2SError
from w2sjax.heads.base import Fit, Rows
from w2sjax.heads.trained import Trained, TrainedHead
from w2sjax.heads.training import BERNOULLI, CATEGORICAL, TrainingLoss
from w2sjax.methods.base import NAIVE, Method
from w2sjax.pytrees import pytree
from w2sjax.validation import whole


@pytree("learning_rate", "weight_decay")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedLogistic(Trained):
    """`Trained` under cross-entropy: predictions are probabilities of class 1, labels are in [0, 1].

        minimize (1/n) sum [ log(1 + exp(l)) - y l ],    l a function of the features as of `Trained`.

    The head of Burns et al. 2023 (arXiv 2312.09390) on fixed features; methods give y at every step. Settings of the
    paper's linear probes (Appendix D.2): batch_size 128, weight_decay 0, 200 epochs, learning_rate 1e-3.
    """

    labels: ClassVar[str] = "binary"
    minimizes: ClassVar[TrainingLoss] = BERNOULLI


@pytree("learning_rate", "weight_decay")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedSoftmax(Trained):
    """`Trained` under cross-entropy: predictions and labels are shares of classes, `[n, task, class]`.

        minimize (1/n) sum [ log sum_k exp(l_k) - sum_k y_k l_k ],

    each l_k a function of its own, as of `Trained`: with a hidden layer, units are not shared between classes.

    Args:
        classes: >= 2.
    """

    labels: ClassVar[str] = "classes"
    minimizes: ClassVar[TrainingLoss] = CATEGORICAL

    classes: int = whole(3, least=2)

    def fit_all(
        self,
        sample: Rows,
        labels: list[jax.Array],
        keys: list[jax.Array],
        shared_key: jax.Array,
        method: Method = NAIVE,
    ) -> list[tuple[TrainedHead, Fit]]:
        """See `Trained.fit_all`.

        Raises:
            W2SError: for labels that are not of so many classes.
        """
        if labels[0].ndim != 3 or labels[0].shape[2] != self.classes:
            raise W2SError(
                f"labels of shape {labels[0].shape} do not have classes={self.classes}: pass their number."
            )
        return super().fit_all(sample, labels, keys, shared_key, method)

    def predict(self, fitted: TrainedHead, features: Any) -> jax.Array:
        """Return shares `[n, task, class]` on features `[n, width]`."""
        rows = (features - fitted.shift[None, :]) / fitted.scale[None, :]
        return self._of_standard(fitted.parameters, rows, (self.classes,))
