"""Gain against misfit, the figure of Charikar et al. 2024: one point per task, theory on the diagonal."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import no_slope
from w2sjax.figures.style import BELOW, BLUE, ORANGE, identity_line, line_with_band, new_figure, outside
from w2sjax.medians import median_and_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def gain_against_misfit(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw gain against misfit for the tasks of the first pair, and for all pairs beside it if there are several.

    Args:
        result: of `w2sjax.analysis.gain_on_misfit`.
        title: above the figure.

    Returns:
        A figure. Left: the first pair in label units, with 2 standard errors over the evaluation sample where the data
        hold them. Right, for several pairs: every task, in units of its pair's mean weak error, with the median and the
        10-90% band of gain in bins of misfit.
    """
    columns = 2 if result.sizes["pair"] > 1 else 1
    figure = new_figure(10.5 if columns > 1 else 5.6, 5.6)
    panels = figure.subplots(1, columns, squeeze=False)[0]
    _one_pair(panels[0], result.isel(pair=0))
    _equal(panels[:1])
    if columns > 1:
        _all_pairs(panels[1], result)
    if title:
        lines = [textwrap.fill(line, 62 * columns) for line in title.split("\n")]
        figure.suptitle("\n".join(lines), fontsize=11)
    return figure


def gain_against_misfit_panels(
    results: Sequence[xr.Dataset], titles: Sequence[str], title: str = ""
) -> "Figure":
    """Draw the first pair of several studies beside each other, in units of its mean weak error, to the same scale.

    Args:
        results: of `w2sjax.analysis.gain_on_misfit`.
        titles: of the panels.
        title: above the figure.
    """
    columns = min(len(results), 3)
    rows = -(-len(results) // columns)
    figure = new_figure(5.2 * columns, 5.3 * rows + 0.4)
    for place, (result, name) in enumerate(zip(results, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, place)
        _one_pair(axes, result.isel(pair=0), relative=True)
        axes.set_title(f"{name}\n{axes.get_title()}", fontsize=9)
    _equal(figure.axes)
    if title:
        figure.suptitle(title, fontsize=12)
    return figure


def _equal(panels: "Sequence[Axes]") -> None:
    """Give panels one scale for both axes, and the line gain = misfit."""
    ends = np.array([limits for axes in panels for limits in (axes.get_xlim(), axes.get_ylim())])
    for axes in panels:
        axes.set(xlim=(ends.min(), ends.max()), ylim=(ends.min(), ends.max()), aspect="equal")
        identity_line(axes)
        if drawn := axes.get_legend():
            heading = drawn.get_title().get_text()
            made = axes.legend(**BELOW, title=heading, title_fontsize=8, ncols=2)
            made.get_title().set_multialignment("center")


def _one_pair(axes: "Axes", one: xr.Dataset, relative: bool = False) -> None:
    scale = float(one["mean_weak_error"]) if relative else 1.0
    tasks = one.sizes["task"]
    label = f"{tasks} task" + ("s" if tasks != 1 else "")
    x_bars = y_bars = None
    if "gain_standard_error" in one:
        label += " (bars: 2 standard errors)"
        x_bars, y_bars = (2 * one[f"{name}_standard_error"].values / scale for name in ("misfit", "gain"))
    look: dict[str, Any] = {
        "fmt": "o",
        "markersize": 4,
        "color": BLUE,
        "ecolor": BLUE + "55",
        "elinewidth": 1,
    }
    axes.errorbar(one["misfit"] / scale, one["gain"] / scale, y_bars, x_bars, label=label, **look)
    unit = "/ mean weak error  [1]" if relative else "[squared label units]"
    axes.set_xlabel(f"misfit  E(w2s − weak)²  {unit}")
    axes.set_ylabel(f"gain  weak error − w2s error  {unit}")
    fit = no_slope(tasks)
    if np.isfinite(one["slope"]):
        low, high = one["slope_interval"].values
        fit = f"slope {one['slope']:.3f} [{low:.3f}, {high:.3f}], R² {one['r2']:.3f}"
    if "published_slope" in one.attrs:
        fit += f"\nreleased notebook: slope {one.attrs['published_slope']:.2f}"
    axes.set_title(f"pair {int(one['pair'])}: {fit}", fontsize=10)
    weak, w2s, ceiling = (f"{one[f'mean_{name}_error']:.3g}" for name in ("weak", "w2s", "ceiling"))
    errors = (
        f"mean squared error: weak on truth {weak},\nstrong on weak labels {w2s}, strong on truth {ceiling}"
    )
    axes.legend(**BELOW, title=errors, title_fontsize=8)


def _all_pairs(axes: "Axes", result: xr.Dataset) -> None:
    count = f"{result.sizes['pair']} pairs"
    misfit, gain = (result[f"relative_{name}"].values.ravel() for name in ("misfit", "gain"))
    finite = np.isfinite(misfit) & np.isfinite(gain)
    misfit, gain = misfit[finite], gain[finite]
    if not misfit.size:
        axes.set_title(f"{count}: no finite value", fontsize=10)
        return
    size, alpha = (3 if misfit.size > 100 else 14), min(1.0, 2000 / misfit.size)
    axes.scatter(misfit, gain, s=size, color=BLUE, alpha=alpha, linewidth=0, rasterized=True)
    bins = result["gain_in_bins"].dropna("bin")
    if bins.size:
        label = "median of tasks (band: 10–90%)"
        line_with_band(axes, bins["bin"], bins, "-", 0.3, color=ORANGE, linewidth=2, label=label)
    right = float(result["largest_misfit"])
    bottom, top = np.quantile(gain, (0.002, 0.998))
    axes.set(xlim=(0, right), ylim=(min(0.0, bottom), max(right, top)))
    identity_line(axes)
    beyond = np.mean(outside(misfit, (-np.inf, right)) | outside(gain, axes.get_ylim()))
    low, slope, high = result["slope_over_pairs"].values
    text = no_slope(result.sizes["task"])
    if np.isfinite(slope):
        _, *ends = median_and_interval(result["slope"].values[:, None])[:, 0]
        interval = " [{:.3f}, {:.3f}]".format(*ends) if np.isfinite(ends).all() else ""
        text = f"median slope {slope:.3f}{interval},\n{low:.3f} to {high:.3f} for the middle 80%; "
        text += f"R² {result['r2_over_pairs'].sel(quantile=0.5):.3f}"
    axes.set_title(f"{count}: {text}", fontsize=10)
    axes.set_xlabel("misfit / mean weak error of the pair  [1]")
    axes.set_ylabel("gain / mean weak error of the pair  [1]")
    note = f"{beyond:.2%} of the points lie outside" if beyond else None
    axes.legend(**BELOW, title=note, title_fontsize=8, ncols=2)
