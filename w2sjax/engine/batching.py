"""Functions of one value mapped over the values of an axis of a grid."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def over_axis(function: Callable[..., Any], in_axes: tuple[Any, ...], length: int) -> Callable[..., Any]:
    """Return `jax.vmap` of a function over the leading axes of some of its arguments.

    Along an axis of one value it is called as it is, which is traced in less time: most grids have no axis of sizes.
    Heads by moments keep `jax.vmap`, without which their products of small transposed matrices take longer.

    Args:
        function: of positional arguments, pytrees of arrays.
        in_axes: as for `jax.vmap`, with 0 and None alone.
        length: of the axis, >= 1.
    """
    if length > 1:
        return jax.vmap(function, in_axes=in_axes, axis_size=length)

    def alone(*arguments: Any) -> Any:
        axes = jax.tree.broadcast(in_axes, arguments, is_leaf=_is_none)
        taken = jax.tree.map(_only, axes, arguments, is_leaf=_is_none)
        return jax.tree.map(lambda a: jnp.expand_dims(a, 0), function(*taken))

    return alone


def _is_none(value: Any) -> bool:
    return value is None


def _only(axis: int | None, values: Any) -> Any:
    """Return the only entry along the leading axis, if that is mapped over."""
    return values if axis is None else jax.lax.squeeze(jnp.asarray(values), (0,))
