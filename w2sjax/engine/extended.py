"""Matrix products in twice the working precision, from exact ordinary ones.

An unevaluated sum high + low of two floats holds about twice the digits of one. Products of such matrices are formed by
splitting every factor into slices of few bits on a common grid, so that the slices multiply without any rounding in the
working precision, whatever the order of summation: the error-free splitting of Ozaki, Ogita, Oishi and Rump 2012
("Error-free transformations of matrix multiplication by using fast routines of matrix multiplication"). Nothing here
depends on fused multiply-add or on the device.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError

_MOST_BITS = 24
"""Of a slice: what float32, in which slices are kept, can hold."""


class Extended(NamedTuple):
    """The unevaluated sum `high + low`, with |low| at most a rounding error of `high`."""

    high: jax.Array
    low: jax.Array


def extended(values: jax.Array) -> Extended:
    """Return ordinary values as extended ones."""
    return Extended(values, jnp.zeros_like(values))


def exact_sum(a: jax.Array, b: jax.Array) -> Extended:
    """Return a + b without error (Knuth's two-sum; both of one shape or broadcasting)."""
    high = a + b
    part = high - a
    return Extended(high, (a - (high - part)) + (b - part))


def add(a: Extended, b: Extended) -> Extended:
    """Return a + b to about twice the working precision."""
    total = exact_sum(a.high, b.high)
    low = total.low + (a.low + b.low)
    high = total.high + low
    return Extended(high, low - (high - total.high))


def subtract(a: Extended, b: Extended) -> Extended:
    """Return a - b to about twice the working precision."""
    return add(a, Extended(-b.high, -b.low))


class Sliced(NamedTuple):
    """A matrix cut for exact products: (sum over slices s of 2^(-bits (s + 1)) pieces_s) * columns.

    Attributes:
        pieces: `[slice, m, k]` float32, integers of at most `bits` bits.
        columns: `[1, k]`, powers of two.
    """

    pieces: jax.Array
    columns: jax.Array


def slicing(dtype: jnp.dtype, size: int) -> tuple[int, int]:
    """Return bits per slice and slices: sums of `size` products are exact and nearly all extended digits are kept."""
    digits = jnp.finfo(dtype).nmant + 1
    for count in range(2, digits):
        bits = min((digits - math.ceil(math.log2(count * size + 1))) // 2, _MOST_BITS)
        if bits * count >= 15 * digits // 8:
            return bits, count
    raise W2SError(f"{size} columns are too many for {dtype}: pass fewer, or set jax_enable_x64.")


def cut(values: Extended, bits: int, count: int) -> Sliced:
    """Cut `[m, k]` into slices, columns scaled to at most one by powers of two."""
    columns = _power_of_two(values.high)

    def next_slice(rest: Extended, _: None) -> tuple[Extended, jax.Array]:
        high = rest.high * 2.0**bits
        piece = jnp.round(high)
        return exact_sum(high - piece, rest.low * 2.0**bits), piece.astype(jnp.float32)

    _, pieces = jax.lax.scan(next_slice, scale(values, 1 / columns), None, length=count)
    return Sliced(pieces, columns)


def product(left: Sliced, right: Extended, bits: int) -> Extended:
    """Return the matrix product of `[m, k]` and `[k, t]` to about twice the working precision.

    The error is about eps^2 sum_k max_m|left_mk| max_k|columns_k right_kt|: contracted entries of very different size
    keep their digits as long as their products are alike.

    Cost: s^2 ordinary products, with s = 5 slices in float64 and about 8 in float32.
    """
    return _product("smk,kt->smt", left.pieces, scale(right, left.columns.T), bits)


def transposed_product(left: Sliced, right: Extended, bits: int) -> Extended:
    """Return the matrix product of the transpose `[k, m]` of `left` and `[m, t]`, like `product`."""
    return scale(_product("skm,kt->smt", left.pieces, right, bits), left.columns.T)


def _product(equation: str, pieces: jax.Array, right: Extended, bits: int) -> Extended:
    """Multiply a matrix of entries of at most one, cut into slices, with `[k, t]`."""
    dtype, (size, tasks) = right.high.dtype, right.high.shape
    count = pieces.shape[0]
    others, by_task = cut(right, bits, count)
    products = jnp.einsum(
        equation,
        pieces.astype(dtype),
        others.astype(dtype).transpose(1, 0, 2).reshape(size, count * tasks),
        precision=jax.lax.Precision.HIGHEST,
    )
    products = products.reshape(count, -1, count, tasks)
    # Neither the products nor the sums of those of one order of magnitude have been rounded so far.
    orders = [sum(products[i, :, j - i] for i in range(j + 1)) for j in range(count)]

    def add_order(total: Extended, order: jax.Array) -> tuple[Extended, None]:
        return add(scale(total, 0.5**bits), extended(order)), None

    total, _ = jax.lax.scan(add_order, extended(jnp.zeros_like(orders[0])), jnp.stack(orders[::-1]))
    return scale(total, 0.25**bits * by_task)


def scale(values: Extended, power: jax.Array | float) -> Extended:
    """Multiply by powers of two, without error."""
    return Extended(values.high * power, values.low * power)


def _power_of_two(values: jax.Array) -> jax.Array:
    """Return `[1, k]`, a power of two at least as large as each column's entries; one for a column of zeros."""
    largest = jnp.max(jnp.abs(values), axis=0, keepdims=True)
    power = 2 * jax.lax.reduce_precision(largest, jnp.finfo(values.dtype).nexp, 0)
    return jnp.where(power > 0, power, 1)
