"""How gain departs from misfit where heads are no linear least squares: width, activation and training, each apart."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from w2sjax.engine.outcome import UNUSABLE
from w2sjax.figures.style import BLUE, GREY, ORANGE, PURPLE
from w2sjax.figures.summary import pair_fit

AXES = ("head_activation", "head_epochs", "head_width")

_ROWS = (
    ("slope", "slope of gain on misfit  [1]", 1.0),
    ("relative_deviation", "mean deviation / mean weak error  [1]", 0.0),
    ("training_loss", "last training loss of w2s heads\n/ weak error  [1]", None),
)

_COLORS = (ORANGE, BLUE, PURPLE)
_MARKERS = ("s", "o", "^")


def by_pair(dataset: xr.Dataset) -> xr.Dataset:
    """Return per pair and head class what separates width, activation and optimization; failures are NaN.

    `slope` of gain on misfit over tasks, `relative_deviation` = mean deviation / mean weak error, and `training_loss`,
    the last training loss of the w2s heads / mean weak error: what is left of the weak labels, whether the class cannot
    express it or the training has not found it.
    """
    fits = xr.apply_ufunc(
        lambda misfit, gain: pair_fit(misfit, gain)[0],
        dataset["misfit"],
        dataset["gain"],
        input_core_dims=[["task"], ["task"]],
        vectorize=True,
    )
    weak = dataset["weak_error"].mean("task")
    values = xr.Dataset(
        {
            "slope": fits,
            "relative_deviation": dataset["deviation"].mean("task") / weak,
            "training_loss": dataset["w2s_head_loss_curve"].isel(progress=-1) / weak,
            "gain": dataset["gain"].mean("task") / weak,
            "misfit": dataset["misfit"].mean("task") / weak,
        }
    )
    return values.where((dataset["status_code"] & int(UNUSABLE)) == 0)


def head_study_report(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the median over pairs of every quantity of `by_pair`, by activation, epochs and width.

    Args:
        dataset: from `sweep` with trained heads and the axes of `AXES`.
    """
    values = by_pair(dataset)
    medians = values.median("pair")
    report: dict[str, Any] = {
        "pairs": dataset.sizes["pair"],
        "tasks": dataset.sizes["task"],
        "failed_cells": int(values["slope"].isnull().sum()),
        "widths": dataset["head_width"].values.tolist(),
    }
    for activation in dataset["head_activation"].values.tolist():
        for epochs in dataset["head_epochs"].values.tolist():
            cell = medians.sel(head_activation=activation, head_epochs=epochs)
            report[f"{activation}, {epochs} epochs"] = {
                str(name): cell[name].values.tolist() for name in medians
            }
    deviations = medians["relative_deviation"]
    low, high = float(deviations.min()), float(deviations.max())
    return report | {
        "headline": f"median deviation / weak error from {low:.3f} to {high:.3f} over classes of heads"
    }


def head_study(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw slope, deviation and training loss against the hidden width, by activation and epochs of training.

    Args:
        dataset: from `sweep` with trained heads and the axes of `AXES`.
        title: above the figure.

    Returns:
        One column per activation, a line per number of epochs. Lines are medians over pairs, bands the quartiles.
    """
    values = by_pair(dataset)
    activations = dataset["head_activation"].values.tolist()
    widths = dataset["head_width"].values.tolist()
    figure = Figure(figsize=(4.2 * len(activations) + 0.8, 9.2), layout="constrained")
    panels = figure.subplots(len(_ROWS), len(activations), sharex=True, sharey="row", squeeze=False)
    x = np.arange(len(widths))
    for column, activation in enumerate(activations):
        for row, (name, label, theory) in enumerate(_ROWS):
            axes = panels[row, column]
            if theory is not None:
                axes.axhline(theory, color=GREY, linestyle="--", linewidth=1, label="gain = misfit")
            for i, epochs in enumerate(dataset["head_epochs"].values.tolist()):
                line = values[name].sel(head_activation=activation, head_epochs=epochs)
                low, middle, high = line.quantile([0.25, 0.5, 0.75], "pair").transpose("quantile", ...).values
                axes.fill_between(x, low, high, color=_COLORS[i % 3], alpha=0.2, linewidth=0)
                axes.plot(x, middle, _MARKERS[i % 3] + "-", color=_COLORS[i % 3], label=f"{epochs} epochs")
            if theory is None:
                axes.set_yscale("log")
            if column == 0:
                axes.set_ylabel(label)
        panels[0, column].set_title(f"{activation} units", fontsize=10)
        panels[-1, column].set_xticks(x, ["linear" if width == 0 else f"{width}" for width in widths])
        panels[-1, column].set_xlabel("hidden units of the heads")
    panels[0, 0].legend(frameon=False, fontsize=8)
    if title:
        count = f"{dataset.sizes['pair']} pairs x {dataset.sizes['task']} tasks"
        figure.suptitle(f"{title}\n{count}; medians and quartiles over pairs", fontsize=11)
    return figure
