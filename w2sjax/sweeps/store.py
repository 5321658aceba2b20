"""Reading a store: whether it holds this sweep, what is finished in it, and its Dataset.

A store survives a kill at any instant: a file appears under its name only when it is complete, and whatever has no
valid mark is computed again. `layout` says where things are, `creation` makes a store and `writer` fills it.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from w2sjax.errors import StoreError
from w2sjax.sweeps import labels
from w2sjax.sweeps.compare import first_difference
from w2sjax.sweeps.grid import Grid
from w2sjax.sweeps.layout import MARKS, Description, local_store, open_variable

VERSIONS = ("w2sjax_version", "jax_version", "jaxlib_version")
"""Versions that must agree for a store to be continued."""


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
        if name.startswith("code."):
            raise StoreError(
                f"store {description.path} was written with another version of {name.removeprefix('code.')}, or of "
                "what its code refers to: go back to that version, or write to another path."
            )
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


def open_dataset(description: Description) -> xr.Dataset:
    """Open a store as a labelled Dataset whose values are read when they are used.

    Raises:
        StoreError: if its metadata are damaged.
    """
    try:
        dataset = xr.open_zarr(local_store(description.path), chunks=None, consolidated=True)
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
