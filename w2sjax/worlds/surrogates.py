"""Features with a spectrum, and given weak models: the surrogates of a target that are the best to learn from."""

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


@pytree("scales", "models")
@dataclasses.dataclass(frozen=True)
class SurrogatePair:
    """Standard deviations of the features, and the coefficients `[dim]` of every model by name."""

    scales: jax.Array
    models: dict[str, jax.Array]

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw features `[n, dim]`."""
        return normal(key, (n, self.scales.shape[0])) * self.scales[None, :]

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return all features, or the predictions `[n, 1]` of a model."""
        if name == "strong":
            return inputs
        if name not in self.models:
            raise W2SError(f"a stage is on {name!r}: this world has strong, {', '.join(self.models)}.")
        return product(inputs, self.models[name][:, None])

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the target function for every task."""
        return jnp.ones((tasks, 1), default_dtype()), jnp.zeros(tasks, default_dtype())


@pytree("spectrum_power", "signal_power", "designed_for")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Surrogates(Checked):
    """Independent Gaussian features of variance i^-spectrum_power, and models of a target that teach on them.

    The target is sum b_i x_i, b_i of fair signs, b_i^2 times the variance of x_i being i^-signal_power. The models are
    representations of one feature, for heads of `w2sjax.heads.AsIs`: "optimal" and "mask", whose labels are the best to
    learn from by the minimum-norm fit of `designed_for` samples (`w2sjax.theory.optimal_surrogate`, `optimal_mask`).

    Args:
        dim: features, > 1.
        spectrum_power: > 0.
        signal_power: >= 0.
        designed_for: samples, from 1 to dim - 1.

    Reference: Ildiz et al. 2024 (arXiv 2410.18837), Figure 1, as a third party quotes its caption.
    """

    dim: int = whole(500, least=2)
    spectrum_power: float | jax.Array = real(2.0, above=0)
    signal_power: float | jax.Array = real(1.5, least=0)
    designed_for: float | jax.Array = real(200.0, least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.designed_for, jax.core.Tracer) and float(self.designed_for) >= self.dim:
            raise W2SError(
                f"designed_for={float(self.designed_for):g} with dim={self.dim}: pass fewer samples than features."
            )

    def draw(self, key: jax.Array) -> SurrogatePair:
        """Draw the signs of the target's coefficients."""
        index = jnp.arange(1, self.dim + 1, dtype=default_dtype())
        spectrum = index**-self.spectrum_power
        signs = random_signs(fold_in(key, np.array([Purpose.TARGET], np.uint32))[0], self.dim)
        target = signs * index ** ((self.spectrum_power - self.signal_power) / 2)
        lost = spectrum_lost(spectrum, self.designed_for)
        omega = jnp.sum((1 - lost) ** 2) / self.designed_for
        gain = (1 - lost) / ((1 - lost) ** 2 + omega / (1 - omega) * lost**2)
        kept = (1 - lost**2 > omega).astype(target.dtype)
        return SurrogatePair(
            jnp.sqrt(spectrum), {"target": target, "optimal": target * gain, "mask": target * kept}
        )

    def spectrum(self) -> np.ndarray:
        """Return the variances of the features."""
        return np.arange(1, self.dim + 1) ** -float(self.spectrum_power)

    def target(self) -> np.ndarray:
        """Return the sizes of the target's coefficients."""
        return np.arange(1, self.dim + 1) ** ((float(self.spectrum_power) - float(self.signal_power)) / 2)


def spectrum_lost(spectrum: jax.Array, n: jax.Array | float) -> jax.Array:
    """Return kappa / (lambda + kappa) with sum lambda / (lambda + kappa) = n, by bisection of log kappa."""
    low, high = jnp.log(jnp.min(spectrum)) - 30, jnp.log(jnp.sum(spectrum))

    def halve(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        middle = (ends[0] + ends[1]) / 2
        above = jnp.sum(spectrum / (spectrum + jnp.exp(middle))) > n
        return jnp.where(above, middle, ends[0]), jnp.where(above, ends[1], middle)

    kappa = jnp.exp(jax.lax.fori_loop(0, 64, halve, (low, high))[0])
    return kappa / (spectrum + kappa)
