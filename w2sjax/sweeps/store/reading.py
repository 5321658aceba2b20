"""Reading a store: whether it holds a sweep, its Dataset, and what is damaged in it.

A store survives a kill at any instant: a file appears under its name only when it is complete, and whatever has no
valid mark is computed again. `layout` says where things are, `creation` makes and extends stores, `writing` fills them.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from w2sjax.errors import StoreError, W2SError
from w2sjax.paths import user_path
from w2sjax.sweeps.grid import Grid
from w2sjax.sweeps.provenance import attributes, provenance
from w2sjax.sweeps.store.layout import Layout, first_difference, layout_of, local_store, open_variable
from w2sjax.sweeps.store.marks import done_pairs, read_marks

VERSIONS = ("w2sjax_version", "jax_version", "jaxlib_version")
"""Versions that must agree for a store to be continued."""


def open_store(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a store of a sweep, finished or not.

    Args:
        path: a folder that `sweep` wrote, or is writing.

    Returns:
        The Dataset of `sweep`, its values read when they are used. What is not done yet is NaN (0 for the integers of
        the status); the attribute `finished` is the share of all pairs, over all settings of the axes, that is done.

    Raises:
        StoreError: for what is no such store, or a damaged one.
    """
    layout = layout_of(user_path("path", path))
    share = done_pairs(layout, read_marks(layout)) / (layout.cells * len(layout.pairs))
    return open_dataset(layout).assign_attrs(finished=share)


def check_same(layout: Layout, grid: Grid, seed: int, pairs: range) -> bool:
    """Refuse a store that holds another sweep, naming the first field that differs.

    Returns:
        Whether the sweep has more: pairs after those of the store, or values on an axis.

    Raises:
        StoreError: if configuration, seed, dtype or version differ, or the sweep lacks what the store has.
    """
    mine = attributes(grid, seed, pairs)
    expected = json.loads(mine["configuration"]) | {name: mine[name] for name in VERSIONS}
    stored = layout.configuration | {name: layout.attributes.get(name) for name in VERSIONS}
    grown = len(pairs) > len(layout.pairs)
    if grown:
        stored["pairs"] = expected["pairs"]
    axes: dict[str, list[Any]] = {}
    for name, values in layout.axes.items():
        new = [value for value in expected["axes"].get(name, []) if value not in values]
        wanted = expected["axes"].get(name, [])
        lacks = [value for value in values if value not in wanted]
        if name in expected["axes"] and wanted and lacks and len(lacks) < len(values):
            raise StoreError(
                f"store {layout.path} holds {name}={lacks[0]!r} among others, which this sweep lacks: keep it on the "
                "axis, or write to another path."
            )
        grown |= bool(new) and not lacks
        axes[name] = values if lacks else wanted
    difference = first_difference(stored | {"axes": axes}, expected)
    if difference is None:
        return grown
    name, old, new_value = difference
    if name.startswith("code."):
        raise StoreError(
            f"store {layout.path} was written with another version of {name.removeprefix('code.')}, or of "
            "what its code refers to: go back to that version, or write to another path."
        )
    raise StoreError(
        f"store {layout.path} holds {name}={old} but this sweep has {name}={new_value}: "
        f"go back to {name}={old}, or write to another path."
    )


def warn_of_mixture(layout: Layout) -> None:
    """Warn if the rest of a store will come from another revision or another kind of device than its beginning."""
    mine = provenance()
    for name in ("git_revision", "platform"):
        if layout.attributes.get(name) != mine[name]:
            warnings.warn(
                f"{layout.path} was begun with {name} {layout.attributes.get(name)} and goes on with {mine[name]}.",
                stacklevel=4,
            )


def open_dataset(layout: Layout, labels: dict[str, list[Any]] | None = None) -> xr.Dataset:
    """Open a store as a labelled Dataset whose values are read when they are used.

    Args:
        layout: of the store.
        labels: what stands for the values of every axis, in the order that is wanted; None is that of the store.

    Raises:
        StoreError: if its metadata are damaged.
    """
    try:
        dataset = xr.open_zarr(local_store(layout.path), chunks=None, consolidated=True)
        dataset = dataset[list(layout.variables)]
    except (ValueError, KeyError, TypeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StoreError(
            f"{layout.path} cannot be opened ({reason}): remove it and run the sweep again."
        ) from error
    order = {
        name: [layout.axes[name].index(value) for value in wanted] for name, wanted in (labels or {}).items()
    }
    moved = {name: places for name, places in order.items() if places != sorted(places)}
    return dataset.isel(moved) if moved else dataset


@contextlib.contextmanager
def reading(layout: Layout) -> Iterator[None]:
    """Turn a checksum that does not fit into one sentence, and take the marks of the damaged regions away.

    Raises:
        StoreError: if a chunk read inside is damaged.
    """
    try:
        yield
    except W2SError:  # refused for what it was asked, not for what it read
        raise
    except (ValueError, RuntimeError, OSError) as error:
        damaged = discard_damaged(layout)
        if not damaged:
            raise
        raise StoreError(
            f"{damaged[0]} is damaged: run the sweep again to compute its region anew."
        ) from error


def discard_damaged(layout: Layout) -> list[Path]:
    """Return the chunk files of marked regions that do not decode, and take the marks of their regions away.

    Cost: reads the whole store.
    """
    damaged = []
    marks = read_marks(layout)
    for name in layout.variables:
        array = open_variable(layout, name, mode="r")
        for index, mark in marks.items():
            if name not in mark.sizes:
                continue
            try:
                array[layout.slices(index)]
            except (ValueError, RuntimeError, OSError):
                file = layout.chunk_file(name, index)
                damaged.append(file)
                with contextlib.suppress(OSError):
                    layout.mark(index).unlink()
                    file.unlink()  # a part of the region that is computed anew would be written into it
    return damaged
