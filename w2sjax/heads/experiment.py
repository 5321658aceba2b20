"""The experiment on one pair, whatever its heads: solved in closed form or trained."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.draws import default_dtype
from w2sjax.engine.design import Design, Numbers, design_of, numbers_of
from w2sjax.engine.outcome import Outcome
from w2sjax.engine.pair import run_grid
from w2sjax.engine.protocol import Protocol, check_head_fields, check_protocol, fields_set
from w2sjax.engine.randomness import run_pair_key
from w2sjax.errors import W2SError
from w2sjax.heads.trained import CURVES, run_trained, with_head_curves
from w2sjax.worlds.static import as_pytree
from w2sjax.worlds.training import CURVE_POINTS


def run_pair(world: Any, protocol: Protocol, key: jax.Array) -> Outcome:
    """Run one weak-to-strong experiment on one pair drawn from a world.

    Draws (h*, h_w, h_s), fits the weak head to true labels, the w2s head to the weak model's labels and the ceiling to
    true labels, in closed form or by AdamW, and measures mean squared errors on a fresh sample:

        gain = weak_error - w2s_error,  misfit = E (w2s - weak)^2,  deviation = gain - misfit.

    Args:
        world: any object with `draw(key)`; see `w2sjax.worlds.World`.
        protocol: sample sizes and regularization.
        key: a typed key (`jax.random.key`). The pair and its samples are functions of this key only; it is none of the
            pairs of a sweep with the same seed.

    Returns:
        An `Outcome` with arrays of shape `[task]`, in JAX's default float dtype.

    Raises:
        W2SError: if the key is not a typed key, a field is set that the class of heads does not have, or the world
            returns unusable features.

    Cost: O((n_weak + n_strong + n_eval) D^2) time with D the sum of the three widths; memory does not grow with n.
    Trained heads cost their passes over the training splits, whose features are held in memory.
    May be called under `jax.jit` and `jax.vmap`.
    """
    if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise W2SError("key is not a typed key: pass jax.random.key(seed), not jax.random.PRNGKey.")
    if key.ndim > 0:
        raise W2SError(f"key holds {key.size} keys: pass one, or map run_pair over them by jax.vmap.")
    check_protocol(protocol)
    check_head_fields((protocol.head,), fields_set(protocol))
    return _run_single(as_pytree(world), run_pair_key(key), numbers_of(protocol), design=design_of(protocol))


@functools.partial(jax.jit, static_argnames=("design",))
def _run_single(world: Any, key: jax.Array, numbers: Numbers, *, design: Design) -> Outcome:
    outcome = run_experiment(world, key, design, numbers)
    return jax.tree.map(lambda a: a[0, 0, 0, 0], outcome)


def run_experiment(
    world: Any, key: jax.Array, design: Design, numbers: Numbers, prepared: Any = None
) -> Outcome:
    """Run one pair under every combination of sample sizes and every ridge pair of a grid.

    Args:
        world, key: as in `run_pair`.
        design, numbers: the grid.
        prepared: what the world's preparations returned for this pair, if it has any and they were run before.

    Returns:
        An `Outcome` whose arrays have shape `[n_weak, n_strong, n_eval, ridge, task]` (status without the task axis).
    """
    if design.training is not None:
        return run_trained(world, key, design, numbers, prepared)
    outcome = run_grid(world, key, design, numbers, prepared)
    if not design.head_curves:
        return outcome
    none = jnp.full((len(design.n_weak), len(design.n_strong), CURVE_POINTS), jnp.nan, default_dtype())
    return with_head_curves(outcome, dict.fromkeys(CURVES, none))
