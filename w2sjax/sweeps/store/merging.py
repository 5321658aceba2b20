"""Stores of one sweep over different pairs, as one store."""

import dataclasses
import os
import shutil
from collections.abc import Sequence

import numpy as np
import xarray as xr

from w2sjax.errors import StoreError, W2SError, reason
from w2sjax.paths import user_path
from w2sjax.sweeps.store.creation import continued, create
from w2sjax.sweeps.store.layout import TRAINED, Layout, first_difference, layout_of, open_variable
from w2sjax.sweeps.store.marks import done_pairs, read_marks
from w2sjax.sweeps.store.reading import VERSIONS, open_dataset, reading
from w2sjax.sweeps.store.summary import write_summary
from w2sjax.sweeps.store.writing import Writer
from w2sjax.validation import shown


def merge_stores(stores: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> xr.Dataset:
    """Write finished stores of one sweep over different pairs into one store.

    The result is the store that one sweep over all those pairs would have written. It can be extended like any other.

    Args:
        stores: folders of the same sweep but for `first_pair` and `pairs`; their pairs must follow each other without a
            gap.
        out: a folder that does not exist, or is empty.

    Returns:
        The Dataset of `sweep`, its values read when they are used.

    Raises:
        StoreError: for stores that do not go together, are not finished or damaged, and for an `out` that is there.

    Cost: reads and writes everything once; memory is one region.
    """
    if isinstance(stores, str | os.PathLike) or not isinstance(stores, Sequence) or not stores:
        raise W2SError(f"stores={shown(stores)} is not a list of stores: pass their paths.")
    layouts = sorted(
        (layout_of(user_path("stores", path)) for path in stores), key=lambda own: own.pairs.start
    )
    for layout in layouts:
        _check_whole(layout)
    for before, after in zip(layouts, layouts[1:], strict=False):
        _check_follows(before, after)
    path = user_path("out", out)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise StoreError(f"out={path} is there already: choose another path.")
    pairs = range(layouts[0].pairs.start, layouts[-1].pairs.stop)
    configuration = layouts[0].configuration | {"first_pair": pairs.start, "pairs": len(pairs)}
    about = continued(
        layouts[0].attributes, f"merged {len(layouts)} stores of pairs {pairs.start} to {pairs.stop - 1}"
    )
    create(dataclasses.replace(layouts[0], path=path, configuration=configuration, attributes=about))
    merged = layout_of(path)
    _copy(layouts, merged)
    for layout in layouts:
        _copy_networks(layout, merged)
    write_summary(merged)
    return open_dataset(merged)


def _check_whole(layout: Layout) -> None:
    left = layout.cells * len(layout.pairs) - done_pairs(layout, read_marks(layout))
    if left:
        raise StoreError(
            f"{layout.path} is not finished, {left} pairs are missing: run its sweep again first."
        )


def _check_follows(before: Layout, after: Layout) -> None:
    """Refuse a store that is of another sweep than the one before it, or not of the pairs after it."""
    parts = []
    for layout in (before, after):
        whole = layout.configuration | {name: layout.attributes.get(name) for name in VERSIONS}
        parts.append({name: value for name, value in whole.items() if name not in ("pairs", "first_pair")})
    difference = first_difference(*parts)
    if difference is not None:
        name, old, new = difference
        raise StoreError(
            f"{before.path} holds {name}={old} but {after.path} has {name}={new}: merge stores of one sweep."
        )
    if before.pairs.stop != after.pairs.start:
        raise StoreError(
            f"{before.path} ends with pair {before.pairs.stop - 1} but {after.path} begins with pair "
            f"{after.pairs.start}: merge stores whose pairs follow each other."
        )


def _copy(sources: Sequence[Layout], merged: Layout) -> None:
    """Copy the values of all regions."""
    writer = Writer(merged, {})
    for index in merged.regions():
        where = merged.slices(index)
        wanted = range(merged.pairs.start + where[0].start, merged.pairs.start + where[0].stop)
        arrays: dict[str, list[np.ndarray]] = {}
        for layout in sources:
            first, stop = max(wanted.start, layout.pairs.start), min(wanted.stop, layout.pairs.stop)
            if first >= stop:
                continue
            own = slice(first - layout.pairs.start, stop - layout.pairs.start)
            for name in merged.variables:
                with reading(layout):
                    values = np.asarray(open_variable(layout, name, mode="r")[(own, *where[1:])])
                arrays.setdefault(name, []).append(values)
        writer.write(where, {name: np.concatenate(parts) for name, parts in arrays.items()})


def _copy_networks(layout: Layout, merged: Layout) -> None:
    """Copy trained networks, which another sweep may take from there."""
    folder = layout.path / TRAINED
    if not folder.is_dir():
        return
    try:
        shutil.copytree(folder, merged.path / TRAINED, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise StoreError(f"{folder} cannot be copied ({why}): choose another out.") from error
