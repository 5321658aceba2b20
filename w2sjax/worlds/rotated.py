"""Gaussian inputs of which weak and strong see rotated spectra, the weak one with many small coordinates of noise."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.linalg import product
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal
from w2sjax.random.keys import Purpose
from w2sjax.validation import Checked, real, whole


@pytree("weak", "strong", "noise_scale")
@dataclasses.dataclass(frozen=True)
class RotatedPair:
    """One draw of two linear representations, `[dim, dim]`."""

    weak: jax.Array
    strong: jax.Array
    noise_scale: jax.Array
    noise_dim: int

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw standard normal inputs and, after them, coordinates of noise: `[n, dim + noise_dim]`."""
        return normal(key, (n, self.weak.shape[0] + self.noise_dim))

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return features `[n, dim]`, the weak ones with `noise_dim` more."""
        dim = self.weak.shape[0]
        signal = inputs[:, :dim]
        if name == "target":
            return signal
        if name == "strong":
            return product(signal, self.strong)
        if name == "weak":
            return jnp.concatenate([product(signal, self.weak), inputs[:, dim:] * self.noise_scale], axis=1)
        raise W2SError(f"a stage is on {name!r}: this world has target, weak and strong.")

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Draw target heads, every weight normal with variance 1/dim: the labels' variance is 1 on average."""
        dim = self.weak.shape[0]
        return normal(key, (tasks, dim)) / dim**0.5, jnp.zeros(tasks, default_dtype())


@pytree("weak_power", "strong_power", "noise_scale")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RotatedSpectra(Checked):
    """Two representations of standard normal inputs x: h = diag(i^(-power / 2)) U x, each with a U of its own.

    U is uniform over rotations where `rotated`, else the identity. The target is linear in x. The weak representation
    has `noise_dim` further coordinates, independent of everything, of standard deviation noise_scale: a weak model that
    fits its labels exactly by them overfits harmlessly, since no student sees them.

    Args:
        dim: of the inputs and of both representations, >= 1.
        weak_power, strong_power: of the spectra, >= 0.
        rotated: whether each representation has axes of its own.
        noise_dim: >= 0.
        noise_scale: >= 0.

    Reference: made for Xue, Li and Mirzasoleiman 2025 (arXiv 2502.00620), whose own examples were not at hand.
    """

    dim: int = whole(200, least=1)
    weak_power: float | jax.Array = real(1.0, least=0)
    strong_power: float | jax.Array = real(1.0, least=0)
    rotated: bool = True
    noise_dim: int = whole(0, least=0)
    noise_scale: float | jax.Array = real(0.1, least=0)

    def draw(self, key: jax.Array) -> RotatedPair:
        """Draw both rotations."""
        dtype = default_dtype()
        index = jnp.arange(1, self.dim + 1, dtype=dtype)
        maps = []
        for own, power in zip(
            fold_in(key, np.array([Purpose.TARGET, Purpose.COPIES], np.uint32)),
            (self.weak_power, self.strong_power),
            strict=True,
        ):
            scale = index ** (-jnp.asarray(power, dtype) / 2)
            axes = jnp.eye(self.dim, dtype=dtype)
            if self.rotated:  # signs do not matter to ridge
                axes = jnp.linalg.qr(normal(own, (self.dim, self.dim)))[0]
            maps.append(axes * scale[None, :])
        return RotatedPair(maps[0], maps[1], jnp.asarray(self.noise_scale, dtype), self.noise_dim)
