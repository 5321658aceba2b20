"""Hard labels: a teacher's class in place of its output, the sign of a score or the more probable class."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.pytrees import pytree


@pytree()
@dataclasses.dataclass(frozen=True)
class HardLabels:
    """Targets are the signs of the labels, +1 or -1: what a classifier says in place of its output."""

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return 1 for labels >= 0, else -1."""
        return jnp.where(labels >= 0, 1, -1).astype(labels.dtype)


@pytree()
@dataclasses.dataclass(frozen=True)
class Hard:
    """Labels rounded to the more probable class: what a student gets from a teacher that gives classes alone."""

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return 1[label > 1/2] of `[n, task]`, or the largest share of `[n, task, class]` as 1."""
        if labels.ndim == 3:
            return jax.nn.one_hot(jnp.argmax(labels, axis=2), labels.shape[2], dtype=labels.dtype)
        return (labels > 0.5).astype(labels.dtype)
