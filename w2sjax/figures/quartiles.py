"""Quartiles over pairs along axes of a sweep: against the quality of the weak model, and against the class of heads."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.figures.style import BLUE, GREEN, GREY, INSIDE, ORANGE, PURPLE, head, line_with_band, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_QUALITY_LABELS = {
    "weak_depth": "layers of the weak model",
    "weak_pretrain_samples": "pretraining samples per task",
    "weak_pretrain_tasks": "pretraining tasks",
    "weak_pretrain_noise": "label noise / label std [1]",
}

_QUALITY_ROWS = (
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

_HEAD_ROWS = (
    ("slope", "slope of gain on misfit  [1]", 1.0),
    ("relative_deviation", "mean deviation / mean weak error  [1]", 0.0),
    ("training_loss", "last training loss of w2s heads\n/ weak error  [1]", None),
)

_EPOCHS = ((ORANGE, "s-"), (BLUE, "o-"), (PURPLE, "^-"))


def weak_quality(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw errors, gain, misfit and pgr along each axis of weak quality, the others at the notebook's values.

    Args:
        result: of `w2sjax.analysis.weak_quality_quartiles`.
        title: above the figure.

    Returns:
        One column per axis. Lines are medians over pairs, bands the quartiles.
    """
    reference = result.attrs["reference"]
    figure = new_figure(3.6 * len(reference) + 0.6, 9)
    panels = figure.subplots(len(_QUALITY_ROWS), len(reference), sharey="row", sharex="col", squeeze=False)
    for column, axis in enumerate(reference):
        line = result.sel({name: value for name, value in reference.items() if name != axis})
        x = line[axis].values
        for row, (label, quantities) in enumerate(_QUALITY_ROWS):
            axes = panels[row, column]
            for name, text, color, style in quantities:
                line_with_band(axes, x, line[name], style, color=color, label=text)
            if axis in ("weak_pretrain_samples", "weak_pretrain_tasks"):
                axes.set_xscale("log")
            axes.set_xticks(x, [f"{value:g}" for value in x])
            axes.minorticks_off()
            axes.axhline(0, color=GREY, linewidth=0.8)
            if column == 0:
                axes.set_ylabel(label)
                axes.legend(**INSIDE)
        panels[-1, column].set_xlabel(_QUALITY_LABELS[axis])
    if title:
        held = ", ".join(f"{name} {value}" for name, value in reference.items())
        head(figure, title, result, f": median and quartiles over pairs; others held at {held}")
    return figure


def head_study(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw slope, deviation and training loss against the hidden width, by activation and epochs of training.

    Args:
        result: of `w2sjax.analysis.by_head_class`.
        title: above the figure.

    Returns:
        One column per activation, a line per number of epochs. Lines are medians over pairs, bands the quartiles.
    """
    activations, widths, lengths = (
        result[name].values.tolist() for name in ("head.activation", "head.width", "head.epochs")
    )
    figure = new_figure(4.2 * len(activations) + 0.8, 9.2)
    panels = figure.subplots(len(_HEAD_ROWS), len(activations), sharex=True, sharey="row", squeeze=False)
    x = np.arange(len(widths))
    for column, activation in enumerate(activations):
        for axes, (name, label, theory) in zip(panels[:, column], _HEAD_ROWS, strict=True):
            if theory is not None:
                axes.axhline(theory, color=GREY, linestyle="--", linewidth=1, label="gain = misfit")
            for i, epochs in enumerate(lengths):
                line = result[name].sel({"head.activation": activation, "head.epochs": epochs})
                color, style = _EPOCHS[i % len(_EPOCHS)]
                line_with_band(axes, x, line, style, color=color, label=f"{epochs} epochs")
            if theory is None:
                axes.set_yscale("log")
            if column == 0:
                axes.set_ylabel(label)
        panels[0, column].set_title(f"{activation} units", fontsize=10)
        panels[-1, column].set_xticks(x, ["linear" if width == 0 else f"{width}" for width in widths])
        panels[-1, column].set_xlabel("hidden units of the heads")
    panels[0, 0].legend(**INSIDE)
    if title:
        head(figure, title, result, "; medians and quartiles over pairs")
    return figure
