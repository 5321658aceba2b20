"""One kernel for a block of rows of perceptrons: inputs, networks, coordinates and moments, nothing stored between.

On an accelerator the plain program writes every layer of every network to device memory and reads it again. Here a tile
of rows stays in registers from its random bits to its Gram product; only the moments of the block are written. The
kernel is written in Pallas; on a CPU it is interpreted, which is slow and serves tests. Not measured on a GPU or TPU.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.normals import normal_of_bits
from w2sjax.threefry import threefry_bits

TILE = 128
"""Rows of a block that are in registers at once."""

LEAST_SIDE = 16
"""Sides of matrices in the kernel are powers of two, at least this: what a tensor core multiplies."""


class BlockMoments(NamedTuple):
    """Sums over the rows of a block of v v' `[D, D]` and of v `[D]`, in float32."""

    products: jax.Array
    coordinates: jax.Array


def block_moments(
    weights: list[jax.Array],
    biases: list[jax.Array],
    key: jax.Array,
    input_scale: jax.Array,
    center: jax.Array,
    whiten: jax.Array,
    *,
    rows: int,
    activation: Callable[[jax.Array], jax.Array],
    interpret: bool | None = None,
) -> BlockMoments:
    """Draw Gaussian inputs and return the moments of v = whiten (u - center) for the joint features u of some networks.

    Args:
        weights: by layer, `[network, width, inputs of the layer]`, floating.
        biases: by layer, `[network, width]`.
        key: a typed threefry key; the inputs are those of `w2sjax.draws.normal` for shape `[input_dim, rows]`.
        input_scale: scalar, standard deviation of the inputs.
        center, whiten: `[D]` and `[D, D]`, D = network * width.
        rows: of the block.
        activation: after every layer; padding units hold its value at 0, and meet zero weights.
        interpret: run the kernel as plain operations; by default on a CPU.

    Returns:
        `BlockMoments`. Device memory: the parameters and the moments. Under `vmap`, one program per block.
    """
    from jax.experimental import pallas as pl  # takes long to import, and most sweeps do without

    networks, width, input_dim = weights[0].shape
    side = _side(max(width, input_dim))
    joint = _side(networks * width)
    pad = functools.partial(_padded, dtype=jnp.float32)
    packed = (
        jnp.stack([pad(w, (networks, side, side)) for w in weights], axis=1),
        jnp.stack([pad(b, (networks, side)) for b in biases], axis=1),
        pad(center.reshape(networks, width), (networks, side)),
        pad(whiten.reshape(-1, networks, width).swapaxes(0, 1), (networks, joint, side)),
        jnp.asarray(input_scale, jnp.float32)[None],
        jax.random.key_data(key),
    )
    shapes = ((joint, joint), (joint,))
    kernel = functools.partial(
        _kernel, input_dim=input_dim, rows=rows, depth=len(weights), activation=activation
    )
    products, coordinates = pl.pallas_call(
        kernel,
        out_shape=[jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes],
        interpret=jax.default_backend() == "cpu" if interpret is None else interpret,
    )(*packed)
    size = networks * width
    return BlockMoments(products[:size, :size], coordinates[:size])


def _kernel(
    weights: Any,
    biases: Any,
    center: Any,
    whiten: Any,
    input_scale: Any,
    key: Any,
    products: Any,
    coordinates: Any,
    *,
    input_dim: int,
    rows: int,
    depth: int,
    activation: Callable[[jax.Array], jax.Array],
) -> None:
    """Accumulate tile by tile; arguments are references to the arrays of `block_moments`."""
    networks, side = center.shape
    joint = coordinates.shape[0]
    multiply = functools.partial(
        jax.lax.dot, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )

    def add_tile(tile: jax.Array, sums: Any) -> Any:
        unit = jax.lax.broadcasted_iota(jnp.uint32, (side, TILE), 0)
        row = jax.lax.broadcasted_iota(jnp.uint32, (side, TILE), 1) + tile.astype(jnp.uint32) * np.uint32(
            TILE
        )
        bits = threefry_bits(key[0], key[1], unit * np.uint32(rows) + row)
        inputs = jnp.where(unit < input_dim, normal_of_bits(bits) * input_scale[0], 0)
        inside = jax.lax.broadcasted_iota(jnp.int32, (1, TILE), 1) + tile * TILE < rows
        total = jnp.zeros((joint, TILE), jnp.float32)
        for network in range(networks):
            hidden = inputs
            for layer in range(depth):
                hidden = activation(
                    multiply(weights[network, layer], hidden) + biases[network, layer][:, None]
                )
            total += multiply(whiten[network], hidden - center[network][:, None])
        total = jnp.where(inside, total, 0)
        ours = (multiply(total, total.T), jnp.sum(total, axis=1))
        return tuple(a + b for a, b in zip(sums, ours, strict=True))

    start = (jnp.zeros((joint, joint), jnp.float32), jnp.zeros((joint,), jnp.float32))
    products[...], coordinates[...] = jax.lax.fori_loop(0, -(-rows // TILE), add_tile, start)


def _side(size: int) -> int:
    """Return the least power of two that holds a side."""
    return max(LEAST_SIDE, 1 << (size - 1).bit_length())


def _padded(array: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Return an array with zeros after it up to a shape."""
    return jnp.pad(array.astype(dtype), [(0, n - m) for m, n in zip(array.shape, shape, strict=True)])
