"""Nested linear representations: the first k features of one input, with noise of their own."""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal
from w2sjax.validation import Checked, check_integer, real, whole

_FIRST = re.compile(r"first_([1-9]\d*)")


@pytree("scale", "noise", "weak_features", "strong_features")
@dataclasses.dataclass(frozen=True)
class NestedPair:
    """Scales of the features, `[dim]`, and the noise; inputs are drawn with a key of the representations' noise."""

    scale: jax.Array
    noise: jax.Array
    weak_features: jax.Array
    strong_features: jax.Array

    def inputs(self, key: jax.Array, n: int, split: str) -> tuple[jax.Array, jax.Array]:
        """Draw standard normal inputs `[n, dim]`, and a key."""
        own, other = fold_in(key, np.arange(2, dtype=np.uint32))
        return normal(own, (n, self.scale.shape[0])), other

    def represent(self, name: str, inputs: Any) -> jax.Array:
        """Return features `[n, dim]` of "target", "weak" or "strong", or `[n, k]` of "first_<k>".

        Raises:
            W2SError: for another name.
        """
        x, key = inputs
        dim = x.shape[1]
        if name == "target":
            return x * self.scale[None, :]
        if name in ("weak", "strong"):
            return self._first(self.weak_features if name == "weak" else self.strong_features, x, key)
        given = _FIRST.fullmatch(name)
        k = int(given[1]) if given else 0
        if not 0 < k <= dim:
            raise W2SError(
                f"a stage is on {name!r}: this world has target, weak, strong and first_1 to first_{dim}."
            )
        return self._first(jnp.asarray(k, x.dtype), x, key)[:, :k]

    def _first(self, k: jax.Array, x: jax.Array, key: jax.Array) -> jax.Array:
        """Return the first k features, and zeros."""
        draws = normal(fold_in(key, k.astype(jnp.uint32)[None])[0], x.shape)
        noise = self.noise * jnp.sqrt(x.shape[1] / k - 1)
        inside = jnp.arange(x.shape[1], dtype=x.dtype) < k
        return jnp.where(inside[None, :], (x + noise * draws) * self.scale[None, :], 0)

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Draw target heads, weights standard normal: a score's variance is the sum of the squared scales."""
        return normal(key, (tasks, self.scale.shape[0])), jnp.zeros(tasks, default_dtype())


@pytree("weak_features", "strong_features", "decay", "noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NestedFeatures(Checked):
    """Features s_i x_i of standard normal x, with s_i = i^(-decay / 2); a representation of quality k has the first k.

        first_k:  s_i (x_i + noise (dim / k - 1)^(1/2) e_ki),  i <= k,

    e_k independent of everything and of other k. Without noise, a linear model on more features simulates one on fewer
    exactly, errors and all, as in the experiment on simulation difficulty of Burns et al. 2023 (arXiv 2312.09390,
    Appendix E.1; there x are features of a language model). With noise, errors that come from e_k are random to models
    on other representations. Equal numbers of weak and strong features are one representation. A chain of stages may
    use any "first_<k>". Scores of the target are linear in all features.

    Args:
        dim: features of the target, >= 1.
        weak_features, strong_features: of the representations "weak" and "strong", from 1 to dim; the others are 0, so
            that sweeps over them compile once.
        decay: >= 0.
        noise: >= 0, of the representation with half of the features, in their standard deviations.
    """

    dim: int = whole(64, least=1)
    weak_features: int | jax.Array = 8
    strong_features: int | jax.Array = 64
    decay: float | jax.Array = real(1.0, least=0)
    noise: float | jax.Array = real(0.0, least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("weak_features", "strong_features"):
            if not isinstance(getattr(self, name), jax.Array):
                check_integer(name, getattr(self, name), least=1, most=self.dim)

    def draw(self, key: jax.Array) -> NestedPair:
        """Return the pair: all pairs of a world are alike but for their target heads and samples."""
        dtype = default_dtype()
        scale = jnp.arange(1, self.dim + 1, dtype=dtype) ** (-jnp.asarray(self.decay, dtype) / 2)
        numbers = (self.noise, self.weak_features, self.strong_features)
        return NestedPair(scale, *(jnp.asarray(number, dtype) for number in numbers))
