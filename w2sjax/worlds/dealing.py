"""How the rows of a data set are dealt out to disjoint pools of fixed sizes, at random, whole groups together."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import fold_in, random_bits
from w2sjax.random.normals import unit_interval


@pytree("rows", "member", "sizes")
@dataclasses.dataclass(frozen=True, eq=False)
class Deal:
    """What is dealt out together.

    Attributes:
        rows: int32 `[n]`, their positions in the data set.
        member: int32 `[n]`, which of the groups of two rows or more each row is of; as many as there are, if of none.
        sizes: int32 `[group]`, of those groups, the largest first.
        pools: sizes of the pools by split.
    """

    rows: Any
    member: Any
    sizes: Any
    pools: tuple[tuple[str, int], ...]

    @property
    def capacities(self) -> tuple[int, ...]:
        """Sizes of the pools, and of the rest."""
        sizes = [size for _, size in self.pools]
        return (*sizes, len(self.rows) - sum(sizes))

    def order(self, key: jax.Array) -> jax.Array:
        """Return the rows, int32 `[n]`: those of the first pool, of the second, ..., of the rest, each in random order.

        Without groups all orders are equally likely. Groups choose their pools one after another, the largest first,
        with probabilities proportional to the places left among the pools that have room for them; single rows fill
        what is left.
        """
        n, groups = len(self.rows), len(self.sizes)
        shuffle, choices = fold_in(key, np.arange(2, dtype=np.uint32))
        bits = random_bits(shuffle, (n,))
        rows = jnp.asarray(self.rows)
        if not groups:
            return rows[jnp.argsort(bits)]

        def place(left: jax.Array, given: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            size, chance = given
            open_places = jnp.cumsum(jnp.where(left >= size, left, 0)).astype(jnp.float32)
            pool = jnp.sum(open_places <= chance * open_places[-1]).astype(jnp.int32)
            taken = jnp.where(jnp.arange(left.size, dtype=jnp.int32) == pool, size, 0)
            return left - taken, pool

        capacities = jnp.array(self.capacities, jnp.int32)
        chances = unit_interval(random_bits(choices, (groups,)))
        left, pool_of_group = jax.lax.scan(place, capacities, (jnp.asarray(self.sizes), chances))
        member = jnp.asarray(self.member)
        alone = member == groups
        # Single rows in random order: the first fill what is left of the first pool, and so on.
        last = jnp.iinfo(jnp.uint32).max
        rank = jnp.argsort(jnp.argsort(jnp.where(alone, bits // 2, last))).astype(jnp.int32)
        pool_of_single = jnp.sum(jnp.cumsum(left)[None, :] <= rank[:, None], axis=1).astype(jnp.int32)
        padded = jnp.concatenate([pool_of_group, jnp.zeros(1, jnp.int32)])
        pool = jnp.where(alone, pool_of_single, padded[member])
        return rows[jnp.lexsort((bits, pool))]


def make_deal(rows: np.ndarray, groups: np.ndarray | None, shares: Mapping[str, float]) -> Deal:
    """Return how the given rows are dealt out.

    Args:
        rows: positions in the data set, `[n]`.
        groups: label of the group of each, `[n]`; None for none.
        shares: of the rows in each pool, by split.

    Raises:
        W2SError: for groups so large that pools of the wanted sizes cannot be promised.
    """
    n = len(rows)
    pools = tuple((split, int(share * n + 1e-9)) for split, share in shares.items())
    for split, size in pools:
        if not size:
            raise W2SError(f"shares[{split!r}]={shares[split]:g} is no row of {n}: raise it.")
    member, sizes = np.zeros(n, np.int32), np.zeros(0, np.int32)
    if groups is not None:
        _, label, counts = np.unique(groups, return_inverse=True, return_counts=True)
        several = np.flatnonzero(counts > 1)
        largest_first = several[np.argsort(-counts[several], kind="stable")]
        sizes = counts[largest_first].astype(np.int32)
        place = np.full(len(counts), len(sizes), np.int32)
        place[largest_first] = np.arange(len(sizes))
        member = place[label]
    deal = Deal(np.asarray(rows, np.int32), member, sizes, pools)
    still = n
    for size in sizes.tolist():
        # A group has no place for certain if all that are still to come could leave each pool one row too few for it.
        if still <= sum(min(capacity, size - 1) for capacity in deal.capacities):
            raise W2SError(
                f"groups has one of {size} of {n} rows, which may fit no pool of {dict(pools)}: raise the largest "
                "share, or divide that group."
            )
        still -= size
    return deal
