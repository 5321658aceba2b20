"""A figure at the width of a paper's column: panels that fit, text of 7 points, the heading as a caption."""

import math
import textwrap
from typing import TYPE_CHECKING, Any

from w2sjax.errors import W2SError
from w2sjax.validation import check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

ONE_COLUMN, TWO_COLUMNS = 3.3, 6.8
"""Inches."""

POINTS = 7
"""Of all text."""

_LETTER = 0.52 * POINTS / 72
"""Inches of a letter, on average."""

_PANEL, _WIDE_PANEL = 1.5, 2.2
"""Inches that a panel needs, with what stands beside it; where it has a bar of colours, or a legend with a heading."""

_HANDLE = 0.55
"""Inches that an entry of a legend needs beside its text."""


def check_width(inches: float) -> None:
    """Refuse a column that is no column."""
    check_number("width", inches, above=0)
    if not 2 <= inches <= 20:
        raise W2SError(
            f"width={inches:g} is no column of 2 to 20 inches: {ONE_COLUMN} and {TWO_COLUMNS} are usual."
        )


def at_width(figure: "Figure", inches: float) -> str:
    """Fit a figure of this package into a column, and return what stood above its panels, for the caption.

    Args:
        figure: drawn by a function of `w2sjax.figures`; it is changed.
        inches: of the column, from 2 to 20; `ONE_COLUMN` and `TWO_COLUMNS` are usual.

    Returns:
        The heading, in one line. Panels that are too narrow go into further rows, text has 7 points and is broken into
        lines, legends stand below their panels, where they hide nothing, and the height follows.

    Raises:
        W2SError: for another width.
    """
    check_width(inches)
    caption = " ".join(figure.get_suptitle().split())
    figure.suptitle("")
    panels = [axes for axes in grid_axes(figure) if axes.get_visible()]
    grid = panels[0].get_subplotspec().get_gridspec()  # type: ignore[union-attr]
    across, height = figure.get_size_inches()
    ratio = min(max(height / grid.nrows / (across / grid.ncols), 0.7), 1.0)
    headed = any(legend.get_title().get_text() for axes in panels if (legend := axes.get_legend()))
    need = _WIDE_PANEL if headed or len(figure.axes) > len(grid_axes(figure)) else _PANEL
    columns = min(grid.ncols, max(1, int(inches / need)))
    _rearrange(figure, panels, columns)
    rows = math.ceil(len(panels) / columns)
    figure.set_size_inches(inches, rows * inches / columns * ratio + 0.5)
    _thin(figure)
    width = inches / columns
    for axes in panels:
        _fit_text(axes, width, ratio)
    for legend in list(figure.legends):
        options = _entries(legend, panels, inches)
        legend.remove()
        figure.legend(**options, loc="outside upper center")  # below is the label of all panels
    if text := figure.get_supxlabel():
        figure.supxlabel(_wrapped(text, inches - 0.45), fontsize=POINTS)
    if text := figure.get_supylabel():
        figure.supylabel(_wrapped(text, rows * width * ratio - 0.45), fontsize=POINTS)
    for axes in panels:
        if axes.get_legend():
            _put_below(axes, width)
    _grow(figure, panels, ratio)
    return caption


def grid_axes(figure: "Figure") -> "list[Axes]":
    """Return the panels of a figure, in order, without bars of colours."""
    return [axes for axes in figure.axes if axes.get_subplotspec() is not None]


def _rearrange(figure: "Figure", panels: "list[Axes]", columns: int) -> None:
    """Put panels into fewer columns, row by row, each first one with the label of the row that it was in."""
    from matplotlib.gridspec import GridSpec

    rows = math.ceil(len(panels) / columns)
    grid = GridSpec(rows, columns, figure=figure)
    moved = panels[0].get_subplotspec().get_gridspec().ncols != columns  # type: ignore[union-attr]
    label = ""
    for i, axes in enumerate(panels):
        label = axes.get_ylabel() or label
        axes.set_subplotspec(grid[i // columns, i % columns])
        if moved:
            axes.tick_params(labelbottom=True)
            if i % columns == 0:
                axes.set_ylabel(label)
                axes.tick_params(labelleft=True)


def _thin(figure: "Figure") -> None:
    """Make text, lines and points as small as a column wants them."""
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
    from matplotlib.ticker import MaxNLocator

    for text in figure.findobj(Text):
        text.set_fontsize(POINTS)
    for axes in figure.axes:
        axes.tick_params(labelsize=POINTS, which="both")
        for axis in (axes.xaxis, axes.yaxis):
            axis.offsetText.set_fontsize(POINTS)
            if isinstance(locator := axis.get_major_locator(), MaxNLocator):
                locator.set_params(nbins=3 if axes.get_window_extent().width < 2.2 * axes.figure.dpi else 5)
        for line in axes.findobj(Line2D):
            if line in axes.lines:
                line.set(linewidth=0.75 * line.get_linewidth(), markersize=0.7 * line.get_markersize())
        for points in axes.collections:
            if isinstance(points, PathCollection):
                points.set_sizes(0.5 * points.get_sizes())


def _fit_text(axes: "Axes", width: float, ratio: float) -> None:
    inside = width - 0.45
    axes.set_title(_wrapped(axes.get_title(), inside), fontsize=POINTS)
    axes.set_xlabel(_wrapped(axes.get_xlabel(), inside), fontsize=POINTS)
    axes.set_ylabel(_wrapped(axes.get_ylabel(), ratio * inside), fontsize=POINTS)
    for text in axes.texts:
        text.set_text(_wrapped(text.get_text(), 0.6 * inside))


def _wrapped(text: str, inches: float) -> str:
    """Break a text into lines of so many inches; lines that it has are kept."""
    count = max(8, int(inches / _LETTER))
    return "\n".join(textwrap.fill(line, count, break_long_words=False) for line in text.split("\n"))


def _entries(legend: "Legend", panels: "list[Axes]", inches: float) -> dict[str, Any]:
    """Return the options of a legend with these entries in as many columns as fit."""
    labels = [text.get_text() for text in legend.get_texts()]
    handles: list[Any] = list(legend.legend_handles)
    for axes in panels:
        found, named = axes.get_legend_handles_labels()
        if named == labels:
            handles = found
    labels = [_wrapped(label, inches - _HANDLE) for label in labels]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    title = _wrapped(legend.get_title().get_text(), inches)
    columns = max(1, int(inches / (longest * _LETTER + _HANDLE)))
    return {
        "handles": handles, "labels": labels, "title": title or None, "ncols": columns, "fontsize": POINTS,
        "title_fontsize": POINTS, "frameon": False, "columnspacing": 1.0,
    }  # fmt: skip


def _put_below(axes: "Axes", width: float) -> None:
    """Put a legend under what stands below a panel, at a distance in points, whatever becomes of the panel."""
    from matplotlib.transforms import ScaledTranslation

    figure, legend = axes.get_figure(root=True), axes.get_legend()
    assert figure is not None and legend is not None
    options = _entries(legend, [axes], width - 0.3)
    legend.remove()
    figure.draw_without_rendering()
    found = axes.xaxis.get_tightbbox()
    down = 0.0 if found is None else (axes.get_window_extent().y0 - found.y0) / figure.dpi
    below = axes.transAxes + ScaledTranslation(0, -down - 0.03, figure.dpi_scale_trans)
    made = axes.legend(**options, loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=below)
    if options["title"]:
        made.get_title().set_multialignment("center")


def _grow(figure: "Figure", panels: "list[Axes]", ratio: float) -> None:
    """Make a figure higher until its panels are as high as they should be."""
    for _ in range(8):
        figure.draw_without_rendering()
        boxes = [axes.get_window_extent() for axes in panels]
        lack = max(ratio * box.width - box.height for box in boxes) / figure.dpi
        if lack < 0.03:
            return
        rows = panels[0].get_subplotspec().get_gridspec().nrows  # type: ignore[union-attr]
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + lack * rows)
