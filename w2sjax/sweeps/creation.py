"""A new store: complete and empty under its name, or not there at all."""

import json
import os
import shutil
import socket
import time
import uuid
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from w2sjax.errors import StoreError, reason, remedy
from w2sjax.files import sync, sync_tree
from w2sjax.sweeps import labels
from w2sjax.sweeps.layout import LAYOUT, MARKS, local_store
from w2sjax.sweeps.plan import Plan

CREATING = ".w2sjax-creating."
"""Beginning of the names of stores that are being created."""

WAIT_SECONDS = 600.0
"""How long a process waits for the first one to create the store."""


def create(path: Path, plan: Plan) -> None:
    """Create an empty store for a plan, complete or not at all. A folder that is there already is filled, if empty.

    Raises:
        StoreError: if the path cannot be written, or the world has no description to recognize it by.
    """
    described = json.dumps(labels.plain_fields(plan.grid.world)) + json.dumps(plan.grid.axes, default=repr)
    if any(mark in described for mark in (" at 0x", "<lambda>", "<locals>")):
        raise StoreError(
            f"world={plan.grid.world!r} cannot be recognized when the sweep is resumed: make it a dataclass whose "
            "fields, and axes, are numbers, text, arrays, dataclasses or functions defined at the top of a module."
        )
    new = path.parent / f"{CREATING}{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        new.mkdir()
        _write_empty(new, plan)
        sync_tree(new)
        _put_in_place(new, path)
        sync(path.parent)
    except OSError as error:
        if (path / "zarr.json").exists():
            return  # another process was faster
        raise StoreError(f"store {path} cannot be created ({reason(error)}): {remedy(error)}.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put_in_place(new: Path, path: Path) -> None:
    """Give a complete store its name; the file that makes a folder a store comes last."""
    if not path.exists():
        os.rename(new, path)
        return
    for child in sorted(new.iterdir(), key=lambda child: child.name == "zarr.json"):
        os.rename(child, path / child.name)


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
    store = local_store(path)
    coords.to_zarr(store, mode="w-", zarr_format=3, consolidated=False)
    group = zarr.open_group(store, mode="r+", zarr_format=3)
    for name, values in plan.template.items():
        _create_variable(group, plan, name, values)
    _consolidate(path)
    group.create_group(MARKS)


def _consolidate(path: Path) -> None:
    """Copy the metadata of all arrays into those of their group, where `xarray.open_zarr` looks for them.

    What `zarr.consolidate_metadata` writes, without its warning that this is not part of the specification.
    """
    file = path / "zarr.json"
    children = sorted(child for child in path.iterdir() if (child / "zarr.json").is_file())
    inline = {child.name: json.loads((child / "zarr.json").read_text()) for child in children}
    consolidated = {"kind": "inline", "must_understand": False, "metadata": inline}
    content = json.loads(file.read_text()) | {"consolidated_metadata": consolidated}
    file.write_text(json.dumps(content, indent=2))


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


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes of this machine left of a creation in a folder."""
    prefix = f"{CREATING}{socket.gethostname()}."
    for left in folder.iterdir():
        pid = left.name.removeprefix(prefix).split(".")[0]
        if left.name.startswith(prefix) and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
