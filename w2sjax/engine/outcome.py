"""What one pair yields: the values of all metrics, and the numerical status that they were obtained with."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.engine.metrics import Metric
from w2sjax.errors import W2SError
from w2sjax.flags import Flag
from w2sjax.heads.base import Fit
from w2sjax.linalg import namespace
from w2sjax.pytrees import pytree
from w2sjax.rounding import CONSTANT_IN_EPS

GAP_IN_EPS = 4
"""Gaps of so many roundings of the predictions, times the root of the error, are none."""


@pytree("code", "rank", "condition", "dropped", "dropped_effect")
@dataclasses.dataclass(frozen=True)
class Status:
    """How well posed the fits of a pair were. All fields are scalars per pair (and grid cell), some by group of stages.

    A group are the stages on one representation of one sample: "weak" and "strong" of the usual ones. Its numbers are
    attributes too, such as `weak_rank`.

    Attributes:
        code: int32, a combination of `Flag` bits. A rank below the width is a flag, not a failure: the head is then the
            minimum-norm one. `ILL_CONDITIONED` marks a condition number above 1e6 (float64) or 1e3 (float32).
            `ERROR_BELOW_ROUNDING` marks a task whose weak_error is at most (256 eps)^2 of its mean squared label, with
            eps the rounding of the features: what varies by less counts as constant. `FEATURE_BELOW_ROUNDING` marks a
            feature that varies, but by less than 256 eps of its own size: it is left out. The flags of training and of
            dead representations come from worlds that train: parameters or losses that are not finite, and features
            that are constant.
        rank: int32, numerical rank of the centred features on the training split, by group.
        condition: ratio of the extreme singular values kept, columns scaled to unit norm, by group.
        dropped: int32, directions dropped: width minus rank, of which a sample of n rows can have at most n - 1.
        dropped_effect: in [0, 1], the largest share over tasks, of the label variance that all features explain on
            the training split, for which the dropped directions account: a bound on what dropping them changed there.
    """

    code: jax.Array
    rank: dict[str, jax.Array]
    condition: dict[str, jax.Array]
    dropped: dict[str, jax.Array]
    dropped_effect: jax.Array

    def __getattr__(self, name: str) -> jax.Array:
        group, _, what = name.rpartition("_")
        if what in ("rank", "condition", "dropped") and group:
            table: dict[str, jax.Array] = object.__getattribute__(self, what)
            if group in table:
                return table[group]
        raise AttributeError(f"the status has no {name!r}")

    def named(self) -> dict[str, jax.Array]:
        """Return its numbers by name, such as "weak_rank"."""
        found = {"code": self.code}
        for what in ("rank", "condition", "dropped"):
            found |= {f"{group}_{what}": value for group, value in getattr(self, what).items()}
        return found | {"dropped_effect": self.dropped_effect}


@pytree("values", "status", "spread", "curves", "learning")
@dataclasses.dataclass(frozen=True)
class Outcome:
    """The values of an experiment, each of shape `[task]`; they are attributes too, such as `outcome.gain`.

    Attributes:
        values: by the name of the metric: errors of all stages against the truth, and for the usual ones
            misfit, the mean squared distance between the w2s and the weak predictions;
            gain = weak_error - w2s_error, formed from the residuals so that it does not cancel;
            deviation = gain - misfit, formed as 2 E[(weak - w2s)(w2s - truth)] for the same reason;
            pgr = gain / (weak_error - ceiling_error), NaN where the denominator is not positive or is rounding;
            opr = baseline_error / w2s_error, where there is a baseline.
        status: `Status`, one per pair.
        spread: standard errors of the means over the evaluation sample, std / sqrt(n_eval), where they were asked for.
        curves: training losses by name, `[progress]` each, where something was trained.
        learning: values of metrics along training, `[task, progress]`, where heads have `learning_curve`.
    """

    values: dict[str, jax.Array]
    status: Status
    spread: dict[str, jax.Array] = dataclasses.field(default_factory=dict)
    curves: dict[str, jax.Array] = dataclasses.field(default_factory=dict)
    learning: dict[str, jax.Array] = dataclasses.field(default_factory=dict)

    def __getattr__(self, name: str) -> jax.Array:
        values: dict[str, jax.Array] = object.__getattribute__(self, "values")
        if name in values:
            return values[name]
        raise AttributeError(f"the outcome has no {name!r}: it has {', '.join(values)}")

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self.values]


class Models(NamedTuple):
    """The fitted heads of an experiment, and what they predict on its evaluation sample.

    Attributes:
        fitted: by stage, what its head's `predict` takes.
        features: `[n_eval, width]` by representation.
        predictions: `[n_eval, task]` by stage, and "truth".
    """

    fitted: dict[str, Any]
    features: dict[str, Any]
    predictions: dict[str, Any]


def with_flag(status: Status, happened: Any, flag: Flag) -> Status:
    """Set a flag where something happened."""
    xp = namespace(status.code)
    code = status.code | xp.where(happened, int(flag), 0).astype(jnp.int32)
    return dataclasses.replace(status, code=code)


def mean_squares(labels: Any) -> Any:
    """Return the mean squares `[task]` of labels `[n, task]` or `[n, task, class]`."""
    squares = namespace(labels).mean(labels * labels, axis=0)
    return squares.sum(axis=1) if squares.ndim == 2 else squares


def status_of(fits: Mapping[str, Fit], effect: Any) -> Status:
    """Collect the numerical status of the fits of a chain, by group, and their largest dropped effect."""
    xp = namespace(effect)
    first = next(iter(fits))
    limit = 1e6 if effect.dtype == jnp.float64 else 1e3
    code = xp.zeros((), jnp.int32)
    for group, fit in fits.items():
        deficient = Flag.WEAK_RANK_DEFICIENT if group == first else Flag.STRONG_RANK_DEFICIENT
        code = code | xp.where(fit.dropped > 0, int(deficient), 0).astype(jnp.int32) | fit.code
        code = code | xp.where(fit.condition > limit, int(Flag.ILL_CONDITIONED), 0).astype(jnp.int32)
    return Status(
        code=code,
        rank={group: fit.rank for group, fit in fits.items()},
        condition={group: fit.condition for group, fit in fits.items()},
        dropped={group: fit.dropped for group, fit in fits.items()},
        dropped_effect=effect,
    )


def outcome_of(
    means: dict[str, Any], metrics: Sequence[Metric], status: Status, label_power: Any, eps: float
) -> Outcome:
    """Form an outcome from the means of metrics, and flag it where these are not finite or are rounding.

    Args:
        means: `[task]`, by name.
        metrics: the table, whose order the values have.
        status: of the fits behind the predictions.
        label_power: `[task]`, mean squared labels.
        eps: of the precision of the features.

    Returns:
        The outcome, with a `pgr` of NaN where the weak error, or the gap to the ceiling, is one of rounding. Rounding
        moves predictions by eps sqrt(label_power), and a mean square by twice that times its root.
    """
    xp = namespace(label_power)
    whole = [metric.name for metric in metrics if metric.of_sample is not None]  # where NaN has a meaning
    finite = xp.all(xp.stack([xp.isfinite(mean) for name, mean in means.items() if name not in whole]))
    status = with_flag(status, ~finite, Flag.NOT_FINITE)
    values: dict[str, Any] = {}
    for metric in metrics:
        if metric.of_means is not None:
            values[metric.name] = _of_means(metric, means | values)
        elif metric.name in means:
            values[metric.name] = means[metric.name]
        if metric.flag is not None:
            status = with_flag(status, xp.any(values[metric.name] > 0), metric.flag)
    first = next(iter(values))  # the error of the first stage
    below = xp.isfinite(values[first]) & (values[first] <= (CONSTANT_IN_EPS * eps) ** 2 * label_power)
    status = with_flag(status, xp.any(below), Flag.ERROR_BELOW_ROUNDING)
    if "pgr" in values:
        gap = values["weak_error"] - values["ceiling_error"]
        resolved = gap > GAP_IN_EPS * eps * xp.sqrt(label_power * values["weak_error"])
        values["pgr"] = xp.where(resolved & ~below, values["pgr"], xp.full_like(gap, jnp.nan))
    return Outcome(values=values, status=status)


def _of_means(metric: Metric, means: dict[str, Any]) -> Any:
    """Return the values of a metric that is a function of means, checked."""
    try:
        found = metric.of_means(means)  # type: ignore[misc]
    except KeyError as error:
        raise W2SError(
            f"metric {metric.name} asks for {error}, which is no metric before it: use one of {', '.join(means)}."
        ) from error
    if getattr(found, "shape", None) != next(iter(means.values())).shape:
        raise W2SError(f"metric {metric.name} does not return one value per task.")
    return found


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
    return dataclasses.replace(outcome, status=status, curves=outcome.curves | curves)


_TRAINING_FLAGS = {
    "weak": (Flag.WEAK_TRAINING_DIVERGED, Flag.WEAK_REPRESENTATION_DEAD),
    "strong": (Flag.STRONG_TRAINING_DIVERGED, Flag.STRONG_REPRESENTATION_DEAD),
}
