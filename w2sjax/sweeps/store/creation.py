"""New stores, complete and empty under their names or not there at all, and stores that are made to hold more."""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import socket
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from w2sjax.errors import StoreError, reason, remedy, told
from w2sjax.files import sync, sync_tree, write_atomically
from w2sjax.sweeps import labels
from w2sjax.sweeps.plan import Plan
from w2sjax.sweeps.provenance import attributes, history
from w2sjax.sweeps.store.layout import GROWING, MARKS, SUMMARY, Layout, about, local_store
from w2sjax.validation import shown

CREATING = ".w2sjax-creating."
"""Beginning of the names of stores that are being created."""

WAIT_SECONDS = 600.0
"""How long a process waits for the first one to create the store."""

# Zarr does not know what lies beside its arrays, and would tell whoever makes a store hold more.
warnings.filterwarnings("ignore", message=rf"Object at ({SUMMARY}|{GROWING}|{MARKS}) is not recognized")


def layout_for(path: Path, plan: Plan) -> Layout:
    """Return the layout of a new store for a plan.

    Raises:
        StoreError: if the sweep has no description to recognize it by.
    """
    grid = plan.grid
    about = attributes(grid, plan.seed, plan.pairs, plan.title)
    about["history"] = history(f"sweep of {len(plan.pairs)} pairs")
    described = json.loads(about["configuration"])
    for name in ("world", "protocol", "axes"):
        if any(mark in json.dumps(described[name]) for mark in (" at 0x", "<lambda>", "<locals>")):
            raise StoreError(
                f"{name}={shown(described[name])} cannot be recognized when the sweep is resumed: use dataclasses "
                "whose fields are numbers, text, arrays, dataclasses or functions, all defined at the top of a module."
            )
    return Layout(
        path=path,
        configuration=described,
        attributes=about,
        chunk_pairs=plan.chunk_pairs,
        blocks={name: len(v) if name in grid.inner else 1 for name, v in grid.axes.items()},
        outer=grid.outer,
        variables=plan.variables,
    )


FILLED_SECONDS = 10
"""How long another thread or process may take from the first to the last part of a store, once they are written."""


def create(layout: Layout) -> None:
    """Create an empty store, complete or not at all. A folder that is there already is filled, if empty.

    Raises:
        StoreError: if the path cannot be written.
    """
    path = layout.path
    new = path.parent / f"{CREATING}{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        new.mkdir()
        _write_metadata(dataclasses.replace(layout, path=new))
        (new / MARKS).mkdir()
        sync_tree(new)
        _put_in_place(new, path)
        sync(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            # Another thread or process was faster, and may not be done.
            with contextlib.suppress(StoreError):
                wait_until(path, (path / "zarr.json").exists, seconds=FILLED_SECONDS)
        if (path / "zarr.json").exists():
            return
        raise StoreError(f"store {path} cannot be created ({reason(error)}): {remedy(error)}.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put_in_place(new: Path, path: Path) -> None:
    """Give a complete store its name; the file that makes a folder a store comes last.

    Of several that fill a folder at once, in the same order, one alone gets past the first part that is not empty.
    """
    if not path.exists():
        os.rename(new, path)
        return
    for child in sorted(new.iterdir(), key=lambda child: child.name == "zarr.json"):
        os.rename(child, path / child.name)


def wait_until(path: Path, ready: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait for another process to create or extend the store.

    Raises:
        StoreError: if it is not ready in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise StoreError(
                f"store {path} was not created or extended by the first process within {seconds:.0f} s: "
                "check that all processes see the same folder."
            )
        time.sleep(0.2)


def extended(layout: Layout, plan: Plan) -> Layout:
    """Return the layout of a store once it holds a plan that has more: pairs, values on axes, variables."""
    described = json.loads(attributes(plan.grid, plan.seed, plan.pairs)["configuration"])
    variables = plan.variables | layout.variables
    about = continued(layout.attributes, f"extended to {len(plan.pairs)} pairs, axes {described['axes']}")
    return dataclasses.replace(layout, configuration=described, variables=variables, attributes=about)


def continued(attributes: dict[str, Any], doing: str) -> dict[str, Any]:
    """Return the attributes of a store with a further line of history."""
    lines = [*filter(None, [attributes.get("history")]), history(doing)]
    return attributes | {"history": "\n".join(lines)}


def extend(layout: Layout) -> None:
    """Make the store of a layout, which holds less, hold that. What is in it stays.

    The metadata of the group change last. A store whose extension was stopped before is refused by `layout_of` and
    made whole here.

    Raises:
        StoreError: if it cannot be written.
    """
    path = layout.path
    with told(f"store {path} cannot be extended", StoreError):
        write_atomically(path / GROWING, "")
        _write_metadata(layout)
        (path / GROWING).unlink()
        sync(path)


def _write_metadata(layout: Layout) -> None:
    """Write the metadata of all variables, the coordinates, and what the store says about itself."""
    path, tasks = layout.path, int(layout.configuration["protocol"]["tasks"])
    file = path / "zarr.json"
    # Writing coordinates replaces what the store says about itself: with the same, so that a kill leaves it.
    known = json.loads(file.read_text())["attributes"] if file.is_file() else {}
    coords = xr.Dataset(coords=labels.coordinates(layout.axes, tasks, layout.pairs), attrs=known)
    for name in coords.coords:
        shutil.rmtree(path / str(name), ignore_errors=True)
    coords.to_zarr(local_store(path), mode="a", zarr_format=3, consolidated=False)
    group = zarr.open_group(local_store(path), mode="r+", zarr_format=3)
    for name, variable in layout.variables.items():
        shape = [len(layout.pairs), *map(len, layout.axes.values()), *variable.shape]
        file = path / name / "zarr.json"
        if file.is_file():
            write_atomically(file, json.dumps(json.loads(file.read_text()) | {"shape": shape}, indent=2))
        else:
            _create_variable(group, layout, name, tuple(shape))
    # What `zarr.consolidate_metadata` writes, without its warning that this is not part of the specification.
    children = sorted(child for child in path.iterdir() if (child / "zarr.json").is_file())
    inline = {child.name: json.loads((child / "zarr.json").read_text()) for child in children}
    configuration = {"configuration": json.dumps(layout.configuration)}
    root = {
        "attributes": layout.attributes | configuration | {"w2sjax_store": about(layout)},
        "zarr_format": 3,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": inline},
        "node_type": "group",
    }
    write_atomically(path / "zarr.json", json.dumps(root, indent=2))


def _create_variable(group: zarr.Group, layout: Layout, name: str, shape: tuple[int, ...]) -> None:
    variable = layout.variables[name]
    floating = np.issubdtype(np.dtype(variable.dtype), np.floating)
    # Mantissas of independent draws do not compress; ranks and flags do.
    checksum = Crc32cCodec()
    group.create_array(
        name,
        shape=shape,
        chunks=(layout.chunk_pairs, *layout.blocks.values(), *variable.shape),
        dtype=variable.dtype,
        fill_value=variable.missing,
        compressors=[checksum] if floating else [ZstdCodec(level=1), checksum],
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=("pair", *layout.axes, *variable.own),
        attributes={**variable.attributes},
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
