"""One pair from features to outcomes: moments, heads, errors, for every sample size and ridge of a grid at once."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.draws import normal
from w2sjax.engine.basis import PILOT_ROWS_PER_UNIT, Basis, pilot_basis
from w2sjax.engine.moments import CompressedSample, compress_splits
from w2sjax.engine.outcome import Flag, Outcome, Status, outcome_from_residuals
from w2sjax.engine.products import product
from w2sjax.engine.protocol import Protocol
from w2sjax.engine.randomness import BLOCK, Role, block_keys
from w2sjax.engine.ridge import RANK_TOLERANCE_IN_EPS, RidgeFactor, dropped_effect, factorize, solve
from w2sjax.engine.standard_errors import standard_errors
from w2sjax.worlds.base import default_heads
from w2sjax.worlds.static import as_pytree


@dataclasses.dataclass(frozen=True)
class Design:
    """The static half of a grid of protocols on one pair: what sets array shapes.

    Attributes:
        n_weak, n_strong, n_eval: increasing sample sizes.
        tasks, reuse_inputs, standard_errors: as in `Protocol`.
        noisy: whether labels carry noise at all.
    """

    n_weak: tuple[int, ...]
    n_strong: tuple[int, ...]
    n_eval: tuple[int, ...]
    tasks: int
    reuse_inputs: bool
    standard_errors: bool
    noisy: bool


class Numbers(NamedTuple):
    """The traced half: ridge pairs `[ridge]` and the standard deviation of label noise."""

    ridge_weak: jax.Array
    ridge_strong: jax.Array
    label_noise: jax.Array


class Head(NamedTuple):
    """Linear heads on features u: u' weights + bias, weights `[d, task]`, bias `[task]`."""

    weights: jax.Array
    bias: jax.Array


class Sample(NamedTuple):
    """A compressed sample in feature units: means `[d]` and centred rows `[row, d]` of each representation."""

    mean: dict[str, jax.Array]
    rows: dict[str, jax.Array]
    noise_mean: jax.Array | None
    noise_rows: jax.Array | None

    def predict(self, name: str, head: Head) -> tuple[jax.Array, jax.Array]:
        """Return the mean `[task]` and centred rows `[row, task]` of a head's predictions on this sample."""
        mean = product(self.mean[name][None, :], head.weights)[0] + head.bias
        return mean, product(self.rows[name], head.weights)


def run_pair(world: Any, protocol: Protocol, key: jax.Array) -> Outcome:
    """Run one weak-to-strong experiment on one pair drawn from a world.

    Draws (h*, h_w, h_s), fits the weak head to true labels, the w2s head to the weak model's labels and the ceiling to
    true labels, all in closed form, and measures mean squared errors on a fresh sample:

        gain = weak_error - w2s_error,  misfit = E (w2s - weak)^2,  deviation = gain - misfit.

    Args:
        world: any object with `draw(key)`; see `w2sjax.worlds.World`.
        protocol: sample sizes and regularization.
        key: a typed key (`jax.random.key`). The pair and its samples are functions of this key only.

    Returns:
        An `Outcome` with arrays of shape `[task]`, in JAX's default float dtype.

    Raises:
        ValueError: if the key is not a typed key or the world returns unusable features.

    Cost: O((n_weak + n_strong + n_eval) D^2) time with D the sum of the three widths; memory does not grow with n.
    May be called under `jax.jit` and `jax.vmap`.
    """
    if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise ValueError("key is not a typed key: pass jax.random.key(seed), not jax.random.PRNGKey.")
    return _run_single(as_pytree(world), key, numbers_of(protocol), design=design_of(protocol))


@functools.partial(jax.jit, static_argnames=("design",))
def _run_single(world: Any, key: jax.Array, numbers: "Numbers", *, design: "Design") -> Outcome:
    outcome = run_grid(world, key, design, numbers)
    return jax.tree.map(lambda a: a[0, 0, 0, 0], outcome)


def design_of(protocol: Protocol) -> Design:
    """Return the static half of a single protocol."""
    noise = protocol.label_noise
    return Design(
        n_weak=(protocol.n_weak,),
        n_strong=(protocol.n_strong,),
        n_eval=(protocol.n_eval,),
        tasks=protocol.tasks,
        reuse_inputs=protocol.reuse_inputs,
        standard_errors=protocol.standard_errors,
        noisy=isinstance(noise, jax.core.Tracer) or float(noise) > 0,
    )


def numbers_of(protocol: Protocol) -> Numbers:
    """Return the traced half of a single protocol."""
    weak = protocol.ridge if protocol.ridge_weak is None else protocol.ridge_weak
    strong = protocol.ridge if protocol.ridge_strong is None else protocol.ridge_strong
    dtype = jnp.zeros(()).dtype
    return Numbers(
        ridge_weak=jnp.asarray(weak, dtype)[None],
        ridge_strong=jnp.asarray(strong, dtype)[None],
        label_noise=jnp.asarray(protocol.label_noise, dtype),
    )


def run_grid(world: Any, key: jax.Array, design: Design, numbers: Numbers, prepared: Any = None) -> Outcome:
    """Run one pair under every combination of sample sizes and every ridge pair of a grid.

    The features of each split are drawn once; sample sizes are prefixes of them, ridges share a factorization.

    Args:
        world, key: as in `run_pair`.
        design, numbers: the grid.
        prepared: what the world's preparations returned for this pair, if it has any and they were run before.

    Returns:
        An `Outcome` whose arrays have shape `[n_weak, n_strong, n_eval, ridge, task]` (status without the task axis).
    """
    strong_role = Role.WEAK if design.reuse_inputs else Role.STRONG
    keys = block_keys(key, _blocks(design))
    pair = draw_pair(world, keys[Role.PAIR][0], prepared)
    widths = _feature_widths(pair)
    heads = _target_heads(pair, keys[Role.TASKS][0], design.tasks, widths["target"])
    basis = _pilot(pair, keys[Role.PILOT][0], widths)

    def compress(
        names: tuple[str, ...],
        roles: tuple[Role, ...],
        sizes: tuple[tuple[int, ...], ...],
        noise: Role | None,
    ) -> list[Sample]:
        def draw_block(stream: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array | None]:
            features = _draw_columns(pair, stream[0], BLOCK, names)
            if len(stream) == 1:
                return features, None
            return features, numbers.label_noise * normal(stream[1], (design.tasks, BLOCK))

        noise_keys = (keys[noise],) if noise is not None and design.noisy else ()
        streams = [(keys[role], *noise_keys) for role in roles]
        local = basis.leading(sum(widths[name] for name in names))
        orders = [sorted(set(split)) for split in sizes]
        compressed = compress_splits(draw_block, streams, orders, local)
        where = [
            np.array([order.index(n) for n in split]) for order, split in zip(orders, sizes, strict=True)
        ]
        chosen = [jax.tree.map(lambda a, w=w: a[w], c) for c, w in zip(compressed, where, strict=True)]
        return [_by_name(sample, names, widths) for sample in chosen]

    # Splits that draw alike share one loop: it is compiled once.
    (weak,) = compress(ORDER[:2], (Role.WEAK,), (design.n_weak,), Role.WEAK_NOISE)
    if design.noisy:
        (strong,) = compress(ORDER, (strong_role,), (design.n_strong,), Role.STRONG_NOISE)
        (evaluation,) = compress(ORDER, (Role.EVAL,), (design.n_eval,), None)
    else:
        strong, evaluation = compress(ORDER, (strong_role, Role.EVAL), (design.n_strong, design.n_eval), None)
    weak_factors, strong_factors = _factorize(
        [weak.rows["weak"], strong.rows["strong"]], [design.n_weak, design.n_strong]
    )

    def cell(
        weak: Sample,
        weak_factor: RidgeFactor,
        strong: Sample,
        strong_factor: RidgeFactor,
        evaluation: Sample,
        n_eval: jax.Array,
        ridge_weak: jax.Array,
        ridge_strong: jax.Array,
    ) -> Outcome:
        models = fit_models(weak, weak_factor, strong, strong_factor, heads, ridge_weak, ridge_strong)
        outcome = evaluate_models(evaluation, heads, models)
        if design.standard_errors:
            draw = lambda key: _draw_columns(pair, key, BLOCK, ORDER)  # noqa: E731
            spread = standard_errors(
                draw,
                keys[Role.EVAL],
                lambda joint: _parts(joint, ORDER, widths, axis=0),
                heads,
                models,
                outcome,
                n_eval,
            )
            outcome = outcome.replace(standard_errors=spread)  # type: ignore[attr-defined]
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
        evaluation,
        jnp.array(design.n_eval, jnp.int32),
        numbers.ridge_weak,
        numbers.ridge_strong,
    )
    return with_diagnostics(outcome, pair)


def draw_pair(world: Any, key: jax.Array, prepared: Any) -> Any:
    """Draw a pair, from what was prepared for it where the world has preparations."""
    return world.draw(key) if prepared is None else world.draw(key, prepared)


def with_diagnostics(outcome: Outcome, pair: Any) -> Outcome:
    """Add the flags and the training curves of a pair that has `diagnostics()` to its outcome."""
    if not hasattr(pair, "diagnostics"):
        return outcome
    code, curves = pair.diagnostics()
    grid = outcome.status.code.shape
    status = outcome.status.replace(code=outcome.status.code | code)  # type: ignore[attr-defined]
    return outcome.replace(  # type: ignore[attr-defined]
        status=status,
        curves={name: jnp.broadcast_to(curve, (*grid, *curve.shape)) for name, curve in curves.items()},
    )


def _blocks(design: Design) -> dict[Role, int]:
    """Return how many blocks each role of a design draws."""
    counts = {Role.PAIR: 1, Role.TASKS: 1, Role.PILOT: 1}
    sizes = {Role.WEAK: design.n_weak, Role.STRONG: design.n_strong, Role.EVAL: design.n_eval}
    if design.reuse_inputs:
        del sizes[Role.STRONG]
    if design.noisy:
        sizes |= {Role.WEAK_NOISE: design.n_weak, Role.STRONG_NOISE: design.n_strong}
    return counts | {role: -(-max(n) // BLOCK) for role, n in sizes.items()}


class Models(NamedTuple):
    """The three fitted heads of a cell and the status of their regressions."""

    weak: Head
    w2s: Head
    ceiling: Head | None
    status: Status


def fit_models(
    weak: Sample,
    weak_factor: RidgeFactor,
    strong: Sample,
    strong_factor: RidgeFactor,
    target: Head,
    ridge_weak: jax.Array,
    ridge_strong: jax.Array,
) -> Models:
    """Fit the weak head, then the w2s head to its labels, and the ceiling to the truth, on compressed samples."""
    weak_head, weak_effect = _fit(weak, "weak", weak_factor, _true_labels(weak, target), ridge_weak)
    w2s_head, w2s_effect = _fit(
        strong, "strong", strong_factor, strong.predict("weak", weak_head), ridge_strong
    )
    ceiling, ceiling_effect = _fit(
        strong, "strong", strong_factor, _true_labels(strong, target), ridge_strong
    )
    effect = jnp.maximum(weak_effect, jnp.maximum(w2s_effect, ceiling_effect))
    return Models(weak_head, w2s_head, ceiling, status_of(weak_factor, strong_factor, effect))


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


def status_of(weak: RidgeFactor, strong: RidgeFactor, effect: jax.Array) -> Status:
    """Collect the numerical status of both factorizations."""
    limit = 1e6 if weak.condition.dtype == jnp.float64 else 1e3
    weak_full, strong_full = weak.frame.shape[0], strong.frame.shape[0]
    ill = (weak.condition > limit) | (strong.condition > limit)
    code = (
        jnp.where(weak.rank < weak_full, int(Flag.WEAK_RANK_DEFICIENT), 0)
        | jnp.where(strong.rank < strong_full, int(Flag.STRONG_RANK_DEFICIENT), 0)
        | jnp.where(ill, int(Flag.ILL_CONDITIONED), 0)
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


ORDER = ("weak", "target", "strong")
"""Order of the joint features: a leading part of it is all that the weak split needs."""


def _fit(
    sample: Sample,
    name: str,
    factor: RidgeFactor,
    labels: tuple[jax.Array, jax.Array],
    ridge: jax.Array,
) -> tuple[Head, jax.Array]:
    mean, rows = labels
    weights = solve(factor, rows, ridge)
    return Head(weights, mean - product(sample.mean[name][None, :], weights)[0]), dropped_effect(factor, rows)


def _true_labels(sample: Sample, target: Head) -> tuple[jax.Array, jax.Array]:
    mean, rows = sample.predict("target", target)
    if sample.noise_mean is None or sample.noise_rows is None:
        return mean, rows
    return mean + sample.noise_mean, rows + sample.noise_rows


def _factorize(rows: list[jax.Array], sizes: list[tuple[int, ...]]) -> list[RidgeFactor]:
    """Factorize stacks of samples `[size, row, d]`, those of equal width together.

    n centred rows have a rank of at most n - 1, whatever rounding says.
    """
    tolerance = RANK_TOLERANCE_IN_EPS * float(jnp.finfo(rows[0].dtype).eps)
    limits = [jnp.array([n - 1 for n in split], jnp.int32) for split in sizes]
    factor = jax.vmap(lambda r, limit: factorize(r, tolerance, limit))
    if rows[0].shape[2] != rows[1].shape[2]:
        return [factor(*split) for split in zip(rows, limits, strict=True)]
    most = max(r.shape[1] for r in rows)
    padded = [jnp.pad(r, ((0, 0), (0, most - r.shape[1]), (0, 0))) for r in rows]
    together = factor(jnp.concatenate(padded), jnp.concatenate(limits))
    first = len(sizes[0])
    return [
        dataclasses.replace(part, left=part.left[:, :count], discarded_left=part.discarded_left[:, :count])
        for part, count in (
            (jax.tree.map(lambda a: a[:first], together), rows[0].shape[1]),
            (jax.tree.map(lambda a: a[first:], together), rows[1].shape[1]),
        )
    ]


def _by_name(sample: CompressedSample, names: tuple[str, ...], widths: dict[str, int]) -> Sample:
    """Split the joint features of stacked samples, on the last axis, by representation."""
    return Sample(
        mean=_parts(sample.mean, names, widths, axis=-1),
        rows=_parts(sample.rows, names, widths, axis=-1),
        noise_mean=sample.noise_mean,
        noise_rows=sample.noise_rows,
    )


def _parts(
    joint: jax.Array, names: tuple[str, ...], widths: dict[str, int], axis: int
) -> dict[str, jax.Array]:
    """Split joint features along an axis by representation."""
    stops = list(itertools.accumulate(widths[name] for name in names))
    return dict(zip(names, jnp.split(joint, stops[:-1], axis=axis), strict=True))


def _pilot(pair: Any, key: jax.Array, widths: dict[str, int]) -> Basis:
    rows = PILOT_ROWS_PER_UNIT * sum(widths.values())
    return pilot_basis(_draw_columns(pair, key, rows, ORDER))


def _target_heads(pair: Any, key: jax.Array, tasks: int, width: int) -> Head:
    draw: Callable[..., Any] = getattr(pair, "heads", None) or (
        lambda key, tasks: default_heads(key, tasks, width)
    )
    weights, bias = draw(key, tasks)
    if weights.shape != (tasks, width) or bias.shape != (tasks,):
        raise ValueError(
            f"heads returned shapes {weights.shape} and {bias.shape}: return weights of shape "
            f"({tasks}, {width}) and a bias of shape ({tasks},)."
        )
    dtype = jnp.zeros(()).dtype
    return Head(weights.T.astype(dtype), bias.astype(dtype))


def _draw_columns(pair: Any, key: jax.Array, n: int, names: tuple[str, ...]) -> jax.Array:
    """Return the named features of n fresh inputs, one after another: `[sum of widths, n]`, checked."""
    if hasattr(pair, "columns"):
        return pair.columns(key, n, names)
    named = _draw_features(pair, key, n)
    return jnp.concatenate([named[name].T.astype(jnp.zeros(()).dtype) for name in names])


def _draw_features(pair: Any, key: jax.Array, n: int) -> dict[str, jax.Array]:
    """Return the features of n fresh inputs by name, each `[n, width]`, checked."""
    drawn = pair.features(key, n)
    if not isinstance(drawn, tuple) or len(drawn) != 3:
        raise ValueError(f"features returned {type(drawn).__name__}: return (target, weak, strong).")
    named = dict(zip(("target", "weak", "strong"), drawn, strict=True))
    for name, value in named.items():
        shape = getattr(value, "shape", None)
        if shape is None or len(shape) != 2 or shape[0] != n or shape[1] < 1:
            raise ValueError(f"features returned {name} of shape {shape}: return [n, width] with n={n}.")
        if not jnp.issubdtype(value.dtype, jnp.floating):
            raise ValueError(f"features returned {name} of dtype {value.dtype}: return floating numbers.")
    return named


def _feature_widths(pair: Any) -> dict[str, int]:
    shapes = jax.eval_shape(lambda key: _draw_features(pair, key, 1), jax.random.key(0))
    return {name: shape.shape[1] for name, shape in shapes.items()}
