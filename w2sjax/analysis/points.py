"""What a plot of a sweep shows: quantities by their formula, an even sample of points, the values of every pair."""

import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import usable
from w2sjax.errors import W2SError
from w2sjax.validation import nearest, shown

MOST_READ = 2**20
"""Values of one variable that are read from one block to spread a few points over many pairs."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A variable or axis, its absolute value, or its ratio to another one.

    Attributes:
        text: as the user wrote it, such as "gain", "gain/weak_error" or "abs(deviation)/weak_error".
        of, over: names; over is None where nothing is divided.
        absolute: whether the absolute value of `of` is meant.
    """

    text: str
    of: str
    over: str | None = None
    absolute: bool = False

    @classmethod
    def parse(cls, text: str) -> "Quantity":
        """Read what a user wrote; names are not checked here."""
        found = isinstance(text, str) and re.fullmatch(
            r"\s*(?:abs\(\s*([^()/]+?)\s*\)|([^()/]+?))\s*(?:/\s*([^()/]+?))?\s*", text
        )
        if not found:
            raise W2SError(f"{text} is no quantity: write a name, abs(name), name/other or abs(name)/other.")
        return cls(text.strip(), found[1] or found[2], found[3], found[1] is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """The variables and axes that it needs."""
        return (self.of,) if self.over is None else (self.of, self.over)

    def of_points(self, dataset: xr.Dataset) -> xr.DataArray:
        """Return its value of every pair, task and cell."""
        value = abs(dataset[self.of]) if self.absolute else dataset[self.of]
        return value if self.over is None else value / dataset[self.over]

    def of_pairs(self, dataset: xr.Dataset) -> xr.DataArray:
        """Return its value of every pair and cell: the average over tasks, or the ratio of two; NaN if unusable."""
        cells = [dim for dim in dataset.dims if dim == "pair" or dim in dataset.coords and dim != "task"]

        def mean(values: xr.DataArray) -> xr.DataArray:
            return values.mean([dim for dim in values.dims if dim not in cells])

        value = mean(abs(dataset[self.of]) if self.absolute else dataset[self.of])
        value = value if self.over is None else value / mean(dataset[self.over])
        return value.where(usable(dataset)) if "status_code" in dataset else value

    def label(self, dataset: xr.Dataset) -> str:
        """Return the formula, its meaning where it is one variable, and its unit."""
        units = [dataset[name].attrs.get("units", "") for name in self.names]
        meaning = dataset[self.of].attrs.get("long_name", "") if self.text == self.of else ""
        unit = units[0] if self.over is None else "1" if units[0] == units[1] else " / ".join(units)
        first = f"{self.text}: {meaning}" if meaning and meaning != self.text else self.text
        return first + (f"  [{unit}]" if unit else "")


@dataclasses.dataclass(frozen=True)
class Points:
    """Points drawn from a sweep.

    Attributes:
        columns: by name, equally many values; finite where they are numbers.
        total: points in all blocks, finite or not.
        complete: whether every finite point is there.
    """

    columns: dict[str, np.ndarray]
    total: int
    complete: bool


def draw_points(quantities: Sequence[Quantity], blocks: Sequence[xr.Dataset], points: int) -> Points:
    """Draw at most so many finite points, in random order: the same share of every block, spread over its pairs.

    Args:
        quantities: what to return, by text; axes are quantities too.
        blocks: Datasets of one sweep with disjoint pairs or cells.
        points: most points.

    Raises:
        W2SError: if no point is finite.

    Cost: reads nothing of the blocks that it does not draw from. Of the others it reads twice as many pairs as hold
    the points, or one pair per point up to `MOST_READ` values of each variable; a region of a store is one chunk, which
    is read as a whole in any case.
    """
    rng = np.random.default_rng(0)
    names = list(dict.fromkeys(name for quantity in quantities for name in quantity.names))
    texts = [quantity.text for quantity in quantities]
    sizes = np.array([math.prod(_sizes(names, block).values()) for block in blocks])
    total = int(sizes.sum())
    if not total:
        raise W2SError(f"{' and '.join(texts)} have no values in this store: run the sweep further.")
    for name in names:
        if np.iscomplexobj(blocks[0].variables[name]):
            raise W2SError(f"{name} is complex: store its real and imaginary part as variables of their own.")
    # Shares are rounded so that they add up; in random order, since cells follow each other with a period.
    order = rng.permutation(len(blocks))
    ends = np.round(np.cumsum(sizes[order]) * min(1.0, points / total)).astype(int)
    shares = np.empty(len(blocks), int)
    shares[order] = np.diff(ends, prepend=0)
    parts = [
        _draw(quantities, names, block, share, rng)
        for block, share in zip(blocks, shares.tolist(), strict=True)
        if share
    ]
    # Shuffled, so that no value hides the others.
    shuffled = rng.permutation(sum(part[texts[0]].size for part in parts))
    columns = {text: np.concatenate([part[text] for part in parts])[shuffled] for text in texts}
    if not shuffled.size:
        raise W2SError(f"{' and '.join(texts)} are nowhere all finite: choose other variables.")
    return Points(columns, total, total <= points)


def _sizes(names: Sequence[str], block: xr.Dataset) -> dict[str, int]:
    """Return the lengths of all dimensions of the named arrays."""
    return {str(dim): block.sizes[dim] for name in names for dim in block.variables[name].dims}


def _draw(
    quantities: Sequence[Quantity],
    names: Sequence[str],
    block: xr.Dataset,
    share: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return so many finite points of one block, or fewer if there are not so many."""
    sizes = _sizes(names, block)
    chosen = block[list(dict.fromkeys(names))]
    if "pair" in sizes:
        per_pair = math.prod(sizes.values()) // sizes["pair"]
        # Twice what is needed, since not every value is finite; a pair per point where that is not much to read.
        chosen = _thinned(chosen, max(math.ceil(2 * share / per_pair), min(share, MOST_READ // per_pair)))
    arrays = xr.broadcast(*(quantity.of_points(chosen) for quantity in quantities))
    flat = [_plain(array.values.ravel()) for array in arrays]
    finite = np.all([np.isfinite(v) for v in flat if np.issubdtype(v.dtype, np.number)], axis=0)
    kept = np.flatnonzero(np.broadcast_to(finite, flat[0].shape))
    if kept.size > share:
        kept = np.sort(rng.choice(kept, share, replace=False))
    return {quantity.text: values[kept] for quantity, values in zip(quantities, flat, strict=True)}


def _thinned(block: xr.Dataset, pairs: int) -> xr.Dataset:
    """Return at most so many pairs of a block, spread evenly."""
    if pairs >= block.sizes["pair"]:
        return block
    middle = (np.arange(pairs) + 0.5) * block.sizes["pair"] / pairs
    return block.isel(pair=middle.astype(int))


def pairs_by_cell(
    quantities: Sequence[Quantity], axes: Sequence[str], blocks: Sequence[xr.Dataset], most: int = 2**26
) -> tuple[dict[tuple[Any, ...], dict[str, np.ndarray]], float]:
    """Gather the values of every pair, see `Quantity.of_pairs`, by the values of some axes; other axes are pooled.

    Args:
        quantities: variables of the sweep.
        axes: names of axes.
        blocks: Datasets of one sweep with disjoint pairs or cells.
        most: values of each variable to read; of more, an even share of the pairs of every block is used.

    Returns:
        By the values of the axes, by text: one value per pair, NaN where it is none. And the share of pairs used.
    """
    found: dict[tuple[Any, ...], dict[str, list[np.ndarray]]] = {}
    names = list(dict.fromkeys(name for quantity in quantities for name in quantity.names))
    share = min(1.0, most / sum(math.prod(_sizes(names, block).values()) for block in blocks))
    for block in blocks:
        chosen = _thinned(block, math.ceil(share * block.sizes["pair"]))
        values = xr.Dataset({quantity.text: quantity.of_pairs(chosen) for quantity in quantities})
        dims = [str(dim) for dim in values.dims if dim != "pair"]
        values = values.transpose("pair", *dims)
        for index in itertools.product(*(range(values.sizes[dim]) for dim in dims)):
            at = dict(zip(dims, index, strict=True))
            where: Any = (slice(None), *index)
            key = tuple(
                values[name].values[at[name]] if name in at else chosen[name].values[()] for name in axes
            )
            cell = found.setdefault(tuple(_item(value) for value in key), {q.text: [] for q in quantities})
            for quantity in quantities:
                cell[quantity.text].append(values[quantity.text].values[where])
    return {
        at: {text: np.concatenate(parts) for text, parts in cell.items()} for at, cell in found.items()
    }, share


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _plain(values: np.ndarray) -> np.ndarray:
    """Return text that was stored as objects as an array of text."""
    return values.astype(object).astype(str) if values.dtype.kind in "OT" else values


def free_axes(blocks: Sequence[xr.Dataset], named: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the axes, beside pair and task, that have several values and are not named: what a plot would pool."""
    axes = [str(dim) for dim in blocks[0].coords if dim not in ("pair", "task", *named)]
    found = {
        axis: np.unique(np.concatenate([_plain(np.ravel(block[axis].values)) for block in blocks]))
        for axis in axes
    }
    return {axis: values for axis, values in found.items() if values.size > 1}


def selected(blocks: Sequence[xr.Dataset], selection: Mapping[str, Any]) -> list[xr.Dataset]:
    """Return the cells of the blocks that have given values on axes, which become scalar coordinates.

    Raises:
        W2SError: for an axis or a value that the sweep does not have, naming those that it has.
    """
    for axis, value in selection.items():
        if axis not in blocks[0].coords:
            known = [str(name) for name in blocks[0].coords]
            raise W2SError(
                f"--sel {axis}={shown(value)}: {axis} is no axis: did you mean {nearest(axis, known)}?"
            )
        if np.ndim(value):
            raise W2SError(f"--sel {axis}={shown(value)} is not a single value: pass one.")
        chosen: list[xr.Dataset] = []
        values: list[Any] = []
        for block in blocks:
            here = np.ravel(block[axis].values)
            values += [_item(each) for each in here if _item(each) not in values]
            places = [i for i, each in enumerate(here) if _same(_item(each), value)]
            if places:
                chosen.append(block.isel({axis: places[0]}) if axis in block.dims else block)
        if not chosen:
            raise W2SError(f"--sel {axis}={shown(value)} is no value of {axis}, which has {shown(values)}.")
        blocks = chosen
    return list(blocks)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return str(a) == str(b)
    return bool(np.isclose(a, b, rtol=1e-9, atol=0))


def check_quantities(
    dataset: xr.Dataset,
    *,
    x: Quantity,
    y: Sequence[Quantity],
    color: str | None = None,
    facet: str | None = None,
) -> None:
    """Refuse names that a Dataset does not have.

    Raises:
        W2SError: naming the option, the value and the nearest valid name.
    """
    variables, axes = [str(v) for v in dataset.data_vars], [str(c) for c in dataset.coords]
    if not variables:
        raise W2SError("the store has no variables: pass one written by w2sjax sweep.")
    named: Iterator[tuple[str, str | None, list[str], str]] = itertools.chain(
        (("--x", name, variables + axes, "variable or axis") for name in x.names),
        (("--y", name, variables + axes, "variable or axis") for each in y for name in each.names),
        (("--color", color, axes, "axis"), ("--facet", facet, axes, "axis")),
    )
    for option, name, known, kind in named:
        if name is None or name in known:
            continue
        if not known:
            raise W2SError(f"{option} {name} is no {kind} of this store, which has none: leave it out.")
        raise W2SError(
            f"{option} {name} is no {kind} of this store: did you mean {nearest(name, known)}? "
            f"It has {', '.join(known)}."
        )
