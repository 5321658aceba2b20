"""One pair by way of its labels: few tasks are fewer numbers per row than the features that they come from.

The moments of all features serve every task, sample size and ridge at once. A single experiment on few tasks needs
less: the moments of each fitted representation with its labels, group after group, and the predictions on an evaluation
sample, row by row.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.basis import pilot_basis, pilot_rows
from w2sjax.engine.by_moments import fit_of, mean_square
from w2sjax.engine.chain import TARGET, TRUTH, Group, Stage, fits_in_order
from w2sjax.engine.design import Design, Numbers, sizes_of
from w2sjax.engine.outcome import Status, status_of
from w2sjax.engine.samples import compress_training, factorize_samples
from w2sjax.engine.source import Source
from w2sjax.heads.base import Fit
from w2sjax.heads.factor import dropped_effect
from w2sjax.heads.linear import Linear
from w2sjax.linalg import product
from w2sjax.random.draws import default_dtype

OPERATIONS_PER_LABEL = 145.0
"""What the passes over a label and its residuals cost besides its prediction, in multiplications of a product."""


def has_few_tasks(
    design: Design, widths: dict[str, int], operations_per_label: float = OPERATIONS_PER_LABEL
) -> bool:
    """Say whether a grid is one experiment, with so few tasks that labels cost less than joint moments.

    Per row of an evaluation sample labels cost the predictions of all heads per task and the passes over them, joint
    moments two products of the size of the joint features squared. For the usual chain these are equal at 22 tasks for
    three representations of width 16, 67 for width 32 and 184 for width 64; by benchmarks/crossover.py the routes cross
    near 19, 50 and 190 in float64, and somewhat later in float32.

    Args:
        design: the grid.
        widths: of the features by name.
        operations_per_label: infinity, or minus infinity, forces moments or labels where there is a choice.
    """
    sizes = (design.n_weak, design.n_strong, design.n_eval)
    single = all(len(values) == 1 for values in sizes) and design.combinations == 1
    possible = single and not any(stage.head.decomposes for stage in design.chain)  # type: ignore[attr-defined]
    predictions = widths[TARGET] + sum(widths[stage.features] for stage in design.chain)
    return possible and design.tasks * (predictions + operations_per_label) <= 2 * sum(widths.values()) ** 2


def fit_by_labels(
    source: Source, numbers: Numbers, target: Linear
) -> tuple[tuple[Stage, ...], dict[str, Any], Status, jax.Array]:
    """Fit a chain of linear heads for a single experiment on one pair.

    Returns:
        The stages with the numbers of their heads, the fitted heads by stage, the status of their regressions, and the
        mean squared labels `[task]` of the first stage.

    Cost: per row, the networks, and O(d^2) with d the width of what is fitted.
    """
    design = source.design
    stages = jax.tree.map(lambda a: a[0], design.stages(numbers))
    most = max(source.widths[stage.features] for stage in stages)
    pilot = source.by_name(source.pilot(design.order, pilot_rows(most)), design.order)
    fitted: dict[str, Any] = {}
    fits: dict[str, Fit] = {}
    effects: list[jax.Array] = []
    label_power = None
    for group, ready in fits_in_order(stages):  # those that are ready share a pass over the sample
        chosen = [stages[i] for i in ready]
        found, fit, power = _fit(source, numbers, pilot, group, chosen, stages, fitted, target)
        for stage, (head, effect) in zip(chosen, found, strict=True):
            fitted[stage.name] = head
            effects.append(effect)
        fits.setdefault(group.name, fit)
        label_power = power if label_power is None else label_power
    assert label_power is not None  # a chain has a stage
    return stages, fitted, status_of(fits, functools.reduce(jnp.maximum, effects)), label_power


def _fit(
    source: Source,
    numbers: Numbers,
    pilot: dict[str, jax.Array],
    group: Group,
    chosen: list[Stage],
    stages: tuple[Stage, ...],
    fitted: dict[str, Any],
    target: Linear,
) -> tuple[list[tuple[Linear, jax.Array]], Fit, jax.Array]:
    """Fit the heads of some stages of a group.

    Returns:
        For each stage the head and the effect of directions dropped; how well posed the fits are; and the mean squared
        labels of the first.
    """
    features_of = {stage.name: stage.features for stage in stages}
    teachers = [
        (TARGET, target) if stage.labels == TRUTH else (features_of[stage.labels], fitted[stage.labels])
        for stage in chosen
    ]
    # Labels are taken from their pilot means, so that centring their moments does not cancel.
    origins = [
        product(jnp.mean(pilot[name], axis=1).astype(default_dtype())[None, :], head.weights)[0]
        for name, head in teachers
    ]

    def labels_of(features: dict[str, jax.Array], noise: jax.Array | None) -> jax.Array:
        labels = []
        for stage, (name, head), origin in zip(chosen, teachers, origins, strict=True):
            own = Linear(head.weights, -origin).of_columns(features[name])
            labels.append(own + noise if noise is not None and stage.labels == TRUTH else own)
        return jnp.concatenate(labels)

    basis = pilot_basis(pilot[group.features])
    samples = compress_training(source, numbers, group, basis, labels_of)
    (factors,) = factorize_samples([samples.rows], [sizes_of(source.design, group)], decompose_core=False)
    sample, factor = jax.tree.map(lambda a: a[0], (samples, factors))
    biases = [head.bias + origin for (_, head), origin in zip(teachers, origins, strict=True)]
    means = jnp.split(sample.label_mean + jnp.concatenate(biases), len(chosen))
    rows = jnp.split(sample.label_rows, len(chosen), axis=1)
    labels = list(zip(means, rows, strict=True))
    found = [
        (
            stage.head.head_for(sample.mean, factor, own, ridgeless=source.design.ridgeless),  # type: ignore[attr-defined]
            dropped_effect(factor, own[1]),
        )
        for stage, own in zip(chosen, labels, strict=True)
    ]
    return found, fit_of(factor, sample.blurred), mean_square(labels[0])
