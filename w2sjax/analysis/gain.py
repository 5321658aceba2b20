"""Gain against misfit: the line of every pair, all pairs in common units, and the numbers that sum up a Dataset."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import MIDDLE_80, median_and_range, no_slope, pair_fits, quantiles
from w2sjax.engine.outcome import Flag

QUANTITIES = ("weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation", "pgr")

BINS = 24
FEWEST_IN_BIN = 20


def gain_on_misfit(dataset: xr.Dataset) -> xr.Dataset:
    """Fit gain on misfit over the tasks of every pair, and gather all pairs in units of their mean weak error.

    Args:
        dataset: from `sweep`, dims pair and task only.

    Returns:
        The Dataset, and beside its variables `slope` and `r2` of every pair, with their 10, 50 and 90% quantiles over
        pairs `slope_over_pairs` and `r2_over_pairs`, NaN where no pair has a line; `mean_weak_error`, `mean_w2s_error`
        and `mean_ceiling_error` of every pair; `relative_misfit` and `relative_gain`, each / mean_weak_error; and
        `gain_in_bins`, dims ("quantile", "bin"), those quantiles of relative_gain in `BINS` bins of relative_misfit,
        whose middles are the coordinate, NaN where fewer than `FEWEST_IN_BIN` tasks are. Bins reach from the 0.5%
        quantile of relative_misfit to 1.05 times its 99.5% quantile, `largest_misfit`, NaN without a finite value.
    """
    fits = pair_fits(dataset)
    means = dataset[["weak_error", "w2s_error", "ceiling_error"]].mean("task")
    misfit, gain = (dataset[name] / means["weak_error"] for name in ("misfit", "gain"))
    middles, in_bins, largest = _in_bins(misfit.values.ravel(), gain.values.ravel())
    over_pairs = {
        f"{name}_over_pairs": ("quantile", quantiles(values) or [np.nan] * len(MIDDLE_80))
        for name, values in fits.items()
    }
    return (
        dataset.merge(fits)
        .merge(means.rename({name: f"mean_{name}" for name in means}))
        .assign(over_pairs)
        .assign(relative_misfit=misfit, relative_gain=gain, largest_misfit=largest)
        .assign(gain_in_bins=(("quantile", "bin"), in_bins))
        .assign_coords(quantile=list(MIDDLE_80), bin=middles)
    )


def _in_bins(misfit: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the middles of the bins, quantiles of gain in each `[quantile, bin]`, and the end of the last one."""
    finite = np.isfinite(misfit) & np.isfinite(gain)
    misfit, gain = misfit[finite], gain[finite]
    found = np.full((len(MIDDLE_80), BINS), np.nan)
    ends = quantiles(misfit, (0.005, 0.995))
    if ends is None:
        return np.arange(BINS, dtype=float), found, np.nan
    edges = np.linspace(ends[0], 1.05 * ends[1], BINS + 1)
    place = np.digitize(misfit, edges) - 1
    for i in range(BINS):
        if np.count_nonzero(place == i) >= FEWEST_IN_BIN:
            found[:, i] = np.quantile(gain[place == i], MIDDLE_80)
    return (edges[:-1] + edges[1:]) / 2, found, float(edges[-1])


def summarize(result: xr.Dataset) -> dict[str, Any]:
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
    summary |= {name: _spread(result[name].values) for name in QUANTITIES}
    ratio = result["deviation"].mean("task") / result["weak_error"].mean("task")
    summary["deviation_over_weak_error"] = median_and_range(ratio)
    names = ("quantile_10", "median", "quantile_90")
    summary["gain_on_misfit"] = {
        fit: dict(zip(names, values, strict=True)) if np.isfinite(values[1]) else None
        for fit in ("slope", "r2")
        for values in [result[f"{fit}_over_pairs"].values.tolist()]
    }
    code = result["status_code"].values
    summary["status"] = {
        flag.name.lower(): int(np.count_nonzero(code & flag)) for flag in Flag if flag and flag.name
    }
    slope, r2 = summary["gain_on_misfit"].values()
    if slope is not None:
        headline = f"gain on misfit: slope {slope['median']:.3f}, R2 {r2['median']:.3f}"
    else:
        means = (
            f"mean {name} " + (f"{summary[name]['mean']:.3g}" if summary[name] else "not finite")
            for name in ("gain", "misfit")
        )
        headline = f"{', '.join(means)}; {no_slope(tasks)}"
    return summary | {"headline": headline}


def _spread(values: np.ndarray) -> dict[str, float | None] | None:
    """Return mean and spread of what is finite of values `[pair, task]`, or None of nothing."""
    finite = np.isfinite(values)
    if not finite.any():
        return None
    rows = [row[ok] for row, ok in zip(values, finite, strict=True) if ok.any()]
    means = np.array([row.mean() for row in rows])
    return {
        "mean": float(values[finite].mean()),
        "std_over_tasks": float(np.mean([row.std() for row in rows])),
        "std_over_pairs": float(means.std(ddof=1)) if means.size > 1 else None,
        **(median_and_range(values) or {}),
        "finite_share": float(finite.mean()),
    }
