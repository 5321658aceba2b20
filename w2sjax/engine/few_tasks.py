"""One pair by way of its labels: few tasks are fewer numbers per row than the features that they come from.

The moments of all features serve every task, sample size and ridge at once. A single experiment on few tasks needs
less: the moments of the weak features with the true labels, those of the strong features with the labels that the
fitted weak head gives them, and the residuals on an evaluation sample, row by row.
"""

from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.draws import default_dtype, normal
from w2sjax.engine.basis import pilot_basis, pilot_rows
from w2sjax.engine.design import Design, Numbers
from w2sjax.engine.drawing import ORDER, draw_columns, parts
from w2sjax.engine.models import Head, Models, factorize_samples, fit_head, status_of
from w2sjax.engine.moments import add_compensated, compress_splits
from w2sjax.engine.outcome import Outcome, outcome_from_means, with_misfit
from w2sjax.engine.products import product
from w2sjax.engine.randomness import BLOCK, Role
from w2sjax.engine.ridge import RidgeFactor
from w2sjax.engine.standard_errors import per_sample

TASKS_PER_UNIT = 0.4
"""Tasks per unit of the joint features up to which labels cost less than joint moments, by benchmarks/crossover.py."""


def has_few_tasks(design: Design, numbers: Numbers, widths: dict[str, int]) -> bool:
    """Say whether a grid is one experiment, with so few tasks that labels cost less than joint moments."""
    axes = (design.n_weak, design.n_strong, design.n_eval, numbers.ridge_weak)
    single = all(len(values) == 1 for values in axes)
    possible = single and design.head == "ridge" and not design.fused_features
    return possible and design.tasks <= TASKS_PER_UNIT * sum(widths.values())


def run_few_tasks(
    pair: Any,
    keys: dict[Role, jax.Array],
    widths: dict[str, int],
    target: Head,
    design: Design,
    numbers: Numbers,
) -> tuple[Outcome, Models]:
    """Run a single experiment on one pair.

    Args:
        pair, widths: a drawn pair, and the widths of its features.
        keys: of the blocks of every role.
        target: the true heads.
        design, numbers: a grid of one cell.

    Returns:
        The `Outcome`, with arrays of shape `[task]` and without standard errors, and the heads that it measures.

    Cost: per row, the networks, whitening and Gram product of one representation instead of three, and O(D task) with D
    the sum of the widths.
    """

    def draw(key: jax.Array, names: tuple[str, ...], rows: int = BLOCK) -> jax.Array:
        return draw_columns(pair, key, rows, names, single=design.single_features)

    pilot = draw(keys[Role.PILOT][0], ORDER, pilot_rows(max(widths["weak"], widths["strong"])))
    pilot_parts = parts(pilot, ORDER, widths, axis=0)
    pilot_mean = jnp.mean(pilot, axis=1).astype(default_dtype())

    def fit(
        name: str,
        names: tuple[str, ...],
        streams: tuple[Role, Role],
        size: int,
        noiseless: list[Head],
        truth: Head,
        ridge: jax.Array,
    ) -> tuple[RidgeFactor, list[tuple[Head, jax.Array]]]:
        """Fit heads on the named features, one to each of some heads on joint features; the truth may carry noise."""
        labels = _together([*noiseless, truth])
        # Labels are taken from their pilot means, so that centring their moments does not cancel.
        origin = product(pilot_mean[None, : labels.weights.shape[0]], labels.weights)[0]
        basis = pilot_basis(pilot_parts[name])
        basis = basis.widened() if design.single_features else basis

        def draw_block(stream: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
            joint = draw(stream[0], names)
            values = _predict(Head(labels.weights, -origin), joint)
            if len(stream) == 2:
                noise = numbers.label_noise * normal(stream[1], (design.tasks, BLOCK))
                values = values.at[-design.tasks :].add(noise)
            return parts(joint, names, widths, axis=0)[name], values

        stream = tuple(keys[role] for role in streams[: 2 if design.noisy else 1])
        (samples,) = compress_splits(draw_block, [stream], [(size,)], basis)
        (factors,) = factorize_samples([samples.rows], [(size,)], ridgeless=design.ridgeless)
        sample, factor = jax.tree.map(lambda a: a[0], (samples, factors))
        means = jnp.split(sample.noise_mean + origin + labels.bias, len(noiseless) + 1)
        rows = jnp.split(sample.noise_rows, len(noiseless) + 1, axis=1)
        return factor, [fit_head(sample.mean, factor, each, ridge) for each in zip(means, rows, strict=True)]

    def on_joint(head: Head, name: str, names: tuple[str, ...] = ORDER) -> Head:
        """Return heads on the named features as heads on the joint features."""
        before = sum(widths[other] for other in names[: names.index(name)])
        after = sum(widths[other] for other in names) - before - widths[name]
        return Head(jnp.pad(head.weights, ((before, after), (0, 0))), head.bias)

    weak_factor, [(weak, weak_effect)] = fit(
        "weak",
        ORDER[:2],
        (Role.WEAK, Role.WEAK_NOISE),
        design.n_weak[0],
        [],
        on_joint(target, "target", ORDER[:2]),
        numbers.ridge_weak[0],
    )
    truth = on_joint(target, "target")
    strong_factor, [(w2s, w2s_effect), (ceiling, ceiling_effect)] = fit(
        "strong",
        ORDER,
        (Role.WEAK if design.reuse_inputs else Role.STRONG, Role.STRONG_NOISE),
        design.n_strong[0],
        [on_joint(weak, "weak")],
        truth,
        numbers.ridge_strong[0],
    )
    effect = jnp.maximum(weak_effect, jnp.maximum(w2s_effect, ceiling_effect))
    models = Models(weak, w2s, ceiling, status_of(weak_factor, strong_factor, effect))
    fitted = (on_joint(weak, "weak"), on_joint(w2s, "strong"), on_joint(ceiling, "strong"))
    residuals = _together([jax.tree.map(jnp.subtract, head, truth) for head in fitted])

    def means(role: Role) -> dict[str, jax.Array]:
        """Return the means of errors over an evaluation stream."""
        size = design.n_eval[0]

        def block_sums(key: jax.Array, block: jax.Array) -> dict[str, jax.Array]:
            values = _predict(residuals, draw(key, ORDER)).reshape(3, design.tasks, BLOCK)
            if size % BLOCK:
                inside = block * BLOCK + jnp.arange(BLOCK, dtype=jnp.int32) < size
                values = jnp.where(inside[None, None, :], values, 0)
            return jax.tree.map(lambda v: jnp.sum(v, axis=1), per_sample(*values))

        def add_block(sums: Any, entry: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
            return add_compensated(sums, block_sums(*entry)), None

        blocks = (keys[role], jnp.arange(keys[role].shape[0], dtype=jnp.int32))
        zero = jax.tree.map(
            lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(block_sums, *(part[0] for part in blocks))
        )
        (sums, _), _ = jax.lax.scan(add_block, (zero, zero), blocks)
        return jax.tree.map(lambda s: s / size, sums)

    outcome = outcome_from_means(means(Role.EVAL), models.status)
    return with_misfit(outcome, means(Role.MISFIT)["misfit"]) if design.fresh_misfit else outcome, models


def _together(heads: list[Head]) -> Head:
    """Return several heads on the same features as one head with all their tasks, one after another."""
    return Head(*(jnp.concatenate(parts, axis=-1) for parts in zip(*heads, strict=True)))


def _predict(head: Head, columns: jax.Array) -> jax.Array:
    """Return the predictions `[task, n]` for features `[d, n]`."""
    return product(head.weights.T, columns.astype(head.weights.dtype)) + head.bias[:, None]
