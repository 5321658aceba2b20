"""Standard errors over the evaluation sample, from a second pass over it with the heads fixed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.outcome import Outcome, StandardErrors
from w2sjax.engine.randomness import BLOCK

_NAMES = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation")


def standard_errors(
    draw_block: Callable[[jax.Array], dict[str, jax.Array]],
    keys: jax.Array,
    target: Any,
    models: Any,
    outcome: Outcome,
    size: int,
) -> StandardErrors:
    """Return std / sqrt(n_eval) of each per-sample quantity whose mean is in `outcome`.

    Args:
        draw_block: maps the key of a block to features `[width, BLOCK]` by name.
        keys: `[block]`, of the evaluation stream.
        target, models: the true heads and the fitted ones.
        outcome: the means, of shape `[task]`.
        size: n_eval; with one sample the standard errors are NaN.

    Cost: one more pass over the evaluation features, and four `[task, BLOCK]` arrays of memory.
    """
    means = {name: getattr(outcome, name) for name in _NAMES}

    def add_block(
        total: dict[str, jax.Array], entry: tuple[jax.Array, jax.Array]
    ) -> tuple[dict[str, jax.Array], None]:
        key, block = entry
        features = draw_block(key)
        predict = lambda name, head: head.weights.T @ features[name] + head.bias[:, None]  # noqa: E731
        truth = predict("target", target)
        weak = predict("weak", models.weak) - truth
        w2s = predict("strong", models.w2s) - truth
        ceiling = predict("strong", models.ceiling) - truth
        difference = weak - w2s
        values = {
            "weak_error": weak * weak,
            "w2s_error": w2s * w2s,
            "ceiling_error": ceiling * ceiling,
            "misfit": difference * difference,
            "gain": difference * (weak + w2s),
            "deviation": 2 * difference * w2s,
        }
        inside = block * BLOCK + jnp.arange(BLOCK, dtype=jnp.int32) < size
        squares = {
            name: jnp.sum(jnp.where(inside[None, :], (value - means[name][:, None]) ** 2, 0), axis=1)
            for name, value in values.items()
        }
        return jax.tree.map(jnp.add, total, squares), None

    zero = jax.tree.map(jnp.zeros_like, means)
    blocks = jnp.arange(-(-size // BLOCK), dtype=jnp.int32)
    squares, _ = jax.lax.scan(add_block, zero, (keys[: blocks.shape[0]], blocks))
    degrees = size - 1
    return StandardErrors(
        **{
            name: jnp.sqrt(s / (degrees * size)) if degrees else jnp.full_like(s, jnp.nan)
            for name, s in squares.items()
        }
    )
