"""Layers of small networks on small batches, as sums of products: what a CPU needs to train them fast."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

LONGEST_SUM = 64
"""Terms of a sum that are still written out; compilation time grows with them."""

LARGEST_PRODUCT = 64 * 16 * 16
"""Multiplications of one layer up to which sums are at least as fast as matrix products."""


def sums_pay(samples: int, input_dim: int, width: int) -> bool:
    """Say whether layers of this size are faster as sums of products than as matrix products on this kind of device.

    Measured on a CPU (8 layers, microseconds per step of training as sums and as products, samples x width):
    32 x 16: 11.8 and 23.4; 64 x 16: 26 and 34; 128 x 16: 55 and 57; 32 x 32: 42 and 42; 64 x 32: 83 and 62.
    """
    small = max(samples, input_dim, width) <= LONGEST_SUM
    return jax.default_backend() == "cpu" and small and samples * width * width <= LARGEST_PRODUCT


def small_perceptron(
    layers: list[tuple[jax.Array, jax.Array]], rows: jax.Array, activation: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """Apply a perceptron to samples as rows, with the activation after every layer.

    A product of a 32 x 16 and a 16 x 16 matrix, as a matrix product of XLA, runs at 25 GFLOP/s on a core. As a sum of
    16 outer products, which LLVM turns into one multiply-add per vector of 16 units, it runs at 43 to 80. The barriers
    keep XLA from computing a layer anew in every term of the next.

    Args:
        layers: weights `[out, in]` and biases `[out]`, in order.
        rows: `[sample, input_dim]`.
        activation: elementwise.

    Returns:
        `[sample, width]`. Every element is a sum in order, so that rounding does not depend on how many networks are
        batched under `jax.vmap`.
    """
    for weight, bias in layers:
        rows = jax.lax.optimization_barrier(activation(_linear(weight, bias, rows)))
    return rows


@jax.custom_vjp
def _linear(weight: jax.Array, bias: jax.Array, rows: jax.Array) -> jax.Array:
    # A transpose would be a change of layout only, read with strides.
    columns = jnp.stack([weight[:, k] for k in range(weight.shape[1])])
    return jax.lax.optimization_barrier(_product(rows, jax.lax.optimization_barrier(columns)) + bias[None, :])


def _linear_forward(
    weight: jax.Array, bias: jax.Array, rows: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _linear(weight, bias, rows), (weight, rows)


def _linear_backward(
    saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    weight, rows = saved
    gradient = jax.lax.optimization_barrier(gradient)
    of_weight, of_bias = gradient[0, :, None] * rows[0, None, :], gradient[0]
    for row in range(1, rows.shape[0]):
        of_weight = of_weight + gradient[row, :, None] * rows[row, None, :]
        of_bias = of_bias + gradient[row]
    return jax.lax.optimization_barrier((of_weight, of_bias, _product(gradient, weight)))


_linear.defvjp(_linear_forward, _linear_backward)


def _product(rows: jax.Array, matrix: jax.Array) -> jax.Array:
    """Return rows @ matrix, the sum over k of column k of `rows` times row k of `matrix`."""
    total = rows[:, 0, None] * matrix[None, 0]
    for k in range(1, matrix.shape[0]):
        total = total + rows[:, k, None] * matrix[None, k]
    return total
