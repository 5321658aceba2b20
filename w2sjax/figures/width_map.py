"""Least loss ratio by the widths of teacher and student."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.figures.style import for_paper, head, new_figure, plain_log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def width_map_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw the theory's map as colours, and simulated cells as discs in the same colours with their numbers.

    Args:
        result: of `w2sjax.analysis.width_map`.
        title: above the figure.
    """
    figure = new_figure(6.8, 4.2)
    axes = figure.subplots()
    simulated = result["ratio"].sel(of="simulated").transpose("weak_width", "strong_width")
    values = np.log10(result["map"].T)
    largest = float(abs(values).max())
    colours: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    mesh = axes.pcolormesh(result["teacher"], result["student"], values, rasterized=True, **colours)
    axes.contour(result["teacher"], result["student"], values, levels=[0], colors="black", linewidths=1)
    across, up = np.meshgrid(simulated["weak_width"], simulated["strong_width"], indexing="ij")
    axes.scatter(across, up, 120, np.log10(simulated), edgecolors="black", clip_on=False, zorder=3, **colours)
    for x, y, value in zip(across.ravel(), up.ravel(), simulated.values.ravel(), strict=True):
        axes.annotate(
            f"{value:.2f}", (x, y), (0, -9), textcoords="offset points", ha="center", va="top", fontsize=7
        )
    plain_log_ticks(axes, 1, "x")
    plain_log_ticks(axes, 1, "y")
    axes.set(xlim=(across.min() / 1.15, across.max() * 1.15), ylim=(up.min() / 1.4, up.max() * 1.25))
    axes.set(xlabel="weak_width  [features]", ylabel="strong_width  [features]")
    figure.colorbar(mesh, ax=axes, label="log10 of least w2s_error / weak_error")
    head(figure, title, result, "; colours: theory; discs: simulated")
    for_paper(figure)
    return figure
