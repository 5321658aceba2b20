"""Perceptrons on a GPU: all layers of a tile of samples in registers, nothing stored between them.

A program of XLA writes every layer of every network to device memory and reads it again, once for its product and once
for its activation. Here one kernel reads a tile of inputs and writes the tile's features. On an H200 five layers of 16
units on 4096 x 512 samples take 0.26 ms, and 0.90 ms layer by layer (`docs/performance.md`).
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from w2sjax.worlds.layers import ACTIVATIONS, Layer

TILE = 64
"""Samples that are in registers at once."""

LEAST_SIDE = 16
"""Sides of matrices in the kernel are powers of two, at least this: Triton multiplies no smaller ones."""

LARGEST_SIDE = 32
"""Wider layers no longer fit the registers."""


def apply_in_tiles(input_dim: int, width: int, dtype: jnp.dtype) -> bool:
    """Say whether many samples go through a network faster by tiles than layer by layer on this kind of device.

    Measured on an H200 (5 layers, 1024 x 512 samples, milliseconds by tiles and layer by layer, inputs x width): 8 x 8:
    0.09 and 0.13; 8 x 16: 0.09 and 0.25; 8 x 24: 0.25 and 0.50; 8 x 32: 0.23 and 0.62; 8 x 64: 1.1 and 0.9.
    """
    small = max(input_dim, width) <= LARGEST_SIDE and dtype == jnp.float32
    return jax.default_backend() == "gpu" and small


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def columns_in_tiles(layers: Sequence[Layer], columns: jax.Array, activation: str) -> jax.Array:
    """Apply a perceptron: samples as columns `[input_dim, sample]`, float32, become `[width, sample]`.

    Every element is a sum in a fixed order, whatever is batched. On a CPU the kernel is interpreted, which is slow and
    serves tests. Derivatives are taken of the layers one by one.
    """
    from jax.experimental import pallas as pl  # takes long to import, and most sweeps do without
    from jax.experimental.pallas import triton

    width, samples = layers[0][0].shape[0], columns.shape[1]
    side = max(LEAST_SIDE, 1 << (max(width, len(columns)) - 1).bit_length())
    tiles = -(-samples // TILE)
    weights = jnp.stack([_padded(weight, (side, side)) for weight, _ in layers])
    biases = jnp.stack([_padded(bias, (side,)) for _, bias in layers])

    def kernel(columns: jax.Array, weights: jax.Array, biases: jax.Array, features: jax.Array) -> None:
        hidden = columns[...]
        for layer in range(len(layers)):
            product = jax.lax.dot(weights[layer], hidden, precision=jax.lax.Precision.HIGHEST)
            hidden = ACTIVATIONS[activation](product + biases[layer][:, None])
        features[...] = hidden

    tile = pl.BlockSpec((side, TILE), lambda i: (0, i))
    features = pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((side, tiles * TILE), columns.dtype),
        grid=(tiles,),
        in_specs=[
            tile,
            pl.BlockSpec(weights.shape, lambda i: (0, 0, 0)),
            pl.BlockSpec(biases.shape, lambda i: (0, 0)),
        ],
        out_specs=tile,
        interpret=jax.default_backend() == "cpu",
        compiler_params=triton.CompilerParams(num_warps=(side // LEAST_SIDE) ** 2, num_stages=1),
    )(_padded(columns, (side, tiles * TILE)), weights, biases)
    return features[:width, :samples]


@columns_in_tiles.defjvp
def _derivative(
    activation: str, primals: tuple[Sequence[Layer], jax.Array], tangents: tuple[Sequence[Layer], jax.Array]
) -> tuple[jax.Array, jax.Array]:
    return jax.jvp(functools.partial(_layer_by_layer, activation), primals, tangents)


def _layer_by_layer(activation: str, layers: Sequence[Layer], columns: jax.Array) -> jax.Array:
    for weight, bias in layers:
        product = jnp.matmul(weight, columns, precision=jax.lax.Precision.HIGHEST)
        columns = ACTIVATIONS[activation](product + bias[:, None])
    return columns


def _padded(array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return an array with zeros after it up to a shape: padding units meet zero weights."""
    return jnp.pad(array, [(0, n - m) for m, n in zip(array.shape, shape, strict=True)])
