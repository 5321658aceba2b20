"""The tree of keys: every random number is a function of (seed, pair, role, block), and of nothing else.

    seed -> pair -> role and block      the samples of a sweep, in blocks of `BLOCK` rows
    seed -> cell -> pair -> ...         of a sweep whose cells have draws of their own
    key  -> pair -> ...                 of `run_pair`
    pair's networks -> purpose          what a world of perceptrons draws

Block `j` of a role has its own key, so the first `n1` rows are the same whatever the sample size, the chunk, the device
or the process, and grid cells share their draws. Callers of different kinds have keys of different domains, which no
number brings together.
"""

import enum
import hashlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.random.draws import fold_in

ALGORITHM = 2
"""Version of what leads from keys to results; a change of results beyond rounding raises it."""

BLOCK = 500
"""Rows per block. A constant: changing it changes every draw."""

LARGEST_SEED = 2**32 - 1
"""Larger seeds would be cut to 32 bits in float32 alone."""

MOST_PAIRS = 2**32
"""Indices of further pairs would be cut to 32 bits and repeat draws."""

_ROLES = 16

_RUN_PAIR, _CELL, _FURTHER_SPLITS = 1, 2, 16
"""Domains of keys; pairs, roles and blocks of a sweep are of domain 0."""


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


class Purpose(enum.IntEnum):
    """What a world of perceptrons draws from the key of a pair's networks. Part of every result, as `Role` is."""

    TARGET = 0
    COPIES = 1
    """Noise of the weak and of the strong copy, together."""
    HEADS = 2
    INPUTS = 3
    START = 4
    SHUFFLE = 5
    NOISE = 6

    def of_network(self, network: int) -> int:
        """Return the number for one of several networks of a pair."""
        return int(self) + 8 * (1 + network)


CANDIDATE_NOISE = (1, 2)
"""What a world of candidates draws in place of `Purpose.COPIES`: noise of the weak and of the strong copy, apart."""

Stream = tuple[Role, int]
"""A role, and the number of the split that has it: 0, or more for the further strong splits of a chain."""


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


def block_keys(pair: jax.Array, blocks: dict[Stream, int]) -> dict[Stream, jax.Array]:
    """Return the keys of the first blocks of each stream within a pair, those of one domain from one call.

    Args:
        pair: the key of the pair.
        blocks: number of blocks by stream.

    Returns:
        Keys of shape `[block]` by stream; block j of a stream depends on (pair, stream, j) only.
    """
    found: dict[Stream, jax.Array] = {}
    for split in dict.fromkeys(split for _, split in blocks):
        counts = {role: count for (role, of), count in blocks.items() if of == split}
        counters = [int(role) + _ROLES * np.arange(count, dtype=np.uint32) for role, count in counts.items()]
        keys = fold_in(pair, np.concatenate(counters), _FURTHER_SPLITS + split if split else 0)
        stops = itertools.accumulate(counts.values())
        for (role, count), stop in zip(counts.items(), stops, strict=True):
            found[role, split] = keys[stop - count : stop]
    return found


def role_key(pair: jax.Array, role: Role) -> jax.Array:
    """Return the key of a role of which there is one within a pair."""
    return block_keys(pair, {(role, 0): 1})[role, 0][0]
