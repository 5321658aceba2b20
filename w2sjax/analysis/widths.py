"""The map of both widths: least loss ratio of a student stopped early, by theory, and simulated cells."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from w2sjax.analysis.moments import settings_of
from w2sjax.analysis.statistics import check_holds, counted
from w2sjax.theory.random_features import FEWEST, best_flow_ratios

FINE = 100
"""Widths of each model in the map."""


def width_map(dataset: xr.Dataset) -> xr.Dataset:
    """Return least w2s_error / weak_error over time, simulated and of the theory on a fine grid of both widths.

    Args:
        dataset: from `sweep` of a world with two levels on the population, axes weak_width, strong_width and time.

    Returns:
        `map`, dims ("teacher", "student"); `ratio` by `of`, "predicted", "simulated" and "standard_error", weak_width
        and strong_width, the simulated one at the time of the least mean.

    Raises:
        W2SError: for a Dataset of another kind.

    Cost: a second or two for the 10,000 cells.
    """
    check_holds(dataset, "weak_width", "strong_width", "time")
    world, _, axes = settings_of(dataset)
    errors = dataset[["weak_error", "w2s_error"]].mean("task")
    weak = errors["weak_error"].mean("pair")
    best = errors["w2s_error"].mean("pair").argmin("time")
    at = errors.isel(time=best)["w2s_error"]
    widths = [np.asarray(axes[name], float) for name in ("weak_width", "strong_width")]
    ends = [np.geomspace(max(FEWEST, w.min()), w.max(), FINE) for w in widths]
    with jax.enable_x64(True):
        spectrum = tuple(jnp.asarray(values, jnp.float64) for values in world.levels())
        times = jnp.geomspace(min(axes["time"]) / 2, 2 * max(axes["time"]), 60)
        fine, own = (
            np.asarray(best_flow_ratios(spectrum, *map(jnp.asarray, sizes), times))
            for sizes in (ends, widths)
        )
    simulated = at.mean("pair") / weak.isel(time=0, drop=True)
    predicted = xr.DataArray(own, {k: axes[k] for k in ("weak_width", "strong_width")})
    error = at.std("pair", ddof=1) / dataset.sizes["pair"] ** 0.5 / weak.isel(time=0, drop=True)
    of = xr.Variable("of", ["predicted", "simulated", "standard_error"])
    ratio = xr.concat([part.drop_vars("time", errors="ignore") for part in (predicted, simulated, error)], of)
    coords = {"teacher": ends[0], "student": ends[1]}
    result = xr.Dataset({"ratio": ratio, "map": (("teacher", "student"), fine)}, coords=coords)
    return counted(result, dataset)


def width_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the least ratios by both widths as plain numbers, the largest distance, and a `headline`."""
    predicted, simulated = (result["ratio"].sel(of=of) for of in ("predicted", "simulated"))
    off = float(abs(simulated / predicted - 1).max())
    wins = float((result["map"] < 1).mean())
    table = {
        str(width): dict(zip(map(str, row["strong_width"].values.tolist()), row.values.tolist(), strict=True))
        for width, row in zip(simulated["weak_width"].values.tolist(), simulated, strict=True)
    }
    headline = f"the student wins in {wins:.0%} of the map; simulation is within {off:.0%} of it"
    return {
        "simulated": table,
        "largest_relative_distance": off,
        "share_where_the_student_wins": wins,
        "headline": headline,
    }
