"""Any quantities of a sweep against another, or against an axis: coloured by one axis, in panels by another."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.analysis.points import (
    Quantity,
    check_quantities,
    free_axes,
    selected,
)
from w2sjax.errors import W2SError
from w2sjax.figures.relation_layers import (
    Lines,
    Points,
    coloured,
    common_label,
    wrapped,
)
from w2sjax.figures.style import (
    GREY,
    MARKERS,
    ORANGE,
    new_figure,
    plain_log_ticks,
    plain_text,
    shown,
)
from w2sjax.validation import check_choice, check_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 16


def plot(
    data: xr.Dataset | Sequence[xr.Dataset],
    *,
    x: str = "misfit",
    y: str | Sequence[str] = "gain",
    color: str | None = None,
    facet: str | None = None,
    sel: Mapping[str, Any] | None = None,
    log: str = "",
    pool: bool = False,
    points: int = 20_000,
    title: str = "",
    note: str = "",
    bands: Mapping[Any, xr.Dataset] | None = None,
) -> "Figure":
    """Draw quantities of a sweep against an axis, as medians with intervals, or against another quantity, as points.

    Args:
        data: the Dataset of a sweep, grids too; or several of one sweep with disjoint pairs or cells, such as the
            finished regions of a store.
        x: an axis of the sweep, a variable, or a formula: `abs(name)`, `name/other`, `abs(name)/other`.
        y: the same, or several, which then have the colours.
        color: an axis; numbers get colours in their order, with a bar beside the figure where they are many. None
            colours by the first axis that is not used.
        facet: an axis with at most `MOST_PANELS` values; one panel each. None takes the next axis that is not used.
        sel: values by axis: only their cells are drawn.
        log: "x", "y" or "xy": logarithmic axes, which leave out what is not positive.
        pool: mix the cells of axes that are left over, which is refused otherwise.
        points: most points in the whole figure.
        title, note: above the panels.
        bands: of `w2sjax.analysis.law_band`, by the value of the facet, or None for one over all cells.

    Returns:
        A figure whose axes carry units, and whose panels share their limits.

        Where x is an axis of the sweep: lines through medians over pairs, bars for their 95% intervals by resampling
        pairs, and bands from the 10 to the 90% quantile, cut where they reach far beyond. A pair is averaged over its
        tasks, a ratio being that of two averages; pairs with a flag of `w2sjax.flags.UNUSABLE` are left out.

        Else: every pair and task, or an even sample of them. Limits leave out points that lie further from the central
        90% than 1.5 times its width. Gain against misfit has equal axes and the line y = x.

        A thin line is at zero. Above the panels: what is drawn, how many points lie outside, and, in a colour of its
        own, which axes are pooled.

    Raises:
        W2SError: for a name that the data do not have, with the nearest one; too many panels; or cells that would be
            pooled unasked.

    Cost: points read only the blocks and pairs that they are drawn from; medians read up to 2^26 values per variable.
    """
    blocks = [data] if isinstance(data, xr.Dataset) else list(data)
    if not blocks:
        raise W2SError("the store has no finished chunk yet: run the sweep further.")
    check_choice("--log", log or "x", ("x", "y", "xy"))
    check_integer("--points", points, least=1)
    if not len(y):
        raise W2SError("--y is empty: pass at least one quantity.")
    across = Quantity.parse(x)
    up = [Quantity.parse(text) for text in ([y] if isinstance(y, str) else y)]
    check_quantities(blocks[0], x=across, y=up, color=color, facet=facet)
    if len(up) > 1 and color is not None:
        raise W2SError(f"--color {color} has no colours left, several --y have them: use --facet {color}.")
    blocks = selected(blocks, sel or {})
    color, facet, pooled = _assigned(blocks, x, up, color, facet, pool)
    axes = [name for name in (color, facet) if name]
    is_axis = x in blocks[0].coords and x not in ("pair", "task")
    found = Lines if is_axis and all(q.of in blocks[0].data_vars for q in up) else Points
    drawing = found(blocks, across, up, axes, log, points, bool(pooled))
    facets: list[Any] = drawing.values_of(facet) if facet else [None]
    if len(facets) > MOST_PANELS:
        raise W2SError(f"--facet {facet} has {len(facets)} values: use an axis of at most {MOST_PANELS}.")
    columns = min(len(facets), 4 if len(facets) != 4 else 2)
    rows = math.ceil(len(facets) / columns)
    figure = new_figure(4.2 * columns + (3.2 if color or len(up) > 1 else 0.4), 3.7 * rows + 1.5)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(facets) :]:
        panel.set_visible(False)
    series: list[Any] = drawing.values_of(color) if color else [q.text for q in up] if len(up) > 1 else [None]
    name = plain_text(color) if color else ""
    bar = wrapped(Quantity.parse(color).label(blocks[0]), 3 * rows) if color else ""
    marks = MARKERS if isinstance(drawing, Lines) else "o"
    palette, handles = coloured(figure, panels[: len(facets)], series, name, bar, marks)
    for panel, value in zip(panels, facets, strict=False):
        for on in log:
            plain_log_ticks(panel, drawing.decades(on), on)
        drawing.draw(panel, {facet: value} if facet else {}, color, series, palette)
        if facet is not None:
            panel.set_title(f"{plain_text(facet)} = {shown(value)}", fontsize=10)
        panel.tick_params(labelbottom=True)
    drawing.frame(panels[: len(facets)])
    if bands:
        for panel, value in zip(panels, facets, strict=False):
            _draw_band(panel, bands[value if value in bands else None]["band"].dropna("x"))
    handles = panels[0].get_legend_handles_labels()[0] + handles
    if handles:
        figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=8)
    width, height = figure.get_size_inches()
    figure.supxlabel(wrapped(plain_text(across.label(blocks[0])), width), fontsize=10)
    label = up[0].label(blocks[0]) if len(up) == 1 else common_label(up, blocks[0])
    figure.supylabel(wrapped(plain_text(label), height - 1), fontsize=10)
    lines = [plain_text("; ".join(filter(None, (title, note, _chosen(sel))))), drawing.heading()]
    if pooled:
        lines.append("POOLED, cells of different settings mixed: " + _named(pooled))
    text = "\n".join(wrapped(line, width) for line in lines if line)
    figure.suptitle(text, fontsize=9, color=ORANGE if pooled else GREY)
    return figure


def _assigned(
    blocks: Sequence[xr.Dataset],
    x: str,
    y: Sequence[Quantity],
    color: str | None,
    facet: str | None,
    pool: bool,
) -> tuple[str | None, str | None, dict[str, np.ndarray]]:
    """Give axes that are left over the colours and the panels if these are free, and return what is pooled."""
    named = [x, *(name for quantity in y for name in quantity.names)]
    if not pool:
        left = list(free_axes(blocks, [*named, *(name for name in (color, facet) if name)]))
        if left and color is None and len(y) == 1:
            color = left.pop(0)
        if left and facet is None:
            facet = left.pop(0)
    pooled = free_axes(blocks, [*named, *(name for name in (color, facet) if name)])
    if pooled and not pool:
        name, values = next(iter(pooled.items()))
        raise W2SError(
            f"cells of different {' and '.join(pooled)} would be mixed: choose some, such as --sel "
            f"{name}={shown(values[0].item())}, use --color or --facet, or pass --pool to mix them."
        )
    return color, facet, pooled


def _draw_band(panel: "Axes", band: xr.DataArray) -> None:
    """Draw the middle 90% and the median of single tasks that a theory predicts."""
    low, middle, high = band.transpose("quantile", "x").values
    limits = panel.get_xlim(), panel.get_ylim()
    label = "law of the deviation, one\ntask: middle 90% and median"
    panel.fill_between(band["x"], low, high, color=GREY, alpha=0.3, linewidth=0, label=label, zorder=2.5)
    panel.plot(band["x"], middle, color="black", linewidth=1.2, zorder=2.6)
    panel.set(xlim=limits[0], ylim=limits[1])


def _chosen(sel: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{axis} = {value}" for axis, value in (sel or {}).items())


def _named(pooled: Mapping[str, np.ndarray]) -> str:
    return ", ".join(
        f"{plain_text(name)} ({values.size} values, {shown(values[0].item())} to {shown(values[-1].item())})"
        for name, values in pooled.items()
    )
