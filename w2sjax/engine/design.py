"""A grid of protocols on one pair in the engine's form: what sets shapes, and the numbers that vary freely."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.engine.chain import Group, Stage, groups_of, representations, shared_heads
from w2sjax.engine.classification import classification_metrics
from w2sjax.engine.metrics import Metric, metrics_of
from w2sjax.engine.protocol import Protocol
from w2sjax.methods.base import Naive
from w2sjax.random.draws import default_dtype
from w2sjax.random.keys import BLOCK, Role, Stream, block_keys
from w2sjax.validation import known_number


@dataclasses.dataclass(frozen=True)
class Design:
    """The static half of a grid of protocols on one pair: what sets array shapes.

    Attributes:
        n_weak, n_strong, n_eval: sample sizes, in the caller's order.
        tasks, reuse_inputs, standard_errors, fresh_misfit: as in `Protocol`.
        noisy: whether labels carry noise at all.
        structure: of the chain of stages, whose numbers are traced.
        combinations: how many chains go together, which differ in the numbers of their heads only.
        ridgeless: all ridges are 0.
        shared_heads: for each stage the first one that has the same head and method.
        metrics: what is measured.
        target: structure of the protocol's target, whose numbers are traced; None where labels are scores.
        single_features: features in float32, everything else in the default precision.
        evaluation_points: as in `Numerics`.
    """

    n_weak: tuple[int, ...]
    n_strong: tuple[int, ...]
    n_eval: tuple[int, ...]
    tasks: int
    reuse_inputs: bool
    standard_errors: bool
    fresh_misfit: bool
    noisy: bool
    structure: Any
    combinations: int
    ridgeless: bool
    shared_heads: tuple[int, ...]
    metrics: tuple[Metric, ...]
    target: Any = None
    single_features: bool = False
    evaluation_points: str = "random"

    def stages(self, numbers: "Numbers") -> tuple[Stage, ...]:
        """Return the chain, the numbers of its heads with a leading axis of combinations."""
        found: tuple[Stage, ...] = jax.tree.unflatten(self.structure, numbers.stages)
        return found

    @property
    def chain(self) -> tuple[Stage, ...]:
        """The chain without the numbers of its heads."""
        found: tuple[Stage, ...] = jax.tree.unflatten(self.structure, [None] * self.structure.num_leaves)
        return found

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of the chain."""
        return groups_of(self.chain)

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the representations, in the order of the joint features: of the chain, and those metrics see."""
        seen = (name for metric in self.metrics for name in metric.features)
        return tuple(dict.fromkeys((*representations(self.chain), *seen)))

    @property
    def linear(self) -> bool:
        """Whether all heads need no more than moments, fitted to their labels as they are."""
        naive = all(stage.head.needs == "moments" and is_naive(stage) for stage in self.chain)
        return naive and self.target is None and not any(metric.features for metric in self.metrics)


def is_naive(stage: Stage) -> bool:
    """Say whether the labels of a stage are its targets."""
    return isinstance(stage.method, Naive)


class Numbers(NamedTuple):
    """The traced half: numbers of the stages' heads, `[combination]` each, the noise's scale, and the target's."""

    stages: tuple[jax.Array, ...]
    label_noise: jax.Array
    target: tuple[jax.Array, ...] = ()


def design_of(
    protocol: Protocol, chains: Sequence[tuple[Stage, ...]] | None = None, metrics: Sequence[Metric] = ()
) -> Design:
    """Return the static half of a protocol.

    Args:
        protocol: single values.
        chains: the chains of its combinations, if there are several.
        metrics: a user's, beside those of the chain.
    """
    chains = [protocol.chain()] if chains is None else chains
    return Design(
        n_weak=(protocol.n_weak,),
        n_strong=(protocol.n_strong,),
        n_eval=(protocol.n_eval,),
        tasks=protocol.tasks,
        reuse_inputs=protocol.reuse_inputs,
        standard_errors=protocol.standard_errors,
        fresh_misfit=protocol.fresh_misfit,
        noisy=known_number(protocol.label_noise) != 0 if protocol.target is None else protocol.target.noisy,
        structure=jax.tree.structure(chains[0]),
        combinations=len(chains),
        ridgeless=all(
            known_number(getattr(stage.head, "ridge", 0)) == 0 for chain in chains for stage in chain
        ),
        shared_heads=shared_heads(chains[0]),
        metrics=table_of(protocol, metrics),
        target=None if protocol.target is None else jax.tree.structure(protocol.target),
        single_features=protocol.numerics.feature_precision == "float32",
        evaluation_points=protocol.numerics.evaluation_points,
    )


def numbers_of(protocol: Protocol, chains: Sequence[tuple[Stage, ...]] | None = None) -> Numbers:
    """Return the traced half of a protocol."""
    chains = [protocol.chain()] if chains is None else chains
    dtype = default_dtype()
    leaves = zip(*(jax.tree.leaves(chain) for chain in chains), strict=True)
    return Numbers(
        stages=tuple(jnp.stack([jnp.asarray(value, dtype) for value in values]) for values in leaves),
        label_noise=jnp.asarray(protocol.label_noise, dtype),
        target=tuple(jnp.asarray(value, dtype) for value in jax.tree.leaves(protocol.target)),
    )


def table_of(protocol: Protocol, metrics: Sequence[Metric] = ()) -> tuple[Metric, ...]:
    """Return what is measured of a protocol, with a user's metrics."""
    chain = protocol.chain()
    classes = () if protocol.target is None else classification_metrics(chain)
    return metrics_of(chain, protocol.loss, (*classes, *metrics))


def streams_of(design: Design, group: Group) -> tuple[Stream, Stream]:
    """Return the streams of the inputs and of the label noise of a group."""
    if group.split == "weak":
        return (Role.WEAK, 0), (Role.WEAK_NOISE, 0)
    reused = design.reuse_inputs and not group.number
    return (Role.WEAK if reused else Role.STRONG, group.number), (Role.STRONG_NOISE, group.number)


def sizes_of(design: Design, group: Group) -> tuple[int, ...]:
    """Return the sample sizes of a group."""
    return design.n_weak if group.split == "weak" else design.n_strong


def stream_sizes(design: Design) -> dict[Stream, int]:
    """Return how many rows of inputs, and of label noise, each stream of a design draws."""
    sizes: dict[Stream, int] = {}
    for group in design.groups:
        inputs, noise = streams_of(design, group)
        for stream in (inputs, noise) if design.noisy else (inputs,):
            sizes[stream] = max(sizes.get(stream, 0), *sizes_of(design, group))
    sizes[Role.EVAL, 0] = max(design.n_eval)
    if design.fresh_misfit:
        sizes[Role.MISFIT, 0] = max(design.n_eval)
    return sizes


def design_keys(pair: jax.Array, design: Design) -> dict[Stream, jax.Array]:
    """Return the keys of all blocks that a design draws within a pair, `[block]` by stream."""
    counts: dict[Stream, int] = {(Role.PAIR, 0): 1, (Role.TASKS, 0): 1, (Role.PILOT, 0): 1}
    if not design.linear:
        counts |= {(Role.HEADS, 0): len(design.chain), (Role.SHUFFLES, 0): len(design.groups)}
    return block_keys(pair, counts | {stream: -(-n // BLOCK) for stream, n in stream_sizes(design).items()})
