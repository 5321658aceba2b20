"""The layout of a store on disk: which file holds what, and what a store says about itself.

A store is a Zarr group with an array per variable, `[pair, *axes, ...]`. A region is one chunk file per variable: a run
of pairs, one value of every outer axis, and a block of values of every inner one. No two regions share a file. When the
files of a region are on disk, a small file under `regions/`, named by the run and the positions on the axes, marks what
is done in it.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import zarr
from zarr.storage import LocalStore

from w2sjax.errors import StoreError
from w2sjax.sweeps.labels import Variable

LAYOUT = 2
"""Version of the layout; a store of another layout is refused."""

MARKS = "regions"
"""Folder of the marks of regions."""

SUMMARY = "summary.json"
"""File of the quantiles of a finished store."""

TRAINED = "trained"
"""Folder of the networks that the worlds of a sweep trained."""

GROWING = "growing"
"""File that is there while a store is extended."""

Index = tuple[int, ...]
"""Of a region: the run of pairs, and the block along every axis."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a store says about itself.

    Attributes:
        path: the store.
        configuration: see `w2sjax.sweeps.provenance.configuration`; axes hold what stands for their values, in the
            order in which the store has them.
        attributes: versions, device, git revision.
        chunk_pairs: pairs per region.
        blocks: values per region along every axis.
        outer: names of the outer axes.
        variables: by name.
    """

    path: Path
    configuration: dict[str, Any]
    attributes: dict[str, Any]
    chunk_pairs: int
    blocks: dict[str, int]
    outer: tuple[str, ...]
    variables: dict[str, Variable]

    @property
    def axes(self) -> dict[str, list[Any]]:
        """What stands for the values of every axis, in their order."""
        axes: dict[str, list[Any]] = self.configuration["axes"]
        return axes

    @property
    def pairs(self) -> range:
        """The pairs that the store is for."""
        first, count = int(self.configuration["first_pair"]), int(self.configuration["pairs"])
        return range(first, first + count)

    @property
    def runs(self) -> int:
        """Runs of pairs."""
        return math.ceil(len(self.pairs) / self.chunk_pairs)

    @property
    def cells(self) -> int:
        """Number of settings of all axes."""
        return math.prod(map(len, self.axes.values()))

    def regions(self) -> Iterator[Index]:
        """Yield the indices of all regions."""
        counts = [math.ceil(len(values) / self.blocks[name]) for name, values in self.axes.items()]
        return itertools.product(range(self.runs), *map(range, counts))

    def slices(self, index: Index) -> tuple[slice, ...]:
        """Return where a region is in arrays `[pair, *axes, ...]`."""
        lengths = [len(self.pairs), *map(len, self.axes.values())]
        sizes = [self.chunk_pairs, *(self.blocks[name] for name in self.axes)]
        parts = zip(index, sizes, lengths, strict=True)
        return tuple(slice(i * size, min((i + 1) * size, length)) for i, size, length in parts)

    def chunk_file(self, variable: str, index: Index) -> Path:
        """Return the file that holds one region of one variable."""
        indices = [*index, *(0 for _ in self.variables[variable].own)]
        return self.path / variable / ".".join(["c", *map(str, indices)])

    def mark(self, index: Index) -> Path:
        """Return the file that marks what is done in a region."""
        return self.path / MARKS / (".".join(map(str, index)) + ".json")


def about(layout: Layout) -> str:
    """Return what `layout_of` reads from the attributes of a store."""
    variables = {name: dataclasses.asdict(variable) for name, variable in layout.variables.items()}
    return json.dumps(
        {
            "layout": LAYOUT,
            "chunk_pairs": layout.chunk_pairs,
            "blocks": layout.blocks,
            "outer": list(layout.outer),
            "variables": variables,
        }
    )


def layout_of(path: Path) -> Layout:
    """Read what a store says about itself.

    Raises:
        StoreError: if it is not a store of a sweep, its metadata are damaged, or it was being extended when that was
            stopped.
    """
    if (path / GROWING).exists():
        raise StoreError(f"{path} was being extended when that was stopped: run its sweep again.")
    layout = layout_while_growing(path)
    for name in layout.variables:
        if not (path / name / "zarr.json").is_file():
            raise StoreError(
                f"{path / name / 'zarr.json'} is missing: restore it, or remove {path} and run the sweep again."
            )
    return layout


def layout_while_growing(path: Path) -> Layout:
    """Read what a store says about itself, or said before it was being extended."""
    file = path / "zarr.json"
    try:
        attributes = json.loads(file.read_text())["attributes"]
        if "w2sjax_store" not in attributes:
            raise StoreError(f"{path} was not written by a sweep with a store: choose another path.")
        stored = json.loads(attributes["w2sjax_store"])
        if stored["layout"] != LAYOUT:
            raise StoreError(
                f"{path} is a store of another version of w2sjax (layout={stored['layout']}, not {LAYOUT}): read it "
                f"by xarray.open_zarr({str(path)!r}), and choose another path for new results."
            )
        layout = Layout(
            path=path,
            configuration=json.loads(attributes["configuration"]),
            attributes=attributes,
            chunk_pairs=int(stored["chunk_pairs"]),
            blocks={name: int(block) for name, block in stored["blocks"].items()},
            outer=tuple(stored["outer"]),
            variables={name: _variable(fields) for name, fields in stored["variables"].items()},
        )
        tables = (layout.configuration[name] for name in ("world", "protocol", "axes"))
        if not all(isinstance(table, dict) for table in tables):
            raise TypeError("world, protocol or axes")
        lengths = [len(layout.pairs), layout.chunk_pairs, *layout.blocks.values()]
        if min(lengths) < 1 or list(layout.blocks) != list(layout.axes):
            raise KeyError("pairs or axes")
        return layout
    except StoreError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"{path} is not a Zarr v3 store: choose another path.") from error
    except OSError as error:
        raise StoreError(f"{file} cannot be read ({error.strerror}): make it readable.") from error
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise StoreError(
            f"{file} is damaged: restore it, or remove {path} and run the sweep again."
        ) from error


def _variable(fields: dict[str, Any]) -> Variable:
    return Variable(
        own=tuple(map(str, fields["own"])),
        shape=tuple(map(int, fields["shape"])),
        dtype=str(fields["dtype"]),
        attributes=dict(fields["attributes"]),
    )


def local_store(path: Path) -> LocalStore:
    """Return a folder as a store of zarr, which would take its path for a URL where that has a "#" or "::"."""
    return LocalStore(path)


def open_variable(layout: Layout, name: str, mode: Literal["r", "r+"]) -> zarr.Array[Any]:
    """Open one variable of a store; chunks of nothing but fill values are written too: their absence means damage.

    Raises:
        StoreError: if its metadata are damaged.
    """
    path = layout.path / name
    try:
        return zarr.open_array(
            local_store(path), mode=mode, zarr_format=3, config={"write_empty_chunks": True}
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"{path / 'zarr.json'} is damaged: restore it, or remove {layout.path} and run the sweep again."
        ) from error


ABSENT = "nothing"


def first_difference(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return (path, stored value, expected value) of the first field that differs, or None.

    The path is nested, such as "world.weak_noise". Tables whose entries are equal but stand in another order differ
    too, because the order of axes is the order of dimensions.

    Args:
        stored, expected: JSON values.
    """
    for name in (*stored, *(n for n in expected if n not in stored)):
        old, new = stored.get(name, ABSENT), expected.get(name, ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            inner = first_difference(old, new)
            if inner is not None:
                return f"{name}.{inner[0]}", *inner[1:]
            if name == "axes" and list(old) != list(new):
                return f"{name} (order)", ", ".join(old), ", ".join(new)
        elif old != new or isinstance(old, bool) != isinstance(new, bool):
            return name, _shown(old), _shown(new)
    return None


def _shown(value: Any) -> str:
    if value is ABSENT:
        return ABSENT
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
