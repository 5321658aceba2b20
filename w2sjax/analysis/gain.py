"""Gain against misfit: the line of every pair, all pairs in common units, and the numbers that sum up a Dataset."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import MIDDLE_80, check_holds, no_slope, pair_fits, quantiles, slope_ends
from w2sjax.flags import Flag

QUANTITIES = ("weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation", "pgr")

BINS = 24
FEWEST_IN_BIN = 20


def gain_on_misfit(dataset: xr.Dataset) -> xr.Dataset:
    """Fit gain on misfit over the tasks of every pair, and gather all pairs in units of their mean weak error.

    Args:
        dataset: from `sweep`, dims pair and task only.

    Returns:
        The Dataset, and beside its variables `slope` and `r2` of every pair, `slope_interval` of `slope_ends`,
        and their 10, 50 and 90% quantiles over
        pairs `slope_over_pairs` and `r2_over_pairs`, NaN where no pair has a line; `mean_weak_error`, `mean_w2s_error`
        and `mean_ceiling_error` of every pair; `relative_misfit` and `relative_gain`, each / mean_weak_error; and
        `gain_in_bins`, dims ("quantile", "bin"), those quantiles of relative_gain in `BINS` bins of relative_misfit,
        whose middles are the coordinate, NaN where fewer than `FEWEST_IN_BIN` tasks are. Bins reach from the 0.5%
        quantile of relative_misfit to 1.05 times its 99.5% quantile, `largest_misfit`, NaN without a finite value.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    check_holds(dataset, "pair", "task", "weak_error", "w2s_error", "ceiling_error", "gain", "misfit")
    fits = pair_fits(dataset)
    means = dataset[["weak_error", "w2s_error", "ceiling_error"]].mean("task")
    misfit, gain = (dataset[name] / means["weak_error"] for name in ("misfit", "gain"))
    ends = xr.apply_ufunc(
        slope_ends, dataset["misfit"], dataset["gain"], vectorize=True, input_core_dims=[["task"]] * 2,
        output_core_dims=[["end"]], output_sizes={"end": 2}, output_dtypes=[float],
    )  # fmt: skip
    over_pairs = quantiles(fits, "pair")
    middles, in_bins, largest = _in_bins(misfit.values.ravel(), gain.values.ravel())
    return (
        dataset.merge(fits, compat="override")
        .merge(over_pairs.rename({name: f"{name}_over_pairs" for name in fits}), compat="override")
        .merge(means.rename({name: f"mean_{name}" for name in means}), compat="override")
        .assign(relative_misfit=misfit, relative_gain=gain, largest_misfit=largest)
        .assign(slope_interval=ends, gain_in_bins=(("quantile", "bin"), in_bins))
        .assign_coords(bin=middles)
    )


def _in_bins(misfit: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the middles of the bins, quantiles of gain in each `[quantile, bin]`, and the end of the last one."""
    finite = np.isfinite(misfit) & np.isfinite(gain)
    misfit, gain = misfit[finite], gain[finite]
    found = np.full((len(MIDDLE_80), BINS), np.nan)
    if not misfit.size:
        return np.arange(BINS, dtype=float), found, np.nan
    first, last = np.quantile(misfit, (0.005, 0.995)) * (1, 1.05)
    edges = np.linspace(first, last, BINS + 1)
    place = np.digitize(misfit, edges) - 1
    for i in range(BINS):
        if np.count_nonzero(place == i) >= FEWEST_IN_BIN:
            found[:, i] = np.quantile(gain[place == i], MIDDLE_80)
    return (edges[:-1] + edges[1:]) / 2, found, float(last)


def gain_report(result: xr.Dataset) -> dict[str, Any]:
    """Return mean and spread of every error over all pairs and tasks, and slope and R2 of gain on misfit per pair.

    Args:
        result: of `gain_on_misfit`.

    Returns:
        Plain numbers: per quantity the mean, the standard deviation over tasks (averaged over pairs), the standard
        deviation of the pair means, median and 10 and 90% quantiles; the fits of all pairs (None where no pair has
        one); counts of status flags; a `headline`.
    """
    tasks = result.sizes["task"]
    summary: dict[str, Any] = {"pairs": result.sizes["pair"], "tasks": tasks}
    summary |= {name: _spread(result[name]) for name in QUANTITIES}
    ratio = result["deviation"].mean("task") / result["weak_error"].mean("task")
    summary["deviation_over_weak_error"] = _range(quantiles(ratio, "pair"))
    summary["gain_on_misfit"] = {name: _range(result[f"{name}_over_pairs"]) for name in ("slope", "r2")}
    code = result["status_code"].values
    summary["status"] = {
        flag.name.lower(): int(np.count_nonzero(code & flag)) for flag in Flag if flag and flag.name
    }
    slope, r2 = summary["gain_on_misfit"].values()
    if slope is not None:
        headline = f"gain on misfit: slope {slope['median']:.3f}, R2 {r2['median']:.3f}"
        if "published_slope" in result.attrs:
            headline += f"; released notebook: slope {result.attrs['published_slope']:.2f}"
    else:
        medians = (
            f"median {name} " + (f"{summary[name]['median']:.3g}" if summary[name] else "not finite")
            for name in ("gain", "misfit")
        )
        headline = f"{', '.join(medians)}; {no_slope(tasks)}"
    return summary | {"headline": headline}


def _spread(values: xr.DataArray) -> dict[str, float | None] | None:
    """Return mean and spread of what is finite of values by pair and task, or None of nothing."""
    values = values.where(np.isfinite(values))
    found = _range(quantiles(values, ("pair", "task")))
    means = values.mean("task").dropna("pair")
    return found and {
        "mean": float(values.mean()),
        "std_over_tasks": float(values.sel(pair=means["pair"]).std("task").mean()),
        "std_over_pairs": float(means.std(ddof=1)) if means.size > 1 else None,
        **found,
        "finite_share": float(values.notnull().mean()),
    }


def _range(found: xr.DataArray) -> dict[str, float | None] | None:
    """Return 10, 50 and 90% quantiles as plain numbers, or None of nothing."""
    low, median, high = found.values.tolist()
    return {"median": median, "quantile_10": low, "quantile_90": high} if np.isfinite(median) else None
