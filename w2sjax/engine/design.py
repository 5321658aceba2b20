"""A grid of protocols on one pair in the engine's form: what sets shapes, and the numbers that vary freely."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.engine.protocol import Protocol
from w2sjax.engine.randomness import BLOCK, Role, block_keys, with_points
from w2sjax.validation import known_number


@dataclasses.dataclass(frozen=True)
class HeadTraining:
    """What sets the shapes and the number of steps of training heads; fields as in `Protocol`, without `head_`."""

    width: int
    activation: str
    copies: int
    epochs: int
    batch_size: int
    schedule: str
    standardize: bool


@dataclasses.dataclass(frozen=True)
class Design:
    """The static half of a grid of protocols on one pair: what sets array shapes.

    Attributes:
        n_weak, n_strong, n_eval: sample sizes, in the caller's order.
        tasks, reuse_inputs, standard_errors: as in `Protocol`.
        noisy: whether labels carry noise at all.
        fresh_misfit, head: as in `Protocol`.
        ridgeless: all ridges are 0.
        single_features: features in float32, everything else in the default precision.
        evaluation_points: as in `Protocol`.
        training: for trained heads, else None.
        head_curves: whether outcomes have training curves of heads; those of heads that are not trained are NaN.
    """

    n_weak: tuple[int, ...]
    n_strong: tuple[int, ...]
    n_eval: tuple[int, ...]
    tasks: int
    reuse_inputs: bool
    standard_errors: bool
    noisy: bool
    fresh_misfit: bool = False
    head: str = "ridge"
    single_features: bool = False
    ridgeless: bool = False
    evaluation_points: str = "random"
    training: HeadTraining | None = None
    head_curves: bool = False


class Numbers(NamedTuple):
    """The traced half: ridge pairs `[ridge]`, the standard deviation of label noise, and numbers of head classes."""

    ridge_weak: jax.Array
    ridge_strong: jax.Array
    label_noise: jax.Array
    head_radius: jax.Array
    head_learning_rate: jax.Array
    head_weight_decay: jax.Array


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
        noisy=known_number(noise) != 0,
        fresh_misfit=protocol.fresh_misfit,
        head=protocol.head,
        ridgeless=all(known_number(ridge) == 0 for ridge in _ridges(protocol)),
        single_features=protocol.feature_precision == "float32",
        evaluation_points=protocol.evaluation_points,
        training=training_of(protocol),
        head_curves=protocol.head == "trained",
    )


def training_of(protocol: Protocol) -> HeadTraining | None:
    """Return how heads are trained, or None where they are not."""
    if protocol.head != "trained":
        return None
    return HeadTraining(
        **{f.name: getattr(protocol, f"head_{f.name}") for f in dataclasses.fields(HeadTraining)}
    )


def numbers_of(protocol: Protocol) -> Numbers:
    """Return the traced half of a single protocol."""
    weak, strong = _ridges(protocol)
    dtype = jnp.zeros(()).dtype
    return Numbers(
        ridge_weak=jnp.asarray(weak, dtype)[None],
        ridge_strong=jnp.asarray(strong, dtype)[None],
        label_noise=jnp.asarray(protocol.label_noise, dtype),
        head_radius=jnp.asarray(protocol.head_radius, dtype),
        head_learning_rate=jnp.asarray(protocol.head_learning_rate, dtype),
        head_weight_decay=jnp.asarray(protocol.head_weight_decay, dtype),
    )


def _ridges(protocol: Protocol) -> tuple[float | jax.Array, float | jax.Array]:
    """Return the ridges of the weak and of the strong heads."""
    weak, strong = protocol.ridge_weak, protocol.ridge_strong
    return protocol.ridge if weak is None else weak, protocol.ridge if strong is None else strong


def design_keys(pair: jax.Array, design: Design) -> dict[Role, jax.Array]:
    """Return the keys of all blocks that a design draws within a pair, `[block]` by role."""
    keys = block_keys(pair, _block_counts(design))
    return with_points(keys, design.evaluation_points)


def _block_counts(design: Design) -> dict[Role, int]:
    """Return how many blocks each role of a design draws."""
    counts = {Role.PAIR: 1, Role.TASKS: 1, Role.PILOT: 1}
    if design.training is not None:
        counts |= {Role.HEADS: 3, Role.SHUFFLES: 2}
    sizes = {Role.WEAK: design.n_weak, Role.STRONG: design.n_strong, Role.EVAL: design.n_eval}
    if design.reuse_inputs:
        del sizes[Role.STRONG]
    if design.noisy:
        sizes |= {Role.WEAK_NOISE: design.n_weak, Role.STRONG_NOISE: design.n_strong}
    if design.fresh_misfit:
        sizes[Role.MISFIT] = design.n_eval
    return counts | {role: -(-max(n) // BLOCK) for role, n in sizes.items()}
