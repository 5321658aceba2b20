"""Writing regions into a store: their chunk files first, the mark that they are done last."""

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from w2sjax.errors import StoreError, reason, remedy
from w2sjax.files import PARTIAL, sync, write_atomically
from w2sjax.sweeps import labels
from w2sjax.sweeps.layout import MARKS, Description, open_variable
from w2sjax.sweeps.plan import Plan, Region
from w2sjax.sweeps.stream import place


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
        for name in description.variables:
            self._arrays[name] = open_variable(description, name, mode="r+")
        try:
            (description.path / MARKS).mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"store {description.path} cannot be written ({reason(error)}): {remedy(error)}."
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
                sync(file)
                sizes[name] = file.stat().st_size
            for name in arrays:
                sync(self._description.path / name)
            content = {"pairs": len(region.pairs), "flagged": flagged, "bytes": sizes, **self._origin}
            write_atomically(mark, json.dumps(content))
        except OSError as error:
            raise StoreError(
                f"store {self._description.path} could not be written ({reason(error)}): {remedy(error)}, then run "
                "the same command again; what was finished is kept."
            ) from error

    def remove_abandoned(self, older_than: float = 600.0) -> None:
        """Remove half-written files that a killed process left; younger ones may be another process's."""
        before = time.time() - older_than
        for name in (*self._description.variables, MARKS):
            for left in (self._description.path / name).iterdir():
                with contextlib.suppress(OSError):
                    if left.name.endswith((".partial", PARTIAL)) and left.stat().st_mtime < before:
                        left.unlink()
