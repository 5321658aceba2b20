"""Random draws: the numbers of `jax.random` under threefry, computed in one fused pass.

On CPU, `jax.random` runs the rounds of threefry as a loop over arrays in memory. Written out, the twenty rounds and the
map to a normal variate fuse into one pass over registers: the same bits, in a little over half the time and with fewer
kernels to compile. Keys of another generator than threefry go to `jax.random` itself.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def default_dtype() -> Any:
    """float64 where JAX's x64 flag is set, else float32."""
    return jnp.float64 if jax.config.jax_enable_x64 else jnp.float32


@functools.partial(jax.jit, static_argnames="shape")
def uniform(key: jax.Array, shape: tuple[int, ...], bound: float | jax.Array) -> jax.Array:
    """Uniform on [-bound, bound), drawn in float32 and cast, so that both precisions see the same numbers.

    Leading rows do not depend on how many are drawn: element i of the flattened array is a function of (key, i).
    """
    unit = 2 * _unit_interval(random_bits(key, math.prod(shape))).reshape(shape) - 1
    return unit.astype(default_dtype()) * jnp.asarray(bound, default_dtype())


@functools.partial(jax.jit, static_argnames="shape")
def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal, drawn in float32 and cast, so that both precisions see the same numbers.

    Element i of the flattened array is a function of (key, i), equal to `jax.random.normal` in float32.
    """
    single = normal_of_bits(random_bits(key, math.prod(shape))).reshape(shape)
    if default_dtype() == jnp.float32:
        return single
    # Fused with the cast, the generator would run in vectors of half as many numbers.
    return jax.lax.optimization_barrier(single).astype(default_dtype())


def normal_of_bits(bits: jax.Array) -> jax.Array:
    """Map random bits, uint32 of any shape, to standard normal numbers in float32."""
    least = np.nextafter(np.float32(-1), np.float32(0))
    unit = jnp.maximum(least, _unit_interval(bits) * (1 - least) + least)
    return np.float32(2**0.5) * jax.lax.erf_inv(unit)


@jax.jit
def fold_in(key: jax.Array, numbers: jax.Array | np.ndarray) -> jax.Array:
    """Return one key per entry of uint32 `numbers` `[n]`, equal to `jax.random.fold_in` of each."""
    numbers = jnp.asarray(numbers, jnp.uint32)
    if not is_threefry(key):
        return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, numbers)
    data = jax.lax.optimization_barrier(jax.random.key_data(key))
    first, second = _threefry(data[0], data[1], jnp.zeros_like(numbers), numbers)
    return jax.random.wrap_key_data(jnp.stack([first, second], axis=-1), impl="threefry2x32")


def random_bits(key: jax.Array, size: int) -> jax.Array:
    """Return random bits, uint32 `[size]`, equal to `jax.random.bits`: number i is a function of (key, i)."""
    if not is_threefry(key):
        return jax.random.bits(key, (size,), jnp.uint32)
    # Without the barrier a key that is itself derived is derived again within the loop over counters, where LLVM's
    # vectorizer takes time exponential in the number of rounds.
    data = jax.lax.optimization_barrier(jax.random.key_data(key))
    return threefry_bits(data[0], data[1], jax.lax.iota(jnp.uint32, size))


def threefry_bits(key_first: jax.Array, key_second: jax.Array, counter: jax.Array) -> jax.Array:
    """Return the bits that `jax.random.bits` draws at the given counters, uint32, under the two words of a key."""
    first, second = _threefry(key_first, key_second, jnp.zeros_like(counter), counter)
    return first ^ second


def _unit_interval(bits: jax.Array) -> jax.Array:
    """Uniform on [0, 1) in float32, from the upper 23 bits."""
    one_to_two = (bits >> np.uint32(9)) | np.uint32(0x3F800000)
    return jax.lax.bitcast_convert_type(one_to_two, jnp.float32) - np.float32(1)


def is_threefry(key: jax.Array) -> bool:
    """Say whether a key is of the generator that this module writes out."""
    return str(jax.random.key_impl(key)) == "threefry2x32"


def _threefry(
    key_first: jax.Array, key_second: jax.Array, first: jax.Array, second: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 with 20 rounds (Salmon et al. 2011), of counters of any shape under the two words of a key."""
    schedule = (key_first, key_second, key_first ^ key_second ^ _PARITY)
    first, second = first + schedule[0], second + schedule[1]
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            first = first + second
            rotated = (second << np.uint32(rotation)) | (second >> np.uint32(32 - rotation))
            second = first ^ rotated
        first = first + schedule[(i + 1) % 3]
        second = second + schedule[(i + 2) % 3] + np.uint32(i + 1)
    return first, second
