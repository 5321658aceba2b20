"""One experiment on one pair: the front door of the engine."""

import functools
from collections.abc import Sequence
from typing import Any

import jax

from w2sjax.cache import keep_compiled_programs
from w2sjax.engine.design import Design, Numbers, design_of, numbers_of
from w2sjax.engine.metrics import Metric, check_metrics
from w2sjax.engine.on_host import run_on_host, suits_host
from w2sjax.engine.outcome import Models, Outcome
from w2sjax.engine.pair import run_grid
from w2sjax.engine.protocol import Protocol, check_protocol
from w2sjax.random.keys import run_pair_key
from w2sjax.random.threefry import check_key
from w2sjax.validation import check_boolean
from w2sjax.worlds.base import World
from w2sjax.worlds.static import as_pytree


def run_pair(
    world: World,
    protocol: Protocol,
    key: jax.Array,
    *,
    metrics: Sequence[Metric] = (),
    return_models: bool = False,
) -> Outcome | tuple[Outcome, Models]:
    """Run one weak-to-strong experiment on one pair drawn from a world.

    Draws (h*, h_w, h_s), fits the weak head to true labels, the w2s head to the weak model's labels and the ceiling to
    true labels, or whatever chain of stages the protocol has, and measures mean squared errors on a fresh sample:

        gain = weak_error - w2s_error,  misfit = E (w2s - weak)^2,  deviation = gain - misfit.

    Args:
        world: any object with `draw(key)`; see `w2sjax.worlds.World`.
        protocol: sample sizes, heads and stages.
        key: a typed key (`jax.random.key`). The pair and its samples are functions of this key only; it is none of the
            pairs of a sweep with the same seed.
        metrics: further metrics to measure.
        return_models: also return the fitted heads, and features and predictions on the evaluation sample.

    Returns:
        An `Outcome` with arrays of shape `[task]`, in JAX's default float dtype; with `return_models` a tuple of that
        and `Models`.

    Raises:
        W2SError: if the key is not a typed key, or the world returns unusable features.

    Cost: for heads in closed form O((n_weak + n_strong + n_eval) D^2) time with D the sum of the widths; memory does
    not grow with n. Other heads cost their passes over the training samples, whose features are held in memory.
    May be called under `jax.jit` and `jax.vmap`.
    """
    check_key(key)
    check_protocol(protocol)
    models = check_boolean("return_models", return_models)
    keep_compiled_programs()
    design = design_of(protocol, metrics=check_metrics(metrics))
    own, numbers = run_pair_key(key), numbers_of(protocol)
    host = suits_host(world, own, design, numbers)
    both = run_on_host(world, own, design, numbers) if host else None
    if both is not None:
        return both if models else both[0]
    found: Outcome | tuple[Outcome, Models] = run_single(
        as_pytree(world), own, numbers, design=design, return_models=models
    )
    return found


@functools.partial(jax.jit, static_argnames=("design", "return_models"))
def run_single(
    world: Any, key: jax.Array, numbers: Numbers, *, design: Design, return_models: bool = False
) -> Any:
    """Run a grid of one cell on the pair of a key, and return it without leading axes."""
    found = run_grid(world, key, design, numbers, return_models=return_models)
    return found if return_models else jax.tree.map(lambda a: a[0, 0, 0, 0], found)
