"""One pair from features to outcomes: moments, heads, errors, for every sample size and ridge of a grid at once."""

from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.draws import default_dtype
from w2sjax.engine.design import Design, Numbers, design_keys
from w2sjax.engine.drawing import draw_pair, feature_widths, target_heads
from w2sjax.engine.few_tasks import OPERATIONS_PER_LABEL, has_few_tasks, run_few_tasks
from w2sjax.engine.models import Models, Sample, evaluate_models, factorize_samples, fit_models, misfit_on
from w2sjax.engine.outcome import Flag, Outcome, with_flag, with_misfit, with_rounding
from w2sjax.engine.randomness import Role
from w2sjax.engine.ridge import RidgeFactor
from w2sjax.engine.samples import Experiment, compress_samples
from w2sjax.engine.standard_errors import standard_errors


def run_grid(
    world: Any,
    key: jax.Array,
    design: Design,
    numbers: Numbers,
    prepared: Any = None,
    operations_per_label: float = OPERATIONS_PER_LABEL,
) -> Outcome:
    """Run one pair under every combination of sample sizes and every ridge pair of a grid.

    The features of each split are drawn once; sample sizes are prefixes of them, ridges share a factorization.

    Args:
        world, key: the world, and the typed key of the pair.
        design, numbers: the grid.
        prepared: what the world's preparations returned for this pair, if it has any and they were run before.
        operations_per_label: chooses between labels and joint moments; see `w2sjax.engine.few_tasks.has_few_tasks`.

    Returns:
        An `Outcome` whose arrays have shape `[n_weak, n_strong, n_eval, ridge, task]` (status without the task axis).
    """
    keys = design_keys(key, design)
    pair = draw_pair(world, keys[Role.PAIR][0], prepared)
    widths = feature_widths(pair)
    heads = target_heads(pair, keys[Role.TASKS][0], design.tasks, widths["target"])
    experiment = Experiment(pair, widths, keys, design, numbers)

    def add_standard_errors(outcome: Outcome, models: Models, n_eval: jax.Array) -> Outcome:
        spread = standard_errors(
            experiment.draw, keys[Role.EVAL], experiment.by_name, heads, models, outcome, n_eval
        )
        return outcome.replace(standard_errors=spread)  # type: ignore[attr-defined]

    eps = float(jnp.finfo(jnp.float32 if design.single_features else default_dtype()).eps)
    if has_few_tasks(design, numbers, widths, operations_per_label):
        outcome, models = run_few_tasks(experiment, heads)
        outcome = with_rounding(outcome, models.label_power, eps)
        if design.standard_errors:
            outcome = add_standard_errors(outcome, models, jnp.array(design.n_eval[0], jnp.int32))
        return with_diagnostics(jax.tree.map(lambda a: a[None, None, None, None], outcome), pair)

    weak, strong, evaluations = compress_samples(experiment)
    weak_factors, strong_factors = factorize_samples(
        [weak.rows["weak"], strong.rows["strong"]],
        [design.n_weak, design.n_strong],
        many_ridges=numbers.ridge_weak.size > 1 or design.head == "ball",
    )

    def cell(
        weak: Sample,
        weak_factor: RidgeFactor,
        strong: Sample,
        strong_factor: RidgeFactor,
        evaluations: list[Sample],
        n_eval: jax.Array,
        ridge_weak: jax.Array,
        ridge_strong: jax.Array,
    ) -> Outcome:
        radius = numbers.head_radius if design.head == "ball" else None
        of_weak, of_strong = (None, None) if design.ridgeless else (ridge_weak, ridge_strong)
        models = fit_models(weak, weak_factor, strong, strong_factor, heads, of_weak, of_strong, radius)
        outcome = with_rounding(evaluate_models(evaluations[0], heads, models), models.label_power, eps)
        if design.fresh_misfit:
            outcome = with_misfit(outcome, misfit_on(evaluations[1], models))
        if design.standard_errors:
            outcome = add_standard_errors(outcome, models, n_eval)
        return outcome

    over_ridges = jax.vmap(cell, in_axes=(None,) * 6 + (0, 0))
    over_eval = jax.vmap(over_ridges, in_axes=(None,) * 4 + (0, 0) + (None,) * 2)
    over_strong = jax.vmap(over_eval, in_axes=(None, None, 0, 0) + (None,) * 4)
    over_weak = jax.vmap(over_strong, in_axes=(0, 0) + (None,) * 6)
    outcome = over_weak(
        weak,
        weak_factors,
        strong,
        strong_factors,
        evaluations,
        jnp.array(design.n_eval, jnp.int32),
        numbers.ridge_weak,
        numbers.ridge_strong,
    )
    return with_diagnostics(outcome, pair)


def with_diagnostics(outcome: Outcome, pair: Any) -> Outcome:
    """Add the flags and the curves of the training runs of a pair, if it has any, to its outcome."""
    runs = getattr(pair, "trained", {})
    if not runs:
        return outcome
    status = outcome.status
    for name, run in runs.items():
        for happened, flag in zip((run.diverged, run.dead), _TRAINING_FLAGS[name], strict=True):
            status = with_flag(status, happened, flag)
    shape = status.code.shape
    curves = {name: jnp.broadcast_to(run.curve, (*shape, *run.curve.shape)) for name, run in runs.items()}
    return outcome.replace(status=status, curves=outcome.curves | curves)  # type: ignore[attr-defined]


_TRAINING_FLAGS = {
    "weak": (Flag.WEAK_TRAINING_DIVERGED, Flag.WEAK_REPRESENTATION_DEAD),
    "strong": (Flag.STRONG_TRAINING_DIVERGED, Flag.STRONG_REPRESENTATION_DEAD),
}
