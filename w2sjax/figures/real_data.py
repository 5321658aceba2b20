"""Where weak supervision helps on a data set: gain against misfit, a map of the gain, PGR and OPR by sample size."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.analysis.real_data import at_largest, over_seeds, without_seed
from w2sjax.figures.style import (
    CATEGORIES,
    GREY,
    MARKERS,
    identity_line,
    new_figure,
    plain_log_ticks,
    shown,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = re.compile(r"width (\d+), depth (\d+)")

SHOWN = 4
"""Weak models whose curves are drawn: those of the largest gain at the largest samples."""


def help_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw what weak supervision does on one data set.

    Args:
        result: of `w2sjax.analysis.help_on_data`, with the axes n_weak, n_strong and perhaps label_noise.
        title: above the figure.

    Returns:
        Gain against misfit at the largest samples; the map of relative gain over students, a star where the interval
        leaves 0 out; PGR against n_strong and OPR against n_weak for the four weak models of the largest gain, dashed
        with label noise. Points and lines are medians over resamples, bars 95% intervals of the median.
    """
    figure = new_figure(6.8, 6.4)
    panels = figure.subplots(2, 2)
    _gain(panels[0, 0], result)
    _map(figure, panels[0, 1], result)
    _curves(panels[1, 0], result, "pgr", "n_strong", "PGR  [1]")
    _curves(panels[1, 1], result, "opr", "n_weak", "OPR  [1]")
    _legend(figure, panels[0, 0])
    figure.suptitle(f"{title}\n{_note(result)}".strip(), fontsize=9)
    return figure


def help_panels(results: Sequence[xr.Dataset], titles: Sequence[str], title: str = "") -> "Figure":
    """Draw gain against misfit and the map of relative gain of several data sets, a row for each."""
    figure = new_figure(6.8, 2.6 * len(results) + 0.7)
    panels = figure.subplots(len(results), 2, squeeze=False)
    for row, (result, name) in enumerate(zip(results, titles, strict=True)):
        _gain(panels[row, 0], result)
        panels[row, 0].set_title(f"{name}: {_note(result)}", fontsize=7)
        _map(figure, panels[row, 1], result)
    _legend(figure, panels[0, 0])
    figure.suptitle(title, fontsize=9)
    return figure


def size_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw the errors of weak models of several sizes, and of their students, for one data set: see `size_panels`."""
    return size_panels([result], [""], title)


def size_panels(results: Sequence[xr.Dataset], titles: Sequence[str], title: str = "") -> "Figure":
    """Draw weak models named "width W, depth D, seed S" and their students, a row for each data set.

    Args:
        results: of `w2sjax.analysis.help_on_data`; weak models of other names are drawn as lines.
        titles: of the rows.
        title: above the figure.

    Returns:
        Errors against width, of weak models and, dashed, of their students: medians over resamples, lines through their
        mean over seeds, bars from the least to the largest; gain against misfit, a point for each seed, medians over
        resamples with the 95% interval of the median.
    """
    figure = new_figure(6.8, 2.6 * len(results) + 0.7)
    panels = figure.subplots(len(results), 2, squeeze=False)
    for row, result, name in zip(panels, results, titles, strict=True):
        cell = at_largest(result)
        means = over_seeds(cell)
        sizes: dict[int, list[tuple[int, str]]] = {}
        others = []
        for size in means["size"].values.tolist():
            if found := _SIZE.fullmatch(size):
                sizes.setdefault(int(found[2]), []).append((int(found[1]), size))
            else:
                others.append(size)
        for place, (depth, own) in enumerate(sizes.items()):
            widths, names = zip(*own, strict=True)
            part = means.sel(size=list(names))
            for quantity, dashes in (("weak_error", "-"), ("w2s_error", "--")):
                options = _style(place) | {"linestyle": dashes, "markersize": 3, "linewidth": 1}
                row[0].errorbar(widths, *_bars(part[quantity], "size"), **options)
            label = f"depth {depth}"
            seeds = [weak for weak in cell["weak"].values.tolist() if without_seed(weak) in names]
            part = cell.sel(weak=seeds)
            across, bars = _bars(part["misfit"])
            options = _style(place) | {"linestyle": "none", "markersize": 4, "label": label, "xerr": bars}
            row[1].errorbar(across, *_bars(part["gain"]), **options)
        for place, weak in enumerate(others, start=len(sizes)):
            own_error = float(cell["weak_error"].sel(weak=weak, of="median"))
            row[0].axhline(own_error, color=CATEGORIES[place], linewidth=1, label=f"{weak}, weak error")
        ceiling = float(cell["ceiling_error"].isel(weak=0).sel(of="median"))
        row[0].axhline(ceiling, color=GREY, linewidth=1, linestyle=":", label="ceiling")
        row[0].set(xscale="log", xticks=widths, xticklabels=widths)
        row[0].minorticks_off()
        row[1].axhline(0, color=GREY, linewidth=0.8)
        identity_line(row[1])
        for axes, x, y in ((row[0], "width", "error: weak, student dashed"), (row[1], "misfit", "gain")):
            axes.set_xlabel(x, fontsize=8)
            axes.set_ylabel(y, fontsize=8)
            axes.tick_params(labelsize=7)
        row[1].locator_params(nbins=6)
        row[0].set_title(f"{name}: {_note(result)}".removeprefix(": "), fontsize=7)
    handles = [axes.get_legend_handles_labels() for axes in panels[0]]
    labels = handles[0][1] + handles[1][1]
    figure.legend(
        handles[0][0] + handles[1][0], labels, loc="outside lower center", ncols=6, fontsize=7, frameon=False
    )
    figure.suptitle(title, fontsize=9)
    return figure


def _bars(values: xr.DataArray, along: str = "weak") -> tuple[np.ndarray, list[np.ndarray]]:
    """Return medians along an axis, and the lengths of their bars."""
    middle, low, high = values.transpose("of", along).values
    return middle, [np.maximum(middle - low, 0), np.maximum(high - middle, 0)]


def _note(result: xr.Dataset) -> str:
    unit = result.attrs["unit"]
    errors = "shares of wrong signs" if unit == "1" else f"errors in ({unit})$^2$"
    return f"{result.attrs['pairs']} resamples, {errors}"


def _legend(figure: "Figure", axes: "Axes") -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=7, frameon=False)


def _style(place: int) -> dict[str, Any]:
    """Return colour and marker of a weak model; grey from the eighth on."""
    color = CATEGORIES[place] if place < len(CATEGORIES) else GREY
    return {"color": color, "marker": MARKERS[place % len(MARKERS)]}


def _gain(axes: "Axes", result: xr.Dataset) -> None:
    cell = at_largest(result)
    for place, name in enumerate(cell["weak"].values.tolist()):
        (x, left, right), (y, low, high) = (cell[q].sel(weak=name).values for q in ("misfit", "gain"))
        bars: dict[str, Any] = {"xerr": [[x - left], [right - x]], "yerr": [[y - low], [high - y]]}
        axes.errorbar(x, y, **bars, linestyle="none", markersize=4, label=shown(name), **_style(place))
    axes.axhline(0, color=GREY, linewidth=0.8)
    identity_line(axes)
    axes.set_xlabel("misfit", fontsize=8)
    axes.set_ylabel("gain", fontsize=8)
    axes.locator_params(nbins=6)
    axes.tick_params(labelsize=7)


def _map(figure: "Figure", axes: "Axes", result: xr.Dataset) -> None:
    """Draw relative gain by weak model and student, at the largest samples and without label noise."""
    cells = result.isel(dict.fromkeys(("n_weak", "n_strong"), -1), missing_dims="ignore")
    cells = cells.isel(label_noise=0) if "label_noise" in cells.dims else cells
    middle, low, high = cells["relative_gain"].transpose("of", "weak", "strong").values
    drawn = axes.imshow(middle, cmap="RdBu", vmin=-0.5, vmax=0.5, aspect="auto")
    for (i, j), value in np.ndenumerate(middle):
        text = f"{value:.2f}{'*' if low[i, j] > 0 or high[i, j] < 0 else ''}"
        color = "white" if abs(value) > 0.35 else "black"
        axes.text(j, i, text, ha="center", va="center", fontsize=6, color=color)
    axes.set_yticks(range(len(middle)), [shown(n) for n in cells["weak"].values.tolist()], fontsize=7)
    students = [shown(name).rpartition(", ")[2] for name in cells["strong"].values.tolist()]
    axes.set_xticks(range(len(students)), students, fontsize=7)
    axes.set_xlabel("ridge of the student", fontsize=8)
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label("gain / weak error", fontsize=7)
    bar.ax.tick_params(labelsize=6)


def _curves(axes: "Axes", result: xr.Dataset, quantity: str, axis: str, label: str) -> None:
    student = at_largest(result)
    order = np.argsort(-student["gain"].sel(of="median").values, kind="stable")[:SHOWN]
    other = {"n_weak": "n_strong", "n_strong": "n_weak"}[axis]
    cells = result.sel(strong=student["strong"].item()).isel({other: -1})
    noises = cells["label_noise"].values.tolist() if "label_noise" in cells.dims else [0]
    for place in sorted(order.tolist()):
        for noise, dashes in zip(noises, ("-", "--"), strict=False):
            one = cells.isel(weak=place)
            one = one.sel(label_noise=noise) if "label_noise" in cells.dims else one
            middle, bars = _bars(one[quantity], axis)
            options = _style(place) | {"linestyle": dashes, "markersize": 3, "linewidth": 1}
            axes.errorbar(one[axis].values, middle, yerr=bars, **options)
    axes.axhline(1 if quantity == "opr" else 0, color=GREY, linewidth=0.8)
    plain_log_ticks(axes, 1)
    axes.set_xlabel(f"{axis}  [samples]", fontsize=8)
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    noisy = f"; dashed: label noise {noises[-1]:g}" if len(noises) > 1 else ""
    axes.set_title(f"{other} {int(result[other][-1])}{noisy}", fontsize=7)
