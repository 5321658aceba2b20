"""Accuracies by group against the number of rows of one group, beside published means."""

from typing import TYPE_CHECKING

import xarray as xr

from w2sjax.figures.style import BLUE, GREEN, GREY, ORANGE, head, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINES = {"weak": (BLUE, "o"), "ceiling": (ORANGE, "^"), "w2s": (GREEN, "s")}


def overlap_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw accuracies of weak model, ceiling and w2s model, on all rows and by group.

    Args:
        result: of `w2sjax.analysis.overlap_accuracy`.
        title: above the figure.

    Returns:
        Lines are means over runs, bands one standard deviation of a run, crosses published means.
    """
    figure = new_figure(6.8, 5.4)
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    groups = result["group"].values.tolist()
    for panel, group in zip(panels, [groups[-1], *groups[:-1]], strict=True):
        for model, (color, marker) in _LINES.items():
            cell = result.sel(model=model, group=group)
            mean, spread = cell["mean"], cell["deviation"]
            panel.fill_between(
                cell["rows"], mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0
            )
            panel.errorbar(
                cell["rows"],
                mean,
                2 * cell["standard_error"],
                fmt=f"{marker}-",
                color=color,
                markersize=3,
                label=model,
            )
            if "published" in result:
                known = cell.where(cell["published"].notnull(), drop=True)
                panel.plot(known["rows"], known["published"], "kx", markersize=6, zorder=5)
        panel.set_title("all rows" if group == groups[-1] else f"{group} rows", fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(True, color=GREY, alpha=0.2)
    for panel in panels[2:]:
        panel.set_xlabel(f"{result.attrs['varied']} rows", fontsize=9)
    for panel in panels[::2]:
        panel.set_ylabel("accuracy", fontsize=9)
    if "published" in result:
        panels[0].plot([], [], "kx", markersize=6, label="published means")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    head(figure, title, result, "; bands: 1 s.d. of a run")
    return figure
