"""Linear heads that are fine-tuned: ridge regression towards the head that a model already has."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.heads.base import Fit, Rows
from w2sjax.heads.linear import Linear
from w2sjax.heads.spectral import RidgeThroughOrigin
from w2sjax.pytrees import pytree
from w2sjax.validation import real, whole


@pytree("ridge", "start")
@dataclasses.dataclass(frozen=True)
class FineTuned(RidgeThroughOrigin):
    """Linear heads without intercept that minimize (1/n) sum (z'b - y)^2 + ridge |b - b0|^2.

    Args:
        ridge: >= 0, in squared feature units; at 0 the start is forgotten in every direction that is seen.
        start: the entries of b0 on the last `features` features; it is 0 on the others.
        features: how many, >= 1.
    """

    start: Any = real(1.0, least=-1e300)
    features: int = whole(1, least=1)

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array | None = None) -> tuple[Linear, Fit]:
        """Fit labels `[n, task]` to features `[n, width]`, as ridge of what the start leaves."""
        known = jnp.sum(sample.features[:, -self.features :], axis=1) * self.start
        head, fit = super().fit(sample, labels - known[:, None])
        return Linear(head.weights.at[-self.features :].add(self.start), head.bias), fit
