"""Worlds whose pairs have one more representation, made of those that they have."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.linalg import product
from w2sjax.pytrees import pytree
from w2sjax.random.draws import fold_in
from w2sjax.validation import Checked, switch, whole
from w2sjax.worlds.static import check_world

_UNLABELLED = 77
"""Of the key of unlabelled inputs within a pair's: none of `w2sjax.random.keys.Purpose`."""


@pytree("pair", "mean", "map")
@dataclasses.dataclass(frozen=True)
class DerivedPair:
    """A pair, whatever way it draws features, with the representation `name`: (joined features - mean) map."""

    pair: Any
    name: str
    of: tuple[str, ...]
    mean: Any = None
    map: Any = None

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "columns":  # columns know nothing of the new name
            raise AttributeError(attribute)
        inner = getattr(object.__getattribute__(self, "pair"), attribute)
        if attribute in ("represent", "take"):
            return lambda name, rows: self._made(lambda own: inner(own, rows), name)
        if attribute == "features":
            return lambda key, n: self._with_features(inner(key, n))
        return inner

    def _made(self, represent: Any, name: str) -> Any:
        if name != self.name:
            return represent(name)
        joined = jnp.concatenate([represent(own) for own in self.of], axis=1)
        return joined if self.map is None else product(joined - self.mean[None, :], self.map)

    def _with_features(self, drawn: Any) -> dict[str, Any]:
        named = (
            dict(zip(("target", "weak", "strong"), drawn, strict=True))
            if isinstance(drawn, tuple)
            else dict(drawn)
        )
        return named | {self.name: self._made(named.__getitem__, self.name)}


@pytree("world", objects=("world",))
@dataclasses.dataclass(frozen=True, kw_only=True)
class Adapted(Checked):
    """A world with one more representation: another one, fitted to unlabelled inputs before any supervision.

    The features' principal directions over `rows` unlabelled inputs of the split "strong", which is what a linear
    autoencoder with `dim` hidden units learns, and with `whiten` their variances scaled to one. The analogue of
    finetuning on unlabelled text before weak supervision in Burns et al. 2023 (arXiv 2312.09390, section 5.2.2).

    Args:
        world: any.
        of: the representation that is adapted.
        dim: directions kept, >= 1, at most its width; 0 is all.
        rows: unlabelled inputs, >= 2; from a table, they are the first rows of the split.
        whiten: whether every direction has unit variance.
        name: of the new representation.
    """

    world: Any
    of: str = "strong"
    dim: int = whole(0, least=0)
    rows: int = whole(2000, least=2)
    whiten: bool = switch(True)
    name: str = "adapted"

    def __post_init__(self) -> None:
        check_world(self.world)
        super().__post_init__()

    def draw(self, key: jax.Array) -> DerivedPair:
        """Draw a pair of the world, and adapt its representation.

        Raises:
            W2SError: for more directions than the representation has features.
        """
        pair = self.world.draw(key)
        own = fold_in(key, np.array([_UNLABELLED], np.uint32))[0]
        features = jnp.asarray(_unlabelled(pair, own, self.of, self.rows))
        width = features.shape[1]
        if self.dim > width:
            raise W2SError(f"dim={self.dim} is more than the {width} features of {self.of!r}: lower it.")
        mean = jnp.mean(features, axis=0)
        _, sizes, directions = jnp.linalg.svd(features - mean[None, :], full_matrices=False)
        kept = self.dim or width
        deviations = sizes[:kept] / self.rows**0.5
        scale = jnp.ones_like(deviations)
        if self.whiten:  # directions of no variance are left as they are
            some = deviations > float(jnp.finfo(features.dtype).eps) ** 0.5 * deviations[0]
            scale = jnp.where(some, 1 / jnp.where(some, deviations, 1), 0)
        return DerivedPair(pair, self.name, (self.of,), mean, directions[:kept].T * scale[None, :])


@pytree("world", objects=("world",))
@dataclasses.dataclass(frozen=True, kw_only=True)
class Joined:
    """A world with the representation "joined": the features of several, side by side.

    With the weak representation among them a strong model can imitate the weak one exactly, as where the weak label is
    written into the prompt (Burns et al. 2023, arXiv 2312.09390, Appendix E.3).

    Args:
        world: any.
        of: names of representations.
    """

    world: Any
    of: tuple[str, ...] = ("weak", "strong")

    def __post_init__(self) -> None:
        check_world(self.world)

    def draw(self, key: jax.Array) -> DerivedPair:
        """Draw a pair of the world."""
        return DerivedPair(self.world.draw(key), "joined", tuple(self.of))


def _unlabelled(pair: Any, key: jax.Array, name: str, rows: int) -> Any:
    """Return features of unlabelled inputs, `[rows, width]`, by the way that the pair draws them."""
    if hasattr(pair, "take"):
        return pair.take(name, pair.rows("strong", rows))
    if hasattr(pair, "inputs"):
        return pair.represent(name, pair.inputs(key, rows, "strong"))
    drawn = pair.features(key, rows)
    named = dict(zip(("target", "weak", "strong"), drawn, strict=True)) if isinstance(drawn, tuple) else drawn
    return named[name]
