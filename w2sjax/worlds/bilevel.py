"""Gaussian inputs classified by the sign of one coordinate; each model sees coordinates and variances of its own."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, normal
from w2sjax.validation import Checked, real, whole


class Sight(NamedTuple):
    """What a representation sees: the first `favored` coordinates with variance `large`, `rest` more with `small`."""

    favored: int
    rest: int
    large: Any
    small: Any


@pytree("larges", "smalls")
@dataclasses.dataclass(frozen=True)
class BilevelPair:
    """Scaled coordinates of one Gaussian input by name; the target is the sign of the first."""

    larges: dict[str, Any]
    smalls: dict[str, Any]
    sizes: tuple[tuple[str, int, int], ...]
    offset: int
    dim: int

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw n standard normal inputs `[n, dim]`."""
        return normal(key, (n, self.dim))

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return the named features; of the target the label, +1 or -1."""
        if name == "target":
            return jnp.where(inputs[:, :1] >= 0, 1, -1).astype(inputs.dtype)
        favored, rest = next((f, r) for other, f, r in self.sizes if other == name)
        large, small = self.larges[name] ** 0.5, self.smalls[name] ** 0.5
        tail = inputs[:, self.offset : self.offset + rest]
        return jnp.concatenate([large * inputs[:, :favored], small * tail], axis=1)

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the label itself for every task."""
        dtype = default_dtype()
        return jnp.ones((tasks, 1), dtype), jnp.zeros(tasks, dtype)


@pytree("weak_large", "weak_small", "strong_large", "strong_small")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BilevelClassification(Checked):
    """Labels sign(psi_1) of Gaussian psi; a model sees its favored coordinates, psi_1 first, at a large variance.

    Of independent standard normal coordinates psi, the weak model sees the first `weak_favored` times
    sqrt(weak_large) and `weak_rest` unfavored ones times sqrt(weak_small); the strong model likewise. Unfavored
    coordinates are the same ones for both as far as both have them. With d = n^p, s = n^r, a = n^-q of the paper:
    favored = s, rest = d - s, large = a d / s, small = (1 - a) d / (d - s).

    Args:
        weak_favored, strong_favored: coordinates, >= 1.
        weak_rest, strong_rest: coordinates, >= 1.
        weak_large, weak_small, strong_large, strong_small: variances, > 0.

    Reference: Wu and Sahai 2024 (arXiv 2410.04638), two classes; sizes are not verified against the paper.
    """

    weak_favored: int = whole(1, least=1)
    weak_rest: int = whole(100, least=1)
    strong_favored: int = whole(1, least=1)
    strong_rest: int = whole(2000, least=1)
    weak_large: Any = real(10.0, above=0)
    weak_small: Any = real(1.0, above=0)
    strong_large: Any = real(10.0, above=0)
    strong_small: Any = real(1.0, above=0)

    def sights(self) -> tuple[Sight, Sight]:
        """Return what the weak and the strong model see."""
        weak = Sight(self.weak_favored, self.weak_rest, self.weak_large, self.weak_small)
        return weak, Sight(self.strong_favored, self.strong_rest, self.strong_large, self.strong_small)

    def draw(self, key: jax.Array) -> BilevelPair:
        """Return the pair: nothing in it is random."""
        dtype = default_dtype()
        weak, strong = self.sights()
        named = {"weak": weak, "strong": strong}
        offset = max(weak.favored, strong.favored)
        return BilevelPair(
            larges={name: jnp.asarray(sight.large, dtype) for name, sight in named.items()},
            smalls={name: jnp.asarray(sight.small, dtype) for name, sight in named.items()},
            sizes=tuple((name, sight.favored, sight.rest) for name, sight in named.items()),
            offset=offset,
            dim=offset + max(weak.rest, strong.rest),
        )
