"""Standard errors over the evaluation sample, from a second pass over it with the heads fixed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.moments import add_compensated
from w2sjax.engine.outcome import Outcome, StandardErrors
from w2sjax.engine.randomness import BLOCK


def standard_errors(
    draw_block: Callable[[jax.Array], jax.Array],
    keys: jax.Array,
    by_name: Callable[[jax.Array], dict[str, jax.Array]],
    target: Any,
    models: Any,
    outcome: Outcome,
    size: jax.Array,
) -> StandardErrors:
    """Return std / sqrt(n_eval) of each per-sample quantity whose mean is in `outcome`.

    Args:
        draw_block: maps the key of a block to joint features `[d, BLOCK]`.
        keys: `[block]`, of the evaluation stream.
        by_name: splits joint features by representation, `[width, BLOCK]` each.
        target, models: the true heads and the fitted ones.
        outcome: the means, of shape `[task]`.
        size: int32 scalar, n_eval; with one sample the standard errors are NaN.

    Cost: one more pass over the evaluation features, and four `[task, BLOCK]` arrays of memory.
    """

    def squares_of_block(key: jax.Array) -> dict[str, jax.Array]:
        values = per_sample(*residuals(by_name(draw_block(key)), target, models))
        return {name: (value - getattr(outcome, name)[:, None]) ** 2 for name, value in values.items()}

    squares = sum_over_sample(squares_of_block, keys, size)
    count = size.astype(outcome.gain.dtype)
    several = jnp.where(count > 1, count * (count - 1), jnp.nan)
    return StandardErrors(**{name: jnp.sqrt(s / several) for name, s in squares.items()})


def sum_over_sample(
    values_of_block: Callable[[jax.Array], dict[str, jax.Array]], keys: jax.Array, size: jax.Array
) -> dict[str, jax.Array]:
    """Return the sums `[task]` of values over the first rows of a stream.

    Args:
        values_of_block: maps the key of a block to values by name, `[task, BLOCK]`.
        keys: `[block]`, of the stream.
        size: int32 scalar, the number of rows.
    """

    def add_block(sums: Any, entry: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        key, block = entry
        inside = block * BLOCK + jnp.arange(BLOCK, dtype=jnp.int32) < size
        kept = jax.tree.map(lambda v: jnp.where(inside[None, :], v, 0), values_of_block(key))
        return add_compensated(sums, jax.tree.map(lambda v: jnp.sum(v, axis=1), kept)), None

    shapes = jax.eval_shape(values_of_block, keys[0])
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape[:1], s.dtype), shapes)
    blocks = jnp.arange(keys.shape[0], dtype=jnp.int32)
    (sums, _), _ = jax.lax.scan(add_block, (zero, zero), (keys, blocks))
    return sums


def residuals(features: dict[str, jax.Array], target: Any, models: Any) -> tuple[jax.Array, ...]:
    """Return predictions minus truth `[task, n]` of the weak, the w2s and the ceiling heads on features by name."""
    truth = target.predict(features["target"])
    heads = ((models.weak, "weak"), (models.w2s, "strong"), (models.ceiling, "strong"))
    return tuple(head.predict(features[name]) - truth for head, name in heads)


def per_sample(weak: jax.Array, w2s: jax.Array, ceiling: jax.Array) -> dict[str, jax.Array]:
    """Return the terms of each mean from the residuals of the three models, in their shape."""
    difference = weak - w2s
    return {
        "weak_error": weak * weak,
        "w2s_error": w2s * w2s,
        "ceiling_error": ceiling * ceiling,
        "misfit": difference * difference,
        "gain": difference * (weak + w2s),
        "deviation": 2 * difference * w2s,
    }
