"""The published panel among independent draws of everything."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.figures.style import BLUE, GREY, ORANGE, for_paper, head, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELS = {
    "ceiling_share": "ceiling / weak error",
    "misfit_share": "misfit / weak error",
    "gain_share": "gain / weak error",
    "correlation": "correlation",
    "slope": "slope of gain on misfit",
    "above_misfit": "tasks with gain > misfit",
    "negative_gain": "tasks with gain < 0",
}


def reference_panel_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw every world's numbers, their quartiles, and the published ones.

    Args:
        result: of `w2sjax.analysis.reference_numbers`.
        title: above the figure.

    Returns:
        One row per number: points are worlds, the bar 10-90%, the box the quartiles, the diamond the published panel.
    """
    figure = new_figure(6.8, 4.2)
    axes = figure.subplots()
    names = result["number"].values.tolist()
    rng = np.random.default_rng(0)
    for place, name in enumerate(names):
        one = result.sel(number=name)
        values, (low, first, median, third, high) = one["value"].values, one["over_pairs"].values
        axes.plot(
            values, place + rng.uniform(-0.25, 0.25, values.size), ".", color=BLUE, alpha=0.35, markersize=4
        )
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        axes.plot([first, third], [place, place], color="black", linewidth=4, solid_capstyle="butt")
        axes.plot(median, place, "|", color="white", markersize=9, markeredgewidth=2)
        label = "published panel" if place == 0 else None
        axes.plot(one["published"], place, "D", color=ORANGE, markersize=6, label=label, zorder=5)
    axes.set_yticks(range(len(names)), [_LABELS[name] for name in names], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(-0.1, 1.6)
    axes.set_xlabel("share, correlation or slope  [1]")
    axes.grid(True, axis="x", color=GREY, alpha=0.2)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    hidden = int(((result["value"] < -0.1) | (result["value"] > 1.6)).any("number").sum())
    head(figure, title, result, f"; bars 10–90%, boxes quartiles; {hidden} worlds have a point outside")
    for_paper(figure, 9)
    return figure
