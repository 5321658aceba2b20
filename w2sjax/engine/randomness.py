"""Where every random number comes from: (seed, pair index, role, block index), and nothing else.

Samples are drawn in blocks of `BLOCK` rows. Block `j` of a role has its own key, so the first `n1` rows are the same
whatever the sample size, the chunk, the device or the process, and grid cells share their draws.
"""

import enum
import hashlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.draws import fold_in
from w2sjax.sobol import sobol_keys

ALGORITHM = 2
"""Version of what leads from keys to results; a change of results beyond rounding raises it."""

BLOCK = 500
"""Rows per block. A constant: changing it changes every draw."""

LARGEST_SEED = 2**32 - 1
"""Larger seeds would be cut to 32 bits in float32 alone."""

MOST_PAIRS = 2**32
"""Indices of further pairs would be cut to 32 bits and repeat draws."""

_ROLES = 16


class Role(enum.IntEnum):
    """What a stream of random numbers is for. The numbers are part of every result: never reorder them."""

    PAIR = 0
    TASKS = 1
    PILOT = 2
    WEAK = 3
    STRONG = 4
    EVAL = 5
    WEAK_NOISE = 6
    STRONG_NOISE = 7
    MISFIT = 8
    HEADS = 9
    SHUFFLES = 10


EVALUATION_POINTS = ("random", "sobol")

_EVALUATIONS = (Role.EVAL, Role.MISFIT)


_RUN_PAIR, _CELL = 1, 2
"""Domains of keys that no pair, role or block of a sweep has; those are of domain 0."""


def run_pair_key(key: jax.Array) -> jax.Array:
    """Return the key of the pair that `run_pair` draws from a user's typed key: no key of a sweep of that seed."""
    return fold_in(key, np.zeros(1, np.uint32), _RUN_PAIR)[0]


def cell_key(seed: jax.Array, setting: str) -> jax.Array:
    """Return the key that the pairs of a cell with draws of its own are drawn from.

    Args:
        seed: a typed key.
        setting: the values of the axes as text. Keys of two settings differ but for a collision of 64 bits.
    """
    key = seed
    for word in np.frombuffer(hashlib.sha256(setting.encode()).digest()[:16], "<u4"):
        key = fold_in(key, word[None], _CELL)[0]
    return key


def pair_key(seed: jax.Array, index: int | jax.Array) -> jax.Array:
    """Return the key of pair `index` under the typed key `seed`."""
    return fold_in(seed, jnp.asarray(index, jnp.uint32)[None])[0]


def block_keys(pair: jax.Array, blocks: dict[Role, int]) -> dict[Role, jax.Array]:
    """Return the keys of the first blocks of each role within a pair, all from one call of the generator.

    Args:
        pair: the key of the pair.
        blocks: number of blocks by role.

    Returns:
        Keys of shape `[block]` by role; block j of a role depends on (pair, role, j) only.
    """
    counters = [int(role) + _ROLES * np.arange(count, dtype=np.uint32) for role, count in blocks.items()]
    keys = fold_in(pair, np.concatenate(counters))
    stops = list(itertools.accumulate(blocks.values()))
    return {
        role: keys[stop - count : stop] for (role, count), stop in zip(blocks.items(), stops, strict=True)
    }


def with_points(keys: dict[Role, jax.Array], evaluation_points: str) -> dict[Role, jax.Array]:
    """Have the samples that errors are measured on drawn as a member of `EVALUATION_POINTS`; other keys stay."""
    if evaluation_points == "random":
        return keys
    points = {
        role: sobol_keys(keys[role][0], len(keys[role]), BLOCK) for role in _EVALUATIONS if role in keys
    }
    return keys | points
