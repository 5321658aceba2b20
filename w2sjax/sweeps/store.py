"""Results on disk: a Zarr v3 store written region by region, which survives a kill at any instant.

Every region (a run of pairs of one outer cell) is one chunk file per variable, so that no two regions share a file. A
file appears under its name only when it is complete. When all files of a region are on disk, a small file under
`regions/` marks the region as done and records their sizes. Whatever has no valid mark is computed again.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from w2sjax.sweeps import labels
from w2sjax.sweeps.compare import first_difference
from w2sjax.sweeps.errors import StoreError as StoreError
from w2sjax.sweeps.grid import Grid
from w2sjax.sweeps.plan import Plan, Region
from w2sjax.sweeps.stream import place

LAYOUT = 1
"""Version of the layout; a store of another layout is refused."""

MARKS = "regions"
VERSIONS = ("w2sjax_version", "jax_version", "jaxlib_version")
"""Versions that must agree for a store to be continued."""

WAIT_SECONDS = 600.0
"""How long a process waits for the first one to create the store."""


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


def create(path: Path, plan: Plan) -> None:
    """Create an empty store for a plan, complete or not at all.

    Raises:
        StoreError: if the path cannot be written, or the world has no description to recognize it by.
    """
    if " at 0x" in json.dumps(labels.configuration(plan.grid, plan.seed, plan.pairs)["world"]):
        raise StoreError(
            f"world={plan.grid.world!r} cannot be recognized when the sweep is resumed: "
            "make it a dataclass whose fields are numbers, text, arrays or dataclasses."
        )
    new = path.parent / f".{path.name}.creating.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        new.mkdir()
        _write_empty(new, plan)
        _sync_tree(new)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # fails, as it should, unless it is empty
        os.rename(new, path)
        _sync(path.parent)
    except OSError as error:
        if (path / "zarr.json").exists():
            return  # another process was faster
        raise StoreError(
            f"store {path} cannot be created ({error.strerror or error}): "
            "choose a folder that can be written and has space."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _write_empty(path: Path, plan: Plan) -> None:
    grid = plan.grid
    coords = xr.Dataset(
        coords=labels.coordinates(grid, range(plan.pairs)),
        attrs=labels.attributes(grid, plan.seed, plan.pairs)
        | {
            "w2sjax_store": json.dumps(
                {
                    "layout": LAYOUT,
                    "chunk_pairs": plan.chunk_pairs,
                    "outer": {name: len(grid.axes[name]) for name in grid.outer},
                    "variables": list(plan.template),
                }
            )
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # consolidated metadata and fixed-length strings are not yet in the spec
        coords.to_zarr(path, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(path, mode="r+", zarr_format=3)
        for name, values in plan.template.items():
            _create_variable(group, plan, name, values)
        zarr.consolidate_metadata(path, zarr_format=3)
        group.create_group(MARKS)


def _create_variable(group: zarr.Group, plan: Plan, name: str, values: np.ndarray) -> None:
    grid = plan.grid
    own = values.shape[1 + len(grid.inner) :]
    floating = np.issubdtype(values.dtype, np.floating)
    # Mantissas of independent draws do not compress; ranks and flags do.
    checksum = Crc32cCodec()
    group.create_array(
        name,
        shape=(plan.pairs, *grid.shape, *own),
        chunks=(
            plan.chunk_pairs,
            *(len(v) if axis in grid.inner else 1 for axis, v in grid.axes.items()),
            *own,
        ),
        dtype=values.dtype,
        fill_value=float("nan") if floating else 0,
        compressors=[checksum] if floating else [ZstdCodec(level=1), checksum],
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=labels.dimensions(grid, name),
        attributes={**labels.variable_attributes(name)},
    )


def _remove_abandoned(path: Path) -> None:
    """Remove what a killed process of this machine left of a creation."""
    prefix = f".{path.name}.creating.{socket.gethostname()}."
    for left in path.parent.glob(prefix + "*"):
        pid = left.name.removeprefix(prefix).split(".")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
        if description.runs < 1 or not set(description.outer) <= set(description.axes):
            raise KeyError("pairs or axes")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"{path} is not a Zarr v3 store: choose another path.") from error
    except OSError as error:
        raise StoreError(f"{file} cannot be read ({error.strerror}): make it readable.") from error
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(
            f"{file} is damaged: restore it, or remove {path} and run the sweep again."
        ) from error
    for name in description.variables:
        if not (path / name / "zarr.json").is_file():
            raise StoreError(
                f"{path / name / 'zarr.json'} is missing: restore it, or remove {path} and run the sweep again."
            )
    return description


def check_same(description: Description, grid: Grid, seed: int, pairs: int) -> None:
    """Refuse a store that holds another sweep, naming the first field that differs.

    Raises:
        StoreError: if configuration, seed, dtype or version differ.
    """
    mine = labels.attributes(grid, seed, pairs)
    expected = json.loads(mine["configuration"]) | {name: mine[name] for name in VERSIONS}
    stored = description.configuration | {name: description.attributes.get(name) for name in VERSIONS}
    difference = first_difference(stored, expected)
    if difference is not None:
        name, old, new = difference
        raise StoreError(
            f"store {description.path} holds {name}={old} but this sweep has {name}={new}: "
            f"go back to {name}={old}, or write to another path."
        )


def warn_of_mixture(description: Description) -> None:
    """Warn if the rest of a store will come from another revision or another kind of device than its beginning."""
    mine = labels.provenance()
    for name in ("git_revision", "platform"):
        if description.attributes.get(name) != mine[name]:
            warnings.warn(
                f"{description.path} was begun with {name} {description.attributes.get(name)} "
                f"and goes on with {mine[name]}.",
                stacklevel=4,
            )


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


def open_variable(description: Description, name: str, mode: Literal["r", "r+"]) -> zarr.Array[Any]:
    """Open one variable of a store.

    Raises:
        StoreError: if its metadata are damaged.
    """
    path = description.path / name
    try:
        return zarr.open_array(path, mode=mode, zarr_format=3)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"{path / 'zarr.json'} is damaged: restore it, or remove {description.path} and run the sweep again."
        ) from error


def wait_until_created(path: Path, seconds: float = WAIT_SECONDS) -> None:
    """Wait for another process to create the store.

    Raises:
        StoreError: if it does not appear in time.
    """
    deadline = time.monotonic() + seconds
    while not (path / "zarr.json").exists():
        if time.monotonic() > deadline:
            raise StoreError(
                f"store {path} was not created by the first process within {seconds:.0f} s: "
                "check that all processes see the same folder."
            )
        time.sleep(0.2)


def finished(description: Description) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the marks of the regions that are done, by (cell, run): those whose files are all there in full.

    Cost: one `stat` per file.
    """
    done = {}
    for cell, run in _marked(description):
        mark = _read_mark(description, cell, run)
        if mark is not None and all(
            _size(description.chunk_file(name, cell, run)) == mark["bytes"].get(name)
            for name in description.variables
        ):
            done[cell, run] = mark
    return done


def _marked(description: Description) -> Iterator[tuple[int, int]]:
    try:
        names = os.listdir(description.path / MARKS)
    except FileNotFoundError:
        return
    for name in sorted(names):
        parts = name.split(".")
        if len(parts) == 3 and parts[2] == "json" and parts[0].isdigit() and parts[1].isdigit():
            cell, run = int(parts[0]), int(parts[1])
            if cell < description.cells and run < description.runs:
                yield cell, run


def _read_mark(description: Description, cell: int, run: int) -> dict[str, Any] | None:
    try:
        mark = json.loads(description.mark(cell, run).read_text())
        return mark if isinstance(mark["bytes"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


class Writer:
    """Writes regions into a store.

    Args:
        description: of an existing store.
        plan: the sweep that it holds.

    Raises:
        StoreError: if the metadata of a variable cannot be read, or do not fit the plan.
    """

    def __init__(self, description: Description, plan: Plan) -> None:
        self._description, self._plan = description, plan
        origin = labels.provenance()
        self._origin = {name: origin[name] for name in ("device", "git_revision")}
        self._arrays: dict[str, zarr.Array[Any]] = {}
        # A chunk of nothing but fill values must be there too: its absence means damage.
        with zarr.config.set({"array.write_empty_chunks": True}):
            for name in description.variables:
                self._arrays[name] = open_variable(description, name, mode="r+")
        try:
            (description.path / MARKS).mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"store {description.path} cannot be written ({error.strerror}): make it writable."
            ) from error
        self.remove_abandoned()

    def write(self, region: Region, arrays: Mapping[str, np.ndarray], flagged: int) -> None:
        """Write a region and then mark it as done.

        Raises:
            StoreError: if a file cannot be written; regions done before stay as they are.
        """
        where = place(
            self._plan.grid.axes,
            self._plan.cells[region.cell].position,
            slice(region.pairs.start, region.pairs.stop),
        )
        mark = self._description.mark(region.cell, region.run)
        try:
            sizes = {}
            for name, values in arrays.items():
                file = self._description.chunk_file(name, region.cell, region.run)
                self._arrays[name][where] = values
                _sync(file)
                sizes[name] = file.stat().st_size
            for name in arrays:
                _sync(self._description.path / name)
            content = {"pairs": len(region.pairs), "flagged": flagged, "bytes": sizes, **self._origin}
            write_atomically(mark, json.dumps(content))
        except OSError as error:
            raise StoreError(
                f"store {self._description.path} could not be written ({error.strerror or error}): make space or "
                "make it writable, then run the same command again; what was finished is kept."
            ) from error

    def remove_abandoned(self, older_than: float = 600.0) -> None:
        """Remove half-written files that a killed process left; younger ones may be another process's."""
        before = time.time() - older_than
        for name in (*self._description.variables, MARKS):
            for left in (self._description.path / name).glob("*.partial"):
                with contextlib.suppress(OSError):
                    if left.stat().st_mtime < before:
                        left.unlink()


def write_atomically(file: Path, text: str) -> None:
    """Write a text file that is there in full or not at all, even after a power failure."""
    new = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")
    try:
        with new.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, file)
        _sync(file.parent)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def open_dataset(description: Description) -> xr.Dataset:
    """Open a store as a labelled Dataset whose values are read when they are used.

    Raises:
        StoreError: if its metadata are damaged.
    """
    try:
        dataset = xr.open_zarr(description.path, chunks=None, consolidated=True)
        return dataset[list(description.variables)]
    except (ValueError, KeyError, TypeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StoreError(
            f"{description.path} cannot be opened ({reason}): remove it and run the sweep again."
        ) from error


@contextlib.contextmanager
def reading(description: Description) -> Iterator[None]:
    """Turn a checksum that does not fit into one sentence, and take the marks of the damaged regions away.

    Raises:
        StoreError: if a chunk read inside is damaged.
    """
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        damaged = discard_damaged(description)
        if not damaged:
            raise
        raise StoreError(
            f"{damaged[0]} is damaged: run the same sweep again to compute its region anew."
        ) from error


def discard_damaged(description: Description) -> list[Path]:
    """Return the chunk files of finished regions that do not decode, and take the marks of their regions away.

    Cost: reads the whole store.
    """
    damaged = []
    for name in description.variables:
        array = open_variable(description, name, mode="r")
        for cell, run in finished(description):
            position, pairs = description.position(cell), description.pairs(run)
            where = (
                slice(pairs.start, pairs.stop),
                *(position.get(axis, slice(None)) for axis in description.axes),
            )
            try:
                array[where]
            except (ValueError, RuntimeError, OSError):
                damaged.append(description.chunk_file(name, cell, run))
                with contextlib.suppress(OSError):
                    description.mark(cell, run).unlink()
    return damaged


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(path: Path) -> None:
    for folder, _, files in os.walk(path):
        for name in files:
            _sync(Path(folder) / name)
        _sync(Path(folder))
