"""A new store: complete and empty under its name, or not there at all."""

import json
import os
import shutil
import socket
import time
import uuid
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from w2sjax.errors import StoreError
from w2sjax.files import sync, sync_tree
from w2sjax.sweeps import labels
from w2sjax.sweeps.layout import LAYOUT, MARKS
from w2sjax.sweeps.plan import Plan

WAIT_SECONDS = 600.0
"""How long a process waits for the first one to create the store."""


def create(path: Path, plan: Plan) -> None:
    """Create an empty store for a plan, complete or not at all.

    Raises:
        StoreError: if the path cannot be written, or the world has no description to recognize it by.
    """
    described = json.dumps(labels.configuration(plan.grid, plan.seed, plan.pairs))
    if any(mark in described for mark in (" at 0x", "<lambda>", "<locals>")):
        raise StoreError(
            f"world={plan.grid.world!r} cannot be recognized when the sweep is resumed: make it a dataclass whose "
            "fields, and axes, are numbers, text, arrays, dataclasses or functions defined at the top of a module."
        )
    new = path.parent / f".{path.name}.creating.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        new.mkdir()
        _write_empty(new, plan)
        sync_tree(new)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # fails, as it should, unless it is empty
        os.rename(new, path)
        sync(path.parent)
    except OSError as error:
        if (path / "zarr.json").exists():
            return  # another process was faster
        raise StoreError(
            f"store {path} cannot be created ({error.strerror or error}): "
            "choose a folder that can be written and has space."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


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
