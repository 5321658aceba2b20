"""Writing items of work into a store: their chunk files first, the marks of what is done last."""

import contextlib
import functools
import itertools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from w2sjax.errors import StoreError, told
from w2sjax.files import PARTIAL, sync
from w2sjax.sweeps.plan import Item, Plan
from w2sjax.sweeps.provenance import provenance
from w2sjax.sweeps.store.layout import MARKS, Index, Layout, open_variable
from w2sjax.sweeps.store.marks import Mark, write_mark
from w2sjax.sweeps.store.reading import reading
from w2sjax.sweeps.stream import place


class Writer:
    """Writes items into a store.

    Args:
        layout: of an existing store.
        marks: of what is done in it; kept up to date.

    Raises:
        StoreError: if the metadata of a variable cannot be read, or the store cannot be written.
    """

    def __init__(self, layout: Layout, marks: dict[Index, Mark]) -> None:
        self._layout, self._marks = layout, marks
        origin = provenance()
        self._origin = {name: origin[name] for name in ("device", "git_revision")}
        self._arrays: dict[str, zarr.Array[Any]] = {
            name: open_variable(layout, name, mode="r+") for name in layout.variables
        }
        self._written = functools.partial(
            told,
            f"store {layout.path} could not be written",
            StoreError,
            ", then run the same command again; what was finished is kept",
        )
        with self._written():
            (layout.path / MARKS).mkdir(exist_ok=True)
        self.remove_abandoned()

    def write_item(self, plan: Plan, item: Item, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the arrays of an item, by variable; see `write`."""
        self.write(place(plan, item), arrays)

    def write(self, where: tuple[Any, ...], arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays and then mark them as done.

        Args:
            where: their place in arrays `[pair, *axes, ...]`, within one run of pairs: what is before it in the run is
                done already.
            arrays: by variable.

        Raises:
            StoreError: if a file cannot be written; what was done before stays as it is.
        """
        layout = self._layout
        box = [part if isinstance(part, slice) else slice(part, part + 1) for part in where]
        sizes = [layout.chunk_pairs, *layout.blocks.values()]
        blocks = (range(p.start // n, -(-p.stop // n)) for p, n in zip(box, sizes, strict=True))
        touched = list(itertools.product(*blocks))
        with self._written():
            for name, values in arrays.items():
                with reading(layout):  # a chunk that is there in part is read
                    self._arrays[name][where] = values
                for index in touched:
                    sync(layout.chunk_file(name, index))
                sync(layout.path / name)
            for index in touched:
                files = {name: layout.chunk_file(name, index) for name in arrays}
                known = self._marks.get(index)
                done = (
                    np.zeros(tuple(layout.blocks.values()), np.int64) if known is None else known.done.copy()
                )
                inside = tuple(
                    slice(max(part.start - i * n, 0), min(part.stop - i * n, n))
                    for part, i, n in zip(box[1:], index[1:], sizes[1:], strict=True)
                )
                done[inside] = box[0].stop - index[0] * layout.chunk_pairs
                lengths = {name: file.stat().st_size for name, file in files.items()}
                mark = Mark(done, lengths if known is None else known.sizes | lengths)
                write_mark(layout, index, mark, self._origin)
                self._marks[index] = mark

    def remove_abandoned(self, older_than: float = 600.0) -> None:
        """Remove half-written files that a killed process left; younger ones may be another process's."""
        before = time.time() - older_than
        for name in (*self._layout.variables, MARKS):
            for left in (self._layout.path / name).iterdir():
                with contextlib.suppress(OSError):
                    if left.name.endswith((".partial", PARTIAL)) and left.stat().st_mtime < before:
                        left.unlink()
