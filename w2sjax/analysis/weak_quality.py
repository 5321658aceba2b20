"""Gain, misfit and recovered gap against the quality of the weak representation, the strong model fixed."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import QUARTILES, check_holds, counted, quantiles, usable

REFERENCE = {
    "weak_depth": 2,
    "weak_pretrain_samples": 2000,
    "weak_pretrain_tasks": 10,
    "weak_pretrain_noise": 0.0,
}
"""The weak model of the released notebook; an axis without this value is held at its last one."""


def task_means(dataset: xr.Dataset) -> xr.Dataset:
    """Return means over tasks, in units of each pair's weak error at the reference quality, and the gap recovered.

    `recovered` is gain / gap of those means: not the mean of every task's `pgr`, which tasks with a small gap dominate.

    Pairs whose training failed in a cell are NaN there.
    """
    names = ["weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation"]
    means = dataset[names].mean("task").where(usable(dataset))
    means = means / means["weak_error"].sel(_reference(dataset))
    gap = means["weak_error"] - means["ceiling_error"]
    means["recovered"] = (means["gain"] / gap).where(gap > 0)
    return means


def weak_quality_quartiles(dataset: xr.Dataset) -> xr.Dataset:
    """Return the quartiles over pairs of `task_means`, dims "quantile" and the axes.

    Args:
        dataset: from `sweep`, dims pair, task and axes among those of `REFERENCE`.

    Returns:
        Attributes beside pairs and tasks: `reference`, the value at which each axis is held while another one varies.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    check_holds(dataset, "pair", "task", "weak_error", "ceiling_error", "gain", "misfit", "deviation")
    return counted(quantiles(task_means(dataset), "pair", QUARTILES), dataset, reference=_reference(dataset))


def weak_quality_report(result: xr.Dataset) -> dict[str, Any]:
    """Return medians of `weak_quality_quartiles` along each axis, the others at the reference, and a `headline`."""
    reference = result.attrs["reference"]
    report: dict[str, Any] = {"pairs": result.attrs["pairs"], "reference": reference}
    medians = result.sel(quantile=0.5)
    for axis in reference:
        line = medians.sel({name: value for name, value in reference.items() if name != axis})
        report[axis] = {
            "values": line[axis].values.tolist(),
            **{name: line[name].values.tolist() for name in ("weak_error", "gain", "misfit", "recovered")},
        }
    gain, misfit = medians["gain"].values.ravel(), medians["misfit"].values.ravel()
    finite = np.isfinite(gain) & np.isfinite(misfit)
    correlation = float(np.corrcoef(gain[finite], misfit[finite])[0, 1]) if finite.sum() > 2 else float("nan")
    report["correlation_of_gain_and_misfit_over_cells"] = correlation
    headline = f"{gain.size} weak models: correlation of median gain and misfit {correlation:.3f}"
    return report | {"headline": headline}


def _reference(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the value at which each axis of the dataset is held."""
    return {
        name: value if value in dataset[name].values else dataset[name].values[-1].item()
        for name, value in REFERENCE.items()
        if name in dataset.dims
    }
