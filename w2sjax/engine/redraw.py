"""A pair of a sweep drawn again: what its teacher predicts on inputs that no split of the sweep has."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.chain import TARGET, Stage
from w2sjax.engine.design import Design, Numbers, design_of, numbers_of
from w2sjax.engine.evaluation import predictions_of
from w2sjax.engine.pair import run_grid
from w2sjax.engine.protocol import Protocol
from w2sjax.engine.source import source_of, split_of, stack_blocks
from w2sjax.heads.ridge import RIDGELESS
from w2sjax.random.keys import BLOCK, Role, pair_key
from w2sjax.random.threefry import seed_key
from w2sjax.worlds.static import as_pytree

Rows = dict[str, Any]
"""Arrays `[pair, n, width or task]` by the name of a representation or a stage."""


def redraw(
    world: Any,
    protocol: Protocol,
    stages: Sequence[Stage],
    features: Sequence[str],
    samples: int,
    seed: int,
    pairs: Sequence[int],
    role: Role = Role.MISFIT,
) -> tuple[Rows, Rows]:
    """Fit the first stages of a sweep's pairs as the sweep fits them, and apply them to fresh inputs.

    Args:
        world, protocol: of one cell of the sweep.
        stages: the first ones of its chain.
        features: names of representations to return.
        samples: rows, rounded up to whole blocks.
        seed, pairs: of the sweep.
        role: of the inputs; those of the misfit are of no split, unless it is measured on inputs of its own.

    Returns:
        Features `[pair, n, width]` by representation, and predictions `[pair, n, task]` by stage and "truth".

    Cost: the fits, and one pass over the rows, which are held in memory. One program serves any number of pairs.
    """
    alone = dataclasses.replace(
        protocol, stages=tuple(stages), head=RIDGELESS, weak_head=None, baseline=False, n_eval=1
    )
    alone = dataclasses.replace(alone, standard_errors=False, fresh_misfit=False)
    one = functools.partial(
        _redraw, design=design_of(alone), features=tuple(features), blocks=-(-samples // BLOCK), role=role
    )
    shared = as_pytree(world), numbers_of(alone), seed_key(seed)
    found = [jax.device_get(one(*shared, jnp.asarray(pair, jnp.uint32))) for pair in pairs]
    return jax.tree.map(lambda *of_pairs: np.stack(of_pairs), *found)


@functools.partial(jax.jit, static_argnames=("design", "features", "blocks", "role"))
def _redraw(
    world: Any,
    numbers: Numbers,
    seed: jax.Array,
    pair: jax.Array,
    *,
    design: Design,
    features: tuple[str, ...],
    blocks: int,
    role: Role,
) -> tuple[Rows, Rows]:
    stages = jax.tree.map(lambda a: a[0], design.stages(numbers))
    names = tuple(dict.fromkeys((*(stage.features for stage in stages), *features, TARGET)))
    fresh = (role, 0)

    key = pair_key(seed, pair)
    _, models = run_grid(world, key, design, numbers, return_models=True)
    source = source_of(world, key, design, names=names, more={fresh: blocks})
    target = source.target_heads(design.tasks)

    def of_block(entry: Any) -> tuple[Rows, Rows]:
        columns = source.by_name(source.draw(entry, names, split_of(fresh)), names)
        predictions = predictions_of(columns, target, stages, models.fitted)
        return jax.tree.map(jnp.transpose, ({name: columns[name] for name in features}, predictions))

    return stack_blocks(of_block, source.entries(fresh))
