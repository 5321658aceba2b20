"""What is drawn from a world: a pair, its target heads and its features, checked and in the engine's layout."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.models import Head
from w2sjax.errors import W2SError
from w2sjax.threefry import seed_key
from w2sjax.worlds.base import default_heads

ORDER = ("weak", "target", "strong")
"""Order of the joint features: a leading part of it is all that the weak split needs."""


def draw_pair(world: Any, key: jax.Array, prepared: Any) -> Any:
    """Draw a pair, checked, from what was prepared for it where the world has preparations."""
    pair = world.draw(key) if prepared is None else world.draw(key, prepared)
    if not callable(getattr(pair, "features", None)):
        raise W2SError(
            f"draw returned {type(pair).__name__}: return a pair, an object with features(key, n)."
        )
    return pair


def target_heads(pair: Any, key: jax.Array, tasks: int, width: int) -> Head:
    """Draw the target heads of a pair, by its own `heads` where it has them, checked: weights `[width, task]`."""
    draw: Callable[..., Any] = getattr(pair, "heads", None) or (
        lambda key, tasks: default_heads(key, tasks, width)
    )
    weights, bias = draw(key, tasks)
    if weights.shape != (tasks, width) or bias.shape != (tasks,):
        raise W2SError(
            f"heads returned shapes {weights.shape} and {bias.shape}: return weights of shape "
            f"({tasks}, {width}) and a bias of shape ({tasks},)."
        )
    dtype = jnp.zeros(()).dtype
    return Head(weights.T.astype(dtype), bias.astype(dtype))


def draw_columns(
    pair: Any, key: jax.Array, n: int, names: tuple[str, ...], *, single: bool = False
) -> jax.Array:
    """Return the named features of n fresh inputs, one after another: `[sum of widths, n]`, checked.

    With `single`, they are computed and returned in float32 whatever the precision of everything else.
    """
    if single and jax.config.jax_enable_x64:
        narrow = lambda a: a.astype(jnp.float32) if getattr(a, "dtype", None) == jnp.float64 else a  # noqa: E731
        pair = jax.tree.map(narrow, pair)
        with jax.enable_x64(False):
            return draw_columns(pair, key, n, names)
    if hasattr(pair, "columns"):
        columns: jax.Array = pair.columns(key, n, names)
        shape = getattr(columns, "shape", None)
        if shape is None or len(shape) != 2 or shape[1] != n or shape[0] < len(names):
            raise W2SError(f"columns returned shape {shape}: return [sum of widths, n] with n={n}.")
        if columns.dtype != jnp.zeros(()).dtype:
            raise W2SError(
                f"columns returned dtype {columns.dtype}: return JAX's default, {jnp.zeros(()).dtype}."
            )
        return columns
    named = draw_features(pair, key, n)
    return jnp.concatenate([named[name].T.astype(jnp.zeros(()).dtype) for name in names])


def draw_features(pair: Any, key: jax.Array, n: int) -> dict[str, jax.Array]:
    """Return the features of n fresh inputs by name, each `[n, width]`, checked."""
    drawn = pair.features(key, n)
    if not isinstance(drawn, tuple) or len(drawn) != 3:
        raise W2SError(f"features returned {type(drawn).__name__}: return (target, weak, strong).")
    named = dict(zip(("target", "weak", "strong"), drawn, strict=True))
    for name, value in named.items():
        shape = getattr(value, "shape", None)
        if shape is None or len(shape) != 2 or shape[0] != n or shape[1] < 1:
            raise W2SError(f"features returned {name} of shape {shape}: return [n, width] with n={n}.")
        if not jnp.issubdtype(value.dtype, jnp.floating):
            raise W2SError(f"features returned {name} of dtype {value.dtype}: return floating numbers.")
    return named


def feature_widths(pair: Any) -> dict[str, int]:
    """Return the widths of the features by name, without drawing any."""
    shapes = jax.eval_shape(lambda key: draw_features(pair, key, 1), seed_key(0))
    return {name: shape.shape[1] for name, shape in shapes.items()}


def parts(
    joint: jax.Array, names: tuple[str, ...], widths: dict[str, int], axis: int
) -> dict[str, jax.Array]:
    """Split joint features along an axis by representation."""
    stops = list(itertools.accumulate(widths[name] for name in names))
    return dict(zip(names, jnp.split(joint, stops[:-1], axis=axis), strict=True))
