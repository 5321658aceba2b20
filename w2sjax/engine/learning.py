"""Learning curves: metrics of the evaluation sample along the training of heads that keep their parameters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.chain import TRUTH, Stage
from w2sjax.engine.metrics import Metric

Means = Callable[[Mapping[str, Any], Sequence[Metric]], Mapping[str, Any]]
"""Maps the fitted heads of a chain, by stage, to the means of metrics, `[task]` by name."""


def learning_curves(
    stages: Sequence[Stage], fitted: Mapping[str, Any], metrics: Sequence[Metric], means: Means, rank: int
) -> dict[str, jax.Array]:
    """Return means along training, `[task, progress]` by the name of the metric.

    A metric is of the last stage that it is computed from: all others, its teacher among them, are as they ended.

    Args:
        stages, fitted: the chain and its heads; those with a `path` have parameters along training there.
        metrics: the table, of which means over samples are taken.
        means: see above.
        rank: 2 where predictions are `[task, n]`, 3 where they have a leading axis of classes.

    Cost: predictions of the path's heads on the evaluation sample, whose features are drawn once more.
    """
    found: dict[str, jax.Array] = {}
    for i, stage in enumerate(stages):
        path = getattr(fitted[stage.name], "path", None)
        if path is None:
            continue
        before = [TRUTH, *(other.name for other in stages[:i])]
        own = [
            m for m in metrics if _follows(m, [*before, stage.name], rank) and not _follows(m, before, rank)
        ]

        def along(parameters: Any, name: str = stage.name, own: Sequence[Metric] = own) -> Mapping[str, Any]:
            return means({**fitted, name: fitted[name].at(parameters)}, own)

        found |= {name: jnp.swapaxes(values, 0, 1) for name, values in jax.vmap(along)(path).items()}
    return found


def _follows(metric: Metric, names: Sequence[str], rank: int) -> bool:
    """Say whether a metric is a mean that predictions of these names are enough for."""
    if metric.per_sample is None:
        return False
    try:
        jax.eval_shape(
            metric.per_sample, {name: jax.ShapeDtypeStruct((2,) * rank, jnp.float32) for name in names}
        )
    except KeyError:
        return False
    return True
