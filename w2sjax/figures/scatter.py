"""Any two quantities of a sweep against each other: coloured by one axis, in panels by another."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.analysis.points import Points, check_names, draw_points, ranges_by_place
from w2sjax.errors import W2SError
from w2sjax.figures.style import BLUE, CATEGORIES, GREY, identity_line, new_figure, outside, plain_text, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 16
MOST_IN_LEGEND = 8

MOST_MEDIANS = 40
"""Values of an axis on the horizontal axis up to which their medians are drawn."""


def scatter(
    blocks: Sequence[xr.Dataset],
    *,
    x: str,
    y: str,
    color: str | None = None,
    facet: str | None = None,
    points: int = 20_000,
    title: str = "",
    note: str = "",
    bands: Mapping[Any, xr.Dataset] | None = None,
) -> "Figure":
    """Draw one quantity against another for every pair, task and cell, or for an even sample of them.

    Args:
        blocks: Datasets of one sweep with disjoint pairs or cells, such as the finished regions of a store; an axis of
            length one may have lost its dimension.
        x, y: names of variables or axes.
        color: an axis; numbers get colours in their order, with a bar beside the figure where they are many.
        facet: an axis with at most `MOST_PANELS` values; one panel each.
        points: most points in the whole figure.
        title, note: above the panels.
        bands: of `w2sjax.analysis.law_band`, by the value of the facet, or None where there is none.

    Returns:
        A figure whose axes carry units. Panels share their limits, which leave out points that lie further from the
        central 90% than 1.5 times its width. The line y = x is drawn for gain against misfit. Where x is an axis with
        at most `MOST_MEDIANS` values, points are spread sideways around their value, with the median and the 10-90%
        range of the drawn points of every value and colour. Above the panels: how many of the points are drawn, how
        many lie outside, and which axes are pooled.

    Raises:
        W2SError: for a name that the data do not have, with the nearest one, or too many panels.

    Cost: reads only the blocks and pairs that it draws from.
    """
    if not blocks:
        raise W2SError("the store has no finished chunk yet: run the sweep further.")
    check_names(blocks[0], x=x, y=y, color=color, facet=facet)
    data = draw_points([name for name in (x, y, color, facet) if name], blocks, points)
    columns = data.columns
    facets: list[Any] = np.unique(columns[facet]).tolist() if facet else [None]
    if len(facets) > MOST_PANELS:
        raise W2SError(f"--facet {facet} has {len(facets)} values: use an axis of at most {MOST_PANELS}.")
    across = min(len(facets), 4 if len(facets) != 4 else 2)
    down = math.ceil(len(facets) / across)
    figure = new_figure(4.2 * across + 3.2, 3.7 * down + 1.5)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(facets) :]:
        panel.set_visible(False)
    bar_label = _wrapped(_label(blocks[0], color), 3 * down) if color else ""
    palette, which, handles = _coloured(figure, panels[: len(facets)], columns, color, bar_label)
    values = np.unique(columns[x])
    medians = x in blocks[0].coords and y in blocks[0].data_vars and values.size <= MOST_MEDIANS
    limits = None if medians else _central_limits(columns[x]), _central_limits(columns[y])
    for panel, value in zip(panels, facets, strict=False):
        inside = np.ones(which.size, bool) if facet is None else columns[facet] == value
        of_panel = columns[x][inside], columns[y][inside]
        if medians:
            _draw_with_medians(panel, values, *of_panel, palette, which[inside])
        else:
            _draw(panel, *of_panel, palette[which[inside]])
            panel.set_xlim(limits[0])
        panel.set_ylim(limits[1])
        for on, name in (("x", x), ("y", y)):
            if columns[name].dtype.kind in "iuf" and not (medians and on == "x"):
                panel.ticklabel_format(axis=on, scilimits=(-3, 4))
        if facet is not None:
            panel.set_title(f"{plain_text(facet)} = {shown(value)}", fontsize=10)
        if (x, y) == ("misfit", "gain"):
            identity_line(panel)
        if bands is not None:
            _draw_band(panel, bands[value]["band"].dropna("x"), values if medians else None)
        panel.tick_params(labelbottom=True)
    handles = panels[0].get_legend_handles_labels()[0] + handles
    if handles:
        figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=8)
    width, height = figure.get_size_inches()
    evenly = "\n(values at equal distances)" if medians and values.size > 1 else ""
    figure.supxlabel(_wrapped(_label(blocks[0], x), width) + evenly, fontsize=10)
    figure.supylabel(_wrapped(_label(blocks[0], y), height - 1), fontsize=10)
    beyond = outside(columns[y], limits[1])
    if limits[0] is not None:
        beyond = beyond | outside(columns[x], limits[0])
    lines = _heading(data, title, note, float(beyond.mean()))
    figure.suptitle("\n".join(_wrapped(line, width) for line in lines), fontsize=9, color=GREY)
    return figure


def _coloured(
    figure: "Figure", panels: np.ndarray, columns: dict[str, np.ndarray], name: str | None, label: str
) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """Return the colours of the values of an axis `[value, 4]`, which of them every point has, and what a legend says.

    Numbers are in the order of their colours; those with many values have a bar beside the panels in place of a legend.
    """
    import matplotlib
    from matplotlib.colors import LogNorm, Normalize, to_rgba_array
    from matplotlib.lines import Line2D

    if name is None:
        return to_rgba_array([BLUE]), np.zeros(next(iter(columns.values())).size, int), []
    values, which = np.unique(columns[name], return_inverse=True)
    # Cividis keeps its order for every kind of colour vision; its lightest end is too pale on white.
    cividis = matplotlib.colormaps["cividis"]
    numbers = values.dtype.kind in "iuf"
    if numbers and values.size > MOST_IN_LEGEND:
        low, high = float(values[0]), float(values[-1])
        norm = LogNorm(low, high) if low > 0 and high > 100 * low else Normalize(low, high)
        figure.colorbar(matplotlib.cm.ScalarMappable(norm, cividis), ax=list(panels), label=label)
        return cividis(norm(values)), which, []
    palette = cividis(np.linspace(0.0, 0.88, max(2, values.size)))
    if not numbers:
        palette = to_rgba_array([CATEGORIES[i % len(CATEGORIES)] for i in range(values.size)])
    handles = [
        Line2D([], [], color=color, marker="o", linestyle="", label=f"{plain_text(name)} = {shown(value)}")
        for color, value in zip(palette, values.tolist(), strict=False)
    ]
    return palette, which, handles


def _draw(
    panel: "Axes", x: np.ndarray, y: np.ndarray, colors: np.ndarray, alpha: float | None = None
) -> None:
    """Draw points in one call, in the order given, so that none hides the others by its colour."""
    size, dense = (14, 0.8) if x.size < 500 else (5, 0.5)
    panel.scatter(x, y, s=size, c=colors, alpha=alpha or dense, linewidth=0, rasterized=True)


def _draw_with_medians(
    panel: "Axes", values: np.ndarray, x: np.ndarray, y: np.ndarray, palette: np.ndarray, which: np.ndarray
) -> None:
    """Draw points around their values of an axis, and medians with 10-90% ranges, one per value and colour."""
    # More colours would stand too close: they share medians.
    groups = len(palette) if len(palette) <= MOST_IN_LEGEND else 1
    group = which if groups > 1 else np.zeros_like(which)
    centre = (np.arange(groups) - (groups - 1) / 2) * (0.7 / groups)
    place = np.searchsorted(values, x)
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, x.size) / groups
    _draw(panel, place + centre[group] + jitter, y, palette[which], alpha=0.25)
    for g in range(groups) if np.issubdtype(y.dtype, np.number) else ():
        drawn, (low, middle, high) = ranges_by_place(place[group == g], y[group == g])
        panel.errorbar(
            drawn + centre[g], middle, (middle - low, high - middle), fmt="o", markersize=6, elinewidth=1.6, capsize=3,
            color="black" if groups == 1 else palette[g], ecolor="black", markeredgecolor="black",
            label="median, 10–90%\nof the points drawn" if g == 0 else None,
        )  # fmt: skip
    marked = np.arange(0, values.size, -(-values.size // 8))
    panel.set_xticks(marked, [shown(value) for value in values[marked].tolist()])
    panel.set_xlim(-0.6, values.size - 0.4)


def _draw_band(panel: "Axes", band: xr.DataArray, places: np.ndarray | None) -> None:
    """Draw the middle 90% and the median that a theory predicts; values at equal distances have places."""
    at = band["x"].values if places is None else np.searchsorted(places, band["x"].values)
    low, middle, high = band.transpose("quantile", "x").values
    limits = panel.get_xlim(), panel.get_ylim()
    label = "law of the deviation,\nmiddle 90% and median"
    panel.fill_between(at, low, high, color=GREY, alpha=0.3, linewidth=0, label=label, zorder=2.5)
    panel.plot(at, middle, color="black", linewidth=1.2, zorder=2.6)
    panel.set(xlim=limits[0], ylim=limits[1])


def _central_limits(values: np.ndarray) -> tuple[float, float]:
    """Return limits that leave out values further from the central 90% than 1.5 times its width."""
    if not np.issubdtype(values.dtype, np.number):
        return -0.5, len(np.unique(values)) - 0.5
    central = np.quantile(values, (0.05, 0.95))
    beyond = 1.5 * (central[1] - central[0]) or np.inf
    low = max(float(values.min()), float(central[0] - beyond))
    high = min(float(values.max()), float(central[1] + beyond))
    pad = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    # An axis that nearly begins at zero should begin there.
    return min(0.0, low) if 0 <= low < 0.2 * high else low - pad, high + pad


def _heading(data: Points, title: str, note: str, beyond: float) -> list[str]:
    """Return the lines above the panels: title, points drawn and left out, and the axes that are pooled."""
    drawn = next(iter(data.columns.values())).size
    if data.complete:
        count = f"{drawn:,} points" + (f", {data.total - drawn:,} not finite" if drawn < data.total else "")
    else:
        count = f"{drawn:,} of {data.total:,} points drawn, spread evenly"
    if beyond:
        count += f"; {beyond:.2%} lie outside the frame"
    pooled = ", ".join(
        f"{values.size:,}\u00a0{name}s"
        if name in ("pair", "task")
        else f"{plain_text(name)} ({values.size} values, {shown(values[0].item())} to {shown(values[-1].item())})"
        for name, values in data.pooled.items()
    )
    lines = (plain_text("; ".join(filter(None, (title, note)))), count, pooled and f"pooled: {pooled}")
    return [line for line in lines if line]


def _label(dataset: xr.Dataset, name: str) -> str:
    """Return the name, meaning and unit of a variable or axis."""
    attributes = dataset[name].attrs
    meaning, unit = attributes.get("long_name", ""), attributes.get("units")
    first = f"{name}: {meaning}" if meaning and meaning != name else name
    return plain_text(first + (f"  [{unit}]" if unit else ""))


def _wrapped(text: str, inches: float) -> str:
    """Break a text into lines of so many inches, brackets kept together."""
    kept = re.sub(r"(\w+ )?\(.*?\)|\[.*?\]", lambda bracket: bracket[0].replace(" ", "\u00a0"), text)
    return textwrap.fill(kept, int(12.5 * inches)).replace("\u00a0", " ")
