"""Hard labels: the sign of a teacher's output."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from w2sjax.pytrees import pytree


@pytree()
@dataclasses.dataclass(frozen=True)
class HardLabels:
    """Targets are the signs of the labels, +1 or -1: what a classifier says in place of its output."""

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return 1 for labels >= 0, else -1."""
        return jnp.where(labels >= 0, 1, -1).astype(labels.dtype)
