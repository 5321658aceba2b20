"""Gain, misfit and recovered gap against the quality of the weak representation, the strong model fixed."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from w2sjax.engine.outcome import UNUSABLE
from w2sjax.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE

REFERENCE = {
    "weak_depth": 2,
    "weak_pretrain_samples": 2000,
    "weak_pretrain_tasks": 10,
    "weak_pretrain_noise": 0.0,
}
"""The weak model of the released notebook; an axis without this value is held at its last one."""

_LABELS = {
    "weak_depth": "layers of the weak model",
    "weak_pretrain_samples": "pretraining samples per task",
    "weak_pretrain_tasks": "pretraining tasks",
    "weak_pretrain_noise": "label noise / label std [1]",
}

_ROWS = (
    (
        "mean squared error\n/ reference weak error  [1]",
        (("weak_error", "weak", PURPLE, "D:"), ("w2s_error", "w2s", GREEN, "^-")),
    ),
    (
        "gain and misfit\n/ reference weak error  [1]",
        (("gain", "gain", BLUE, "o-"), ("misfit", "misfit", ORANGE, "s--")),
    ),
    ("share of the gap recovered\n(mean gain / mean gap)  [1]", (("recovered", "recovered", BLUE, "o-"),)),
)


def task_means(dataset: xr.Dataset) -> xr.Dataset:
    """Return means over tasks, in units of each pair's weak error at the reference quality, and the gap recovered.

    `recovered` is gain / gap of those means: not the mean of every task's `pgr`, which tasks with a small gap dominate.

    Pairs whose training failed in a cell are NaN there.
    """
    names = ["weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation"]
    means = dataset[names].mean("task").where((dataset["status_code"] & int(UNUSABLE)) == 0)
    means = means / means["weak_error"].sel(_reference(dataset))
    gap = means["weak_error"] - means["ceiling_error"]
    means["recovered"] = (means["gain"] / gap).where(gap > 0)
    return means


def weak_quality_report(dataset: xr.Dataset) -> dict[str, Any]:
    """Return medians over pairs along each axis, the others at the reference quality."""
    means = task_means(dataset)
    reference = _reference(dataset)
    report: dict[str, Any] = {"pairs": dataset.sizes["pair"], "reference": reference}
    for axis in reference:
        line = means.sel({name: value for name, value in reference.items() if name != axis}).median("pair")
        report[axis] = {
            "values": line[axis].values.tolist(),
            **{name: line[name].values.tolist() for name in ("weak_error", "gain", "misfit", "recovered")},
        }
    cells = means.median("pair")
    gain, misfit = cells["gain"].values.ravel(), cells["misfit"].values.ravel()
    finite = np.isfinite(gain) & np.isfinite(misfit)
    correlation = float(np.corrcoef(gain[finite], misfit[finite])[0, 1]) if finite.sum() > 2 else float("nan")
    report["correlation_of_gain_and_misfit_over_cells"] = correlation
    headline = f"{gain.size} weak models: correlation of median gain and misfit {correlation:.3f}"
    return report | {"headline": headline}


def weak_quality(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw errors, gain, misfit and pgr along each axis of weak quality, the others at the notebook's values.

    Args:
        dataset: from `sweep`, dims pair, task and axes among those of `REFERENCE`.
        title: above the figure.

    Returns:
        One column per axis. Lines are medians over pairs, bands the quartiles.
    """
    means = task_means(dataset)
    reference = _reference(dataset)
    figure = Figure(figsize=(3.6 * len(reference) + 0.6, 9), layout="constrained")
    panels = figure.subplots(len(_ROWS), len(reference), sharey="row", sharex="col", squeeze=False)
    for column, axis in enumerate(reference):
        line = means.sel({name: value for name, value in reference.items() if name != axis})
        for row, (label, quantities) in enumerate(_ROWS):
            axes = panels[row, column]
            _quantities(axes, line, axis, quantities)
            if column == 0:
                axes.set_ylabel(label)
                axes.legend(frameon=False, fontsize=8)
            axes.axhline(0, color=GREY, linewidth=0.8)
        panels[-1, column].set_xlabel(_LABELS[axis])
    if title:
        held = ", ".join(f"{name} {value}" for name, value in reference.items())
        figure.suptitle(
            f"{title}\n{dataset.sizes['pair']} pairs: median and quartiles; others held at {held}",
            fontsize=11,
        )
    return figure


def _quantities(axes: Axes, line: xr.Dataset, axis: str, quantities: Any) -> None:
    x = line[axis].values
    for name, label, colour, style in quantities:
        low, middle, high = (
            line[name].quantile([0.25, 0.5, 0.75], dim="pair").transpose("quantile", axis).values
        )
        axes.plot(x, middle, style, color=colour, label=label, markersize=5)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    if axis in ("weak_pretrain_samples", "weak_pretrain_tasks"):
        axes.set_xscale("log")
    axes.set_xticks(x, [f"{value:g}" for value in x])
    axes.minorticks_off()


def _reference(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the value at which each axis of the dataset is held."""
    return {
        name: value if value in dataset[name].values else dataset[name].values[-1].item()
        for name, value in REFERENCE.items()
        if name in dataset.dims
    }
