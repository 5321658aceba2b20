"""Perceptrons on a GPU: all layers of a tile of samples in registers, nothing stored between them.

A program of XLA writes every layer of every network to device memory and reads it again, once for its product and once
for its activation. Here one kernel reads a tile of inputs and writes the tile's features. On an H200 five layers of 16
units on 4096 x 500 samples take 0.22 ms in float32 and 0.28 in float64, where layer by layer they take 0.96 and 1.45
(`docs/performance.md`).
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.worlds.layers import ACTIVATIONS, Layer

TILE = 64
"""Samples that are in registers at once."""

LEAST_SIDE = 16
"""Sides of matrices in the kernel are powers of two, at least this: Triton multiplies no smaller ones."""

LARGEST_SIDE = 32
"""Wider layers no longer fit the registers."""


def apply_in_tiles(input_dim: int, width: int) -> bool:
    """Say whether many samples go through a network faster by tiles than layer by layer on this kind of device.

    Measured on an H200 (5 layers on 8 inputs, 4096 x 500 samples, milliseconds by tiles and layer by layer), float64:
    width 8: 0.26 and 0.79; 16: 0.28 and 1.45; 24: 0.81 and 2.20; 32: 0.82 and 2.87. Float32: width 16: 0.22 and
    0.96. With a side of 64 tiles took longer than layers.
    """
    return jax.default_backend() == "gpu" and max(input_dim, width) <= LARGEST_SIDE


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def columns_in_tiles(layers: Sequence[Layer], columns: jax.Array, activation: str) -> jax.Array:
    """Apply a perceptron: samples as columns `[input_dim, sample]`, float32 or float64, become `[width, sample]`.

    Every element is a sum in a fixed order, whatever is batched. On a CPU the kernel is interpreted, which is slow and
    serves tests. Derivatives are taken of the layers one by one.
    """
    from jax.experimental import pallas as pl  # takes long to import, and most sweeps do without
    from jax.experimental.pallas import triton

    width, samples = layers[-1][0].shape[0], columns.shape[1]
    widest = max(max(weight.shape) for weight, _ in layers)
    side = max(LEAST_SIDE, 1 << (widest - 1).bit_length())

    def read(array: Any, *places: jax.Array) -> jax.Array:
        """Return a part of an array, zeros beyond its end: padding units meet zero weights."""
        inside = functools.reduce(jnp.logical_and, [i < n for i, n in zip(places, array.shape, strict=True)])
        return triton.load(array.at[places], mask=inside, other=0)

    def kernel(columns: Any, *arrays: Any) -> None:
        *parameters, features = arrays
        units = jnp.arange(side, dtype=jnp.int32)
        tile = (pl.program_id(0) * TILE + jnp.arange(TILE, dtype=jnp.int32))[None, :]
        hidden = read(columns, units[:, None], tile)
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            matrix = read(weight, units[:, None], units[None, :])
            product = jax.lax.dot(matrix, hidden, precision=jax.lax.Precision.HIGHEST)
            hidden = ACTIVATIONS[activation](product + read(bias, units)[:, None])
        inside = (units[:, None] < width) & (tile < samples)
        triton.store(features.at[units[:, None], tile], hidden, mask=inside)

    return pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((width, samples), columns.dtype),
        grid=(-(-samples // TILE),),
        interpret=jax.default_backend() == "cpu",
        compiler_params=triton.CompilerParams(num_warps=(side // LEAST_SIDE) ** 2, num_stages=1),
    )(columns, *(array for layer in layers for array in layer))


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
