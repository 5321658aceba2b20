"""Two Gaussian classes whose rows show easy features, hard ones, or both: the weak model sees the easy ones alone."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal, uniform
from w2sjax.random.keys import Purpose
from w2sjax.validation import check_choice, check_integer, check_number

GROUPS = ("easy", "hard", "overlap")

_SPLITS = ("weak", "strong", "eval", "misfit", "pilot")
_ROWS = 2**28
"""Rows of a split: the position of a row, and the number of its split times this, is what it is drawn from."""


@pytree("center", "variance", "key")
@dataclasses.dataclass(frozen=True)
class OverlapPair:
    """One draw of the centers of the classes."""

    center: jax.Array
    variance: Any
    key: jax.Array
    world: "OverlapDensity"

    def rows(self, split: str, n: int) -> jax.Array:
        """Return the first n rows of a split, int32 `[n]`."""
        if split not in _SPLITS:
            raise W2SError(f"a stage is on split {split!r}: this world has weak and strong.")
        return _SPLITS.index(split) * _ROWS + jnp.arange(n, dtype=jnp.int32)

    def take(self, name: str, rows: jax.Array) -> jax.Array:
        """Return features of rows: all, the easy ones, the class (+1 or -1) or the number of the group."""
        group = self.world.groups_of(rows)
        if name == "group":
            return group[:, None].astype(default_dtype())
        keys = fold_in(self.key, rows.astype(jnp.uint32))
        draws = jax.vmap(lambda key: normal(key, (len(self.center) + 1,)))(keys)
        label = jnp.where(draws[:, -1:] > 0, 1, -1).astype(draws.dtype)
        if name == "target":
            return label
        scale = jnp.sqrt(jnp.asarray(self.variance, draws.dtype))
        easy = self.world.easy_dim
        is_easy = (jnp.arange(len(self.center), dtype=jnp.int32) < easy)[None, :]
        absent = jnp.where(is_easy, GROUPS.index("hard"), GROUPS.index("easy")).astype(group.dtype)
        features = jnp.where(
            group[:, None] == absent, 0, label * self.center[None, :] + scale * draws[:, :-1]
        )
        if name not in ("weak", "strong"):
            raise W2SError(f"a stage is on {name!r}: this world has weak, strong, target and group.")
        return features[:, :easy] if name == "weak" else features

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the class itself for every task."""
        return jnp.ones((tasks, 1), default_dtype()), jnp.zeros(tasks, default_dtype())


@pytree("variance")
@dataclasses.dataclass(frozen=True, kw_only=True)
class OverlapDensity:
    """Rows y theta + sqrt(variance) z of class y = +-1, of which "easy" ones show the first coordinates alone.

    theta is uniform on [0, 1]^(easy_dim + hard_dim), one per pair; z is standard normal; both classes are equally
    likely. A row of group "easy" has 0 in its hard coordinates, one of "hard" in its easy ones, one of "overlap" shows
    all. The strong representation is the row, the weak one its easy coordinates. Weakly labelled overlap is what tells
    the strong model of hard coordinates.

    The weak split, of true labels, starts with given numbers of rows of two groups and goes on with the third, up to
    `n_weak` rows. The strong split is of one group. Evaluation has the three groups in turn: metrics by group
    (`w2sjax.by_group`, of the representation "group") are as accurate for each. For `targets.Binary(prior=None)`.

    Args:
        first: how many rows of two groups the weak split starts with.
        taught: the group of the strong split.
        easy_dim, hard_dim: coordinates, >= 1.
        variance: > 0, of each coordinate about its center.

    Reference: the public code of Shin, Cooper and Sala 2025 (arXiv 2412.03881), whose settings are the defaults.
    """

    first: tuple[tuple[str, int], ...] = (("easy", 100), ("hard", 100))
    taught: str = "overlap"
    easy_dim: int = 20
    hard_dim: int = 20
    variance: Any = 5.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", tuple((str(name), count) for name, count in self.first))
        names = [name for name, _ in self.first]
        if len(names) != 2 or len(set(names)) != 2 or not set(names) <= set(GROUPS):
            raise W2SError(
                f"first={self.first} is not of two groups: pass two of {', '.join(GROUPS)} with counts."
            )
        for name, count in self.first:
            check_integer(f"first[{name!r}]", count, least=0)
        check_choice("taught", self.taught, GROUPS)
        check_integer("easy_dim", self.easy_dim, least=1)
        check_integer("hard_dim", self.hard_dim, least=1)
        check_number("variance", self.variance, above=0)

    @property
    def rest(self) -> str:
        """The group of which `n_weak` says how many rows there are."""
        return next(name for name in GROUPS if name not in dict(self.first))

    def counts(self, n_weak: int) -> dict[str, int]:
        """Return the rows of each group in a weak split."""
        return dict(self.first) | {self.rest: n_weak - sum(count for _, count in self.first)}

    def groups_of(self, rows: jax.Array) -> jax.Array:
        """Return the number of the group of rows, int32."""
        split, place = rows // _ROWS, rows % _ROWS
        numbers = [GROUPS.index(name) for name in (*dict(self.first), self.rest)]
        bounds = (self.first[0][1], self.first[0][1] + self.first[1][1])
        weak = jnp.where(place < bounds[0], numbers[0], jnp.where(place < bounds[1], numbers[1], numbers[2]))
        taught = jnp.where(split == 1, GROUPS.index(self.taught), place % len(GROUPS))
        return jnp.where(split == 0, weak, taught).astype(jnp.int32)

    def draw(self, key: jax.Array) -> OverlapPair:
        """Draw the centers of the classes."""
        target, inputs = fold_in(key, jnp.array([Purpose.TARGET, Purpose.INPUTS], jnp.uint32))
        center = uniform(target, (self.easy_dim + self.hard_dim,), 0.5) + 0.5
        return OverlapPair(center, self.variance, inputs, self)
