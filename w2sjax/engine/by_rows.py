"""Heads of any kind: training samples are held row by row, and every head is fitted as its class says."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.batching import over_axis
from w2sjax.engine.chain import TARGET, TRUTH, Group, Stage, depends_on, fits_in_order
from w2sjax.engine.design import Design, Numbers, sizes_of
from w2sjax.engine.evaluation import means_by_rows
from w2sjax.engine.outcome import Status, mean_squares, status_of
from w2sjax.engine.source import Source, first_rows, stack_blocks
from w2sjax.errors import W2SError
from w2sjax.heads.base import Fit, Rows, fit_all, predicted, worse_of
from w2sjax.heads.linear import Linear
from w2sjax.random.keys import BLOCK, Role
from w2sjax.targets import draws_for_labels, training_labels

Sizes = tuple[int, int]
"""Positions along n_weak and n_strong; 0 along what a stage does not depend on."""


def run_by_rows(source: Source, numbers: Numbers, target: Linear, finish: Any) -> Any:
    """Fit and measure a chain of heads on one pair, for every combination of sizes.

    The draws are those of the other routes: the same pairs, target heads, samples and label noise.

    Args:
        source, numbers: the pair, and a grid of one combination of heads.
        target: the true heads.
        finish: as for `run_by_moments`.

    Returns:
        What `finish` returns, with leading axes `[n_weak, n_strong, n_eval, 1]`.

    Cost: the fits of every pair of sizes that a stage depends on; memory for the features and labels of the training
    samples.
    """
    design = source.design
    stages = jax.tree.map(lambda a: a[0], design.stages(numbers))
    fitted, fits, powers = _fit_all(source, numbers, target, stages)
    dependence = depends_on(stages)
    metrics = [metric for metric in design.metrics if metric.of_means is None]
    misfit = [metric for metric in metrics if metric.name == "misfit"]

    def cell(heads: dict[str, Any], status: Status, power: jax.Array, n_eval: jax.Array) -> Any:
        means = means_by_rows(source, Role.EVAL, target, stages, heads, metrics, n_eval)
        if design.fresh_misfit:
            fresh = means_by_rows(source, Role.MISFIT, target, stages, heads, misfit, n_eval)["misfit"]
            means |= {"misfit": fresh, "deviation": means["gain"] - fresh}
        return finish(heads, stages, status, power, means, n_eval)

    stacked = {name: _stack(by_sizes, dependence[name], design) for name, by_sizes in fitted.items()}
    status = _statuses(fits, dependence, design)
    first = dependence[stages[0].name]
    power = _stack(powers, first, design)
    run = over_axis(cell, (None, None, None, 0), len(design.n_eval))
    for axis, length in ((1, len(design.n_strong)), (0, len(design.n_weak))):
        heads_axes = {name: 0 if dependence[name][axis] else None for name in stacked}
        run = over_axis(run, (heads_axes, 0, 0 if first[axis] else None, None), length)
    found = run(stacked, status, power, jnp.array(design.n_eval, jnp.int32))
    return jax.tree.map(lambda a: jnp.expand_dims(a, 3), found)


def _fit_all(
    source: Source, numbers: Numbers, target: Linear, stages: tuple[Stage, ...]
) -> tuple[dict[str, dict[Sizes, Any]], dict[str, dict[Sizes, Fit]], dict[Sizes, jax.Array]]:
    """Fit every stage for every pair of sizes that it depends on; stages that can are fitted together.

    Returns:
        Fitted heads by stage and sizes, fits by group and sizes, and the mean squared labels of the first stage.
    """
    design = source.design
    dependence = depends_on(stages)
    fitted: dict[str, dict[Sizes, Any]] = {}
    fits: dict[str, dict[Sizes, Fit]] = {}
    powers: dict[Sizes, jax.Array] = {}
    drawn = {group.name: _draw(source, numbers, group, target) for group in design.groups}
    for group, ready in fits_in_order(stages, design.shared_heads):
        features, truth, true_labels = drawn[group.name]
        place, axis = design.groups.index(group), 0 if group.split == "weak" else 1
        for position, n in enumerate(sizes_of(design, group)):
            rows = Rows(first_rows(features[group.features], n), truth=first_rows(truth, n))
            jobs = []  # one per stage and pair of sizes of its teacher
            for i in ready:
                stage = stages[i]
                for sizes in _sizes_of_labels(stage, dependence, design, axis, position):
                    if stage.labels == TRUTH:
                        labels = first_rows(true_labels, n)
                    else:
                        by_weak, by_strong = dependence[stage.labels]
                        teacher = fitted[stage.labels][sizes[0] * by_weak, sizes[1] * by_strong]
                        taught = next(s for s in stages if s.name == stage.labels)
                        own = first_rows(features[taught.features], n)
                        labels = predicted(taught.head, teacher, own, rows.truth)
                    jobs.append((i, sizes, labels))
            found = _fit_jobs(source, stages, place, rows, jobs)
            for (i, sizes, labels), (head, fit) in zip(jobs, found, strict=True):
                fitted.setdefault(stages[i].name, {})[sizes] = head
                by_sizes = fits.setdefault(group.name, {})
                before = by_sizes.get(sizes, fit)
                by_sizes[sizes] = worse_of(before, fit)
                if i == 0:
                    powers[sizes] = mean_squares(labels)
    return fitted, fits, powers


def _draw(
    source: Source, numbers: Numbers, group: Group, target: Linear
) -> tuple[dict[str, jax.Array], jax.Array, jax.Array]:
    """Return the features `[n, width]` by name, truth and noisy labels `[n, task]` of a group."""
    names = tuple(dict.fromkeys((*group.names, TARGET)))
    tasks = source.design.tasks

    def of_block(entry: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        joint = source.draw(entry[0], names, group.split).T
        draws = draws_for_labels(target, entry[1], tasks, BLOCK) if len(entry) == 2 else joint[:, :0]
        return joint, draws

    joint, draws = stack_blocks(of_block, source.training(group))
    features = source.by_name(joint, names, axis=1)
    truth = target.of_rows(features[TARGET])
    labels = training_labels(target, truth, draws, numbers.label_noise) if draws.shape[1] else truth
    return features, truth, labels


def _fit_jobs(
    source: Source, stages: Sequence[Stage], place: int, rows: Rows, jobs: list[tuple[int, Sizes, jax.Array]]
) -> list[tuple[Any, Fit]]:
    stage = stages[jobs[0][0]]
    keys = [source.keys[Role.HEADS, 0][i] for i, _, _ in jobs]
    order = source.keys[Role.SHUFFLES, 0][place]
    found = fit_all(stage.head, stage.method, rows, [labels for _, _, labels in jobs], keys, order)
    for (i, _, labels), (head, _) in zip(jobs, found, strict=True):
        predict = functools.partial(predicted, stages[i].head)
        shape = jax.eval_shape(predict, head, rows.features, rows.truth).shape
        if shape != labels.shape:
            raise W2SError(
                f"the head of stage {stages[i].name} predicts shape {shape}: return [n, task], {labels.shape}."
            )
    return found


def _sizes_of_labels(
    stage: Stage, dependence: dict[str, tuple[bool, bool]], design: Design, axis: int, position: int
) -> list[Sizes]:
    """Return the pairs of sizes of a stage at one position of its own split's sizes."""
    lengths = (len(design.n_weak), len(design.n_strong))
    ranges = [range(length) if dependence[stage.name][a] else range(1) for a, length in enumerate(lengths)]
    ranges[axis] = range(position, position + 1)
    return [(i, j) for i in ranges[0] for j in ranges[1]]


def _stack(by_sizes: dict[Sizes, Any], depends: tuple[bool, bool], design: Design) -> Any:
    """Stack what there is by sizes along the axes that it depends on, n_weak before n_strong."""
    lengths = [
        length if on else 1
        for length, on in zip((len(design.n_weak), len(design.n_strong)), depends, strict=True)
    ]
    entries = [by_sizes[i, j] for i in range(lengths[0]) for j in range(lengths[1])]
    kept = [length for length, on in zip(lengths, depends, strict=True) if on]
    return jax.tree.map(lambda *a: jnp.stack(a).reshape(*kept, *jnp.shape(a[0])), *entries)


def _statuses(
    fits: dict[str, dict[Sizes, Fit]], dependence: dict[str, tuple[bool, bool]], design: Design
) -> Status:
    """Return the status of every pair of sizes, stacked `[n_weak, n_strong]`."""
    lines = []
    for i in range(len(design.n_weak)):
        line = []
        for j in range(len(design.n_strong)):
            here = {}
            for name, by_sizes in fits.items():
                sizes = (min(i, max(s[0] for s in by_sizes)), min(j, max(s[1] for s in by_sizes)))
                here[name] = by_sizes[sizes]
            effect = jnp.max(jnp.stack([fit.effect for fit in here.values()]))
            line.append(status_of(here, effect))
        lines.append(jax.tree.map(lambda *a: jnp.stack(a), *line))
    return jax.tree.map(lambda *a: jnp.stack(a), *lines)
