"""A supervisor that is not fitted: its features are its predictions."""

import dataclasses
from typing import Any, ClassVar

import jax

from w2sjax.errors import W2SError
from w2sjax.heads.base import Rows
from w2sjax.pytrees import pytree


@pytree()
@dataclasses.dataclass(frozen=True)
class AsIs:
    """Predictions that are there: column t of the features for task t, such as ratings by people.

    No label is seen, so that n_weak does not matter to it.
    """

    needs: ClassVar[str] = "rows"
    on_host: ClassVar[bool] = True

    def fit(self, sample: Rows, labels: Any, key: jax.Array | None = None) -> Any:
        """Fit nothing.

        Raises:
            W2SError: for another number of columns than tasks.
        """
        width, tasks = sample.features.shape[1], labels.shape[1]
        if width != tasks:
            raise W2SError(f"AsIs has {width} columns for {tasks} tasks: pass one of predictions for each.")
        return ()

    def predict(self, fitted: Any, features: Any) -> Any:
        """Return the features themselves."""
        return features
