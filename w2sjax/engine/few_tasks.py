"""One pair by way of its labels: few tasks are fewer numbers per row than the features that they come from.

The moments of all features serve every task, sample size and ridge at once. A single experiment on few tasks needs
less: the moments of the weak features with the true labels, those of the strong features with the labels that the
fitted weak head gives them, and the residuals on an evaluation sample, row by row.
"""

import jax
import jax.numpy as jnp

from w2sjax.draws import default_dtype
from w2sjax.engine.basis import pilot_basis, pilot_rows
from w2sjax.engine.design import Design, Numbers
from w2sjax.engine.drawing import ORDER
from w2sjax.engine.models import Head, Models, factorize_samples, fit_head, mean_square, status_of
from w2sjax.engine.outcome import Outcome, outcome_from_means, with_misfit
from w2sjax.engine.products import product
from w2sjax.engine.randomness import Role
from w2sjax.engine.ridge import RidgeFactor
from w2sjax.engine.samples import Experiment, TrainingSplit, compress_training, training_splits
from w2sjax.engine.standard_errors import per_sample, residuals, sum_over_sample

OPERATIONS_PER_LABEL = 145.0
"""What the passes over a label and its residuals cost besides its prediction, in multiplications of a product."""


def has_few_tasks(
    design: Design,
    numbers: Numbers,
    widths: dict[str, int],
    operations_per_label: float = OPERATIONS_PER_LABEL,
) -> bool:
    """Say whether a grid is one experiment, with so few tasks that labels cost less than joint moments.

    Per row of an evaluation sample labels cost the predictions of four heads per task and the passes over them, joint
    moments two products of the size of the joint features squared. These are equal at 22 tasks for three
    representations of width 16, 67 for width 32 and 184 for width 64; by benchmarks/crossover.py the routes cross near
    19, 50 and 190 in float64, and somewhat later in float32.

    Args:
        design, numbers: the grid.
        widths: of the features by name.
        operations_per_label: infinity, or minus infinity, forces moments or labels where there is a choice.
    """
    axes = (design.n_weak, design.n_strong, design.n_eval, numbers.ridge_weak)
    single = all(len(values) == 1 for values in axes)
    possible = single and design.head == "ridge"
    predictions = widths["target"] + widths["weak"] + 2 * widths["strong"]
    return possible and design.tasks * (predictions + operations_per_label) <= 2 * sum(widths.values()) ** 2


def run_few_tasks(experiment: Experiment, target: Head) -> tuple[Outcome, Models]:
    """Run a single experiment on one pair.

    Args:
        experiment: the pair and its grid.
        target: the true heads.

    Returns:
        The `Outcome`, with arrays of shape `[task]` and without standard errors, and the heads that it measures.

    Cost: per row, the networks, on training splits O(d^2) with d the width of what is fitted, and O(D task) with D the
    sum of the widths.
    """
    keys, design = experiment.keys, experiment.design
    most = max(experiment.widths["weak"], experiment.widths["strong"])
    pilot = experiment.by_name(experiment.draw(keys[Role.PILOT][0], ORDER, pilot_rows(most)))
    of_weak, of_strong = training_splits(design)
    ridge_weak, ridge_strong = experiment.numbers.ridge_weak[0], experiment.numbers.ridge_strong[0]
    truth = ("target", target)
    weak_factor, weak_blurred, label_power, [(weak, weak_effect)] = _fit(
        experiment, pilot, of_weak, [truth], ridge_weak
    )
    strong_factor, strong_blurred, _, [(w2s, w2s_effect), (ceiling, ceiling_effect)] = _fit(
        experiment, pilot, of_strong, [("weak", weak), truth], ridge_strong
    )
    effect = jnp.maximum(weak_effect, jnp.maximum(w2s_effect, ceiling_effect))
    status = status_of(weak_factor, strong_factor, effect, weak_blurred | strong_blurred)
    models = Models(weak, w2s, ceiling, status, label_power)
    outcome = outcome_from_means(_means(experiment, target, models, Role.EVAL), models.status)
    if design.fresh_misfit:
        outcome = with_misfit(outcome, _means(experiment, target, models, Role.MISFIT)["misfit"])
    return outcome, models


Teacher = tuple[str, Head]
"""A representation and a head on it, whose predictions are labels."""


def _fit(
    experiment: Experiment,
    pilot: dict[str, jax.Array],
    split: TrainingSplit,
    teachers: list[Teacher],
    ridge: jax.Array,
) -> tuple[RidgeFactor, jax.Array, jax.Array, list[tuple[Head, jax.Array]]]:
    """Fit heads on a training split, one to each teacher.

    Args:
        experiment: the pair and its grid.
        pilot: features of the pilot sample by name, `[width, row]`.
        split: the training split.
        teachers: the last is the truth, whose labels carry the noise.
        ridge: scalar.

    Returns:
        The factorization, whether a feature is blurred, the mean squared labels of the truth, and for each teacher the
        head and the effect of directions dropped.
    """
    # Labels are taken from their pilot means, so that centring their moments does not cancel.
    origins = [
        product(jnp.mean(pilot[name], axis=1).astype(default_dtype())[None, :], head.weights)[0]
        for name, head in teachers
    ]

    def labels_of(features: dict[str, jax.Array], noise: jax.Array | None) -> jax.Array:
        labels = [
            Head(head.weights, -origin).predict(features[name])
            for (name, head), origin in zip(teachers, origins, strict=True)
        ]
        if noise is not None:
            labels[-1] += noise
        return jnp.concatenate(labels)

    samples = compress_training(experiment, split, pilot_basis(pilot[split.fitted]), labels_of)
    (factors,) = factorize_samples([samples.rows], [split.sizes], many_ridges=False)
    sample, factor = jax.tree.map(lambda a: a[0], (samples, factors))
    biases = [head.bias + origin for (_, head), origin in zip(teachers, origins, strict=True)]
    means = jnp.split(sample.label_mean + jnp.concatenate(biases), len(teachers))
    rows = jnp.split(sample.label_rows, len(teachers), axis=1)
    penalty = None if experiment.design.ridgeless else ridge
    labels = list(zip(means, rows, strict=True))
    fitted = [fit_head(sample.mean, factor, each, penalty) for each in labels]
    return factor, sample.blurred, mean_square(labels[-1]), fitted


def _means(experiment: Experiment, target: Head, models: Models, role: Role) -> dict[str, jax.Array]:
    """Return the means of errors, `[task]` by name, over a stream of the size of the evaluation sample."""

    def values_of_block(key: jax.Array) -> dict[str, jax.Array]:
        return per_sample(*residuals(experiment.by_name(experiment.draw(key)), target, models))

    size = experiment.design.n_eval[0]
    sums = sum_over_sample(values_of_block, experiment.keys[role], jnp.array(size, jnp.int32))
    return jax.tree.map(lambda s: s / size, sums)
