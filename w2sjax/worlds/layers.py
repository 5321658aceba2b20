"""Layers of small networks as sums of products: what a CPU needs to evaluate and to train them fast.

A product of two matrices with a side of 16 runs at 25 GFLOP/s on a core as a matrix product of XLA: in float32 for 32
samples, in float64 for any number. Written as a sum of 16 outer products, with samples as rows, LLVM makes one
multiply-add of it per vector of units, at 43 to 80 GFLOP/s in float32 and 38 in float64. Barriers keep XLA from
computing a layer, or random inputs, anew in every term of the next.

Every element is a sum in order, so that rounding does not depend on how many networks are batched under `jax.vmap`.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Layer = tuple[jax.Array, jax.Array]
"""Weights `[out, in]` and biases `[out]`."""

Activation = Callable[[jax.Array], jax.Array]

LONGEST_SUM = 64
"""Terms of a sum that are still written out; compilation time grows with them."""

LARGEST_TRAINED = 64 * 16 * 16
"""Multiplications of a layer per batch up to which networks train faster by sums."""


def train_by_sums(samples: int, input_dim: int, width: int) -> bool:
    """Say whether networks of this size train faster by sums than by matrix products on this kind of device.

    Measured on a CPU (8 layers, microseconds per step by sums and by products, samples x width): 32 x 16: 11.8 and
    23.4; 64 x 16: 26 and 34; 128 x 16: 55 and 57; 32 x 32: 42 and 42; 64 x 32: 83 and 62.
    """
    short = max(samples, input_dim, width) <= LONGEST_SUM
    return jax.default_backend() == "cpu" and short and samples * width * width <= LARGEST_TRAINED


def apply_by_sums(input_dim: int, width: int, depth: int) -> bool:
    """Say whether many samples go through a network faster by sums than by matrix products on this kind of device.

    Measured on a CPU (5 layers on 8 inputs, GFLOP/s by sums and by products in float64): width 8: 26 and 26; 12: 30 and
    26; 16: 38 and 25; 24: 41 and 28; 32: 31 and 34. In float32 3% behind to 8% ahead for widths of 12 to 24. With fewer
    than three layers, or more than 32 inputs, nothing is gained.
    """
    return jax.default_backend() == "cpu" and 12 <= width <= 24 and depth >= 3 and input_dim <= 32


def trainable_rows(layers: Sequence[Layer], rows: jax.Array, activation: Activation) -> jax.Array:
    """Apply a perceptron by sums, forwards and backwards: samples `[sample, input_dim]` become `[sample, width]`."""
    for weight, bias in layers:
        rows = jax.lax.optimization_barrier(activation(_trainable(weight, bias, rows)))
    return rows


@functools.partial(jax.jit, static_argnames="activation")  # traced once, not wherever it is called
def columns_by_sums(layers: Sequence[Layer], columns: jax.Array, activation: Activation) -> jax.Array:
    """Apply a perceptron by sums: samples as columns `[input_dim, sample]` become `[width, sample]`.

    The last layer is a matrix product, which takes rows and gives columns at once.
    """
    rows = jax.lax.optimization_barrier(columns).T
    for weight, bias in layers[:-1]:
        rows = jax.lax.optimization_barrier(activation(_affine(weight, bias, rows)))
    weight, bias = layers[-1]
    product = jnp.matmul(weight, rows.T, precision=jax.lax.Precision.HIGHEST)
    return activation(product + bias[:, None])


@jax.custom_vjp
def _trainable(weight: jax.Array, bias: jax.Array, rows: jax.Array) -> jax.Array:
    return jax.lax.optimization_barrier(_affine(weight, bias, rows))


def _forward(
    weight: jax.Array, bias: jax.Array, rows: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _trainable(weight, bias, rows), (weight, rows)


def _backward(
    saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    weight, rows = saved
    gradient = jax.lax.optimization_barrier(gradient)
    of_weight, of_bias = gradient[0, :, None] * rows[0, None, :], gradient[0]
    for row in range(1, rows.shape[0]):
        of_weight = of_weight + gradient[row, :, None] * rows[row, None, :]
        of_bias = of_bias + gradient[row]
    return jax.lax.optimization_barrier((of_weight, of_bias, _product(gradient, weight)))


_trainable.defvjp(_forward, _backward)


@jax.jit
def _affine(weight: jax.Array, bias: jax.Array, rows: jax.Array) -> jax.Array:
    # A transpose would be a change of layout only, read with strides.
    columns = [column.reshape(1, -1) for column in jnp.split(weight, weight.shape[1], axis=1)]
    return _product(rows, jax.lax.optimization_barrier(jnp.concatenate(columns))) + bias[None, :]


def _product(rows: jax.Array, matrix: jax.Array) -> jax.Array:
    """Return rows @ matrix, the sum over k of column k of `rows` times row k of `matrix`."""
    terms = len(matrix)
    first, *rest = zip(jnp.split(rows, terms, axis=1), jnp.split(matrix, terms), strict=True)
    total = first[0] * first[1]
    for column, row in rest:
        total = total + column * row
    return total
