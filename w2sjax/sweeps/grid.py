"""The grid of a sweep: which axes share their draws in one pass, and which need a run of their own."""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from w2sjax.engine.axes import RESERVED, Path, check_distinct, find, label_of, of_one_kind, put, values_of
from w2sjax.engine.design import Design, Numbers, design_of, is_naive, numbers_of, table_of
from w2sjax.engine.metrics import Metric, check_metrics
from w2sjax.engine.protocol import SIZES, Protocol, check_protocol
from w2sjax.errors import W2SError
from w2sjax.validation import check_boolean, shown
from w2sjax.worlds.static import check_world

Box = tuple[range, ...]
"""A part of a grid that a run can cover: positions along every axis."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting of the outer axes, with many settings of the inner axes at once.

    Attributes:
        position: index along each outer axis, by name.
        box: of the inner axes.
        world, protocol: with the outer values put in.
        design, numbers: the inner grid in the engine's form.
        own_draws: the setting of the axes as text, where a cell has draws of its own; None where all share theirs.
    """

    position: dict[str, int]
    box: Box
    world: Any
    protocol: Protocol
    design: Design
    numbers: Numbers
    own_draws: str | None


@dataclasses.dataclass(frozen=True)
class Grid:
    """Validated axes of a sweep, in the caller's order, by the names that the caller gave them.

    Attributes:
        world, protocol: where no axis replaces their fields.
        axes, paths: values and fields of the axes.
        paired: whether all cells share their draws.
        metrics: a user's own.
    """

    world: Any
    protocol: Protocol
    axes: dict[str, tuple[Any, ...]]
    paths: dict[str, Path]
    paired: bool = True
    metrics: tuple[Metric, ...] = ()

    @property
    def inner(self) -> tuple[str, ...]:
        """Names of the axes that one run covers: sample sizes in canonical order, then numbers of heads."""
        if not self.paired:
            return ()
        sizes = [name for size in SIZES for name in self.axes if self.paths[name] == ("protocol", size)]
        return (*sizes, *self._of_heads)

    @property
    def outer(self) -> tuple[str, ...]:
        """Names of the axes with a run per value, in the caller's order."""
        return tuple(name for name in self.axes if name not in self.inner)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis, in the caller's order."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def labels(self) -> dict[str, list[Any]]:
        """What stands for the values of every axis."""
        return {name: [label_of(value) for value in values] for name, values in self.axes.items()}

    @property
    def _of_heads(self) -> tuple[str, ...]:
        """Names of the axes of which many values share a factorization, in the caller's order."""
        if any(self.paths[name][1:] in (("head",), ("weak_head",)) for name in self.axes):
            return ()
        chain = self.protocol.chain()
        if not all(stage.head.needs == "moments" and is_naive(stage) for stage in chain):
            return ()
        return tuple(name for name in self.axes if self._is_cheap(self.paths[name]))

    def _is_cheap(self, path: Path) -> bool:
        if path[0] != "protocol" or len(path) < 3:
            return False
        owner: Any = getattr(self.protocol, path[1], None)
        if len(path) == 4:
            owner = next(getattr(s, path[2]) for s in self.protocol.stages or () if s.name == path[1])
        return path[-1] in getattr(owner, "cheap", ())

    @property
    def whole(self) -> Box:
        """All of the inner grid."""
        return tuple(range(len(self.axes[name])) for name in self.inner)

    def positions(self) -> Iterator[dict[str, int]]:
        """Yield the index along each outer axis, by name, of every outer cell."""
        for indices in itertools.product(*(range(len(self.axes[name])) for name in self.outer)):
            yield dict(zip(self.outer, indices, strict=True))

    def cell(self, position: dict[str, int], box: Box | None = None) -> Cell:
        """Return an outer cell; it is run on its own, and those of equal static shape share a compilation.

        Args:
            position: index along each outer axis, by name.
            box: the part of the inner grid; None is all of it.
        """
        box = self.whole if box is None else box
        chosen = {name: (self.axes[name][i],) for name, i in position.items()}
        chosen |= {
            name: tuple(self.axes[name][i] for i in part) for name, part in zip(self.inner, box, strict=True)
        }
        sizes: dict[str, Any] = {
            size: next(
                (values for name, values in chosen.items() if self.paths[name] == ("protocol", size)),
                (getattr(self.protocol, size),),
            )
            for size in SIZES
        }
        # The extremes of the sizes, so that what contradicts one of them is refused.
        extremes = {
            ("protocol", size): min(values) if size == "n_weak" else max(values)
            for size, values in sizes.items()
        }
        outer = {self.paths[name]: chosen[name][0] for name in position}
        world, protocol = put(self.world, self.protocol, outer | extremes)
        of_heads = [name for name in self.inner if self.paths[name][1] not in SIZES]
        chains = [
            put(world, protocol, {self.paths[n]: v for n, v in zip(of_heads, values, strict=True)})[1].chain()
            for values in itertools.product(*(chosen[name] for name in of_heads))
        ]
        noisy = any(
            float(value) > 0
            for name, path in self.paths.items()
            if path == ("protocol", "label_noise")
            for value in self.axes[name]
        )
        design = design_of(protocol, chains, self.metrics)
        return Cell(
            position=position,
            box=box,
            world=world,
            protocol=protocol,
            design=dataclasses.replace(design, **sizes, noisy=design.noisy or noisy),
            numbers=numbers_of(protocol, chains),
            own_draws=None if self.paired else _as_text(outer),
        )

    def arrange(self, values: np.ndarray, box: Box) -> np.ndarray:
        """Turn engine output `[pair, n_weak, n_strong, n_eval, combination, ...]` into `[pair, *inner axes, ...]`.

        The inner axes come in the caller's order; along each are the positions of the box.
        """
        count = dict(zip(self.inner, map(len, box), strict=True))
        sizes = [self._name_of(size) for size in SIZES]
        heads = [name for name in self.inner if name not in sizes]
        lengths = [count.get(name, 1) for name in sizes] + [count[name] for name in heads]
        assert values.shape[4] == math.prod(count[name] for name in heads)
        split = values.reshape(values.shape[:1] + tuple(lengths) + values.shape[5:])
        absent = tuple(1 + i for i, name in enumerate(sizes) if name not in self.inner)
        squeezed = split.squeeze(absent)
        order = [1 + self.inner.index(name) for name in self.axes if name in self.inner]
        rest = range(1 + len(self.inner), squeezed.ndim)
        return squeezed.transpose(0, *order, *rest)

    def _name_of(self, size: str) -> str:
        """Return the name of the axis of a sample size, or its own where it is no axis."""
        return next((name for name, path in self.paths.items() if path == ("protocol", size)), size)


def make_grid(
    world: Any,
    protocol: Protocol,
    axes: Mapping[str, Sequence[Any]] | None,
    *,
    paired: bool = True,
    metrics: Sequence[Metric] = (),
) -> Grid:
    """Validate axes against the fields of the world and the protocol.

    Raises:
        W2SError: for an unknown axis (the nearest field is named), an empty one, a repeated value, sizes that do not
            fit `reuse_inputs` or `evaluation_points`, or a value that the world, the protocol or a head refuses.
    """
    check_world(world)
    check_protocol(protocol)
    check_boolean("paired", paired)
    own = check_metrics(metrics)
    if axes is not None and not isinstance(axes, Mapping):
        raise W2SError(f"axes={shown(axes)} is not a mapping: pass {{field: values}}.")
    taken = (*RESERVED, *(metric.name for metric in table_of(protocol, own)))
    checked: dict[str, tuple[Any, ...]] = {}
    paths: dict[str, Path] = {}
    for name, given in (axes or {}).items():
        path = find(name, world, protocol)
        if name in taken:
            raise W2SError(f"axes[{name!r}] has the name of a result: call it {'.'.join(path)!r}.")
        if path in paths.values():
            raise W2SError(f"axes[{name!r}] varies a field that another axis varies: leave one out.")
        values = values_of(name, given)
        for value in values:
            if path[1] not in SIZES and path[1] != "reuse_inputs":
                put(world, protocol, {path: value})
            elif path[1] in SIZES:
                put(world, dataclasses.replace(protocol, reuse_inputs=False), {path: value})
        checked[name], paths[name] = of_one_kind(values), path
    check_distinct(checked, paths)
    return Grid(world, protocol, checked, paths, paired, own)


def _as_text(chosen: Mapping[Path, Any]) -> str:
    """Return one setting of the axes as text: the same for 0 and 0.0, and whatever the order of the axes."""
    plain = {}
    for path, value in chosen.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        plain[".".join(path)] = float(value) if number else label_of(value)
    return json.dumps(plain, sort_keys=True)


def boxes_of(wanted: np.ndarray) -> Iterator[Box]:
    """Yield disjoint boxes that together are what is wanted of a grid.

    Args:
        wanted: bool, of any number of dimensions. Where a smaller grid is cut out of a corner, there is one box per
            axis along which it is smaller.
    """
    if not wanted.any():
        return
    if wanted.ndim == 0:
        yield ()
        return
    places = np.nonzero(wanted)
    around = tuple(range(int(p.min()), int(p.max()) + 1) for p in places)
    inside = wanted[tuple(slice(p.start, p.stop) for p in around)]
    if inside.all():
        yield around
        return
    for axis in range(wanted.ndim):
        slices = np.moveaxis(inside, axis, 0)
        differs = [i for i in range(1, len(slices)) if not np.array_equal(slices[i], slices[0])]
        if differs:
            cut = around[axis].start + differs[0]
            before, after = wanted.copy(), wanted.copy()
            np.moveaxis(before, axis, 0)[cut:] = False
            np.moveaxis(after, axis, 0)[:cut] = False
            yield from boxes_of(before)
            yield from boxes_of(after)
            return
