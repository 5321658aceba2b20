"""The values that a sweep's Dataset has for a field, as far as it still says them."""

import json
from typing import Any

import xarray as xr

from w2sjax.errors import W2SError


def axis_values(dataset: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return the values of an axis, or the one that was selected; None where the field is no axis of the sweep.

    Raises:
        W2SError: if it is an axis whose values were dropped.
    """
    if name in dataset.coords:
        return dataset[name]
    if name in dataset.dims or name in configuration(dataset)["axes"]:
        raise W2SError(f"axis {name} has no values left: select one of them without drop=True.")
    return None


def configuration(dataset: xr.Dataset) -> dict[str, Any]:
    """Return what a sweep was configured with."""
    found: dict[str, Any] = json.loads(dataset.attrs["configuration"])
    return found
