"""Scrambled Sobol points: inputs that fill space more evenly than independent ones.

The blocks of a sample are successive parts of one sequence: its first n rows are the first n points.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.random.threefry import as_threefry, threefry_bits

POINTS = 2**20
"""Points of a sequence."""

LARGEST_DIMENSION = 1024
"""Dimensions of a sequence; SciPy's table of direction numbers has more."""

_WORD = 32


def sobol_bits(key: jax.Array, first: jax.Array, dimension: int, n: int) -> jax.Array:
    """Return n points of a scrambled Sobol sequence as fractions of 2^32: uint32 `[dimension, n]`.

    Args:
        key: a typed key, of the scrambling.
        first: number of the first point, uint32.
        dimension: of the points, at most `LARGEST_DIMENSION`.
        n: points.

    Scrambled by a random lower triangular matrix over the bits of each coordinate and a random shift (Matousek 1998):
    every point is uniform on the unit cube, and the points stay a digital net. Direction numbers are those of Joe and
    Kuo (2008), from SciPy.
    """
    if dimension > LARGEST_DIMENSION:
        raise W2SError(
            f"evaluation_points='sobol' is for at most {LARGEST_DIMENSION} input dimensions, not {dimension}: "
            "leave it at 'random'."
        )
    data = jax.lax.optimization_barrier(jax.random.key_data(as_threefry(key)))
    words = threefry_bits(data[0], data[1], jax.lax.iota(jnp.uint32, dimension * (_WORD + 1)))
    words = words.reshape(dimension, _WORD + 1)
    directions = jax.lax.optimization_barrier(_scrambled(words[:, :_WORD], _directions(dimension)))
    number = first + jax.lax.iota(jnp.uint32, n)
    gray = number ^ (number >> np.uint32(1))
    points = jnp.broadcast_to(words[:, _WORD:], (dimension, n))
    for bit in range(directions.shape[1]):
        chosen = np.uint32(0) - ((gray >> np.uint32(bit)) & np.uint32(1))
        points = points ^ (directions[:, bit, None] & chosen[None, :])
    return points


def _scrambled(random: jax.Array, directions: np.ndarray) -> jax.Array:
    """Multiply every direction number by its dimension's lower triangular matrix of random bits.

    Args:
        random: uint32 `[dimension, row]`.
        directions: uint32 `[dimension, bit]`.
    """
    row = np.arange(_WORD, dtype=np.uint32)  # from the most significant bit
    diagonal = np.uint32(1) << (np.uint32(_WORD - 1) - row)
    above = ~(diagonal | (diagonal - np.uint32(1)))
    matrix = (random & above[None, :]) | diagonal[None, :]
    ones = jax.lax.population_count(matrix[:, None, :] & jnp.asarray(directions)[:, :, None])
    return jnp.sum(
        (ones & np.uint32(1)) << (np.uint32(_WORD - 1) - row)[None, None, :], axis=2, dtype=jnp.uint32
    )


@functools.cache
def _directions(dimension: int) -> np.ndarray:
    """Return the direction numbers of the first `POINTS` points, uint32 `[dimension, log2(POINTS)]`."""
    from scipy.stats import qmc  # takes long to import, and most sweeps do without

    sequence, drawn = qmc.Sobol(dimension, scramble=False, bits=_WORD), 0
    found = np.zeros((POINTS.bit_length(), dimension), np.uint32)
    for bit in range(POINTS.bit_length() - 1):
        # Point 2^k of a sequence in the order of Gray's code is the sum of the directions k and k - 1.
        sequence.fast_forward(2**bit - drawn)
        point = (sequence.random(1)[0] * 2.0**_WORD).astype(np.uint32)
        drawn = 2**bit + 1
        found[bit] = point ^ found[bit - 1] if bit else point
    return np.ascontiguousarray(found[:-1].T)
