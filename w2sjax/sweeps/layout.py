"""The layout of a store on disk: which file holds what, and what a store says about itself.

Every region (a run of pairs of one outer cell) is one chunk file per variable, so that no two regions share a file.
When all files of a region are on disk, a small file under `regions/` marks the region as done and records their sizes.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.storage import LocalStore

from w2sjax.errors import StoreError
from w2sjax.sweeps import labels
from w2sjax.sweeps.grid import Grid

LAYOUT = 1
"""Version of the layout; a store of another layout is refused."""

MARKS = "regions"
"""Folder of the marks of finished regions."""

SUMMARY = "summary.json"
"""File of the quantiles of a finished store."""

TRAINED = "trained"
"""Folder of the networks that the worlds of a sweep trained."""


@dataclasses.dataclass(frozen=True)
class Description:
    """What a store says about itself.

    Attributes:
        path: the store.
        configuration: see `labels.configuration`.
        attributes: versions, device, git revision.
        chunk_pairs: pairs per region.
        outer: length of every outer axis, in the order of the cells.
        variables: names of the variables that every region holds.
    """

    path: Path
    configuration: dict[str, Any]
    attributes: dict[str, Any]
    chunk_pairs: int
    outer: dict[str, int]
    variables: tuple[str, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes in their order."""
        return tuple(self.configuration["axes"])

    @property
    def runs(self) -> int:
        """Regions per cell."""
        return -(-int(self.configuration["pairs"]) // self.chunk_pairs)

    @property
    def cells(self) -> int:
        """Number of outer cells."""
        return int(np.prod(list(self.outer.values()), dtype=int))

    def position(self, cell: int) -> dict[str, int]:
        """Return the index along each outer axis of a cell."""
        indices = np.unravel_index(cell, tuple(self.outer.values())) if self.outer else ()
        return {name: int(i) for name, i in zip(self.outer, indices, strict=True)}

    def pairs(self, run: int) -> range:
        """Return the pairs of a run."""
        start = run * self.chunk_pairs
        return range(start, min(start + self.chunk_pairs, int(self.configuration["pairs"])))

    def chunk_file(self, variable: str, cell: int, run: int) -> Path:
        """Return the file that holds one region of one variable."""
        position = self.position(cell)
        indices = [run, *(position.get(name, 0) for name in self.axes)]
        indices += [0] * len(labels.own_dimensions(variable))
        return self.path / variable / ".".join(["c", *map(str, indices)])

    def mark(self, cell: int, run: int) -> Path:
        """Return the file that marks a region as done."""
        return self.path / MARKS / f"{cell}.{run}.json"


def describe(path: Path) -> Description:
    """Read what a store says about itself.

    Raises:
        StoreError: if it is not a store of a sweep, or its metadata are damaged.
    """
    file = path / "zarr.json"
    try:
        attributes = json.loads(file.read_text())["attributes"]
        if "w2sjax_store" not in attributes:
            raise StoreError(f"{path} was not written by a sweep with a store: choose another path.")
        about = json.loads(attributes["w2sjax_store"])
        if about["layout"] != LAYOUT:
            raise StoreError(
                f"{path} has layout={about['layout']}, this version writes layout={LAYOUT}: "
                "choose another path."
            )
        description = Description(
            path=path,
            configuration=json.loads(attributes["configuration"]),
            attributes=attributes,
            chunk_pairs=int(about["chunk_pairs"]),
            outer={name: int(length) for name, length in about["outer"].items()},
            variables=tuple(about["variables"]),
        )
        tables = (description.configuration[name] for name in ("world", "protocol", "axes"))
        if not all(isinstance(table, dict) for table in tables):
            raise TypeError("world, protocol or axes")
        if description.runs < 1 or not set(description.outer) <= set(description.axes):
            raise KeyError("pairs or axes")
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
    for name in description.variables:
        if not (path / name / "zarr.json").is_file():
            raise StoreError(
                f"{path / name / 'zarr.json'} is missing: restore it, or remove {path} and run the sweep again."
            )
    return description


def result_template(description: Description, grid: Grid) -> dict[str, np.ndarray]:
    """Return zeros with the shape and dtype of one pair's results in one cell, by variable.

    Raises:
        StoreError: if the metadata of a variable are damaged.
    """
    template = {}
    for name in description.variables:
        array = open_variable(description, name, mode="r")
        inner = [len(grid.axes[axis]) for axis in grid.axes if axis in grid.inner]
        template[name] = np.zeros((1, *inner, *array.shape[1 + len(grid.axes) :]), array.dtype)
    return template


def local_store(path: Path) -> LocalStore:
    """Return a folder as a store of zarr, which would take its path for a URL where that has a "#" or "::"."""
    return LocalStore(path)


def open_variable(description: Description, name: str, mode: Literal["r", "r+"]) -> zarr.Array[Any]:
    """Open one variable of a store; chunks of nothing but fill values are written too: their absence means damage.

    Raises:
        StoreError: if its metadata are damaged.
    """
    path = description.path / name
    try:
        return zarr.open_array(
            local_store(path), mode=mode, zarr_format=3, config={"write_empty_chunks": True}
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"{path / 'zarr.json'} is damaged: restore it, or remove {description.path} and run the sweep again."
        ) from error
