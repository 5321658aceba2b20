"""Layers of small networks as sums of products: what a CPU needs to evaluate and to train them fast.

A product of two matrices with a side of 16 runs at 25 GFLOP/s on a core as a matrix product of XLA: in float32 for 32
samples, in float64 for any number. Written as a sum of 16 outer products, with samples as rows, LLVM makes one
multiply-add of it per vector of units, at 110 GFLOP/s in float32 and 50 in float64. Barriers keep XLA from
computing a layer, or random inputs, anew in every term of the next.

Every element is a sum in a fixed order, so that rounding does not depend on how many networks are batched under
`jax.vmap`.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Layer = tuple[jax.Array, jax.Array]
"""Weights `[out, in]` and biases `[out]`."""


@jax.custom_jvp
def relu(values: jax.Array) -> jax.Array:
    """The larger of a value and 0, NaN kept: one instruction of a CPU, where `jnp.maximum` takes three."""
    return jnp.where(values < 0, 0, values)


@relu.defjvp
def _slope(values: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return relu(*values), jnp.where(values[0] > 0, tangents[0], 0)


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "gelu": jax.nn.gelu,
    "identity": lambda values: values,
}

PULLBACKS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "relu": lambda gradient, values: jnp.where(values > 0, gradient, 0),
    "tanh": lambda gradient, values: gradient * (1 - values * values),
    "sigmoid": lambda gradient, values: gradient * values * (1 - values),
    "identity": lambda gradient, values: gradient,
}
"""Gradients before an activation from those after it and its values, where its values tell its slope."""

LONGEST_SUM = 64
"""Terms of a sum that are still written out; compilation time grows with them."""

LARGEST_TRAINED = 32 * 32 * 32
"""Multiplications of a layer per batch up to which networks train faster by sums."""


def train_by_sums(samples: int, input_dim: int, width: int) -> bool:
    """Say whether networks of this size train faster by sums than by matrix products on this kind of device.

    Measured on a CPU (8 layers, microseconds per step by sums and by products, samples x width): 32 x 16: 5.9 and 20.8;
    64 x 16: 11 and 25; 32 x 32: 24 and 39; 64 x 32: 43 and 54; 64 x 64: 207 and 145. Sums take 3 to 5 s longer to
    compile, which 64 x 32 gains back in half a million steps.
    """
    short = max(samples, input_dim, width) <= LONGEST_SUM
    return jax.default_backend() == "cpu" and short and samples * width * width <= LARGEST_TRAINED


def apply_by_sums(input_dim: int, width: int, depth: int) -> bool:
    """Say whether many samples go through a network faster by sums than by matrix products on this kind of device.

    Measured on a CPU (5 layers on 8 inputs, GFLOP/s by sums and by products), float32: width 8: 38 and 47; 12: 78 and
    69; 16: 94 and 78; 24: 92 and 88; 32: 115 and 92; 40: 68 and 98. In float64: 24 and 29; 43 and 38; 55 and 43; 59 and
    45; 49 and 44; 42 and 42. A whole pair of width 32 gains 11% in float32 and nothing clear in float64: the rule stops
    before. With fewer than three layers, or more than 32 inputs, nothing is gained.
    """
    return jax.default_backend() == "cpu" and 12 <= width <= 24 and depth >= 3 and input_dim <= 32


def trainable_rows(layers: Sequence[Layer], rows: jax.Array, activation: str) -> jax.Array:
    """Apply a perceptron by sums, forwards and backwards: samples `[sample, input_dim]` become `[sample, width]`."""
    if activation in PULLBACKS:
        return _trainable(activation, tuple(layers), rows)
    for layer in layers:
        values = ACTIVATIONS[activation](_trainable("identity", (layer,), rows))
        rows = jax.lax.optimization_barrier(values)
    return rows


@functools.partial(jax.jit, static_argnames="activation")  # traced once, not wherever it is called
def columns_by_sums(layers: Sequence[Layer], columns: jax.Array, activation: str) -> jax.Array:
    """Apply a perceptron by sums: samples as columns `[input_dim, sample]` become `[width, sample]`.

    The last layer is a matrix product, which takes rows and gives columns at once.
    """
    rows = jax.lax.optimization_barrier(columns).T
    for weight, bias in layers[:-1]:
        # In one line first: a transpose alone would be a change of layout, read with strides.
        line = jax.lax.optimization_barrier(weight.T.reshape(-1))
        matrix = jax.lax.optimization_barrier(line.reshape(weight.shape[::-1]))
        values = ACTIVATIONS[activation](_product(rows, matrix, sums=2) + bias[None, :])
        rows = jax.lax.optimization_barrier(values)
    weight, bias = layers[-1]
    product = jnp.matmul(weight, rows.T, precision=jax.lax.Precision.HIGHEST)
    return ACTIVATIONS[activation](product + bias[:, None])


@jax.custom_jvp
def fixed_sum(values: jax.Array) -> jax.Array:
    """Sum over the last axis by halves, in an order that no compiler changes.

    XLA's own sums are reordered for vectors, in a way that depends on options of the compiler and on the batch.
    """
    while (terms := values.shape[-1]) > 1:
        half = terms // 2
        folded = jax.lax.optimization_barrier(values[..., :half] + values[..., half : 2 * half])
        values = folded if terms % 2 == 0 else jnp.concatenate([folded, values[..., -1:]], axis=-1)
    return values[..., 0]


@fixed_sum.defjvp
def _derivative(values: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    # Backwards one number for all terms, instead of the folds one by one.
    return fixed_sum(*values), jnp.sum(*tangents, axis=-1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _trainable(activation: str, layers: tuple[Layer, ...], rows: jax.Array) -> jax.Array:
    return _forward(activation, layers, rows)[0]


def _forward(
    activation: str, layers: tuple[Layer, ...], rows: jax.Array
) -> tuple[jax.Array, tuple[tuple[Layer, ...], list[jax.Array]]]:
    values = [rows]
    for weight, bias in layers:
        # One pass: a barrier before the activation would write and read the layer once more.
        after = ACTIVATIONS[activation](_affine(weight, bias, values[-1]))
        values.append(jax.lax.optimization_barrier(after))
    return values[-1], (layers, values)


def _backward(
    activation: str, saved: tuple[tuple[Layer, ...], list[jax.Array]], gradient: jax.Array
) -> tuple[tuple[Layer, ...], jax.Array]:
    layers, values = saved
    samples = range(gradient.shape[0])
    gradients: list[Layer] = []
    # Over one axis: a loop over 16 units alone is unrolled, and takes longer than a product.
    whole = jax.lax.optimization_barrier((gradient, values[-1]))
    flat = jax.lax.optimization_barrier((whole[0].reshape(-1), whole[1].reshape(-1)))
    flat = jax.lax.optimization_barrier(PULLBACKS[activation](*flat))
    gradient = jax.lax.optimization_barrier(flat.reshape(gradient.shape))
    for (weight, _), before in zip(reversed(layers), reversed(values[:-1]), strict=True):
        of_weight = _sum([gradient[sample, :, None] * before[sample, None, :] for sample in samples], sums=4)
        of_bias = _sum([gradient[sample] for sample in samples], sums=4)
        gradients.append(jax.lax.optimization_barrier((of_weight, of_bias)))
        gradient = _product(gradient, weight, sums=2)
        if before is not values[0]:
            gradient = jax.lax.optimization_barrier(PULLBACKS[activation](gradient, before))
    return tuple(reversed(gradients)), gradient


_trainable.defvjp(_forward, _backward)


@jax.jit
def _affine(weight: jax.Array, bias: jax.Array, rows: jax.Array) -> jax.Array:
    # A transpose would be a change of layout only, read with strides.
    columns = [column.reshape(1, -1) for column in jnp.split(weight, weight.shape[1], axis=1)]
    return _product(rows, jax.lax.optimization_barrier(jnp.concatenate(columns)), sums=2) + bias[None, :]


def _product(rows: jax.Array, matrix: jax.Array, sums: int) -> jax.Array:
    """Return rows @ matrix, the sum over k of column k of `rows` times row k of `matrix`."""
    terms = len(matrix)
    pairs = zip(jnp.split(rows, terms, axis=1), jnp.split(matrix, terms), strict=True)
    return _sum([column * row for column, row in pairs], sums)


def _sum(terms: list[jax.Array], sums: int) -> jax.Array:
    """Add terms in a fixed order, every so many into one of so many sums: an addition need not wait for the last."""
    totals = terms[:sums]
    for i, term in enumerate(terms[sums:]):
        totals[i % sums] = totals[i % sums] + term
    return functools.reduce(jnp.add, totals)
