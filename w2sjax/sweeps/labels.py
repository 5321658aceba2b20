"""The host edge: arrays become a labelled Dataset with units, configuration and versions."""

import dataclasses
import functools
import hashlib
import json
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from w2sjax.engine.outcome import Flag, Outcome
from w2sjax.engine.randomness import ALGORITHM
from w2sjax.sweeps.grid import Grid
from w2sjax.sweeps.identity import kind_of, sources
from w2sjax.threefry import IMPLEMENTATION

MEANINGS = {
    "weak_error": "mean squared error of the weak model against the truth",
    "w2s_error": "mean squared error of the w2s model against the truth",
    "ceiling_error": "mean squared error of the ceiling against the truth",
    "misfit": "mean squared distance between w2s and weak predictions",
    "gain": "weak_error - w2s_error",
    "deviation": "gain - misfit",
    "pgr": "gain / (weak_error - ceiling_error)",
}

AXIS_MEANINGS = {
    "n_weak": ("samples of the weak model", "samples"),
    "n_strong": ("samples of the w2s model", "samples"),
    "n_eval": ("evaluation samples", "samples"),
    "ridge": ("ridge", "squared feature unit"),
    "ridge_weak": ("ridge of the weak head", "squared feature unit"),
    "ridge_strong": ("ridge of the w2s and ceiling heads", "squared feature unit"),
    "label_noise": ("standard deviation of label noise", "label unit"),
    "head_radius": ("largest norm of the heads' weights", "label unit per feature unit"),
    "head_width": ("hidden units of the heads", "units"),
    "head_copies": ("heads combined", "heads"),
    "head_epochs": ("epochs of training the heads", "epochs"),
    "head_batch_size": ("rows per step of training the heads", "samples"),
    "head_learning_rate": ("learning rate of the heads", "1"),
    "head_weight_decay": ("weight decay of the heads", "1"),
    "weak_noise": ("standard deviation of the weak parameters' noise", "parameter unit"),
    "strong_noise": ("standard deviation of the strong parameters' noise", "parameter unit"),
    "input_scale": ("standard deviation of the inputs", "input unit"),
}
"""Long name and unit of the axes that have them; others go by their field's name."""

CURVE = "_loss_curve"
"""Ending of the names of training curves."""

LARGEST_LISTED = 64
"""Entries of an array beyond which a configuration holds its hash instead of its values."""

STATUS_MEANINGS = {
    "status_code": "status, bits: "
    + ", ".join(f"{int(flag)} {flag.name.lower().replace('_', ' ')}" for flag in Flag if flag and flag.name),
    "status_weak_rank": "numerical rank of the weak features",
    "status_strong_rank": "numerical rank of the strong features",
    "status_weak_condition": "condition number of the weak features, columns scaled",
    "status_strong_condition": "condition number of the strong features, columns scaled",
    "status_weak_dropped": "weak directions dropped",
    "status_strong_dropped": "strong directions dropped",
    "status_dropped_effect": "largest share of the explained label variance along dropped directions",
}


def flatten(outcome: Outcome) -> dict[str, np.ndarray]:
    """Return the arrays of an outcome by variable name, on the host."""
    outcome = jax.device_get(outcome)
    named = {name: np.asarray(getattr(outcome, name)) for name in MEANINGS}
    for field in dataclasses.fields(outcome.status):
        named[f"status_{field.name}"] = np.asarray(getattr(outcome.status, field.name))
    if outcome.standard_errors is not None:
        for field in dataclasses.fields(outcome.standard_errors):
            named[f"{field.name}_standard_error"] = np.asarray(getattr(outcome.standard_errors, field.name))
    return named | {f"{name}{CURVE}": np.asarray(curve) for name, curve in outcome.curves.items()}


def dimensions(grid: Grid, name: str) -> tuple[str, ...]:
    """Return the dimensions of a variable: pair, one per axis, and task (not for the status)."""
    return ("pair", *grid.axes, *own_dimensions(name))


def own_dimensions(name: str) -> tuple[str, ...]:
    """Return the dimensions of a variable beside pair and axes: task, progress of training, none for the status."""
    if name.endswith(CURVE):
        return ("progress",)
    return () if name.startswith("status_") else ("task",)


def variable_attributes(name: str) -> dict[str, str]:
    """Return the meaning and unit of a variable."""
    if name in STATUS_MEANINGS:
        return {"long_name": STATUS_MEANINGS[name], "units": "1"}
    if name.endswith(CURVE):
        what = name.removesuffix(CURVE).replace("_", " ")
        return {"long_name": f"mean training loss of {what}", "units": "squared label unit"}
    mean = name.removesuffix("_standard_error")
    unit = "1" if mean == "pgr" else "squared label unit"
    prefix = "standard error of " if mean != name else ""
    return {"long_name": prefix + MEANINGS[mean], "units": unit}


def coordinates(grid: Grid, pairs: range) -> dict[str, Any]:
    """Return the coordinates of a Dataset that holds the given pairs."""
    coords: dict[str, Any] = {
        "pair": np.arange(pairs.start, pairs.stop),
        "task": np.arange(grid.protocol.tasks),
    }
    for name, values in grid.axes.items():
        meaning = AXIS_MEANINGS.get(name)
        attributes = {"long_name": meaning[0], "units": meaning[1]} if meaning else {}
        coords[name] = (name, np.array(values), attributes)
    return coords


def configuration(grid: Grid, seed: int, pairs: int) -> dict[str, Any]:
    """Return what a result depends on, as plain JSON values."""
    return {
        "world": {"kind": kind_of(grid.world)} | plain_fields(grid.world),
        "code": sources(grid.world)[0],
        "protocol": plain_fields(grid.protocol),
        "axes": {name: [_plain(value) for value in values] for name, values in grid.axes.items()},
        "pairs": pairs,
        "paired": grid.paired,
        "seed": seed,
        "dtype": "float64" if jax.config.jax_enable_x64 else "float32",
        "generator": IMPLEMENTATION,
        "algorithm": ALGORITHM,
    }


def plain_fields(settings: Any) -> dict[str, Any]:
    """Return the fields of a settings object as JSON values.

    Small arrays become numbers or lists, large ones their hash, functions their name.
    """
    if not dataclasses.is_dataclass(settings):
        return {"repr": repr(settings)}
    return {f.name: _plain(getattr(settings, f.name)) for f in dataclasses.fields(settings)}


def _plain(value: Any) -> Any:
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        array = np.asarray(value)
        if array.size <= LARGEST_LISTED:
            return array.tolist()
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        return f"{array.dtype} {list(array.shape)} sha256:{digest}"
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"kind": kind_of(value)} | plain_fields(value)
    if isinstance(value, Callable | type):  # type: ignore[arg-type]
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"
    return repr(value)


def provenance() -> dict[str, str]:
    """Return the versions and the device that produced a result."""
    device = jax.local_devices()[0]
    return _versions() | {
        "device": f"{jax.local_device_count()} x {device.device_kind}",
        "platform": device.platform,
        "git_revision": git_revision(),
    }


@functools.cache
def _versions() -> dict[str, str]:
    versions = {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy", "xarray")}
    try:
        versions["w2sjax"] = metadata.version("w2sjax")
    except metadata.PackageNotFoundError:
        versions["w2sjax"] = "source tree"
    return {f"{name}_version": version for name, version in versions.items()}


@functools.cache
def git_revision() -> str:
    """Return the commit of this package's source, with "+changes" if it has any; "unknown" if it is in no checkout."""
    folder = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):
            return "unknown"  # installed inside somebody else's checkout
        revision = git("rev-parse", "HEAD")
        return revision + ("+changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def attributes(grid: Grid, seed: int, pairs: int) -> dict[str, Any]:
    """Return the attributes of a Dataset: the configuration as JSON, versions and device."""
    return {"configuration": json.dumps(configuration(grid, seed, pairs))} | provenance()


def dataset(grid: Grid, seed: int, pairs: range, arrays: dict[str, np.ndarray]) -> xr.Dataset:
    """Label arrays that hold the given pairs."""
    return xr.Dataset(
        {
            name: (dimensions(grid, name), values, variable_attributes(name))
            for name, values in arrays.items()
        },
        coords=coordinates(grid, pairs),
        attrs=attributes(grid, seed, len(pairs)),
    )
