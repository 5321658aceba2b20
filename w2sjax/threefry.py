"""The counter-based generator Threefry-2x32 (Salmon et al. 2011), written out, with 20 or 13 rounds.

On CPU, `jax.random` runs the rounds of threefry as a loop over arrays in memory. Written out, the rounds and what
follows them fuse into one pass over registers: the same bits, in a little over half the time and with fewer kernels to
compile.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = np.uint32(0x1BD11BDA)


def threefry(
    key_first: jax.Array, key_second: jax.Array, first: jax.Array, second: jax.Array, rounds: int = 20
) -> tuple[jax.Array, jax.Array]:
    """Encrypt the two words of counters of any shape under the two words of a key."""
    schedule = (key_first, key_second, key_first ^ key_second ^ _PARITY)
    first, second = first + schedule[0], second + schedule[1]
    for i in range(rounds):
        rotation = _ROTATIONS[i % 8]
        first = first + second
        rotated = (second << np.uint32(rotation)) | (second >> np.uint32(32 - rotation))
        second = first ^ rotated
        if i % 4 == 3:
            injection = i // 4 + 1
            first = first + schedule[injection % 3]
            second = second + schedule[(injection + 1) % 3] + np.uint32(injection)
    return first, second


def threefry_bits(
    key_first: jax.Array, key_second: jax.Array, counter: jax.Array, rounds: int = 20
) -> jax.Array:
    """Return the bits at the given counters, uint32: with 20 rounds those that `jax.random.bits` draws."""
    first, second = threefry(key_first, key_second, jnp.zeros_like(counter), counter, rounds)
    return first ^ second


def is_threefry(key: jax.Array) -> bool:
    """Say whether a key is of JAX's own threefry, which this module writes out."""
    return str(jax.random.key_impl(key)) == "threefry2x32"


def _as_threefry(data: jax.Array) -> jax.Array:
    return jax.random.wrap_key_data(data, impl="threefry2x32")


def _bits_of_13_rounds(data: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    """Return the bits that `jax.random` asks of a key of 13 rounds."""
    size = int(np.prod(shape, dtype=np.int64))
    data = jax.lax.optimization_barrier(data)  # as in `w2sjax.draws.random_bits`
    first, second = threefry(
        data[0], data[1], jnp.zeros(size, jnp.uint32), jax.lax.iota(jnp.uint32, size), 13
    )
    if bit_width == 64:
        return ((first.astype(jnp.uint64) << np.uint64(32)) | second.astype(jnp.uint64)).reshape(shape)
    kinds: dict[int, Any] = {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}
    return (first ^ second).astype(kinds[bit_width]).reshape(shape)


THREEFRY_13 = define_prng_impl(
    key_shape=(2,),
    seed=lambda seed: jax.random.key_data(jax.random.key(seed, impl="threefry2x32")),
    split=lambda data, shape: jax.random.key_data(jax.random.split(_as_threefry(data), shape)),
    random_bits=_bits_of_13_rounds,
    fold_in=lambda data, number: jax.random.key_data(jax.random.fold_in(_as_threefry(data), number)),
    name="threefry2x32_13",
    tag="fry13",
)
"""Keys whose bits take 13 rounds; keys derived from them take 20, as always."""
