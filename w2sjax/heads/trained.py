"""One pair whose heads are trained: the same draws as in closed form, predictions instead of moments."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.draws import normal
from w2sjax.engine.design import Design, HeadTraining, Numbers, design_keys
from w2sjax.engine.drawing import ORDER, draw_columns, draw_pair, feature_widths, parts, target_heads
from w2sjax.engine.outcome import (
    Outcome,
    StandardErrors,
    Status,
    outcome_from_residuals,
    with_misfit,
    with_rounding,
)
from w2sjax.engine.pair import with_diagnostics
from w2sjax.engine.products import product
from w2sjax.engine.randomness import BLOCK, Role
from w2sjax.engine.standard_errors import per_sample
from w2sjax.heads.classes import HeadClass
from w2sjax.heads.training import train
from w2sjax.rounding import constant_below

CURVES = ("weak_head", "w2s_head", "ceiling_head")


class Split(NamedTuple):
    """A sample: features `[n, width]` by name, and true labels with their noise `[n, task]`."""

    features: dict[str, jax.Array]
    labels: jax.Array

    def first(self, n: int) -> "Split":
        """Return the first n rows."""
        return jax.tree.map(lambda a: a[:n], self)


class Fitted(NamedTuple):
    """Trained heads of one class: parameters `[size, column]`, and the shift and scale of features `[features]`."""

    parameters: jax.Array
    shift: jax.Array
    scale: jax.Array
    curve: jax.Array


def run_trained(
    world: Any, key: jax.Array, design: Design, numbers: Numbers, prepared: Any = None
) -> Outcome:
    """Run one pair with trained heads under every combination of the sample sizes of a grid.

    The weak head is trained on the truth, the w2s head on the weak head's predictions, the ceiling on the truth, all
    in the same way. Inputs, target heads and noise are those that the closed form draws for this pair, and samples of
    n1 rows are prefixes of those of n2. Initial parameters and shuffles are functions of the pair too, shared by all
    cells; heads of the strong features share their shuffles.

    Args:
        world, key, prepared: as in `w2sjax.engine.pair.run_grid`.
        design, numbers: the grid, with `design.training` and a single ridge pair, which is not used.

    Returns:
        An `Outcome` whose arrays have shape `[n_weak, n_strong, n_eval, 1, task]`, with the training curves of the
        heads, averaged over tasks. Its status has ranks equal to the widths, condition numbers NaN (nothing is
        factorized) and nothing dropped; training that diverged shows as `Flag.NOT_FINITE`.

    Cost: epochs * ceil(n / batch) steps for each weak and each strong sample size. Memory: the features and labels of
    the largest split, twice, and four arrays of parameters.
    """
    keys = design_keys(key, design)
    pair = draw_pair(world, keys[Role.PAIR][0], prepared)
    widths = feature_widths(pair)
    target = target_heads(pair, keys[Role.TASKS][0], design.tasks, widths["target"])
    training = design.training
    if training is None:
        raise ValueError("design.training is missing: pass the design of a protocol with head='trained'.")

    strong_role = Role.WEAK if design.reuse_inputs else Role.STRONG
    sizes = {Role.WEAK: design.n_weak, strong_role: design.n_strong, Role.EVAL: design.n_eval}
    if design.fresh_misfit:
        sizes[Role.MISFIT] = design.n_eval
    drawn: dict[Role, jax.Array] = {}
    for kind in dict.fromkeys(keys[role].dtype for role in sizes):
        sources = {role: keys[role] for role in sizes if keys[role].dtype == kind}
        drawn |= _rows(sources, lambda key: draw_columns(pair, key, BLOCK, ORDER).T)
    noise: dict[Role, jax.Array] = {}
    if design.noisy:
        sources = {role: keys[role] for role in (Role.WEAK_NOISE, Role.STRONG_NOISE)}
        noise = _rows(sources, lambda key: normal(key, (design.tasks, BLOCK)).T)

    def split_of(role: Role, n: int, noise_role: Role | None = None) -> Split:
        features = parts(drawn[role][:n], ORDER, widths, axis=1)
        labels = product(features["target"], target.weights) + target.bias[None, :]
        if noise_role is not None and noise_role in noise:
            labels = labels + numbers.label_noise * noise[noise_role][:n]
        return Split(features, labels)

    weak_split = split_of(Role.WEAK, max(design.n_weak), Role.WEAK_NOISE)
    strong_split = split_of(strong_role, max(design.n_strong), Role.STRONG_NOISE)
    samples = [split_of(Role.EVAL, max(design.n_eval))]
    if design.fresh_misfit:
        samples.append(split_of(Role.MISFIT, max(design.n_eval)))

    weak_class = HeadClass(widths["weak"], training.width, training.activation, training.copies)
    strong_class = HeadClass(widths["strong"], training.width, training.activation, training.copies)
    weak_start, w2s_start, ceiling_start = (
        jax.lax.optimization_barrier(head.draw(keys[Role.HEADS][i], design.tasks))
        for i, head in enumerate((weak_class, strong_class, strong_class))
    )

    weak = []
    for n in design.n_weak:
        split = weak_split.first(n)
        rows, shuffles = split.features["weak"], keys[Role.SHUFFLES][0]
        weak.append(_fit(weak_class, training, numbers, rows, split.labels, weak_start, shuffles))
    start = jnp.concatenate([w2s_start] * len(weak) + [ceiling_start], axis=1)
    strong = []
    for n in design.n_strong:
        split = strong_split.first(n)
        labels = [_predict(weak_class, head, split.features["weak"]) for head in weak]
        columns = jnp.concatenate([*labels, split.labels], axis=1)
        rows, shuffles = split.features["strong"], keys[Role.SHUFFLES][1]
        strong.append(_fit(strong_class, training, numbers, rows, columns, start, shuffles))

    by_sample = [
        _Predictions(
            truth=sample.labels,
            weak=[_predict(weak_class, head, sample.features["weak"]) for head in weak],
            strong=[_predict(strong_class, head, sample.features["strong"]) for head in strong],
        )
        for sample in samples
    ]
    status = _status(widths, target.bias.dtype)
    powers = [jnp.mean(weak_split.labels[:n] ** 2, axis=0) for n in design.n_weak]
    eps = float(jnp.finfo(target.bias.dtype).eps)

    def cell(i: int, j: int, n_eval: int) -> Outcome:
        outcome = _measure(*_residuals(by_sample[0], i, j, n_eval), status, design.standard_errors)
        outcome = with_rounding(outcome, powers[i], eps)
        if design.fresh_misfit:
            weak_residual, w2s_residual, _ = _residuals(by_sample[1], i, j, n_eval)
            outcome = with_misfit(outcome, jnp.mean((weak_residual - w2s_residual) ** 2, axis=0))
        return outcome

    cells = [
        [_stack([cell(i, j, n) for n in design.n_eval]) for j in range(len(strong))] for i in range(len(weak))
    ]
    outcome = _stack([_stack(row) for row in cells])
    outcome = jax.tree.map(lambda a: a[:, :, :, None], outcome)
    return with_head_curves(with_diagnostics(outcome, pair), _curves(weak, strong, design.tasks))


def with_head_curves(outcome: Outcome, curves: dict[str, jax.Array]) -> Outcome:
    """Add the training curves of heads, `[n_weak, n_strong, progress]` each, to an outcome of a grid."""
    grid = outcome.status.code.shape
    spread = {
        name: jnp.broadcast_to(curve[:, :, None, None, :], (*grid, curve.shape[-1]))
        for name, curve in curves.items()
    }
    return outcome.replace(curves={**outcome.curves, **spread})  # type: ignore[attr-defined]


class _Predictions(NamedTuple):
    """On one sample: the truth `[n, task]`, weak predictions by n_weak, and strong ones by n_strong.

    The columns of strong predictions are the tasks of the w2s heads by n_weak, then those of the ceiling.
    """

    truth: jax.Array
    weak: list[jax.Array]
    strong: list[jax.Array]


def _rows(keys: dict[Role, jax.Array], draw_block: Callable[[jax.Array], jax.Array]) -> dict[Role, jax.Array]:
    """Draw the blocks `[BLOCK, column]` of several roles in one loop, which is compiled once, and join their rows."""
    # Without the barrier a loop of few blocks is unrolled, and they are drawn anew wherever they are read.
    drawn = jax.lax.optimization_barrier(jax.lax.map(draw_block, jnp.concatenate(list(keys.values()))))
    stops = list(itertools.accumulate(len(mine) for mine in keys.values()))
    blocks = jnp.split(drawn, stops[:-1])
    return {role: mine.reshape(-1, mine.shape[-1]) for role, mine in zip(keys, blocks, strict=True)}


def _fit(
    head: HeadClass,
    training: HeadTraining,
    numbers: Numbers,
    rows: jax.Array,
    labels: jax.Array,
    start: jax.Array,
    key: jax.Array,
) -> Fitted:
    shift, scale = jnp.zeros_like(rows[0]), jnp.ones_like(rows[0])
    if training.standardize:
        shift, spread = jnp.mean(rows, axis=0), jnp.std(rows, axis=0)
        scale = jnp.where(spread > constant_below(rows, axis=0), spread, 1)
    rows = (rows - shift[None, :]) / scale[None, :]
    rates = numbers.head_learning_rate, numbers.head_weight_decay
    parameters, curve = train(head, training, rows, labels, start, *rates, key)
    return Fitted(parameters, shift, scale, curve)


def _predict(head: HeadClass, fitted: Fitted, rows: jax.Array) -> jax.Array:
    return head(fitted.parameters, (rows - fitted.shift[None, :]) / fitted.scale[None, :])


def _residuals(predictions: _Predictions, i: int, j: int, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the residuals `[n, task]` of the weak, w2s and ceiling heads of a cell on the first n rows."""
    tasks = predictions.truth.shape[1]
    truth, strong = predictions.truth[:n], predictions.strong[j][:n]
    weak, w2s = predictions.weak[i][:n], strong[:, i * tasks : (i + 1) * tasks]
    return weak - truth, w2s - truth, strong[:, -tasks:] - truth


def _measure(
    weak: jax.Array, w2s: jax.Array, ceiling: jax.Array, status: Status, with_errors: bool
) -> Outcome:
    count = weak.shape[0]
    zero = jnp.zeros_like(weak[0])

    def scaled(residual: jax.Array) -> tuple[jax.Array, jax.Array]:
        return zero, residual / count**0.5

    outcome = outcome_from_residuals(scaled(weak), scaled(w2s), scaled(ceiling), status)
    if not with_errors:
        return outcome
    spread = {}
    for name, values in per_sample(weak, w2s, ceiling).items():
        deviations = values - getattr(outcome, name)[None, :]
        spread[name] = jnp.sqrt(jnp.sum(deviations**2, axis=0) / count / (jnp.asarray(count, zero.dtype) - 1))
    return outcome.replace(standard_errors=StandardErrors(**spread))  # type: ignore[attr-defined]


def _status(widths: dict[str, int], dtype: Any) -> Status:
    none = jnp.zeros((), jnp.int32)
    unknown = jnp.full((), jnp.nan, dtype)
    return Status(
        code=none,
        weak_rank=jnp.asarray(widths["weak"], jnp.int32),
        strong_rank=jnp.asarray(widths["strong"], jnp.int32),
        weak_condition=unknown,
        strong_condition=unknown,
        weak_dropped=none,
        strong_dropped=none,
        dropped_effect=jnp.zeros((), dtype),
    )


def _curves(weak: list[Fitted], strong: list[Fitted], tasks: int) -> dict[str, jax.Array]:
    """Return the training curves averaged over tasks, `[n_weak, n_strong, progress]` each, by name."""
    shape = (len(weak), len(strong), weak[0].curve.shape[0])
    of_weak = jnp.stack([jnp.mean(head.curve, axis=1) for head in weak])
    by_column = jnp.stack([head.curve.reshape(shape[2], -1, tasks).mean(axis=2) for head in strong])
    of_strong = by_column.transpose(2, 0, 1)  # [n_weak and ceiling, n_strong, progress]
    curves = (of_weak[:, None, :], of_strong[:-1], of_strong[-1][None])
    return {name: jnp.broadcast_to(curve, shape) for name, curve in zip(CURVES, curves, strict=True)}


def _stack(outcomes: Sequence[Outcome]) -> Outcome:
    return jax.tree.map(lambda *a: jnp.stack(a), *outcomes)
