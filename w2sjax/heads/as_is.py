"""A supervisor that is not fitted: its features are its predictions."""

import dataclasses
from typing import Any, ClassVar

import jax

from w2sjax.errors import W2SError
from w2sjax.heads.base import Rows
from w2sjax.linalg import namespace
from w2sjax.pytrees import pytree


@pytree()
@dataclasses.dataclass(frozen=True)
class AsIs:
    """Predictions that are there, such as ratings by people: one feature for every task, or one for all of them.

    No label is seen, so that n_weak does not matter to it.
    """

    needs: ClassVar[str] = "rows"
    on_host: ClassVar[bool] = True

    def fit(self, sample: Rows, labels: Any, key: jax.Array | None = None) -> Any:
        """Return ones, `[task]`.

        Raises:
            W2SError: for neither one feature nor as many as tasks.
        """
        width, tasks = sample.features.shape[1], labels.shape[1]
        if width not in (1, tasks):
            raise W2SError(f"AsIs has {width} features for {tasks} tasks: pass one of predictions for each.")
        return namespace(labels).ones(tasks, labels.dtype)

    def predict(self, fitted: Any, features: Any) -> Any:
        """Return the features as predictions `[n, task]`."""
        return features * fitted[None, :]
