"""Linear heads without an intercept that filter the spectrum of their features: ridge, minimum norm, gradient flow."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from w2sjax.heads.base import Fit, Rows
from w2sjax.heads.linear import Linear
from w2sjax.linalg import product
from w2sjax.pytrees import pytree
from w2sjax.validation import Checked, real


class SpectralHead:
    """Heads z'b, b = Z'/n g(ZZ'/n) y for features Z `[n, width]`, by the eigenvectors of the smaller Gram matrix.

    Eigenvalues below eps max(n, width) of the largest are dropped. Condition numbers are squared in a Gram matrix: in
    float64 features of condition up to 1e6 keep four digits at a ridge of 0.
    """

    needs: ClassVar[str] = "rows"
    joint: ClassVar[bool] = True

    def gain(self, eigenvalues: jax.Array) -> jax.Array:
        """Return g of positive eigenvalues of Z'Z/n: 1/e for least squares."""
        raise NotImplementedError

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array | None = None) -> tuple[Linear, Fit]:
        """Fit labels `[n, task]` to features `[n, width]`. Cost: O(n width min(n, width))."""
        features = sample.features
        rows, width = features.shape
        tall = rows >= width
        gram = product(features.T, features) if tall else product(features, features.T)
        values, vectors = jnp.linalg.eigh(gram / rows)
        kept = values > float(jnp.finfo(values.dtype).eps) * max(rows, width) * values[-1]
        gains = jnp.where(kept, self.gain(jnp.where(kept, values, 1)), 0)
        right = product(features.T, labels) if tall else labels
        weights = product(vectors, gains[:, None] * product(vectors.T, right)) / rows
        rank = jnp.sum(kept, dtype=jnp.int32)
        least = jnp.min(jnp.where(kept, values, values[-1]))
        none = jnp.zeros((), jnp.int32)
        fit = Fit(
            rank, jnp.sqrt(values[-1] / least), min(rows, width) - rank, jnp.zeros((), values.dtype), none
        )
        weights = weights if tall else product(features.T, weights)
        return Linear(weights, jnp.zeros_like(weights[0])), fit

    def predict(self, fitted: Linear, features: Any) -> Any:
        """Return predictions `[n, task]` on features `[n, width]`."""
        return fitted.of_rows(features)


@pytree("ridge")
@dataclasses.dataclass(frozen=True)
class RidgeThroughOrigin(Checked, SpectralHead):
    """Linear heads without intercept that minimize (1/n) sum (z'b - y)^2 + ridge |b|^2.

    scikit-learn's `Ridge(alpha=n * ridge, fit_intercept=False)`; the minimum-norm solution at ridge 0.

    Args:
        ridge: >= 0, in squared feature units.
    """

    ridge: Any = real(0.0, least=0)

    def gain(self, eigenvalues: jax.Array) -> jax.Array:
        """Return 1 / (e + ridge)."""
        return 1 / (eigenvalues + self.ridge)


@pytree("time")
@dataclasses.dataclass(frozen=True)
class GradientFlow(Checked, SpectralHead):
    """Linear heads without intercept by gradient flow on (1/2n) sum (z'b - y)^2 from b = 0, stopped at a time.

    Along an eigenvector of Z'Z/n with eigenvalue e the share 1 - exp(-time e) of least squares is reached.

    Args:
        time: >= 0, in units of 1 over squared feature units.
    """

    time: Any = real(1.0, least=0)

    def gain(self, eigenvalues: jax.Array) -> jax.Array:
        """Return (1 - exp(-time e)) / e."""
        return -jnp.expm1(-self.time * eigenvalues) / eigenvalues
