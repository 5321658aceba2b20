"""What one pair yields: errors, misfit, gain, and the numerical status they were obtained with."""

import dataclasses
import enum

import chex
import jax
import jax.numpy as jnp

from w2sjax.rounding import CONSTANT_IN_EPS


class Flag(enum.IntFlag):
    """Numerical trouble of a pair, as bits of `Status.code`; zero means none."""

    OK = 0
    WEAK_RANK_DEFICIENT = 1
    STRONG_RANK_DEFICIENT = 2
    ILL_CONDITIONED = 4
    NOT_FINITE = 8
    WEAK_TRAINING_DIVERGED = 16
    STRONG_TRAINING_DIVERGED = 32
    WEAK_REPRESENTATION_DEAD = 64
    STRONG_REPRESENTATION_DEAD = 128
    ERROR_BELOW_ROUNDING = 256
    FEATURE_BELOW_ROUNDING = 512


GAP_IN_EPS = 4
"""Gaps of so many roundings of the predictions, times the root of the error, are none."""

UNUSABLE = (
    Flag.NOT_FINITE
    | Flag.WEAK_TRAINING_DIVERGED
    | Flag.STRONG_TRAINING_DIVERGED
    | Flag.WEAK_REPRESENTATION_DEAD
    | Flag.STRONG_REPRESENTATION_DEAD
)
"""Flags of pairs that studies leave out. A lower rank or a high condition number alone is no reason."""

SERIOUS = UNUSABLE | Flag.ILL_CONDITIONED | Flag.ERROR_BELOW_ROUNDING | Flag.FEATURE_BELOW_ROUNDING
"""What is counted as trouble while a sweep runs; a lower rank alone is not."""


@chex.dataclass(frozen=True)
class Status:
    """How well posed the two regressions of a pair were. All fields are scalars per pair (and grid cell).

    Attributes:
        code: int32, a combination of `Flag` bits. A rank below the width is a flag, not a failure: the head is then the
            minimum-norm one. `ILL_CONDITIONED` marks a condition number above 1e6 (float64) or 1e3 (float32).
            `ERROR_BELOW_ROUNDING` marks a task whose weak_error is at most (256 eps)^2 of its mean squared label, with
            eps the rounding of the features: what varies by less counts as constant. `FEATURE_BELOW_ROUNDING` marks a
            feature that varies, but by less than 256 eps of its own size: it is left out. The flags of training and of
            dead representations come from worlds that train: parameters or losses that are not finite, and features
            that are constant.
        weak_rank, strong_rank: int32, numerical rank of the centred features on the training split.
        weak_condition, strong_condition: ratio of the extreme singular values kept, columns scaled to unit norm.
        weak_dropped, strong_dropped: int32, directions dropped: width minus rank, of which a sample of n rows can have
            at most n - 1.
        dropped_effect: in [0, 1], the largest share over tasks, of the label variance that all features explain on
            the training split, for which the dropped directions account: a bound on what dropping them changed there.
    """

    code: jax.Array
    weak_rank: jax.Array
    strong_rank: jax.Array
    weak_condition: jax.Array
    strong_condition: jax.Array
    weak_dropped: jax.Array
    strong_dropped: jax.Array
    dropped_effect: jax.Array


@chex.dataclass(frozen=True)
class StandardErrors:
    """Standard errors of the means over the evaluation sample: std / sqrt(n_eval), each of shape `[task]`."""

    weak_error: jax.Array
    w2s_error: jax.Array
    ceiling_error: jax.Array
    misfit: jax.Array
    gain: jax.Array
    deviation: jax.Array


@chex.dataclass(frozen=True)
class Outcome:
    """Errors of the weak model, the w2s model and the ceiling against the truth, each of shape `[task]`.

    Attributes:
        weak_error, w2s_error, ceiling_error: mean squared distance to the truth on the evaluation sample.
        misfit: mean squared distance between the w2s and the weak predictions.
        gain: weak_error - w2s_error, formed from the residuals so that it does not cancel.
        deviation: gain - misfit, formed as 2 E[(weak - w2s)(w2s - truth)] for the same reason.
        pgr: gain / (weak_error - ceiling_error); NaN where the denominator is not positive.
        status: `Status`, one per pair.
        standard_errors: `StandardErrors` where the protocol asked for them, else None.
        curves: training losses by name, `[progress]` each, where something was trained; else empty.
    """

    weak_error: jax.Array
    w2s_error: jax.Array
    ceiling_error: jax.Array
    misfit: jax.Array
    gain: jax.Array
    deviation: jax.Array
    pgr: jax.Array
    status: Status
    standard_errors: StandardErrors | None = None
    curves: dict[str, jax.Array] = dataclasses.field(default_factory=dict)


def with_flag(status: Status, happened: jax.Array, flag: Flag) -> Status:
    """Set a flag where something happened."""
    code = status.code | jnp.where(happened, int(flag), 0).astype(jnp.int32)
    return status.replace(code=code)  # type: ignore[attr-defined]


def outcome_from_residuals(
    weak: tuple[jax.Array, jax.Array],
    w2s: tuple[jax.Array, jax.Array],
    ceiling: tuple[jax.Array, jax.Array] | None,
    status: Status,
) -> Outcome:
    """Form an `Outcome` from residuals (prediction minus truth) on an evaluation sample.

    Args:
        weak, w2s, ceiling: pairs (mean `[task]`, rows `[row, task]`) whose mean square is mean^2 + sum of rows^2.
            `ceiling=None` gives NaN for `ceiling_error` and `pgr`.
        status: of the regressions behind the residuals.
    """

    def product(a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array]) -> jax.Array:
        return a[0] * b[0] + jnp.sum(a[1] * b[1], axis=0)

    difference = (weak[0] - w2s[0], weak[1] - w2s[1])
    total = (weak[0] + w2s[0], weak[1] + w2s[1])
    means = {
        "weak_error": product(weak, weak),
        "w2s_error": product(w2s, w2s),
        "misfit": product(difference, difference),
        "gain": product(difference, total),
        "deviation": 2 * product(difference, w2s),
    }
    if ceiling is not None:
        means["ceiling_error"] = product(ceiling, ceiling)
    return outcome_from_means(means, status)


def outcome_from_means(means: dict[str, jax.Array], status: Status) -> Outcome:
    """Form an `Outcome` from its means by name, `[task]` each, and flag it where they are not finite.

    Without a "ceiling_error", that and `pgr` are NaN.
    """
    finite = jnp.all(jnp.stack([jnp.isfinite(mean) for mean in means.values()]))
    means = {"ceiling_error": jnp.full_like(means["weak_error"], jnp.nan)} | means
    return Outcome(
        **means,  # type: ignore[arg-type]
        pgr=performance_gap_recovered(means["gain"], means["weak_error"], means["ceiling_error"]),
        status=with_flag(status, ~finite, Flag.NOT_FINITE),
    )


def with_rounding(outcome: Outcome, label_power: jax.Array, eps: float) -> Outcome:
    """Flag an outcome with a weak error that rounding of the features can make, and have no `pgr` made of rounding.

    Args:
        outcome: of shape `[task]`.
        label_power: `[task]`, mean squared labels.
        eps: of the precision of the features.

    Returns:
        The outcome, with a `pgr` of NaN where the weak error, or the gap to the ceiling, is one of rounding. Rounding
        moves predictions by eps sqrt(label_power), and a mean square by twice that times its root.
    """
    below = outcome.weak_error <= (CONSTANT_IN_EPS * eps) ** 2 * label_power
    gap = outcome.weak_error - outcome.ceiling_error
    resolved = gap > GAP_IN_EPS * eps * jnp.sqrt(label_power * outcome.weak_error)
    status = with_flag(outcome.status, jnp.any(below), Flag.ERROR_BELOW_ROUNDING)
    pgr = jnp.where(resolved & ~below, outcome.pgr, jnp.nan)
    return outcome.replace(status=status, pgr=pgr)  # type: ignore[attr-defined]


def in_label_units(outcome: Outcome, unit: jax.Array) -> Outcome:
    """Return an outcome of labels in some units, `[task]`, in units of 1; errors that vanish by that are flagged."""
    names = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation")
    scaled = {name: getattr(outcome, name) * unit * unit for name in names}
    vanished = jnp.any((scaled["weak_error"] == 0) & (outcome.weak_error > 0))
    infinite = jnp.any(jnp.isinf(scaled["weak_error"]) & jnp.isfinite(outcome.weak_error))
    status = with_flag(outcome.status, vanished, Flag.ERROR_BELOW_ROUNDING)
    status = with_flag(status, infinite, Flag.NOT_FINITE)
    return outcome.replace(**scaled, status=status)  # type: ignore[attr-defined]


def with_misfit(outcome: Outcome, misfit: jax.Array) -> Outcome:
    """Replace the misfit by one measured on another sample, and the deviation by gain - misfit."""
    return outcome.replace(misfit=misfit, deviation=outcome.gain - misfit)  # type: ignore[attr-defined]


def performance_gap_recovered(gain: jax.Array, weak_error: jax.Array, ceiling_error: jax.Array) -> jax.Array:
    """Return gain / (weak_error - ceiling_error), NaN where the gap is not positive (Burns et al. 2023)."""
    gap = weak_error - ceiling_error
    return jnp.where(gap > 0, gain / jnp.where(gap > 0, gap, 1), jnp.nan)
