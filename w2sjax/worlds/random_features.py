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
from w2sjax.validation import Checked, check_integer, real, switch, whole


class Spectrum(NamedTuple):
    """Variances of the inputs' coordinates and squares of the target's coefficients in whitened ones, `[dim]` each.

    Where coordinates of one variance stand together, `copies` says how many, and energy is their sum.
    """

    eigenvalues: Any
    energy: Any
    copies: Any = 1.0


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
    """`FeaturePair` on a table of rows sqrt(n) e_k, and zeros, whose second moments are those of the population."""

    maps: dict[str, jax.Array]
    energy: jax.Array

    heads = FeaturePair.heads

    def rows(self, split: str, n: int) -> jax.Array:
        """Return every row of the table in order, over and over."""
        return jnp.arange(n, dtype=jnp.int32) % self.size

    def take(self, name: str, rows: jax.Array) -> jax.Array:
        """Return the named features of rows of the table."""
        if name == "target":
            table = jax.nn.one_hot(rows, self.energy.shape[0], dtype=default_dtype())
        else:
            table = self.maps[name][rows]
        return table * self.size**0.5

    @property
    def size(self) -> int:
        """Rows of the table."""
        return self.maps["weak"].shape[0]


def check_rows(rows: int, least: int) -> None:
    """Refuse a table of too few rows; 0 stands for as many as needed."""
    if check_integer("rows", rows, least=0) and rows < least:
        raise W2SError(f"rows={rows} is too small: pass {least} or more, or 0.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Features(Checked):
    dim: int = whole(400, least=1)
    weak_width: int = whole(50, least=0)
    strong_width: int = whole(200, least=0)
    population: bool = switch(False)
    rows: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rows(self.rows, self.dim)

    def table_rows(self) -> int:
        """Return how many rows the table of the population has."""
        return self.rows or self.dim

    def spectrum(self) -> Spectrum:
        """Return variances and target coefficients."""
        raise NotImplementedError

    def draw(self, key: jax.Array) -> FeaturePair | PopulationPair:
        """Draw the random features of one pair."""
        dtype = default_dtype()
        eigenvalues, energy = (jnp.asarray(values, dtype) for values in self.spectrum()[:2])
        purposes = [Purpose.START.of_network(1), Purpose.START.of_network(2)]
        keys = fold_in(key, np.array(purposes, np.uint32))
        maps = {}
        for own, name in zip(keys, ("weak", "strong"), strict=True):
            width = getattr(self, f"{name}_width")
            mixing = normal(own, (self.dim, width)) / width**0.5 if width else jnp.eye(self.dim, dtype=dtype)
            maps[name] = jnp.sqrt(eigenvalues)[:, None] * mixing
            if self.population:
                maps[name] = jnp.pad(maps[name], ((0, self.table_rows() - self.dim), (0, 0)))
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
        rows: of that table, to be the samples' numbers in place of dim, >= dim; further rows are zero.
        decay: > 0; in source and capacity conditions the capacity alpha.
        target_decay: >= 0; (1 + 2 alpha r) / 2 for the source r.

    Reference: Wu, Chen, Misiakiewicz and Mondelli 2026 (arXiv 2603.05691). The values are not verified against it.
    """

    decay: Any = real(1.5, above=0)
    target_decay: Any = real(1.0, least=0)

    def spectrum(self) -> Spectrum:
        """Return k^-decay and k^(-2 target_decay)."""
        k = jnp.arange(1, self.dim + 1, dtype=jnp.int32).astype(default_dtype())
        return Spectrum(k**-self.decay, k ** (-2 * self.target_decay))


@pytree("small", "large_power", "small_power")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoLevelFeatures(_Features):
    """Random features of Gaussian inputs with `large` coordinates of variance 1 and the others of variance `small`.

    Args:
        dim, weak_width, strong_width, population, rows: as in `PowerLawFeatures`.
        large: coordinates of variance 1, from 1 to dim.
        small: variance of the others, >= 0. Medvedev et al. 2025 (arXiv 2503.02877): large=1, small = (dim - 1)^(-2/3),
            weak_width = dim^(2/3), which is a recollection, not verified against the paper.
        large_power, small_power: target's squared coefficient along each coordinate in whitened units, >= 0.
    """

    large: int = whole(1, least=1)
    small: Any = real(0.02, least=0)
    large_power: Any = real(1.0, least=0)
    small_power: Any = real(0.0, least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.large > self.dim:
            raise W2SError(f"large={self.large} is more than dim={self.dim}: lower it.")

    def levels(self) -> Spectrum:
        """Return the spectrum with coordinates of one variance together."""
        copies = np.array([self.large, self.dim - self.large])
        energy = copies * np.array([self.large_power, self.small_power], float)
        return Spectrum(
            *(jnp.asarray(a, default_dtype()) for a in ([1.0, float(self.small)], energy, copies))
        )

    def spectrum(self) -> Spectrum:
        """Return the two levels."""
        first = jnp.arange(self.dim, dtype=jnp.int32) < self.large
        ones = jnp.ones(self.dim, default_dtype())
        return Spectrum(
            jnp.where(first, ones, self.small * ones),
            jnp.where(first, self.large_power * ones, self.small_power * ones),
        )


@pytree()
@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaledFeatures(Checked):
    """Linear random features on the population, whose sizes and variances are powers of the teacher's width M.

    M^dim_power coordinates, of which M^large_power have the variance 1 and others 1 / M; the target's coefficients on
    them are M^(target_power / 2) and 1; the student has dim^strong_power random features. All are rounded.

    Args:
        size: M, >= 2.
        dim_power, large_power, strong_power, target_power: r, p, 1.25 and alpha of the public code.
        rows: of the table, as in `PowerLawFeatures`, the same for every size of a sweep.

    Reference: the public code of "Provable Weak-to-Strong Generalization via Overspecified Students and Underspecified
    Teachers" (OpenReview Db5TUogRSM), its default data model; there a teacher is trained by online SGD.
    """

    size: int = whole(32, least=2)
    dim_power: float = real(1.5, above=0)
    large_power: float = real(0.5, above=0)
    strong_power: float = real(1.25, above=0)
    target_power: float = real(1.5, above=0)
    rows: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rows(self.rows, self.dim)

    population = True
    table_rows = _Features.table_rows
    draw = _Features.draw

    @property
    def dim(self) -> int:
        """Coordinates."""
        return round(self.size**self.dim_power)

    @property
    def weak_width(self) -> int:
        """Features of the teacher."""
        return self.size

    @property
    def strong_width(self) -> int:
        """Features of the student."""
        return round(self.dim**self.strong_power)

    def _two_levels(self) -> TwoLevelFeatures:
        return TwoLevelFeatures(
            dim=self.dim,
            large=round(self.size**self.large_power),
            small=1 / self.size,
            large_power=self.size**self.target_power,
            small_power=1 / self.size,
        )

    def levels(self) -> Spectrum:
        """Return the spectrum with coordinates of one variance together."""
        return self._two_levels().levels()

    def spectrum(self) -> Spectrum:
        """Return the two levels."""
        return self._two_levels().spectrum()
