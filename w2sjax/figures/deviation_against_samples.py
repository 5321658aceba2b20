"""Deviation against sample size: how far gain is from misfit when the samples are finite."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from w2sjax.figures.style import BLUE, GREY, LEGEND, ORANGE

SIZES = ("n_weak", "n_strong", "n_eval")


def equal_sizes(dataset: xr.Dataset) -> xr.Dataset:
    """Return the cells of a grid over all three sample sizes in which they are equal, along a dimension `n`."""
    shared = sorted(set.intersection(*(set(dataset[name].values.tolist()) for name in SIZES)))
    along = xr.DataArray(shared, dims="n", coords={"n": shared})
    return dataset.sel(dict.fromkeys(SIZES, along)).drop_vars(SIZES)


def relative_deviation(dataset: xr.Dataset) -> xr.DataArray:
    """Return |deviation| / weak_error of every pair and task, where weak_error is positive."""
    weak_error = dataset["weak_error"]
    return abs(dataset["deviation"]) / weak_error.where(weak_error > 0)


def median_by_size(dataset: xr.Dataset) -> dict[int, float]:
    """Return the median over pairs and tasks of |deviation| / weak_error, by the common sample size."""
    medians = relative_deviation(equal_sizes(dataset)).median(("pair", "task"))
    return {int(n): float(m) for n, m in zip(medians["n"].values, medians.values, strict=True)}


def medians_by_size(dataset: xr.Dataset) -> dict[str, Any]:
    """Return `median_by_size` as plain numbers with a headline."""
    medians = median_by_size(dataset)
    listed = ", ".join(f"{median:.3g} at {n:,}" for n, median in medians.items())
    return {
        "median_relative_deviation_by_size": medians,
        "headline": f"median |deviation| / weak_error by samples in each split: {listed}",
    }


def deviation_against_samples(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw |deviation| / weak_error against the common sample size, with the n^-1/2 line.

    Args:
        dataset: from `sweep` with the same values on the axes n_weak, n_strong and n_eval.
        title: above the figure.

    Returns:
        A log-log figure: the median over pairs and tasks, the 10-90% band, and n^-1/2 through the geometric mean of
        the medians.
    """
    values = relative_deviation(equal_sizes(dataset))
    low, middle, high = (values.quantile(q, ("pair", "task")).values for q in (0.1, 0.5, 0.9))
    n = values["n"].values.astype(float)
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(n, low, high, color=BLUE, alpha=0.25, linewidth=0, label="10–90% of pairs and tasks")
    axes.plot(n, middle, "o-", color=BLUE, label="median")
    root = np.exp(np.mean(np.log(middle * n**0.5)))
    axes.plot(n, root / n**0.5, "--", color=ORANGE, label=f"{root:.2f} n$^{{-1/2}}$")
    slope = np.polyfit(np.log(n), np.log(middle), 1)[0]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("sample size n of each split  [samples]")
    axes.set_ylabel("|gain − misfit| / weak error  [1]")
    axes.legend(**LEGEND | {"fontsize": 9})
    axes.set_title(
        f"{title}\n{values.sizes['pair']} pairs x {values.sizes['task']} tasks, fitted exponent {slope:.2f}".strip(),
        fontsize=10,
    )
    axes.grid(True, which="major", color=GREY, alpha=0.2)
    return figure
