"""One kernel for a block of rows of perceptrons: inputs, networks, coordinates and moments, nothing stored between.

On an accelerator the plain program writes every layer of every network to device memory and reads it again. Here a tile
of rows stays in registers from its random bits to its products; only the moments of the block are written. Everything
is done in square blocks of one network's units: what is zero in a triangular map or given by symmetry is not computed,
and the operands of a product fit the registers. (With one product of all features, over tiles of 128 rows, and compiled
for an H200, every thread kept 10 KiB outside of its registers.) The kernel is written in Pallas; on a CPU it is
interpreted, which is slow and serves tests. Not measured on a GPU: `benchmarks/gpu_program.py` compiles it for one.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.normals import normal_of_bits
from w2sjax.threefry import threefry_bits

TILE = 32
"""Rows of a block that are in registers at once."""

LEAST_SIDE = 16
"""Sides of matrices in the kernel are powers of two, at least this: Triton multiplies no smaller ones."""


class BlockMoments(NamedTuple):
    """Sums over rows of coordinates times coordinates, `[D, D]` or `[width, D]`, and of coordinates, `[D]`."""

    products: jax.Array
    coordinates: jax.Array


class MomentKernel(NamedTuple):
    """A kernel from the key of a block to its moments.

    Attributes:
        run: maps a typed threefry key to the moments as the kernel leaves them, a pytree in float32.
        unpack: maps such a pytree, or a sum of them in any precision, to `BlockMoments`.
        zero: such a pytree, of no rows.
    """

    run: Callable[[jax.Array], Any]
    unpack: Callable[[Any], BlockMoments]
    zero: Any


Activation = Callable[[jax.Array], jax.Array]


def moment_kernel(
    weights: list[jax.Array],
    biases: list[jax.Array],
    input_scale: jax.Array,
    center: jax.Array,
    whiten: jax.Array,
    *,
    rows: int,
    activation: Activation,
    fitted: int | None = None,
    interpret: bool | None = None,
) -> MomentKernel:
    """Return the kernel from the key of a block to the moments of the features of some networks on Gaussian inputs.

    With u the joint features, D = network * width of them, the coordinates are v = whiten (u - center), and the moments
    sum v v' `[D, D]`. Or, with `fitted`, only that network's features are whitened, and sum v_fitted v' `[width, D]`.

    Args:
        weights: by layer, `[network, width, inputs of the layer]`, floating.
        biases: by layer, `[network, width]`.
        input_scale: scalar, standard deviation of the inputs.
        center: `[D]`.
        whiten: lower triangular, `[D, D]`, or `[width, width]` with `fitted`.
        rows: of the block.
        activation: after every layer; padding units hold its value at 0, and meet zero weights.
        fitted: the network that is fitted, if it is only one.
        interpret: run the kernel as plain operations; by default on a CPU.

    Returns:
        A `MomentKernel`; the inputs of a key are those of `w2sjax.draws.normal` for shape `[input_dim, rows]`. Device
        memory: the parameters and the moments. Under `vmap`, one program per block.

    Raises:
        ValueError: on a TPU, which Triton does not compile for.
    """
    backend = jax.default_backend()
    if backend == "tpu":
        raise ValueError(
            "feature_kernel='pallas' is for GPUs, but this process has a TPU: leave it at 'xla'."
        )
    networks, width, input_dim = weights[0].shape
    side = _side(max(width, input_dim))
    pad = functools.partial(_padded, dtype=jnp.float32)
    if fitted is None:
        maps = whiten.reshape(networks, width, networks, width).swapaxes(1, 2)
        pairs = tuple((a, b) for a in range(networks) for b in range(a + 1))
    else:
        maps = whiten[None, None]
        pairs = tuple((fitted, b) for b in range(networks))
    packed = (
        jnp.stack([pad(w, (networks, side, side)) for w in weights], axis=1),
        jnp.stack([pad(b, (networks, side)) for b in biases], axis=1),
        pad(center.reshape(networks, width), (networks, side)),
        pad(maps, (*maps.shape[:2], side, side)),
        jnp.asarray(input_scale, jnp.float32)[None],
    )
    kernel = functools.partial(
        _kernel, input_dim=input_dim, rows=rows, activation=activation, pairs=pairs, fitted=fitted
    )
    interpret = backend == "cpu" if interpret is None else interpret
    zero = tuple(jnp.zeros(shape, jnp.float32) for shape in ((len(pairs), side, side), (networks, side)))

    def run(key: jax.Array) -> Any:
        from jax.experimental import pallas as pl  # takes long to import, and most sweeps do without
        from jax.experimental.pallas import triton

        call = pl.pallas_call(
            kernel,
            out_shape=[jax.ShapeDtypeStruct(each.shape, each.dtype) for each in zero],
            interpret=interpret,
            compiler_params=triton.CompilerParams(num_warps=_warps(side), num_stages=1),
        )
        return tuple(call(*packed, jax.random.key_data(key)))

    def unpack(moments: Any) -> BlockMoments:
        blocks, coordinates = moments
        products = {pair: blocks[i, :width, :width] for i, pair in enumerate(pairs)}
        lines = [
            [products[a, b] if (a, b) in products else products[b, a].T for b in range(networks)]
            for a in (range(networks) if fitted is None else [fitted])
        ]
        return BlockMoments(jnp.block(lines), coordinates[:, :width].reshape(-1))

    return MomentKernel(run, unpack, zero)


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
    activation: Activation,
    pairs: tuple[tuple[int, int], ...],
    fitted: int | None,
) -> None:
    """Accumulate tile by tile; arguments are references to the arrays of `moment_kernel`."""
    networks, depth, side, _ = weights.shape
    multiply = functools.partial(
        jax.lax.dot, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )

    def draw(tile: jax.Array) -> jax.Array:
        unit = jax.lax.broadcasted_iota(jnp.uint32, (side, TILE), 0)
        row = jax.lax.broadcasted_iota(jnp.uint32, (side, TILE), 1) + tile.astype(jnp.uint32) * np.uint32(
            TILE
        )
        bits = threefry_bits(key[0], key[1], unit * np.uint32(rows) + row)
        return jnp.where(unit < input_dim, normal_of_bits(bits) * input_scale[0], 0)

    def features(network: int, inputs: jax.Array, inside: jax.Array) -> jax.Array:
        def layer(index: jax.Array, hidden: jax.Array) -> jax.Array:
            return activation(multiply(weights[network, index], hidden) + biases[network, index][:, None])

        # A loop, not copies of a layer: the program then fits the instruction cache.
        hidden = jax.lax.fori_loop(0, depth, layer, inputs)
        return jnp.where(inside, hidden - center[network][:, None], 0)

    def whitened(network: int, centred: list[jax.Array]) -> jax.Array:
        if fitted is not None:
            return multiply(whiten[0, 0], centred[network]) if network == fitted else centred[network]
        terms = [multiply(whiten[network, other], centred[other]) for other in range(network + 1)]
        return functools.reduce(jnp.add, terms)

    def add_tile(tile: jax.Array, sums: Any) -> Any:
        inputs = draw(tile)
        inside = jax.lax.broadcasted_iota(jnp.int32, (1, TILE), 1) + tile * TILE < rows
        centred = [features(network, inputs, inside) for network in range(networks)]
        ours = [whitened(network, centred) for network in range(networks)]
        terms = [multiply(ours[a], ours[b].T) for a, b in pairs], [jnp.sum(each, axis=1) for each in ours]
        return jax.tree.map(jnp.add, sums, terms)

    start = (
        [jnp.zeros((side, side), jnp.float32) for _ in pairs],
        [jnp.zeros((side,), jnp.float32) for _ in range(networks)],
    )
    sums = jax.lax.fori_loop(0, -(-rows // TILE), add_tile, start)
    for reference, totals in zip((products, coordinates), sums, strict=True):
        for index, total in enumerate(totals):
            reference[index] = total


def _warps(side: int) -> int:
    """Return how many warps share a tile: more where matrices are larger than the registers of one can hold."""
    return min(8, (side // LEAST_SIDE) ** 2)


def _side(size: int) -> int:
    """Return the least power of two that holds a side."""
    return max(LEAST_SIDE, 1 << (size - 1).bit_length())


def _padded(array: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Return an array with zeros after it up to a shape."""
    return jnp.pad(array.astype(dtype), [(0, n - m) for m, n in zip(array.shape, shape, strict=True)])
