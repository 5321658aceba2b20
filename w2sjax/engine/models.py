"""Linear heads on compressed samples: the weak, w2s and ceiling heads of a cell, and their errors."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.engine.ball import solve_in_ball
from w2sjax.engine.outcome import Flag, Outcome, Status, outcome_from_residuals
from w2sjax.engine.products import product
from w2sjax.engine.ridge import RANK_TOLERANCE_IN_EPS, RidgeFactor, dropped_effect, factorize, solve


class Head(NamedTuple):
    """Linear heads on features u: u' weights + bias, weights `[d, task]`, bias `[task]`."""

    weights: jax.Array
    bias: jax.Array

    def predict(self, columns: jax.Array) -> jax.Array:
        """Return the predictions `[task, n]` for features `[d, n]`."""
        return product(self.weights.T, columns.astype(self.weights.dtype)) + self.bias[:, None]


class Sample(NamedTuple):
    """A compressed sample in feature units: means `[d]` and centred rows `[row, d]` of each representation.

    `blurred` says of the fitted representation what it says in `CompressedSample`.
    """

    mean: dict[str, jax.Array]
    rows: dict[str, jax.Array]
    blurred: jax.Array
    noise_mean: jax.Array | None = None
    noise_rows: jax.Array | None = None

    def predict(self, name: str, head: Head) -> tuple[jax.Array, jax.Array]:
        """Return the mean `[task]` and centred rows `[row, task]` of a head's predictions on this sample."""
        mean = product(self.mean[name][None, :], head.weights)[0] + head.bias
        return mean, product(self.rows[name], head.weights)


class Models(NamedTuple):
    """The three fitted heads of a cell, the status of their regressions, and the mean squared true labels `[task]`.

    Of the labels of the weak split, the part that its features explain: what rounding of predictions is measured by.
    """

    weak: Head
    w2s: Head
    ceiling: Head | None
    status: Status
    label_power: jax.Array


def fit_models(
    weak: Sample,
    weak_factor: RidgeFactor,
    strong: Sample,
    strong_factor: RidgeFactor,
    target: Head,
    ridge_weak: jax.Array | None,
    ridge_strong: jax.Array | None,
    radius: jax.Array | None = None,
) -> Models:
    """Fit the weak head, then the w2s head to its labels, and the ceiling to the truth, on compressed samples.

    A ridge of None is 0. With a `radius`, the norm of every head's weights is at most that.
    """
    true_labels = _true_labels(weak, target)
    label_power = mean_square(true_labels)
    weak_head, weak_effect = fit_head(weak.mean["weak"], weak_factor, true_labels, ridge_weak, radius)
    labels = strong.predict("weak", weak_head)
    mean = strong.mean["strong"]
    w2s_head, w2s_effect = fit_head(mean, strong_factor, labels, ridge_strong, radius)
    true_labels = _true_labels(strong, target)
    ceiling, ceiling_effect = fit_head(mean, strong_factor, true_labels, ridge_strong, radius)
    effect = jnp.maximum(weak_effect, jnp.maximum(w2s_effect, ceiling_effect))
    status = status_of(weak_factor, strong_factor, effect, weak.blurred | strong.blurred)
    return Models(weak_head, w2s_head, ceiling, status, label_power)


def evaluate_models(sample: Sample, target: Head, models: Models) -> Outcome:
    """Measure fitted heads on a compressed evaluation sample."""
    truth = sample.predict("target", target)

    def residual(name: str, head: Head) -> tuple[jax.Array, jax.Array]:
        prediction = sample.predict(name, head)
        return prediction[0] - truth[0], prediction[1] - truth[1]

    ceiling = None if models.ceiling is None else residual("strong", models.ceiling)
    return outcome_from_residuals(
        residual("weak", models.weak), residual("strong", models.w2s), ceiling, models.status
    )


def misfit_on(sample: Sample, models: Models) -> jax.Array:
    """Return the mean squared distance `[task]` between the w2s and the weak predictions on a sample."""
    weak, w2s = sample.predict("weak", models.weak), sample.predict("strong", models.w2s)
    return (weak[0] - w2s[0]) ** 2 + jnp.sum((weak[1] - w2s[1]) ** 2, axis=0)


def status_of(weak: RidgeFactor, strong: RidgeFactor, effect: jax.Array, blurred: jax.Array) -> Status:
    """Collect the numerical status of both factorizations."""
    limit = 1e6 if weak.condition.dtype == jnp.float64 else 1e3
    weak_full, strong_full = weak.frame.shape[0], strong.frame.shape[0]
    ill = (weak.condition > limit) | (strong.condition > limit)
    code = (
        jnp.where(weak.rank < weak_full, int(Flag.WEAK_RANK_DEFICIENT), 0)
        | jnp.where(strong.rank < strong_full, int(Flag.STRONG_RANK_DEFICIENT), 0)
        | jnp.where(ill, int(Flag.ILL_CONDITIONED), 0)
        | jnp.where(blurred, int(Flag.FEATURE_BELOW_ROUNDING), 0)
    )
    return Status(
        code=code.astype(jnp.int32),
        weak_rank=weak.rank,
        strong_rank=strong.rank,
        weak_condition=weak.condition,
        strong_condition=strong.condition,
        weak_dropped=weak_full - weak.rank,
        strong_dropped=strong_full - strong.rank,
        dropped_effect=effect,
    )


def fit_head(
    mean: jax.Array,
    factor: RidgeFactor,
    labels: tuple[jax.Array, jax.Array],
    ridge: jax.Array | None,
    radius: jax.Array | None = None,
) -> tuple[Head, jax.Array]:
    """Fit heads to labels on a compressed sample, and bound the effect of directions dropped.

    Args:
        mean: `[d]`, of the features; `factor` is of their centred rows.
        labels: mean `[task]` and centred rows `[row, task]`.
        ridge, radius: as in `fit_models`.
    """
    label_mean, rows = labels
    weights = solve(factor, rows, ridge) if radius is None else solve_in_ball(factor, rows, ridge, radius)
    return Head(weights, label_mean - product(mean[None, :], weights)[0]), dropped_effect(factor, rows)


def mean_square(labels: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Return the mean squares `[task]` of labels with mean `[task]` and centred rows `[row, task]`."""
    mean, rows = labels
    return mean * mean + jnp.sum(rows * rows, axis=0)


def _true_labels(sample: Sample, target: Head) -> tuple[jax.Array, jax.Array]:
    mean, rows = sample.predict("target", target)
    if sample.noise_mean is None or sample.noise_rows is None:
        return mean, rows
    return mean + sample.noise_mean, rows + sample.noise_rows


def factorize_samples(
    rows: list[jax.Array], sizes: list[tuple[int, ...]], *, many_ridges: bool
) -> list[RidgeFactor]:
    """Factorize one or two stacks of samples `[size, d, d]`, together if equally wide; see `factorize`.

    n centred rows have a rank of at most n - 1, whatever rounding says.
    """
    tolerance = RANK_TOLERANCE_IN_EPS * float(jnp.finfo(rows[0].dtype).eps)
    limits = [jnp.array([n - 1 for n in split], jnp.int32) for split in sizes]
    factor = jax.vmap(lambda r, limit: factorize(r, tolerance, limit, many_ridges=many_ridges))
    if len(rows) == 1 or rows[0].shape[2] != rows[1].shape[2]:
        return [factor(*split) for split in zip(rows, limits, strict=True)]
    together = factor(jnp.concatenate(rows), jnp.concatenate(limits))
    first = len(sizes[0])
    return [
        jax.tree.map(lambda a, part=part: a[part], together) for part in (slice(first), slice(first, None))
    ]
