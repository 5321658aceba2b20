"""The host edge: arrays become a labelled Dataset with units, configuration and versions."""

import dataclasses
import json
from importlib import metadata
from typing import Any

import jax
import numpy as np
import xarray as xr

from w2sjax.engine.outcome import Outcome
from w2sjax.sweeps.grid import Grid

MEANINGS = {
    "weak_error": "mean squared error of the weak model against the truth",
    "w2s_error": "mean squared error of the w2s model against the truth",
    "ceiling_error": "mean squared error of the ceiling against the truth",
    "misfit": "mean squared distance between w2s and weak predictions",
    "gain": "weak_error - w2s_error",
    "deviation": "gain - misfit",
    "pgr": "gain / (weak_error - ceiling_error)",
}

STATUS_MEANINGS = {
    "status_code": "numerical status, bits: 1 weak rank, 2 strong rank, 4 ill conditioned, 8 not finite",
    "status_weak_rank": "numerical rank of the weak features",
    "status_strong_rank": "numerical rank of the strong features",
    "status_weak_condition": "condition number of the weak features, columns scaled",
    "status_strong_condition": "condition number of the strong features, columns scaled",
    "status_weak_dropped": "weak directions dropped",
    "status_strong_dropped": "strong directions dropped",
    "status_dropped_effect": "largest share of label variance along dropped directions",
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
    return named


def dimensions(grid: Grid, name: str) -> tuple[str, ...]:
    """Return the dimensions of a variable: pair, one per axis, and task (not for the status)."""
    return ("pair", *grid.axes) + (() if name.startswith("status_") else ("task",))


def variable_attributes(name: str) -> dict[str, str]:
    """Return the meaning and unit of a variable."""
    if name in STATUS_MEANINGS:
        return {"long_name": STATUS_MEANINGS[name], "units": "1"}
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
    return coords | {name: np.array(values) for name, values in grid.axes.items()}


def configuration(grid: Grid, seed: int) -> dict[str, Any]:
    """Return what a result depends on, as plain JSON values."""
    return {
        "world": {"kind": type(grid.world).__name__} | plain_fields(grid.world),
        "protocol": plain_fields(grid.protocol),
        "axes": {name: list(values) for name, values in grid.axes.items()},
        "paired": grid.paired,
        "seed": seed,
        "dtype": "float64" if jax.config.jax_enable_x64 else "float32",
    }


def plain_fields(settings: Any) -> dict[str, Any]:
    """Return the fields of a settings object as JSON values; arrays become numbers or lists."""
    if not dataclasses.is_dataclass(settings):
        return {"repr": repr(settings)}
    values = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    return {
        name: np.asarray(v).tolist() if isinstance(v, jax.Array | np.ndarray | np.generic) else v
        for name, v in values.items()
    }


def provenance() -> dict[str, str]:
    """Return the versions and the device that produced a result."""
    versions = {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy", "xarray")}
    try:
        versions["w2sjax"] = metadata.version("w2sjax")
    except metadata.PackageNotFoundError:
        versions["w2sjax"] = "source tree"
    device = jax.local_devices()[0]
    return {f"{name}_version": v for name, v in versions.items()} | {
        "device": f"{jax.local_device_count()} x {device.device_kind}",
        "platform": device.platform,
    }


def dataset(grid: Grid, seed: int, pairs: range, arrays: dict[str, np.ndarray]) -> xr.Dataset:
    """Label arrays that hold the given pairs."""
    return xr.Dataset(
        {
            name: (dimensions(grid, name), values, variable_attributes(name))
            for name, values in arrays.items()
        },
        coords=coordinates(grid, pairs),
        attrs={"configuration": json.dumps(configuration(grid, seed), default=repr)} | provenance(),
    )
