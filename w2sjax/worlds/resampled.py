"""Data sets as a world: features of the same rows in several representations, and targets; a pair is a resample."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, random_bits
from w2sjax.validation import check_array, check_number, shown

SHARES = {"weak": 0.35, "strong": 0.45, "eval": 0.2}
"""Shares of the rows in the pools of the usual three splits."""


@pytree("features", "targets")
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Resampled:
    """Rows of a data set, dealt out anew for every pair.

    The rows are put in a random order, and cut into disjoint pools by shares: floor(share * rows) each. A split of
    n rows is the first n of its pool, so that a smaller split is a part of a larger one, and the pair axis of a sweep
    is the resample: quantiles over pairs say how much the draw of the splits matters. Resamples of one data set
    overlap: their spread is not that of fresh data.

    The truth is the targets as they are: task t is column t of the targets, and a protocol may ask for as many tasks as
    there are columns. Its `label_noise` adds Gaussian noise to those that models are trained on.

    Args:
        features: floating `[rows, width]` by the name of the representation: "weak" and "strong" for the usual chain,
            any names for a chain of stages. Linear heads with a ridge depend on their units: see
            `w2sjax.data.standardized`.
        targets: floating `[rows]` or `[rows, target]`.
        shares: of the rows in each pool, by split: numbers > 0 whose sum is at most 1. A chain with further splits
            ("strong_2"), or a protocol with a fresh misfit ("misfit"), needs pools of these names too.

    Raises:
        W2SError: naming what is wrong: another number of rows, a value that is not finite with its row and column,
            shares that are no shares. A protocol that asks for more rows than a pool has, or more tasks than there are
            targets, is refused when it runs.
    """

    features: Mapping[str, Any]
    targets: Any
    shares: Any = tuple(SHARES.items())

    def __post_init__(self) -> None:
        if not isinstance(self.features, Mapping) or not self.features:
            raise W2SError(
                f"features={shown(self.features)} are not named: pass {{name: array}}, such as weak and strong."
            )
        features = {}
        for name, values in self.features.items():
            if not isinstance(name, str) or not name.isidentifier() or name in ("target", "truth"):
                raise W2SError(f"features has the name {shown(name)}: use letters, digits and underscores.")
            features[name] = check_array(f"features[{name!r}]", values, layout="[rows, width]", ranks=(2,))
        targets = check_array("targets", self.targets, layout="[rows] or [rows, target]", ranks=(1, 2))
        targets = targets[:, None] if targets.ndim == 1 else targets
        for name, values in features.items():
            if len(values) != len(targets):
                raise W2SError(
                    f"features[{name!r}] has {len(values)} rows but targets has {len(targets)}: pass the same rows."
                )
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "shares", _checked_shares(self.shares))

    @property
    def pools(self) -> dict[str, int]:
        """Number of rows in each pool."""
        return {split: math.floor(share * len(self.targets) + 1e-9) for split, share in self.shares}

    @property
    def sizes(self) -> dict[str, int]:
        """The largest sizes of a protocol: `Protocol(**world.sizes, tasks=1)`."""
        return {
            f"n_{split}": self.pools[split] for split in ("weak", "strong", "eval") if split in self.pools
        }

    def draw(self, key: jax.Array) -> "ResampledPair":
        """Deal out the rows: each resample is a function of the key alone."""
        bits = random_bits(key, (len(self.targets),))
        return ResampledPair(self, jnp.argsort(bits).astype(jnp.int32))


@dataclasses.dataclass(frozen=True, eq=False)
class ResampledPair:
    """A data set whose rows were put in an order, int32 `[rows]`."""

    world: Resampled
    order: jax.Array

    def rows(self, split: str, n: int) -> jax.Array:
        """Return the first n rows of a split's pool, int32 `[n]`; the pilot is spread evenly over all rows.

        Raises:
            W2SError: for a split without a pool, or one with fewer rows.
        """
        total = len(self.world.targets)
        if split == "pilot":  # no part of the experiment, and one for all resamples
            return jnp.asarray((np.arange(n) * total) // n, jnp.int32)
        pools = self.world.pools
        if split not in pools:
            raise W2SError(f"shares has no split {split!r}, which this experiment draws: give it a share.")
        if n > pools[split]:
            size = f"n_{split.partition('_')[0]}" if split != "misfit" else "n_eval"
            raise W2SError(
                f"{size}={n} is more than the {pools[split]} rows in the pool of split {split!r}: lower it, or raise "
                "its share."
            )
        start = sum(list(pools.values())[: list(pools).index(split)])
        return self.order[start : start + n]

    def take(self, name: str, rows: jax.Array) -> jax.Array:
        """Return rows of a representation, or of the targets, `[n, width]` in JAX's default float dtype."""
        if name == "target":
            table = self.world.targets
        elif name in self.world.features:
            table = self.world.features[name]
        else:
            known = ", ".join(map(repr, self.world.features))
            raise W2SError(f"a stage is on {name!r}, but the features are {known}: name one of them.")
        return jnp.asarray(table)[rows].astype(default_dtype())

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the heads of the truth: task t is target t."""
        width = self.world.targets.shape[1]
        if tasks > width:
            raise W2SError(f"tasks={tasks} is more than the {width} targets of the data set: lower it.")
        return jnp.eye(tasks, width, dtype=default_dtype()), jnp.zeros(tasks, default_dtype())


def _checked_shares(shares: Any) -> tuple[tuple[str, float], ...]:
    """Return shares by split in the order given, or refuse them."""
    named = dict(shares) if isinstance(shares, Mapping | tuple) else None
    if not named:
        raise W2SError(f"shares={shown(shares)} is not a mapping: pass {{split: share}}, such as {SHARES}.")
    for split, share in named.items():
        check_number(f"shares[{split!r}]", share, above=0)
    if sum(named.values()) > 1 + 1e-9:
        raise W2SError(
            f"shares={shown(named)} sum to {sum(named.values()):.6g}: pass shares of at most 1 in all."
        )
    return tuple((split, float(share)) for split, share in named.items())
