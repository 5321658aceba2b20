"""Gaussian features with a spectrum and a target that are power laws, seen in full by weak and strong."""

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
from w2sjax.worlds.subspaces import random_signs


@pytree("scales", "coefficients", "weights")
@dataclasses.dataclass(frozen=True)
class PowerLawPair:
    """One draw: the signs of the target's coefficients."""

    scales: jax.Array
    coefficients: jax.Array
    weights: jax.Array

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw features `[n, dim]`."""
        return normal(key, (n, self.scales.shape[0])) * self.scales[None, :]

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return the target itself `[n, 1]`, or features `[n, dim]`: the strong ones weighted."""
        if name == "target":
            return product(inputs, self.coefficients[:, None])
        if name in ("weak", "strong"):
            return inputs * self.weights[None, :] if name == "strong" else inputs
        raise W2SError(f"a stage is on {name!r}: this world has target, weak and strong.")

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the target function for every task: tasks differ in their label noise alone."""
        return jnp.ones((tasks, 1), default_dtype()), jnp.zeros(tasks, default_dtype())


@pytree("spectrum_power", "signal_power", "signal", "weight_power")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PowerLaw(Checked):
    """Independent Gaussian features x_i of variance i^-spectrum_power; weak and strong models see all of them.

    The target is sum b_i x_i with b_i of fair signs, b_i^2 times the variance of x_i being signal * i^-signal_power.
    The strong features are x_i i^(-weight_power / 2): a ridge on them is a weighted one on x, which is aligned with the
    target where that lies in the first coordinates.

    Args:
        dim: features, >= 1.
        spectrum_power: >= 0; 0 is isotropic.
        signal_power: >= 0.
        signal: > 0, in squared label units.
        weight_power: >= 0; 0 is an even penalty.

    Reference: Moniri and Hassani 2025 (arXiv 2505.18346), whose figures' settings were not at hand, with powers 0;
    Ildiz et al. 2024 (arXiv 2410.18837), Figure 1, with dim=500, spectrum_power=2 and signal_power=1.5.
    """

    dim: int = whole(400, least=1)
    spectrum_power: float | jax.Array = real(0.0, least=0)
    signal_power: float | jax.Array = real(0.0, least=0)
    signal: float | jax.Array = real(1 / 400, above=0)
    weight_power: float | jax.Array = real(0.0, least=0)

    def draw(self, key: jax.Array) -> PowerLawPair:
        """Draw the signs of the target's coefficients."""
        dtype = default_dtype()
        index = jnp.arange(1, self.dim + 1, dtype=dtype)
        powers = (self.spectrum_power, self.signal_power, self.weight_power)
        spectrum, signal, weight = (index ** -jnp.asarray(power, dtype) for power in powers)
        signs = random_signs(fold_in(key, np.array([Purpose.TARGET], np.uint32))[0], self.dim)
        size = jnp.sqrt(jnp.asarray(self.signal, dtype) * signal / spectrum)
        return PowerLawPair(jnp.sqrt(spectrum), signs * size, jnp.sqrt(weight))

    def spectrum(self) -> np.ndarray:
        """Return the variances of the features."""
        return np.arange(1, self.dim + 1) ** -float(self.spectrum_power)

    def target(self) -> np.ndarray:
        """Return the sizes of the target's coefficients."""
        power = float(self.spectrum_power) - float(self.signal_power)
        return np.sqrt(float(self.signal) * np.arange(1, self.dim + 1) ** power)

    def weight(self) -> np.ndarray:
        """Return what the strong features are multiplied by."""
        return np.arange(1, self.dim + 1) ** (-float(self.weight_power) / 2)
