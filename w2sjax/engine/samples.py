"""Every split of a pair as a compressed sample: what its heads are fitted on and measured on.

Heads of one representation are fitted to labels that are linear in the others. A training split therefore needs the
moments of the fitted features, and their moments with the others or with the labels themselves; how the others go
together among themselves matters only where errors are measured, on evaluation splits.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.draws import normal
from w2sjax.engine.basis import Basis, pilot_basis, pilot_rows
from w2sjax.engine.design import Design, Numbers
from w2sjax.engine.drawing import ORDER, draw_columns, parts
from w2sjax.engine.models import Sample
from w2sjax.engine.moments import CompressedSample, compress_splits
from w2sjax.engine.randomness import BLOCK, Role


class Experiment(NamedTuple):
    """A drawn pair, the widths of its features, the keys of the blocks of every role, and a grid."""

    pair: Any
    widths: dict[str, int]
    keys: dict[Role, jax.Array]
    design: Design
    numbers: Numbers

    def draw(self, key: jax.Array, names: tuple[str, ...] = ORDER, rows: int = BLOCK) -> jax.Array:
        """Draw joint features `[sum of widths, rows]`."""
        return draw_columns(self.pair, key, rows, names, single=self.design.single_features)

    def by_name(
        self, joint: jax.Array, names: tuple[str, ...] = ORDER, axis: int = 0
    ) -> dict[str, jax.Array]:
        """Split joint features along an axis by representation."""
        return parts(joint, names, self.widths, axis)


class TrainingSplit(NamedTuple):
    """The representation that heads are fitted on, those that are drawn, the streams of both draws, and the sizes."""

    fitted: str
    names: tuple[str, ...]
    role: Role
    noise: Role
    sizes: tuple[int, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the representations that labels are made of."""
        return tuple(name for name in self.names if name != self.fitted)


LabelsOfBlock = Callable[[dict[str, jax.Array], jax.Array | None], jax.Array]
"""Maps a block's features by name and its label noise `[task, BLOCK]`, or None, to labels `[label, BLOCK]`."""


def training_splits(design: Design) -> tuple[TrainingSplit, TrainingSplit]:
    """Return the weak and the strong training split of a design."""
    role = Role.WEAK if design.reuse_inputs else Role.STRONG
    return (
        TrainingSplit("weak", ORDER[:2], Role.WEAK, Role.WEAK_NOISE, design.n_weak),
        TrainingSplit("strong", ORDER, role, Role.STRONG_NOISE, design.n_strong),
    )


def compress_training(
    experiment: Experiment,
    split: TrainingSplit,
    basis: Basis,
    labels_of: LabelsOfBlock,
) -> CompressedSample:
    """Compress the features that heads are fitted on, with labels.

    Args:
        experiment, split: what is drawn.
        basis: of the fitted features.
        labels_of: the labels of a block.

    Returns:
        A `CompressedSample` with a leading axis over the sizes of the split.
    """
    design, numbers = experiment.design, experiment.numbers

    def draw_block(stream: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        features = experiment.by_name(experiment.draw(stream[0], split.names), split.names)
        noise = None
        if len(stream) == 2:
            noise = numbers.label_noise * normal(stream[1], (design.tasks, BLOCK))
        return features[split.fitted], labels_of(features, noise)

    roles = (split.role, split.noise) if design.noisy else (split.role,)
    stream = tuple(experiment.keys[role] for role in roles)
    (sample,) = compress_splits(draw_block, [stream], [split.sizes], basis)
    return sample


def compress_samples(experiment: Experiment) -> tuple[Sample, Sample, list[Sample]]:
    """Compress every split of a pair for heads on any number of tasks.

    Returns:
        The weak and the strong training sample, and the evaluation samples: one, and another where the misfit is
        measured on fresh inputs. Each has a leading axis over its sizes.

    Cost: per row, the networks, and O(d D) on training splits and O(D^2) on evaluation splits, with D the sum of all
    widths d.
    """
    keys, design, widths = experiment.keys, experiment.design, experiment.widths
    pilot = experiment.draw(keys[Role.PILOT][0], ORDER, pilot_rows(sum(widths.values())))
    basis = pilot_basis(pilot)
    of_strong = pilot_basis(experiment.by_name(pilot)["strong"])
    weak, strong = training_splits(design)
    roles = (Role.EVAL, Role.MISFIT) if design.fresh_misfit else (Role.EVAL,)
    evaluations = compress_splits(
        lambda key: (experiment.draw(key), None),
        [keys[role] for role in roles],
        [design.n_eval] * len(roles),
        basis,
    )
    return (
        _with_others(experiment, weak, basis.leading(widths["weak"]), basis.center),
        _with_others(experiment, strong, of_strong, basis.center),
        [
            Sample(
                experiment.by_name(sample.mean, axis=-1),
                experiment.by_name(sample.rows, axis=-1),
                sample.blurred,
            )
            for sample in evaluations
        ],
    )


def _with_others(experiment: Experiment, split: TrainingSplit, basis: Basis, center: jax.Array) -> Sample:
    """Compress a training split with the other representations, and label noise, in place of labels.

    Args:
        experiment, split: what is drawn.
        basis: of the fitted features.
        center: `[D]`, pilot means of all features, which keep the moments of others from cancelling.
    """
    centers = experiment.by_name(center)
    origin = jnp.concatenate([centers[name] for name in split.others])

    def labels_of(features: dict[str, jax.Array], noise: jax.Array | None) -> jax.Array:
        others = jnp.concatenate([features[name] for name in split.others]).astype(origin.dtype)
        centred = others - origin[:, None]
        return centred if noise is None else jnp.concatenate([centred, noise])

    sample = compress_training(experiment, split, basis, labels_of)
    mean, rows = sample.label_mean, sample.label_rows
    assert mean is not None and rows is not None  # `labels_of` always returns labels
    size, noisy = origin.shape[0], experiment.design.noisy
    return Sample(
        mean={split.fitted: sample.mean}
        | experiment.by_name(mean[:, :size] + origin[None, :], split.others, axis=-1),
        rows={split.fitted: sample.rows} | experiment.by_name(rows[..., :size], split.others, axis=-1),
        blurred=sample.blurred,
        noise_mean=mean[:, size:] if noisy else None,
        noise_rows=rows[..., size:] if noisy else None,
    )
