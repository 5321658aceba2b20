"""The published panel of non-realizable pretraining among independent draws: where in the distribution it lies."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import check_axes, check_holds, counted, pair_fits, quantiles, usable

PUBLISHED = {
    "ceiling_share": 0.101 / 0.380,
    "misfit_share": 0.147 / 0.380,
    "gain_share": 0.127 / 0.380,
    "correlation": 0.945,
    "slope": 0.97,
    "above_misfit": 0.19,
    "negative_gain": 0.0,
}
"""Numbers of the notebook released with Charikar et al. 2024, measured from pixels of its stored figures: 94 of its
100 tasks can be told apart, errors are the training losses of the last epoch, to some 0.003. Shares are of the mean
weak error; the slope is that of gain on misfit; the last two are shares of tasks."""

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


def reference_numbers(dataset: xr.Dataset) -> xr.Dataset:
    """Return the numbers of `PUBLISHED` for every world, and the share of worlds below the published ones.

    Args:
        dataset: from `sweep`, dims pair and task only; failed trainings are left out.

    Returns:
        By `number`: `value` of every pair kept; `over_pairs`, its quantiles `LEVELS` along `quantile`; `published`; and
        `position`, the share of pairs with a smaller value, of equal ones half.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    check_holds(dataset, "pair", "task", "weak_error", "ceiling_error", "misfit", "gain", "status_code")
    check_axes(dataset)
    kept = dataset.isel(pair=np.flatnonzero(usable(dataset)))
    means, fits = kept[["weak_error", "ceiling_error", "misfit", "gain"]].mean("task"), pair_fits(kept)
    numbers = {
        "ceiling_share": means["ceiling_error"] / means["weak_error"],
        "misfit_share": means["misfit"] / means["weak_error"],
        "gain_share": means["gain"] / means["weak_error"],
        "correlation": np.sign(fits["slope"]) * np.sqrt(fits["r2"].clip(0, 1)),
        "slope": fits["slope"],
        "above_misfit": (kept["gain"] > kept["misfit"]).mean("task"),
        "negative_gain": (kept["gain"] < 0).mean("task"),
    }
    value = xr.Dataset(numbers).to_dataarray("number")
    published = xr.DataArray(list(PUBLISHED.values()), {"number": list(PUBLISHED)}, "number")
    below = (value < published).mean("pair") + (value == published).mean("pair") / 2
    over_pairs = quantiles(value, "pair", LEVELS)
    result = xr.Dataset({"value": value, "over_pairs": over_pairs, "published": published, "position": below})
    return counted(result, dataset)


def reference_report(result: xr.Dataset) -> dict[str, Any]:
    """Return quantiles, published numbers and positions of `reference_numbers` as plain numbers, and a `headline`."""
    found = {}
    for name in result["number"].values.tolist():
        one = result.sel(number=name)
        over = dict(zip(map(str, LEVELS), one["over_pairs"].values.tolist(), strict=True))
        found[name] = {
            "published": float(one["published"]),
            "position": float(one["position"]),
            "quantiles": over,
        }
    positions = ", ".join(f"{name} {one['position']:.0%}" for name, one in found.items())
    count = result.sizes["pair"]
    return {
        "numbers": found,
        "pairs_without_failure": count,
        "headline": f"of {count} worlds are below: {positions}",
    }
