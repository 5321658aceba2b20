"""The counter-based generator Threefry-2x32 (Salmon et al. 2011), written out.

On CPU, `jax.random` runs the rounds of threefry as a loop over arrays in memory. Written out, the rounds and what
follows them fuse into one pass over registers: the same bits, in a little over half the time and with fewer kernels to
compile.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
ROUNDS = 20
_PARITY = np.uint32(0x1BD11BDA)


def threefry(
    key_first: jax.Array, key_second: jax.Array, first: jax.Array, second: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Encrypt the two words of counters of any shape under the two words of a key."""
    schedule = (key_first, key_second, key_first ^ key_second ^ _PARITY)
    first, second = first + schedule[0], second + schedule[1]
    for i in range(ROUNDS):
        rotation = _ROTATIONS[i % 8]
        first = first + second
        rotated = (second << np.uint32(rotation)) | (second >> np.uint32(32 - rotation))
        second = first ^ rotated
        if i % 4 == 3:
            injection = i // 4 + 1
            first = first + schedule[injection % 3]
            second = second + schedule[(injection + 1) % 3] + np.uint32(injection)
    return first, second


def threefry_bits(key_first: jax.Array, key_second: jax.Array, counter: jax.Array) -> jax.Array:
    """Return the bits at the given counters, uint32: those that `jax.random.bits` draws."""
    first, second = threefry(key_first, key_second, jnp.zeros_like(counter), counter)
    return first ^ second


IMPLEMENTATION = "threefry2x32"
"""The generator of every draw, whatever JAX's default is."""


def seed_key(seed: int | jax.Array) -> jax.Array:
    """Return the typed key of a seed below 2^32: that of `jax.random.key` by default, whatever the user's settings."""
    words = jnp.stack([jnp.zeros((), jnp.uint32), jnp.asarray(seed, jnp.uint32)])
    return jax.random.wrap_key_data(words, impl=IMPLEMENTATION)


def check_key(key: Any) -> None:
    """Refuse what is no single typed key."""
    if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise W2SError("key is not a typed key: pass jax.random.key(seed), not jax.random.PRNGKey.")
    if key.ndim > 0:
        raise W2SError(f"key holds {key.size} keys: pass one, or map over them by jax.vmap.")


def as_threefry(key: jax.Array) -> jax.Array:
    """Return a key of this module's generator for a typed key of any: the same one for the same seed.

    A key of "rbg" holds the threefry key of its seed twice, and splits both halves alike.
    """
    implementation = str(jax.random.key_impl(key))
    if implementation == IMPLEMENTATION:
        return key
    words = jax.random.key_data(key)
    words = words[..., :2] if implementation == "rbg" else jnp.stack(_mixed(words), axis=-1)
    return jax.random.wrap_key_data(words, impl=IMPLEMENTATION)


def _mixed(words: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Encrypt every two further words of keys `[..., word]` under those before them."""
    first, second = words[..., 0], words[..., 1]
    for i in range(2, words.shape[-1], 2):
        first, second = threefry(first, second, words[..., i], words[..., i + 1])
    return first, second
