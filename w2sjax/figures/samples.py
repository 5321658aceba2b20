"""Deviation against sample size: medians, bands, fitted exponents, and the powers of n that theory names."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.analysis.samples import SMALLEST_FITTED
from w2sjax.figures.style import (
    BELOW,
    BLUE,
    GREEN,
    GREY,
    INSIDE,
    ORANGE,
    for_paper,
    head,
    line_with_band,
    log_scales,
    new_figure,
)
from w2sjax.medians import FEWEST_RESAMPLED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = {
    "n_weak": ("n_weak, weak model (n_strong = {:,.0f})", "s-", ORANGE),
    "n_strong": ("n_strong, w2s model (n_weak = {:,.0f})", "^-", GREEN),
    "both": ("both, n_weak = n_strong", "o-", BLUE),
}
"""What grows, and in brackets what the other size is held at; marker and colour."""


def deviation_against_samples(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw |deviation| / weak_error against the common sample size, with the n^-1/2 line.

    Args:
        result: of `w2sjax.analysis.deviation_by_size`.
        title: above the figure.

    Returns:
        A log-log figure: the median over pairs and tasks, the 10-90% band, and n^-1/2 through the geometric mean of
        the medians.
    """
    n, factor = result["n"].values.astype(float), float(result["root_factor"])
    figure = new_figure(6, 5)
    axes = figure.subplots()
    label = "median (band: 10–90% of pairs and tasks)"
    line_with_band(axes, n, result["relative_deviation"], alpha=0.25, color=BLUE, label=label)
    axes.plot(n, factor / n**0.5, "--", color=ORANGE, label=f"{factor:.2f} n$^{{-1/2}}$")
    log_scales(axes)
    axes.set_xlabel("sample size n of each split  [samples]")
    axes.set_ylabel("|gain − misfit| / weak error  [1]")
    axes.legend(**INSIDE | {"fontsize": 9})
    head(figure, title, result, f", fitted exponent {result['exponent']:.2f}")
    return figure


def finite_sample_map(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw the distance of deviation from its limit against each sample size and both, one panel per world.

    Args:
        result: of `w2sjax.analysis.finite_sample`, perhaps with the law of `w2sjax.analysis.law_over_map`.
        title: above the figure.

    Returns:
        A log-log figure: medians over pairs and tasks, 10-90% bands, fitted exponents with 95% intervals, and the
        n^-1/2 and 1/n lines through the first fitted median of the curve of both sizes; where it was computed, median
        and 10-90% limits of the law of the deviation as black lines.
    """
    noises = result["strong_noise"].values.tolist()
    figure = new_figure(3.4 * len(noises), 5.4)
    panels = figure.subplots(1, len(noises), squeeze=False)[0]
    for axes, noise in zip(panels, noises, strict=True):
        world = result.sel(strong_noise=noise)
        for curve in CURVES:
            _draw_curve(axes, world.sel(curve=curve), curve, largest=float(result["n"][-1]))
        if "law" in world:
            _draw_law(axes, world["law"].dropna("n"))
        log_scales(axes)
        axes.set_xlabel("sample size n  [samples]")
        limit = "" if world["realizable"] else "\n− its value at the largest n"
        axes.set_ylabel(f"|(gain − misfit){limit}| / weak error  [1]")
        kind = "realizable: the strong representation is the target's"
        axes.set_title(
            f"{kind if world['realizable'] else 'not realizable'}\n(strong_noise {noise:g})", fontsize=10
        )
        interval = "\n[95% interval, pairs resampled]" if result.attrs["pairs"] >= FEWEST_RESAMPLED else ""
        fitted = f"exponent fitted from {SMALLEST_FITTED:,} to {world['largest_fitted']:,.0f}{interval}"
        axes.legend(**BELOW | {"fontsize": 6}, title=f"what grows: {fitted}", title_fontsize=6)
    head(figure, title, result, "; bands 10–90%")
    for_paper(figure, 7)
    return figure


def _draw_law(axes: "Axes", law: xr.DataArray) -> None:
    n = law["n"].values.astype(float)
    for level, width in ((0.1, 0.8), (0.5, 1.8), (0.9, 0.8)):
        label = "law of the deviation along n_strong (10, 50, 90%)" if level == 0.5 else None
        axes.plot(n, law.sel(quantile=level), "-", color="black", linewidth=width, label=label, zorder=4)


def _draw_curve(axes: "Axes", cell: xr.Dataset, curve: str, largest: float) -> None:
    values = cell["distance"].dropna("n")
    n = values["n"].values.astype(float)
    text, style, color = CURVES[curve]
    interval = f" [{cell['low']:.2f}, {cell['high']:.2f}]" if np.isfinite(cell["low"]) else ""
    label = f"{text.format(largest)}: {cell['slope']:.2f}{interval}"
    line_with_band(axes, n, values, style, 0.12, color=color, markersize=4, label=label)
    if curve == "both":
        first = int(np.argmax(n >= SMALLEST_FITTED))
        start = float(values.sel(quantile=0.5)[first])
        for power, dashes, name in ((0.5, "--", "n$^{-1/2}$"), (1.0, ":", "n$^{-1}$")):
            axes.plot(n, start * (n / n[first]) ** -power, dashes, color=GREY, linewidth=1.2, label=name)
