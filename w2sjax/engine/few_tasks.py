"""One pair by way of its labels: few tasks are fewer numbers per row than the features that they come from.

The moments of all features serve every task, sample size and ridge at once. A single experiment on few tasks needs
less: the moments of the weak features with the true labels, those of the strong features with the labels that the
fitted weak head gives them, and the residuals on an evaluation sample, row by row.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.draws import default_dtype, normal
from w2sjax.engine.basis import pilot_basis, pilot_rows
from w2sjax.engine.design import Design, Numbers
from w2sjax.engine.drawing import ORDER, draw_columns, parts
from w2sjax.engine.models import Head, Models, factorize_samples, fit_head, status_of
from w2sjax.engine.moments import compress_splits
from w2sjax.engine.outcome import Outcome, outcome_from_means, with_misfit
from w2sjax.engine.products import product
from w2sjax.engine.randomness import BLOCK, Role
from w2sjax.engine.ridge import RidgeFactor
from w2sjax.engine.standard_errors import per_sample, sum_over_sample

TASKS_PER_UNIT = 0.4
"""Tasks per unit of the joint features up to which labels cost less than joint moments, by benchmarks/crossover.py."""


def has_few_tasks(
    design: Design, numbers: Numbers, widths: dict[str, int], tasks_per_unit: float = TASKS_PER_UNIT
) -> bool:
    """Say whether a grid is one experiment, with so few tasks that labels cost less than joint moments."""
    axes = (design.n_weak, design.n_strong, design.n_eval, numbers.ridge_weak)
    single = all(len(values) == 1 for values in axes)
    possible = single and design.head == "ridge" and not design.fused_features
    return possible and design.tasks <= tasks_per_unit * sum(widths.values())


class Experiment(NamedTuple):
    """A drawn pair, the widths of its features, the keys of the blocks of every role, and a grid of one cell."""

    pair: Any
    widths: dict[str, int]
    keys: dict[Role, jax.Array]
    design: Design
    numbers: Numbers

    def draw(self, key: jax.Array, names: tuple[str, ...], rows: int = BLOCK) -> jax.Array:
        """Draw joint features `[d, rows]`."""
        return draw_columns(self.pair, key, rows, names, single=self.design.single_features)

    def on_joint(self, head: Head, name: str, names: tuple[str, ...] = ORDER) -> Head:
        """Return heads on the named features as heads on joint features, with zeros for the others."""
        before = sum(self.widths[other] for other in names[: names.index(name)])
        after = sum(self.widths[other] for other in names) - before - self.widths[name]
        return Head(jnp.pad(head.weights, ((before, after), (0, 0))), head.bias)


def run_few_tasks(experiment: Experiment, target: Head) -> tuple[Outcome, Models]:
    """Run a single experiment on one pair.

    Args:
        experiment: the pair and its grid.
        target: the true heads.

    Returns:
        The `Outcome`, with arrays of shape `[task]` and without standard errors, and the heads that it measures.

    Cost: per row, the networks, whitening and Gram product of one representation instead of three, and O(D task) with D
    the sum of the widths.
    """
    keys, design, numbers = experiment.keys, experiment.design, experiment.numbers
    most = max(experiment.widths["weak"], experiment.widths["strong"])
    pilot = experiment.draw(keys[Role.PILOT][0], ORDER, pilot_rows(most))
    weak_factor, [(weak, weak_effect)] = _fit(
        experiment,
        pilot,
        "weak",
        ORDER[:2],
        (Role.WEAK, Role.WEAK_NOISE),
        design.n_weak[0],
        [experiment.on_joint(target, "target", ORDER[:2])],
        numbers.ridge_weak[0],
    )
    truth, labels = experiment.on_joint(target, "target"), experiment.on_joint(weak, "weak")
    strong_factor, [(w2s, w2s_effect), (ceiling, ceiling_effect)] = _fit(
        experiment,
        pilot,
        "strong",
        ORDER,
        (Role.WEAK if design.reuse_inputs else Role.STRONG, Role.STRONG_NOISE),
        design.n_strong[0],
        [labels, truth],
        numbers.ridge_strong[0],
    )
    effect = jnp.maximum(weak_effect, jnp.maximum(w2s_effect, ceiling_effect))
    models = Models(weak, w2s, ceiling, status_of(weak_factor, strong_factor, effect))
    fitted = (labels, experiment.on_joint(w2s, "strong"), experiment.on_joint(ceiling, "strong"))
    residuals = _together([jax.tree.map(jnp.subtract, head, truth) for head in fitted])
    outcome = outcome_from_means(_means(experiment, residuals, Role.EVAL), models.status)
    if design.fresh_misfit:
        outcome = with_misfit(outcome, _means(experiment, residuals, Role.MISFIT)["misfit"])
    return outcome, models


def _fit(
    experiment: Experiment,
    pilot: jax.Array,
    name: str,
    names: tuple[str, ...],
    roles: tuple[Role, Role],
    size: int,
    teachers: list[Head],
    ridge: jax.Array,
) -> tuple[RidgeFactor, list[tuple[Head, jax.Array]]]:
    """Fit heads on the named features of a split, one to each teacher.

    Args:
        experiment: the pair and its grid.
        pilot: joint features of the pilot sample, `[D, row]`.
        name, names: of the features to fit on, and of those to draw.
        roles: of the split and of its label noise.
        size: of the split.
        teachers: heads on the features drawn; the last is the truth, whose labels carry the noise.
        ridge: scalar.

    Returns:
        The factorization, and for each teacher the head and the effect of directions dropped.
    """
    design = experiment.design
    basis = pilot_basis(parts(pilot, ORDER, experiment.widths, axis=0)[name])
    teacher = _together(teachers)
    # Labels are taken from their pilot means, so that centring their moments does not cancel.
    pilot_mean = jnp.mean(pilot[: teacher.weights.shape[0]], axis=1).astype(default_dtype())
    origin = product(pilot_mean[None, :], teacher.weights)[0]

    def draw_block(stream: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        joint = experiment.draw(stream[0], names)
        labels = Head(teacher.weights, -origin).predict(joint)
        if len(stream) == 2:
            noise = experiment.numbers.label_noise * normal(stream[1], (design.tasks, BLOCK))
            labels = labels.at[-design.tasks :].add(noise)
        return parts(joint, names, experiment.widths, axis=0)[name], labels

    stream = tuple(experiment.keys[role] for role in roles[: 2 if design.noisy else 1])
    (samples,) = compress_splits(draw_block, [stream], [(size,)], basis)
    (factors,) = factorize_samples([samples.rows], [(size,)], many_ridges=False)
    sample, factor = jax.tree.map(lambda a: a[0], (samples, factors))
    means = jnp.split(sample.noise_mean + origin + teacher.bias, len(teachers))
    rows = jnp.split(sample.noise_rows, len(teachers), axis=1)
    penalty = None if design.ridgeless else ridge
    return factor, [fit_head(sample.mean, factor, each, penalty) for each in zip(means, rows, strict=True)]


def _means(experiment: Experiment, residuals: Head, role: Role) -> dict[str, jax.Array]:
    """Return the means of errors, `[task]` by name, over a stream of the size of the evaluation sample.

    Args:
        experiment: the pair and its grid.
        residuals: heads on joint features: weak, w2s and ceiling, each minus the truth.
        role: of the stream.
    """
    size, tasks = experiment.design.n_eval[0], experiment.design.tasks

    def values_of_block(key: jax.Array) -> dict[str, jax.Array]:
        return per_sample(*residuals.predict(experiment.draw(key, ORDER)).reshape(3, tasks, BLOCK))

    sums = sum_over_sample(values_of_block, experiment.keys[role], jnp.array(size, jnp.int32))
    return jax.tree.map(lambda s: s / size, sums)


def _together(heads: list[Head]) -> Head:
    """Return several heads on the same features as one head with all their tasks, one after another."""
    return Head(*(jnp.concatenate(parts, axis=-1) for parts in zip(*heads, strict=True)))
