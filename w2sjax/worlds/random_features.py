"""Gaussian inputs with a spectrum; weak and strong representations are linear random features of them."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.linalg import product
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal, random_bits
from w2sjax.random.keys import Purpose
from w2sjax.validation import check_boolean, check_integer, check_number


class Spectrum(NamedTuple):
    """Variances of the inputs' coordinates, and the squares of the target's coefficients in whitened ones, `[dim]`."""

    eigenvalues: Any
    energy: Any


@pytree("maps", "energy")
@dataclasses.dataclass(frozen=True)
class FeaturePair:
    """Linear maps from whitened inputs to features by name, `[dim, width]`."""

    maps: dict[str, jax.Array]
    energy: jax.Array

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw n whitened inputs `[n, dim]`."""
        return normal(key, (n, self.energy.shape[0]))

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return the named features of whitened inputs; those of the target are the inputs."""
        return inputs if name == "target" else product(inputs, self.maps[name])

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Draw targets: fixed sizes of the coefficients, random signs."""
        signs = 1 - 2 * (random_bits(key, (tasks, self.energy.shape[0])) >> 31).astype(default_dtype())
        return signs * jnp.sqrt(self.energy)[None, :], jnp.zeros(tasks, default_dtype())


@pytree("maps", "energy")
@dataclasses.dataclass(frozen=True)
class PopulationPair:
    """`FeaturePair` on a table of dim rows, sqrt(dim) e_k, whose second moments are those of the population."""

    maps: dict[str, jax.Array]
    energy: jax.Array

    heads = FeaturePair.heads

    def rows(self, split: str, n: int) -> jax.Array:
        """Return every row of the table in order, over and over."""
        return jnp.arange(n, dtype=jnp.int32) % self.energy.shape[0]

    def take(self, name: str, rows: jax.Array) -> jax.Array:
        """Return the named features of rows of the table."""
        size = self.energy.shape[0]
        if name == "target":
            return jax.nn.one_hot(rows, size, dtype=default_dtype()) * size**0.5
        return self.maps[name][rows] * size**0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Features:
    dim: int = 400
    weak_width: int = 50
    strong_width: int = 200
    population: bool = False

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, least=1)
        check_integer("weak_width", self.weak_width, least=0)
        check_integer("strong_width", self.strong_width, least=0)
        check_boolean("population", self.population)

    def spectrum(self) -> Spectrum:
        """Return variances and target coefficients."""
        raise NotImplementedError

    def draw(self, key: jax.Array) -> FeaturePair | PopulationPair:
        """Draw the random features of one pair."""
        dtype = default_dtype()
        eigenvalues, energy = (jnp.asarray(values, dtype) for values in self.spectrum())
        purposes = [Purpose.START.of_network(1), Purpose.START.of_network(2)]
        keys = fold_in(key, np.array(purposes, np.uint32))
        maps = {}
        for own, name in zip(keys, ("weak", "strong"), strict=True):
            width = getattr(self, f"{name}_width")
            mixing = normal(own, (self.dim, width)) / width**0.5 if width else jnp.eye(self.dim, dtype=dtype)
            maps[name] = jnp.sqrt(eigenvalues)[:, None] * mixing
        kind = PopulationPair if self.population else FeaturePair
        return kind(maps, energy)


@pytree("decay", "target_decay")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PowerLawFeatures(_Features):
    """Random features of Gaussian inputs: variances fall as k^-decay, target coefficients as k^-target_decay.

    Features are x'F / sqrt(width), F standard normal, x ~ N(0, diag(k^-decay)); the target is sum +- k^-target_decay
    psi_k in whitened coordinates psi, its signs random by task.

    Args:
        dim: coordinates, >= 1.
        weak_width, strong_width: random features; 0 is all inputs as they are, the limit of infinitely many.
        population: rows are a table of dim points with the second moments of the population: with n_weak = n_strong =
            n_eval = dim every fit and error is that of infinitely many samples.
        decay: > 0; in source and capacity conditions the capacity alpha.
        target_decay: >= 0; (1 + 2 alpha r) / 2 for the source r.

    Reference: Wu, Chen, Misiakiewicz and Mondelli 2026 (arXiv 2603.05691). The values are not verified against it.
    """

    decay: Any = 1.5
    target_decay: Any = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("decay", self.decay, above=0)
        check_number("target_decay", self.target_decay, least=0)

    def spectrum(self) -> Spectrum:
        """Return k^-decay and k^(-2 target_decay)."""
        k = jnp.arange(1, self.dim + 1, dtype=jnp.int32).astype(default_dtype())
        return Spectrum(k**-self.decay, k ** (-2 * self.target_decay))


@pytree("small", "large_power", "small_power")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoLevelFeatures(_Features):
    """Random features of Gaussian inputs with `large` coordinates of variance 1 and the others of variance `small`.

    Args:
        dim, weak_width, strong_width, population: as in `PowerLawFeatures`.
        large: coordinates of variance 1, from 1 to dim.
        small: variance of the others, >= 0. Medvedev et al. 2025 (arXiv 2503.02877): large=1, small = (dim - 1)^(-2/3),
            weak_width = dim^(2/3), which is a recollection, not verified against the paper.
        large_power, small_power: target's squared coefficient along each coordinate in whitened units, >= 0.
    """

    large: int = 1
    small: Any = 0.02
    large_power: Any = 1.0
    small_power: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("large", self.large, least=1)
        if self.large > self.dim:
            raise W2SError(f"large={self.large} is more than dim={self.dim}: lower it.")
        for name in ("small", "large_power", "small_power"):
            check_number(name, getattr(self, name), least=0)

    def spectrum(self) -> Spectrum:
        """Return the two levels."""
        first = jnp.arange(self.dim, dtype=jnp.int32) < self.large
        ones = jnp.ones(self.dim, default_dtype())
        return Spectrum(
            jnp.where(first, ones, self.small * ones),
            jnp.where(first, self.large_power * ones, self.small_power * ones),
        )
