"""Every sample of a pair as its second moments: what linear heads are fitted on and measured on.

Heads of one representation are fitted to labels that are linear in the others. A training sample therefore needs the
moments of the fitted features, and their moments with the others or with the labels themselves; how the others go
together among themselves matters only where errors are measured, on evaluation samples.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.engine.basis import Basis, pilot_basis, pilot_rows
from w2sjax.engine.chain import Group
from w2sjax.engine.design import Numbers, sizes_of
from w2sjax.engine.moments import CompressedSample, compress_splits
from w2sjax.engine.source import Entry, Source
from w2sjax.heads.factor import RANK_TOLERANCE_IN_EPS, Factor, factorize
from w2sjax.heads.linear import Linear
from w2sjax.linalg import product
from w2sjax.random.draws import normal
from w2sjax.random.keys import BLOCK, Role

LabelsOfBlock = Callable[[dict[str, jax.Array], jax.Array | None], jax.Array]
"""Maps a block's features by name and its label noise `[task, BLOCK]`, or None, to labels `[label, BLOCK]`."""


class Sample(NamedTuple):
    """A compressed sample in feature units: means `[d]` and centred rows `[row, d]` of each representation.

    `blurred` says of the fitted representation what it says in `CompressedSample`.
    """

    mean: dict[str, jax.Array]
    rows: dict[str, jax.Array]
    blurred: jax.Array
    noise_mean: jax.Array | None = None
    noise_rows: jax.Array | None = None

    def predict(self, name: str, head: Linear) -> tuple[jax.Array, jax.Array]:
        """Return the mean `[task]` and centred rows `[row, task]` of a head's predictions on this sample."""
        mean = product(self.mean[name][None, :], head.weights)[0] + head.bias
        return mean, product(self.rows[name], head.weights)

    def true_labels(self, name: str, target: Linear) -> tuple[jax.Array, jax.Array]:
        """Return the mean and centred rows of the true labels with their noise."""
        mean, rows = self.predict(name, target)
        if self.noise_mean is None or self.noise_rows is None:
            return mean, rows
        return mean + self.noise_mean, rows + self.noise_rows


def compress_training(
    source: Source, numbers: Numbers, group: Group, basis: Basis, labels_of: LabelsOfBlock
) -> CompressedSample:
    """Compress the features that heads are fitted on, with labels.

    Args:
        source, numbers: what is drawn.
        group: the stages of the sample.
        basis: of the fitted features.
        labels_of: the labels of a block.

    Returns:
        A `CompressedSample` with a leading axis over the sizes of the group.
    """
    tasks = source.design.tasks

    def draw_block(stream: tuple[Entry, ...]) -> tuple[jax.Array, jax.Array]:
        features = source.by_name(source.draw(stream[0], group.names, group.split), group.names)
        noise = None
        if len(stream) == 2:
            noise = numbers.label_noise * normal(stream[1], (tasks, BLOCK))
        return features[group.features], labels_of(features, noise)

    (sample,) = compress_splits(draw_block, [source.training(group)], [sizes_of(source.design, group)], basis)
    return sample


def compress_samples(source: Source, numbers: Numbers) -> tuple[list[Sample], list[Sample]]:
    """Compress every sample of a pair for heads on any number of tasks.

    Returns:
        The training sample of every group; and the evaluation samples: one, and another where the misfit is measured on
        fresh inputs. Each has a leading axis over its sizes.

    Cost: per row, the networks, and O(d D) on training samples and O(D^2) on evaluation samples, with D the sum of all
    widths d.
    """
    design, widths, order = source.design, source.widths, source.design.order
    pilot = source.pilot(order, pilot_rows(sum(widths.values())))
    basis = pilot_basis(pilot)
    centers = source.by_name(basis.center, order)
    roles = (Role.EVAL, Role.MISFIT) if design.fresh_misfit else (Role.EVAL,)
    evaluations = compress_splits(
        lambda entry: (source.draw(entry, order, "eval"), None),
        [source.entries((role, 0)) for role in roles],
        [design.n_eval] * len(roles),
        basis,
    )
    starts = dict(zip(order, itertools.accumulate((widths[name] for name in order), initial=0), strict=False))
    bases = {g.features: basis.part(starts[g.features], widths[g.features]) for g in design.groups}
    return [
        _with_others(source, numbers, group, bases[group.features], centers) for group in design.groups
    ], [
        Sample(
            source.by_name(sample.mean, order, axis=-1),
            source.by_name(sample.rows, order, axis=-1),
            sample.blurred,
        )
        for sample in evaluations
    ]


def _with_others(
    source: Source, numbers: Numbers, group: Group, basis: Basis, centers: dict[str, jax.Array]
) -> Sample:
    """Compress a training sample with the other representations, and label noise, in place of labels.

    Args:
        source, numbers, group: what is drawn.
        basis: of the fitted features.
        centers: pilot means of all features, which keep the moments of others from cancelling.
    """
    others = group.others
    origin = jnp.concatenate([centers[name] for name in others]) if others else basis.center[:0]

    def labels_of(features: dict[str, jax.Array], noise: jax.Array | None) -> jax.Array:
        parts = [features[name] for name in others]
        joint = jnp.concatenate(parts).astype(origin.dtype) if parts else jnp.zeros((0, BLOCK), origin.dtype)
        centred = joint - origin[:, None]
        return centred if noise is None else jnp.concatenate([centred, noise])

    sample = compress_training(source, numbers, group, basis, labels_of)
    mean, rows = sample.label_mean, sample.label_rows
    assert mean is not None and rows is not None  # `labels_of` always returns labels
    size, noisy = origin.shape[0], source.design.noisy
    named_mean = {group.features: sample.mean}
    named_rows = {group.features: sample.rows}
    if others:
        named_mean |= source.by_name(mean[:, :size] + origin[None, :], others, axis=-1)
        named_rows |= source.by_name(rows[..., :size], others, axis=-1)
    return Sample(
        mean=named_mean,
        rows=named_rows,
        blurred=sample.blurred,
        noise_mean=mean[:, size:] if noisy else None,
        noise_rows=rows[..., size:] if noisy else None,
    )


def factorize_samples(
    rows: list[jax.Array], sizes: list[tuple[int, ...]], *, decompose_core: bool
) -> list[Factor]:
    """Factorize stacks of samples `[size, d, d]`, those that are equally wide together; see `factorize`.

    n centred rows have a rank of at most n - 1, whatever rounding says.
    """
    tolerance = RANK_TOLERANCE_IN_EPS * float(jnp.finfo(rows[0].dtype).eps)
    factor = jax.vmap(lambda r, limit: factorize(r, tolerance, limit, decompose_core=decompose_core))
    found: dict[int, Factor] = {}
    for width in dict.fromkeys(each.shape[2] for each in rows):
        members = [i for i, each in enumerate(rows) if each.shape[2] == width]
        limits = [jnp.array([n - 1 for n in sizes[i]], jnp.int32) for i in members]
        stacks = [rows[i] for i in members]
        together = (
            factor(stacks[0], limits[0])
            if len(members) == 1
            else factor(jnp.concatenate(stacks), jnp.concatenate(limits))
        )
        stop = 0
        for i in members:
            start, stop = stop, stop + len(sizes[i])
            found[i] = jax.tree.map(lambda a, part=slice(start, stop): a[part], together)
    return [found[i] for i in range(len(rows))]
