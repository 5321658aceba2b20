"""The points of a scatter plot: an even sample of the finished parts of a sweep, by the names of its axes."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import MIDDLE_80
from w2sjax.errors import W2SError
from w2sjax.validation import nearest

MOST_READ = 2**20
"""Values of one variable that are read from one block to spread a few points over many pairs."""


@dataclasses.dataclass(frozen=True)
class Points:
    """Points drawn from a sweep.

    Attributes:
        columns: by name, equally many values; finite where they are numbers.
        total: points in all blocks, finite or not.
        complete: whether every finite point is there.
        pooled: sorted values of the axes in which the points differ though they are not named; pair and task last.
    """

    columns: dict[str, np.ndarray]
    total: int
    complete: bool
    pooled: dict[str, np.ndarray]


def draw_points(names: Sequence[str], blocks: Sequence[xr.Dataset], points: int) -> Points:
    """Draw at most so many finite points, in random order: the same share of every block, spread over its pairs.

    Args:
        names: variables and axes to return.
        blocks: Datasets of one sweep with disjoint pairs or cells.
        points: most points.

    Raises:
        W2SError: if no point is finite.

    Cost: reads nothing of the blocks that it does not draw from. Of the others it reads twice as many pairs as hold
    the points, or one pair per point up to `MOST_READ` values of each variable; a region of a store is one chunk, which
    is read as a whole in any case.
    """
    rng = np.random.default_rng(0)
    sizes = np.array([math.prod(_sizes(names, block).values()) for block in blocks])
    total = int(sizes.sum())
    if not total:
        raise W2SError(f"{names[0]} and {names[1]} have no values in this store: run the sweep further.")
    for name in names:
        if np.iscomplexobj(blocks[0].variables[name]):
            raise W2SError(f"{name} is complex: store its real and imaginary part as variables of their own.")
    # Shares are rounded so that they add up; in random order, since cells follow each other with a period.
    order = rng.permutation(len(blocks))
    ends = np.round(np.cumsum(sizes[order]) * min(1.0, points / total)).astype(int)
    shares = np.empty(len(blocks), int)
    shares[order] = np.diff(ends, prepend=0)
    parts = [
        _draw(names, block, share, rng) for block, share in zip(blocks, shares.tolist(), strict=True) if share
    ]
    # Shuffled, so that no value hides the others.
    shuffled = rng.permutation(sum(part[names[0]].size for part in parts))
    columns = {name: np.concatenate([part[name] for part in parts])[shuffled] for name in names}
    if not shuffled.size:
        raise W2SError(f"{names[0]} and {names[1]} are nowhere both finite: choose other variables.")
    return Points(columns, total, total <= points, _pooled(names, blocks))


def _sizes(names: Sequence[str], block: xr.Dataset) -> dict[str, int]:
    """Return the lengths of all dimensions of the named arrays."""
    return {str(dim): block.sizes[dim] for name in names for dim in block.variables[name].dims}


def _draw(
    names: Sequence[str], block: xr.Dataset, share: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return so many finite points of one block, or fewer if there are not so many."""
    sizes = _sizes(names, block)
    chosen = block[list(dict.fromkeys(names))]
    if "pair" in sizes:
        per_pair = math.prod(sizes.values()) // sizes["pair"]
        # Twice what is needed, since not every value is finite; a pair per point where that is not much to read.
        pairs = max(math.ceil(2 * share / per_pair), min(share, MOST_READ // per_pair))
        if pairs < sizes["pair"]:
            middle = (np.arange(pairs) + 0.5) * sizes["pair"] / pairs
            chosen = chosen.isel(pair=middle.astype(int))
    flat = [_plain(array.values.ravel()) for array in xr.broadcast(*(chosen[name] for name in names))]
    finite = np.all([np.isfinite(v) for v in flat if np.issubdtype(v.dtype, np.number)], axis=0)
    kept = np.flatnonzero(np.broadcast_to(finite, flat[0].shape))
    if kept.size > share:
        kept = np.sort(rng.choice(kept, share, replace=False))
    return {name: values[kept] for name, values in zip(names, flat, strict=True)}


def _plain(values: np.ndarray) -> np.ndarray:
    """Return text that was stored as objects as an array of text."""
    return values.astype(object).astype(str) if values.dtype.kind in "OT" else values


def _pooled(names: Sequence[str], blocks: Sequence[xr.Dataset]) -> dict[str, np.ndarray]:
    """Return the values of every axis of the named variables that is not named itself and has several."""
    variables = [name for name in names if name in blocks[0].data_vars]
    used = {dim for block in blocks for name in variables for dim in block.variables[name].dims}
    # An axis that lost its dimension in every block is an axis as long as it differs between them.
    used |= {str(name) for name, values in blocks[0].coords.items() if not values.dims}
    axes = [str(name) for name in blocks[0].coords if name in used and name not in names]
    axes.sort(key=lambda axis: axis in ("pair", "task"))
    found = {
        axis: np.unique(np.concatenate([_plain(np.ravel(block.variables[axis].values)) for block in blocks]))
        for axis in axes
    }
    return {axis: values for axis, values in found.items() if values.size > 1}


def ranges_by_place(place: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct places of points, and 10, 50 and 90% quantiles of the values at each, `[quantile, place]`."""
    places = np.unique(place)
    found = [np.quantile(values[place == one], MIDDLE_80) for one in places]
    return places, np.reshape(found, (-1, len(MIDDLE_80))).T


def check_names(
    dataset: xr.Dataset, *, x: str, y: str, color: str | None = None, facet: str | None = None
) -> None:
    """Refuse names that a Dataset does not have.

    Raises:
        W2SError: naming the option, the value and the nearest valid name.
    """
    variables, axes = [str(v) for v in dataset.data_vars], [str(c) for c in dataset.coords]
    if not variables:
        raise W2SError("the store has no variables: pass one written by w2sjax sweep.")
    for option, name, known, kind in (
        ("--x", x, variables + axes, "variable or axis"),
        ("--y", y, variables + axes, "variable or axis"),
        ("--color", color, axes, "axis"),
        ("--facet", facet, axes, "axis"),
    ):
        if name is None or name in known:
            continue
        if not known:
            raise W2SError(f"{option} {name} is no {kind} of this store, which has none: leave it out.")
        raise W2SError(
            f"{option} {name} is no {kind} of this store: did you mean {nearest(name, known)}? "
            f"It has {', '.join(known)}."
        )
