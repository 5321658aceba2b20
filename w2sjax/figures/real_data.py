"""Where weak supervision helps on a data set: gain against misfit, a map of the gain, PGR and OPR by sample size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.analysis.real_data import at_largest
from w2sjax.figures.style import (
    CATEGORIES,
    GREY,
    INSIDE,
    MARKERS,
    head,
    identity_line,
    new_figure,
    plain_log_ticks,
    shown,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 4
"""Weak models whose curves are drawn: those of the largest gain at the largest samples."""


def help_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw what weak supervision does on one data set.

    Args:
        result: of `w2sjax.analysis.help_on_data`, with the axes n_weak, n_strong and perhaps label_noise.
        title: above the figure.

    Returns:
        Gain against misfit at the largest samples; the map of relative gain over students; PGR against n_strong and OPR
        against n_weak for the four weak models of the largest gain, dashed with label noise. Points and lines are
        medians over resamples, bars 95% intervals of the median.
    """
    figure = new_figure(6.8, 6.4)
    panels = figure.subplots(2, 2)
    _gain(panels[0, 0], result, legend=True)
    figure.colorbar(_map(panels[0, 1], result), ax=panels[0, 1], label="gain / weak error", pad=0.02)
    _curves(panels[1, 0], result, "pgr", "n_strong", "PGR  [1]")
    _curves(panels[1, 1], result, "opr", "n_weak", "OPR  [1]")
    head(figure, title, result, f", errors in ({result.attrs['unit']})$^2$")
    return figure


def help_panels(results: Sequence[xr.Dataset], titles: Sequence[str], title: str = "") -> "Figure":
    """Draw gain against misfit and the map of relative gain of several data sets, a row for each."""
    figure = new_figure(6.8, 2.7 * len(results) + 0.4)
    panels = figure.subplots(len(results), 2, squeeze=False)
    for row, (result, name) in enumerate(zip(results, titles, strict=True)):
        _gain(panels[row, 0], result, legend=row == 0)
        panels[row, 0].set_title(name, fontsize=9)
        figure.colorbar(_map(panels[row, 1], result), ax=panels[row, 1], label="gain / weak error", pad=0.02)
    figure.suptitle(title, fontsize=10)
    return figure


def _gain(axes: "Axes", result: xr.Dataset, *, legend: bool) -> None:
    cell = at_largest(result)
    for place, name in enumerate(cell["weak"].values.tolist()):
        (x, left, right), (y, low, high) = (cell[q].sel(weak=name).values for q in ("misfit", "gain"))
        axes.errorbar(
            x,
            y,
            xerr=[[x - left], [right - x]],
            yerr=[[y - low], [high - y]],
            fmt=MARKERS[place % len(MARKERS)],
            color=CATEGORIES[place % len(CATEGORIES)],
            markersize=4,
            label=shown(name),
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    identity_line(axes)
    axes.set_xlabel("misfit  [label unit squared]", fontsize=8)
    axes.set_ylabel("gain", fontsize=8)
    axes.tick_params(labelsize=7)
    if legend:
        axes.legend(**INSIDE | {"fontsize": 6, "ncols": 2})


def _map(axes: "Axes", result: xr.Dataset) -> Any:
    """Draw relative gain by weak model and student; a star where the interval leaves 0 out."""
    sizes = {name: -1 for name in result["gain"].dims if str(name).startswith("n_")}
    cells = result.isel(sizes)
    if "label_noise" in cells.dims:
        cells = cells.isel(label_noise=0)
    relative = cells["relative_gain"].transpose("of", "weak", "strong")
    values = relative.sel(of="median").values
    drawn = axes.imshow(values, cmap="RdBu", vmin=-0.5, vmax=0.5, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        sure = relative.sel(of="low").values[i, j] > 0 or relative.sel(of="high").values[i, j] < 0
        color = "white" if abs(value) > 0.35 else "black"
        axes.text(
            j, i, f"{value:.2f}{'*' if sure else ''}", ha="center", va="center", fontsize=6, color=color
        )
    axes.set_yticks(range(cells.sizes["weak"]), [shown(n) for n in cells["weak"].values.tolist()], fontsize=7)
    axes.set_xticks(
        range(cells.sizes["strong"]), [shown(n) for n in cells["strong"].values.tolist()], fontsize=6
    )
    axes.set_xlabel("student", fontsize=8)
    return drawn


def _curves(axes: "Axes", result: xr.Dataset, quantity: str, axis: str, label: str) -> None:
    student = at_largest(result)
    order = np.argsort(-student["gain"].sel(of="median").values, kind="stable")[:SHOWN]
    other = {"n_weak": "n_strong", "n_strong": "n_weak"}[axis]
    cells = result.sel(strong=student["strong"].item()).isel({other: -1})
    noises = cells["label_noise"].values.tolist() if "label_noise" in cells.dims else [None]
    for place in sorted(order):
        for noise, dashes in zip(noises, ("-", "--", ":"), strict=False):
            one = cells.isel(weak=place) if noise is None else cells.isel(weak=place).sel(label_noise=noise)
            values = one[quantity].transpose("of", axis).values
            bars = [np.maximum(values[0] - values[1], 0), np.maximum(values[2] - values[0], 0)]
            name = shown(cells["weak"].values.tolist()[place])
            axes.errorbar(
                one[axis].values,
                values[0],
                yerr=bars,
                fmt=MARKERS[place % len(MARKERS)] + dashes,
                color=CATEGORIES[place % len(CATEGORIES)],
                markersize=3,
                linewidth=1,
                label=name if not noise else None,
            )
    axes.axhline(1 if quantity == "opr" else 0, color=GREY, linewidth=0.8)
    plain_log_ticks(axes, 1)
    axes.set_xlabel(f"{axis}  [samples]", fontsize=8)
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    noisy = f"; dashed: label noise {noises[-1]:g}" if len(noises) > 1 else ""
    axes.legend(
        **INSIDE | {"fontsize": 6}, title=f"{other} {int(result[other][-1])}{noisy}", title_fontsize=6
    )
