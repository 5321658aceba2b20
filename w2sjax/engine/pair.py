"""One pair from its key to its outcomes, for every sample size and combination of heads of a grid at once."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.engine.by_labels import OPERATIONS_PER_LABEL, fit_by_labels, has_few_tasks
from w2sjax.engine.by_moments import run_by_moments
from w2sjax.engine.by_rows import run_by_rows
from w2sjax.engine.chain import TARGET, Stage
from w2sjax.engine.design import Design, Numbers
from w2sjax.engine.evaluation import means_by_rows, predictions_of, standard_errors
from w2sjax.engine.learning import learning_curves
from w2sjax.engine.outcome import Models, Outcome, Status, outcome_of, with_diagnostics
from w2sjax.engine.source import Source, first_rows, source_of, stack_blocks
from w2sjax.random.draws import default_dtype
from w2sjax.random.keys import Role
from w2sjax.targets import PILOT, TargetFunctions


def run_grid(
    world: Any,
    key: jax.Array,
    design: Design,
    numbers: Numbers,
    prepared: Any = None,
    operations_per_label: float = OPERATIONS_PER_LABEL,
    return_models: bool = False,
) -> Any:
    """Run one pair under every combination of sample sizes and heads of a grid.

    The features of each split are drawn once; sample sizes are prefixes of them, ridges share a factorization.

    Args:
        world, key: the world, and the typed key of the pair.
        design, numbers: the grid.
        prepared: what the world's preparations returned for this pair, if it has any and they were run before.
        operations_per_label: chooses between labels and joint moments; see `w2sjax.engine.by_labels.has_few_tasks`.
        return_models: return (outcome, `Models`) of a grid of one cell, without leading axes.

    Returns:
        An `Outcome` whose arrays have shape `[n_weak, n_strong, n_eval, combination, task]` (status without the task
        axis).
    """
    source = source_of(world, key, design, prepared)
    target = _target(source, numbers)
    eps = float(jnp.finfo(jnp.float32 if design.single_features else default_dtype()).eps)

    def finish(
        fitted: dict[str, Any],
        stages: tuple[Stage, ...],
        status: Status,
        label_power: jax.Array,
        means: dict[str, jax.Array],
        n_eval: jax.Array,
    ) -> tuple[Outcome, dict[str, Any]]:
        outcome = outcome_of(means, design.metrics, status, label_power, eps)
        if design.standard_errors:
            spread = standard_errors(source, target, stages, fitted, design.metrics, means, n_eval)
            outcome = dataclasses.replace(outcome, spread=spread)
        curves = {
            f"{name}_head": jnp.mean(head.curve, axis=-1)
            for name, head in fitted.items()
            if hasattr(head, "curve")
        }

        def evaluate(heads: Any, metrics: Any) -> dict[str, jax.Array]:
            return means_by_rows(source, Role.EVAL, target, stages, heads, metrics, n_eval)

        several = isinstance(target, TargetFunctions) and target.target.heads > 1
        learning = learning_curves(stages, fitted, design.metrics, evaluate, 3 if several else 2)
        return dataclasses.replace(outcome, curves=curves, learning=learning), fitted if return_models else {}

    if not design.linear:
        outcome, fitted = run_by_rows(source, numbers, target, finish)
    elif has_few_tasks(design, source.widths, operations_per_label):
        stages, heads, status, label_power = fit_by_labels(source, numbers, target)
        size = jnp.array(design.n_eval[0], jnp.int32)
        metrics = [metric for metric in design.metrics if metric.of_means is None]
        means = means_by_rows(source, Role.EVAL, target, stages, heads, metrics, size)
        if design.fresh_misfit:
            misfit = [metric for metric in metrics if metric.name == "misfit"]
            fresh = means_by_rows(source, Role.MISFIT, target, stages, heads, misfit, size)["misfit"]
            means |= {"misfit": fresh, "deviation": means["gain"] - fresh}
        found = finish(heads, stages, status, label_power, means, size)
        outcome, fitted = jax.tree.map(lambda a: a[None, None, None, None], found)
    else:
        outcome, fitted = run_by_moments(source, numbers, target, finish)
    outcome = with_diagnostics(outcome, source.pair)
    if not return_models:
        return outcome
    outcome, fitted = jax.tree.map(lambda a: a[0, 0, 0, 0], (outcome, fitted))
    stages = jax.tree.map(lambda a: a[0], design.stages(numbers))
    return outcome, _models(source, target, stages, fitted)


def _target(source: Source, numbers: Numbers) -> Any:
    """Draw the target functions of a pair: its target heads, and what labels are of their scores."""
    design = source.design
    if design.target is None:
        return source.target_heads(design.tasks)
    kind = jax.tree.unflatten(design.target, numbers.target)
    scores = source.target_heads(design.tasks * kind.heads)
    pilot = source.pilot((TARGET,), PILOT).T.astype(scores.weights.dtype)
    return TargetFunctions(scores, kind, kind.prepare(scores.of_rows(pilot)))


def _models(source: Source, target: Any, stages: tuple[Stage, ...], fitted: dict[str, Any]) -> Models:
    order, n = source.design.order, source.design.n_eval[0]

    def of_block(entry: Any) -> Any:
        features = source.by_name(source.draw(entry, order, "eval"), order)
        found = features, predictions_of(features, target, stages, fitted)
        return jax.tree.map(jnp.transpose, found)

    features, predictions = first_rows(stack_blocks(of_block, source.entries((Role.EVAL, 0))), n)
    return Models(fitted, features, predictions)
