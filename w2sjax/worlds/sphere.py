"""Random ReLU features on a sphere, on the population: every second moment is known in closed form."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal
from w2sjax.random.keys import Purpose
from w2sjax.validation import Checked, whole
from w2sjax.worlds.random_features import Spectrum, check_rows


@pytree("tables")
@dataclasses.dataclass(frozen=True)
class TablePair:
    """Rows `[size, width]` by name, target among them, whose second moments are those of the population."""

    tables: dict[str, jax.Array]

    def rows(self, split: str, n: int) -> jax.Array:
        """Return every row of the table in order, over and over."""
        return jnp.arange(n, dtype=jnp.int32) % self.tables["target"].shape[0]

    def take(self, name: str, rows: jax.Array) -> jax.Array:
        """Return the named features of rows of the table."""
        return self.tables[name][rows]

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the target itself for every task."""
        return jnp.ones((tasks, 1), default_dtype()), jnp.zeros(tasks, default_dtype())


@pytree()
@dataclasses.dataclass(frozen=True, kw_only=True)
class SphereReLU(Checked):
    """Features relu(u'x) / sqrt(width), x and u uniform on the unit sphere; the target is sqrt(dim) x_1.

    Rows are a table with the joint second moments of target and features over the sphere,

        E relu(u'x) relu(v'x) = (sin a + (pi - a) cos a) / (2 pi dim),  a the angle of u and v,
        E relu(u'x) x = u / (2 dim),

    so that with n_weak = n_strong = n_eval = rows every fit and error is that of infinitely many samples.

    Args:
        dim: of the sphere's space, >= 3.
        weak_width, strong_width: random units, >= 1; a strong_width of 0, infinitely many, is for theories alone.
        rows: of the table, >= 1 + weak_width + strong_width; 0 is as many.

    Cost: O((weak_width + strong_width)^3) per pair.

    Reference: Medvedev et al. 2025 (arXiv 2503.02877); dimension and widths are recollections, not verified.
    """

    dim: int = whole(32, least=3)
    weak_width: int = whole(64, least=1)
    strong_width: int = whole(1000, least=0)
    rows: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rows(self.rows, 1 + self.weak_width + self.strong_width)

    population = True

    def table_rows(self) -> int:
        """Return how many rows the table has."""
        return self.rows or 1 + self.weak_width + self.strong_width

    def draw(self, key: jax.Array) -> TablePair:
        """Draw the units of one pair."""
        if not self.strong_width:
            raise W2SError("strong_width=0 is for theories alone: pass a number of units.")
        dtype, size = default_dtype(), 1 + self.weak_width + self.strong_width
        purposes = [Purpose.START.of_network(1), Purpose.START.of_network(2)]
        weak, strong = fold_in(key, np.array(purposes, np.uint32))
        units = jnp.concatenate(
            [normal(weak, (self.weak_width, self.dim)), normal(strong, (self.strong_width, self.dim))]
        )
        units = units / jnp.linalg.norm(units, axis=1, keepdims=True)
        cosine = jnp.clip(jnp.matmul(units, units.T, precision=jax.lax.Precision.HIGHEST), -1, 1)
        angle = jnp.arccos(cosine)
        inner = (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (2 * jnp.pi * self.dim)
        with_target = units[:, :1] / (2 * self.dim**0.5)
        gram = jnp.block([[jnp.ones((1, 1), dtype), with_target.T], [with_target, inner]])
        jitter = size * float(jnp.finfo(dtype).eps) / self.dim
        root = jnp.linalg.cholesky(gram + jitter * jnp.eye(size, dtype=dtype)).T
        rows = self.table_rows()
        table = jnp.pad(root, ((0, rows - size), (0, 0))) * rows**0.5
        ends = (1, 1 + self.weak_width)
        return TablePair(
            {
                "target": table[:, :1],
                "weak": table[:, 1 : ends[1]] / self.weak_width**0.5,
                "strong": table[:, ends[1] :] / self.strong_width**0.5,
            }
        )

    def spectrum(self, degrees: int = 12) -> Spectrum:
        """Return the eigenvalues of the features' covariance by degree of harmonics; higher degrees stand as one."""
        found, copies = _harmonics(self.dim, degrees)
        energy = np.zeros(degrees + 2)
        energy[1] = 1
        return Spectrum(*(jnp.asarray(values, default_dtype()) for values in (found, energy, copies)))


def _harmonics(dim: int, degrees: int) -> tuple[np.ndarray, np.ndarray]:
    """Return E[relu(t) P_k(t)]^2, t a coordinate on the sphere and P_k(1) = 1, and the dimension of each degree."""
    from scipy.special import comb, eval_gegenbauer

    nodes, weights = np.polynomial.legendre.leggauss(400)
    t = (nodes + 1) / 2
    density = weights * (1 - t**2) ** ((dim - 3) / 2)
    density /= 2 * density.sum()  # of the half where relu is not 0
    order = dim / 2 - 1
    k = np.arange(degrees + 1)[:, None]
    shapes = eval_gegenbauer(k, order, t) / eval_gegenbauer(k, order, 1.0)
    squares: Any = ((density * t) * shapes).sum(1) ** 2
    copies = comb(dim + k[:, 0] - 1, k[:, 0]) - comb(dim + k[:, 0] - 3, k[:, 0] - 2)
    squares = np.where(squares < 1e-20, 0, squares)
    rest = max(1 / (2 * dim) - (squares * copies).sum(), 0.0)
    return np.append(squares, rest / 1e7), np.append(copies, 1e7)
