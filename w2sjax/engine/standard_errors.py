"""Standard errors over the evaluation sample, from a second pass over it with the heads fixed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.outcome import Outcome, StandardErrors
from w2sjax.engine.products import product
from w2sjax.engine.randomness import BLOCK

_NAMES = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation")


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
    means = {name: getattr(outcome, name) for name in _NAMES}

    def add_block(
        total: dict[str, jax.Array], entry: tuple[jax.Array, jax.Array]
    ) -> tuple[dict[str, jax.Array], None]:
        key, block = entry
        features = by_name(draw_block(key))
        predict = lambda name, head: product(head.weights.T, features[name]) + head.bias[:, None]  # noqa: E731
        truth = predict("target", target)
        weak = predict("weak", models.weak) - truth
        w2s = predict("strong", models.w2s) - truth
        ceiling = predict("strong", models.ceiling) - truth
        values = per_sample(weak, w2s, ceiling)
        inside = block * BLOCK + jnp.arange(BLOCK, dtype=jnp.int32) < size
        squares = {
            name: jnp.sum(jnp.where(inside[None, :], (value - means[name][:, None]) ** 2, 0), axis=1)
            for name, value in values.items()
        }
        return jax.tree.map(jnp.add, total, squares), None

    zero = jax.tree.map(jnp.zeros_like, means)
    blocks = jnp.arange(keys.shape[0], dtype=jnp.int32)
    squares, _ = jax.lax.scan(add_block, zero, (keys, blocks))
    count = size.astype(outcome.gain.dtype)
    return StandardErrors(**{name: jnp.sqrt(s / (count * (count - 1))) for name, s in squares.items()})


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
