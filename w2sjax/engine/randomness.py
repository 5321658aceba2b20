"""Where every random number comes from: (seed, pair index, role, block index), and nothing else.

Samples are drawn in blocks of `BLOCK` rows. Block `j` of a role has its own key, so the first `n1` rows are the same
whatever the sample size, the chunk, the device or the process, and grid cells share their draws.
"""

import enum
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.draws import fold_in
from w2sjax.sobol import sobol_keys
from w2sjax.threefry import THREEFRY_13, is_threefry

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


GENERATORS = ("threefry", "threefry13")
EVALUATION_POINTS = ("random", "sobol")

_EVALUATIONS = (Role.EVAL, Role.MISFIT)
_SAMPLES = (Role.WEAK, Role.STRONG, Role.WEAK_NOISE, Role.STRONG_NOISE, *_EVALUATIONS)


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
    counters = [int(role) + _ROLES * j for role, count in blocks.items() for j in range(count)]
    if counters and max(counters) >= 2**32:
        raise ValueError("a sample of this size has more blocks than there are keys: lower it.")
    keys = fold_in(pair, np.array(counters, np.uint32))
    stops = list(itertools.accumulate(blocks.values()))
    return {
        role: keys[stop - count : stop] for (role, count), stop in zip(blocks.items(), stops, strict=True)
    }


def with_generators(
    keys: dict[Role, jax.Array], generator: str, evaluation_points: str
) -> dict[Role, jax.Array]:
    """Have the samples drawn by another generator: keys of other roles stay as they are.

    Args:
        keys: threefry keys of blocks by role.
        generator: a member of `GENERATORS`, for every sample and its label noise.
        evaluation_points: a member of `EVALUATION_POINTS`, for samples that errors are measured on.
    """
    if generator == "threefry" and evaluation_points == "random":
        return keys
    if not is_threefry(next(iter(keys.values()))):
        raise ValueError(
            f"generator={generator!r} with evaluation_points={evaluation_points!r} needs a threefry key: pass "
            "jax.random.key(seed, impl='threefry2x32'), or leave both fields at their defaults."
        )
    changed = dict(keys)
    for role in _SAMPLES:
        if role in keys and generator == "threefry13":
            changed[role] = jax.random.wrap_key_data(jax.random.key_data(keys[role]), impl=THREEFRY_13)
        if role in keys and role in _EVALUATIONS and evaluation_points == "sobol":
            changed[role] = sobol_keys(keys[role][0], len(keys[role]), BLOCK)
    return changed
