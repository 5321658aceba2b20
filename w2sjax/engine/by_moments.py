"""Linear heads on any number of tasks, sizes and ridges: joint second moments serve them all."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.chain import TARGET, TRUTH, Stage
from w2sjax.engine.design import Numbers, sizes_of
from w2sjax.engine.evaluation import means_by_moments, means_by_rows
from w2sjax.engine.outcome import Status, status_of
from w2sjax.engine.samples import Sample, compress_samples, factorize_samples
from w2sjax.engine.source import Source
from w2sjax.flags import Flag
from w2sjax.heads.base import Fit
from w2sjax.heads.factor import Factor, dropped_effect
from w2sjax.heads.linear import Linear
from w2sjax.random.keys import Role

Labels = tuple[jax.Array, jax.Array]
"""Mean `[task]` and centred rows `[row, task]` of labels."""


def run_by_moments(source: Source, numbers: Numbers, target: Linear, finish: Any) -> Any:
    """Fit and measure a chain of linear heads on one pair, for every size and combination at once.

    Args:
        source, numbers: the pair, and the grid.
        target: the true heads.
        finish: maps (fitted heads, status, label power, means, n_eval) of a cell to what is returned of it.

    Returns:
        What `finish` returns, with leading axes `[n_weak, n_strong, n_eval, combination]`.
    """
    design = source.design
    groups, chains = design.groups, design.stages(numbers)
    samples, evaluations = compress_samples(source, numbers)
    decompose = design.combinations > 1 or any(stage.head.decomposes for stage in chains)  # type: ignore[attr-defined]
    factors = factorize_samples(
        [sample.rows[group.features] for sample, group in zip(samples, groups, strict=True)],
        [sizes_of(design, group) for group in groups],
        decompose_core=decompose,
    )
    quadratic = [metric for metric in design.metrics if metric.quadratic]
    others = [metric for metric in design.metrics if not metric.quadratic and metric.of_means is None]

    def cell(
        trained: tuple[tuple[Sample, Factor], ...],
        evaluations: list[Sample],
        n_eval: jax.Array,
        stages: tuple[Stage, ...],
    ) -> Any:
        fitted, status, label_power = fit_chain(source, trained, target, stages)
        means = means_by_moments(evaluations[0], target, stages, fitted, quadratic)
        if others:
            means |= means_by_rows(source, Role.EVAL, target, stages, fitted, others, n_eval)
        if design.fresh_misfit:
            fresh = means_by_moments(evaluations[1], target, stages, fitted, quadratic)["misfit"]
            means |= {"misfit": fresh, "deviation": means["gain"] - fresh}
        return finish(fitted, stages, status, label_power, means, n_eval)

    by_weak = tuple(0 if group.split == "weak" else None for group in groups)
    by_strong = tuple(None if group.split == "weak" else 0 for group in groups)
    over_combinations = jax.vmap(cell, in_axes=(None, None, None, 0))
    over_eval = jax.vmap(over_combinations, in_axes=(None, 0, 0, None))
    over_strong = over_eval
    if any(axis == 0 for axis in by_strong):
        over_strong = jax.vmap(over_eval, in_axes=(by_strong, None, None, None))
    over_weak = over_strong
    if any(axis == 0 for axis in by_weak):
        over_weak = jax.vmap(over_strong, in_axes=(by_weak, None, None, None))
    trained = tuple(zip(samples, factors, strict=True))
    found = over_weak(trained, evaluations, jnp.array(design.n_eval, jnp.int32), chains)
    absent = [place for place, axes in enumerate((by_weak, by_strong)) if not any(axis == 0 for axis in axes)]
    return with_axes(found, absent, (len(design.n_weak), len(design.n_strong)))


def with_axes(tree: Any, absent: list[int], lengths: tuple[int, int]) -> Any:
    """Give arrays the axes of sizes that nothing depended on, at the given places."""
    for place in absent:
        repeat = functools.partial(jnp.repeat, repeats=lengths[place], axis=place)
        tree = jax.tree.map(lambda a, place=place, repeat=repeat: repeat(jnp.expand_dims(a, place)), tree)
    return tree


def fit_chain(
    source: Source, trained: tuple[tuple[Sample, Factor], ...], target: Linear, stages: tuple[Stage, ...]
) -> tuple[dict[str, Any], Status, jax.Array]:
    """Fit the heads of a chain in turn on compressed samples.

    Returns:
        The heads by stage, the status of their regressions, and the mean squared labels `[task]` of the first stage,
        the part that its features explain: what rounding of predictions is measured by.
    """
    group_of = {i: place for place, group in enumerate(source.design.groups) for i in group.stages}
    fitted: dict[str, Any] = {}
    effects: dict[int, jax.Array] = {}
    label_power = None
    for index, stage in enumerate(stages):
        sample, factor = trained[group_of[index]]
        if stage.labels == TRUTH:
            labels = sample.true_labels(TARGET, target)
        else:
            teacher = next(other for other in stages if other.name == stage.labels)
            labels = sample.predict(teacher.features, fitted[stage.labels])
        label_power = mean_square(labels) if label_power is None else label_power
        fitted[stage.name] = stage.head.head_for(  # type: ignore[attr-defined]
            sample.mean[stage.features], factor, labels, ridgeless=source.design.ridgeless
        )
        effects[index] = dropped_effect(factor, labels[1])
    fits = {
        group.name: fit_of(factor, sample.blurred)
        for group, (sample, factor) in zip(source.design.groups, trained, strict=True)
    }
    assert label_power is not None  # a chain has a stage
    effect = functools.reduce(jnp.maximum, effects.values())
    return fitted, status_of(fits, effect), label_power


def fit_of(factor: Factor, blurred: jax.Array) -> Fit:
    """Return how well posed the regressions on a factorization are."""
    return Fit(
        rank=factor.rank,
        condition=factor.condition,
        dropped=factor.frame.shape[0] - factor.rank,
        effect=jnp.zeros_like(factor.condition),
        code=jnp.where(blurred, int(Flag.FEATURE_BELOW_ROUNDING), 0).astype(jnp.int32),
    )


def mean_square(labels: Labels) -> jax.Array:
    """Return the mean squares `[task]` of labels with mean `[task]` and centred rows `[row, task]`."""
    mean, rows = labels
    return mean * mean + jnp.sum(rows * rows, axis=0)
