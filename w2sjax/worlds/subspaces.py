"""Linear features of Gaussian coordinates that the weak and the strong representation see in part."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal, random_bits
from w2sjax.random.keys import Purpose
from w2sjax.validation import Checked, check_integer, real, whole


def random_signs(key: jax.Array, size: int) -> jax.Array:
    """Return fair signs +-1, `[size]`."""
    return jnp.where(random_bits(key, (size,)) >> 31, 1, -1).astype(default_dtype())


@pytree("scales", "coefficients", "offset")
@dataclasses.dataclass(frozen=True)
class SubspacePair:
    """One draw: coordinates of which each representation sees a window, and one target function."""

    scales: jax.Array
    coefficients: jax.Array
    offset: jax.Array
    weak_dim: int
    strong_dim: int

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw coordinates `[n, weak_dim + strong_dim]`."""
        return normal(key, (n, self.weak_dim + self.strong_dim)) * self.scales[None, :]

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return the target itself `[n, 1]`, or the coordinates that a representation sees."""
        if name == "target":
            return jnp.matmul(inputs, self.coefficients[:, None], precision=jax.lax.Precision.HIGHEST)
        if name == "strong":
            return inputs[:, : self.strong_dim]
        if name == "weak":
            return jax.lax.dynamic_slice_in_dim(inputs, self.offset, self.weak_dim, axis=1)
        raise W2SError(f"a stage is on {name!r}: this world has target, weak and strong.")

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the target function for every task: tasks differ in their label noise alone."""
        return jnp.ones((tasks, 1), default_dtype()), jnp.zeros(tasks, default_dtype())


@pytree("overlap", "power", "ambient_dim")
@dataclasses.dataclass(frozen=True, kw_only=True)
class OverlappingSubspaces(Checked):
    """Weak and strong representations are overlapping windows of Gaussian coordinates of decreasing variance.

    Coordinate i = 1, ..., weak_dim + strong_dim has the variance i^-power. The strong representation is the first
    strong_dim coordinates, the weak one weak_dim of them from strong_dim - overlap + 1 on. The target is
    sum theta_i x_i over all, theta_i = +-1 / sqrt(ambient_dim) with fair signs: neither sees all of it.

    Args:
        weak_dim, strong_dim: >= 1.
        overlap: coordinates that both see, from 0 to strong_dim, and at most weak_dim.
        power: >= 0.
        ambient_dim: > 0; enters by the size of the target alone. The code takes weak_dim * strong_dim.

    Reference: the public code of Dong et al. 2025 (arXiv 2502.05075), whose settings are the defaults.
    """

    weak_dim: int = whole(200, least=1)
    strong_dim: int = whole(100, least=1)
    overlap: int | jax.Array = real(10, least=0)
    power: float | jax.Array = real(1.0, least=0)
    ambient_dim: float | jax.Array = real(20_000.0, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.overlap, jax.core.Tracer):
            check_integer("overlap", int(self.overlap), least=0, most=min(self.weak_dim, self.strong_dim))

    def draw(self, key: jax.Array) -> SubspacePair:
        """Draw the signs of the target."""
        size, dtype = self.weak_dim + self.strong_dim, default_dtype()
        index = jnp.arange(1, size + 1, dtype=dtype)
        signs = random_signs(fold_in(key, np.array([Purpose.TARGET], np.uint32))[0], size)
        return SubspacePair(
            scales=index ** (-jnp.asarray(self.power, dtype) / 2),
            coefficients=signs / jnp.sqrt(jnp.asarray(self.ambient_dim, dtype)),
            offset=self.strong_dim - jnp.asarray(self.overlap, jnp.int32),
            weak_dim=self.weak_dim,
            strong_dim=self.strong_dim,
        )

    def signal(self) -> np.ndarray:
        """Return the target's variance by coordinate, `[weak_dim + strong_dim]`."""
        size = self.weak_dim + self.strong_dim
        return np.arange(1, size + 1) ** -float(self.power) / float(self.ambient_dim)

    def seen_by(self, name: str) -> Any:
        """Return which coordinates a representation sees, bool `[weak_dim + strong_dim]`."""
        place = np.arange(self.weak_dim + self.strong_dim)
        first = 0 if name == "strong" else self.strong_dim - int(self.overlap)
        return (place >= first) & (place < first + (self.strong_dim if name == "strong" else self.weak_dim))
