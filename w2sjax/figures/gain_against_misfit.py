"""Gain against misfit, the figure of Charikar et al. 2024: one point per task, theory on the diagonal."""

import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from w2sjax.figures.style import BLUE, LEGEND, ORANGE, corner_note, emptiest_corner, identity_line
from w2sjax.figures.summary import no_slope, pair_fit

_BINS = 24


def gain_against_misfit(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw gain against misfit for the tasks of the first pair, and for all pairs beside it if there are several.

    Args:
        dataset: from `sweep`, dims pair and task only.
        title: above the figure.

    Returns:
        A figure. Left: the first pair in label units, with 2 standard errors over the evaluation sample where the data
        hold them. Right, for several pairs: every task, in units of its pair's mean weak error, with the median and the
        10-90% band of gain in bins of misfit.
    """
    pairs = dataset.sizes["pair"]
    figure = Figure(figsize=(10.5 if pairs > 1 else 5.6, 5.2), layout="constrained")
    columns = 2 if pairs > 1 else 1
    _one_pair(figure.add_subplot(1, columns, 1), dataset.isel(pair=0))
    if pairs > 1:
        _all_pairs(figure.add_subplot(1, columns, 2), dataset)
    if title:
        characters = 62 * columns
        figure.suptitle("\n".join(textwrap.fill(line, characters) for line in title.split("\n")), fontsize=11)
    return figure


def gain_against_misfit_panels(datasets: list[xr.Dataset], titles: list[str], title: str = "") -> Figure:
    """Draw the first pair of several settings beside each other, each as in `gain_against_misfit`.

    Args:
        datasets: from `sweep`, dims pair and task only.
        titles: of the panels.
        title: above the figure.
    """
    columns = min(len(datasets), 3)
    rows = -(-len(datasets) // columns)
    figure = Figure(figsize=(5.2 * columns, 4.9 * rows + 0.4), layout="constrained")
    for place, (dataset, name) in enumerate(zip(datasets, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, place)
        _one_pair(axes, dataset.isel(pair=0))
        axes.set_title(f"{name}\n{axes.get_title()}", fontsize=9)
    if title:
        figure.suptitle(title, fontsize=12)
    return figure


def _one_pair(axes: Axes, one: xr.Dataset) -> None:
    misfit, gain = one["misfit"].values, one["gain"].values
    spread: dict[str, Any] = {
        "xerr": 2 * one["misfit_standard_error"].values if "misfit_standard_error" in one else None,
        "yerr": 2 * one["gain_standard_error"].values if "gain_standard_error" in one else None,
    }
    tasks = f"{misfit.size} task" + ("s" if misfit.size != 1 else "")
    label = tasks + (" (bars: 2 standard errors)" if spread["xerr"] is not None else "")
    axes.errorbar(
        misfit,
        gain,
        **spread,
        fmt="o",
        markersize=4,
        color=BLUE,
        ecolor=BLUE + "55",
        linewidth=1,
        label=label,
    )
    slope, r2 = pair_fit(misfit, gain)
    ends = _bar_ends(misfit, gain, spread["xerr"], spread["yerr"])
    legend_size, note_size = (0.62 if "bars" in label else 0.36, 0.16), (0.36, 0.22)
    corner, hidden = emptiest_corner(axes, *ends, legend_size)
    note_corner, hidden_by_note = emptiest_corner(axes, *ends, note_size, taken=corner)
    if hidden + hidden_by_note:
        corner, note_corner = "upper left", "upper right"
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom, top + 0.3 * (top - bottom))
    identity_line(axes)
    axes.set_xlabel("misfit  E(w2s − weak)²  [squared label units]")
    axes.set_ylabel("gain  weak error − w2s error  [squared label units]")
    axes.set_title(f"pair {int(one['pair'])}: " + _fit_text(slope, r2, misfit.size), fontsize=10)
    axes.legend(loc=corner, **LEGEND)
    means = {name: float(one[name].mean()) for name in ("weak_error", "w2s_error", "ceiling_error")}
    errors = "\n".join(
        f"{label} {means[name]:.3g}"
        for name, label in (
            ("weak_error", "weak on truth"),
            ("w2s_error", "strong on weak labels"),
            ("ceiling_error", "strong on truth"),
        )
    )
    corner_note(axes, f"mean squared error of\n{errors}", note_corner)


def _fit_text(slope: float, r2: float, tasks: int) -> str:
    if np.isfinite(slope):
        return f"slope {slope:.3f}, R² {r2:.3f}"
    return no_slope(tasks)


def _bar_ends(
    x: np.ndarray, y: np.ndarray, x_bar: np.ndarray | None, y_bar: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points and the ends of their bars."""
    across = np.zeros_like(x) if x_bar is None else x_bar
    up = np.zeros_like(y) if y_bar is None else y_bar
    return np.concatenate([x, x - across, x + across, x, x]), np.concatenate([y, y, y, y - up, y + up])


def _all_pairs(axes: Axes, dataset: xr.Dataset) -> None:
    scale = dataset["weak_error"].mean("task")
    misfit = (dataset["misfit"] / scale).values.ravel()
    gain = (dataset["gain"] / scale).values.ravel()
    finite = np.isfinite(misfit) & np.isfinite(gain)
    misfit, gain = misfit[finite], gain[finite]
    if not misfit.size:
        axes.set_title(f"{dataset.sizes['pair']} pairs: no finite value", fontsize=10)
        return
    axes.scatter(
        misfit,
        gain,
        s=3 if misfit.size > 100 else 14,
        color=BLUE,
        alpha=min(1.0, 2000 / misfit.size),
        linewidth=0,
        rasterized=True,
    )
    right = np.quantile(misfit, 0.995) * 1.05
    edges = np.linspace(np.quantile(misfit, 0.005), right, _BINS + 1)
    inside = [gain[(misfit >= a) & (misfit < b)] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    full = [i for i, values in enumerate(inside) if values.size >= 20]
    centres = (edges[:-1] + edges[1:])[full] / 2
    if full:
        low, middle, high = (np.array([np.quantile(inside[i], q) for i in full]) for q in (0.1, 0.5, 0.9))
        axes.fill_between(centres, low, high, color=ORANGE, alpha=0.3, linewidth=0, label="10–90% of tasks")
        axes.plot(centres, middle, color=ORANGE, linewidth=2, label="median")
    axes.set_xlim(0, right)
    bottom = min(0.0, float(np.quantile(gain, 0.002)))
    axes.set_ylim(bottom, max(right, float(np.quantile(gain, 0.998))))
    identity_line(axes)
    outside = np.mean((misfit > right) | (gain < bottom) | (gain > axes.get_ylim()[1]))
    fits = np.array(
        [pair_fit(m, g) for m, g in zip(dataset["misfit"].values, dataset["gain"].values, strict=True)]
    )
    fits = fits[np.isfinite(fits).all(axis=1)]
    if fits.size:
        low, middle, high = np.quantile(fits, (0.1, 0.5, 0.9), axis=0)
        numbers = f"slope {middle[0]:.3f} ({low[0]:.3f} to {high[0]:.3f}), R² {middle[1]:.3f}"
        numbers += "\nmedian over pairs (10–90%)"
    else:
        numbers = no_slope(dataset.sizes["task"])
    axes.set_title(f"{dataset.sizes['pair']} pairs: {numbers}", fontsize=10)
    axes.set_xlabel("misfit / mean weak error of the pair  [1]")
    axes.set_ylabel("gain / mean weak error of the pair  [1]")
    corner, _ = emptiest_corner(axes, misfit, gain, (0.36, 0.22))
    axes.legend(loc=corner, **LEGEND)
    if outside > 0:
        note_corner, _ = emptiest_corner(axes, misfit, gain, (0.5, 0.08), taken=corner)
        corner_note(axes, f"{outside:.2%} of the points lie outside", note_corner)
