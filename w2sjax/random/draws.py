"""Random draws: the bits of `jax.random` under threefry, and from them to values in one pass.

A key of another generator stands for the threefry key of its seed, so that JAX's default generator changes no number.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.random.normals import normal_of_bits, unit_interval
from w2sjax.random.threefry import IMPLEMENTATION, as_threefry, threefry, threefry_bits

MOST_NUMBERS = 2**32
"""A key has so many counters; further numbers would repeat the first ones."""


def default_dtype() -> Any:
    """float64 where JAX's x64 flag is set, else float32."""
    return jnp.float64 if jax.config.jax_enable_x64 else jnp.float32


@functools.partial(jax.jit, static_argnames="shape")
def uniform(key: jax.Array, shape: tuple[int, ...], bound: float | jax.Array) -> jax.Array:
    """Uniform on [-bound, bound), drawn in float32 and cast, so that both precisions see the same numbers.

    Leading rows do not depend on how many are drawn: element i of the flattened array is a function of (key, i).
    """
    return uniform_of_bits(random_bits(key, shape), bound)


@functools.partial(jax.jit, static_argnames="shape")
def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal, drawn in float32 and cast, so that both precisions see the same numbers.

    Element i of the flattened array is a function of (key, i): but for rounding that of `jax.random.normal`.
    """
    return widened_normal(random_bits(key, shape))


def uniform_of_bits(bits: jax.Array, bound: float | jax.Array) -> jax.Array:
    """Map random bits, uint32, to numbers uniform on [-bound, bound)."""
    unit = 2 * unit_interval(bits) - 1
    return unit.astype(default_dtype()) * jnp.asarray(bound, default_dtype())


def widened_normal(bits: jax.Array) -> jax.Array:
    """Map random bits, uint32, to standard normal numbers."""
    single = normal_of_bits(bits)
    if default_dtype() == jnp.float32:
        return single
    # Fused with the cast, the generator would run in vectors of half as many numbers.
    return jax.lax.optimization_barrier(single).astype(default_dtype())


@functools.partial(jax.jit, static_argnames="domain")
def fold_in(key: jax.Array, numbers: jax.Array | np.ndarray, domain: int = 0) -> jax.Array:
    """Return one key per entry of uint32 `numbers` `[n]`, equal to `jax.random.fold_in` of each in domain 0.

    Keys of different domains are different counters of the generator, whatever the numbers.
    """
    numbers = jnp.asarray(numbers, jnp.uint32)
    data = jax.lax.optimization_barrier(jax.random.key_data(as_threefry(key)))
    first, second = threefry(data[0], data[1], jnp.full_like(numbers, domain), numbers)
    return jax.random.wrap_key_data(jnp.stack([first, second], axis=-1), impl=IMPLEMENTATION)


def random_bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return random bits, uint32, equal to `jax.random.bits`: element i of the flattened array depends on (key, i)."""
    size = math.prod(shape)
    if size > MOST_NUMBERS:
        raise W2SError(f"{size} random numbers of shape {shape} are wanted from one key: draw at most 2^32.")
    # Without the barrier a key that is itself derived is derived again within the loop over counters; and LLVM's
    # vectorizer takes time exponential in the number of rounds where counters are computed in their loop.
    data, counters = jax.lax.optimization_barrier(
        (jax.random.key_data(as_threefry(key)), jax.lax.iota(jnp.uint32, size))
    )
    return threefry_bits(data[0], data[1], counters).reshape(shape)
