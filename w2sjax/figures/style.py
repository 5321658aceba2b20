"""Colours, lines with bands and legends of all figures. Colours: Okabe and Ito, for every kind of colour vision."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#555555"
CATEGORIES = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000")
"""Colours of values without an order."""

MARKERS = "os^dvPX"

BELOW: dict[str, Any] = {
    "loc": "upper center",
    "bbox_to_anchor": (0.5, -0.13),
    "frameon": False,
    "fontsize": 8,
}
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False, "fontsize": 8}
INSIDE: dict[str, Any] = {"frameon": False, "fontsize": 8}
"""Options of legends: outside of the panel, where they hide no data, or inside where there is room."""


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of so many inches, whose panels leave room for what stands around them.

    Matplotlib is imported here, when the first figure is drawn: studies name figures without loading it. Notebooks show
    the figure, though pyplot knows nothing of it.
    """
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            self.savefig(stream)
            return stream.getvalue()

    return Shown(figsize=(width, height), layout="constrained")


def for_paper(figure: "Figure", largest: float = 8) -> None:
    """Make no text of a figure larger than so many points, as at the 6.8 inches of two columns of a paper."""
    from matplotlib.text import Text

    for panel in figure.axes:
        panel.tick_params(labelsize=min(largest, 7))
    for text in figure.findobj(Text):
        text.set_fontsize(min(text.get_fontsize(), largest))


def plain_text(text: str) -> str:
    """Return text that matplotlib shows as it is: a "$" would begin mathematics."""
    return text.replace("$", r"\$")


def shown(value: Any) -> str:
    """Return a value of an axis for people."""
    return f"{value:.4g}" if isinstance(value, float) else plain_text(str(value))


def head(figure: "Figure", title: str, result: xr.Dataset, note: str = "") -> None:
    """Put the title above a figure, how many pairs and tasks an analysis is from, and a note."""
    pairs, tasks = result.attrs["pairs"], result.attrs["tasks"]
    count = f"{pairs} pair{'s' * (pairs > 1)} x {tasks} task{'s' * (tasks > 1)}"
    figure.suptitle(f"{title}\n{count}{note}".strip(), fontsize=11)


def line_with_band(
    axes: "Axes", x: Any, quantiles: xr.DataArray, style: str = "o-", alpha: float = 0.2, **options: Any
) -> None:
    """Draw the middle one of three quantiles as a line, and a band between the others.

    Args:
        axes: a panel.
        x: where the values of the one dimension of `quantiles` beside "quantile" stand.
        quantiles: of an analysis, in ascending order.
        style: marker and line.
        alpha: how dense the band is, from 0 to 1.
        options: of the line, among them `color`.
    """
    low, middle, high = quantiles.transpose("quantile", ...).values
    axes.fill_between(x, low, high, color=options["color"], alpha=alpha, linewidth=0)
    axes.plot(x, middle, style, **{"markersize": 5} | options)


def log_scales(axes: "Axes", x: bool = True, y: bool = True) -> None:
    """Make axes logarithmic, with a grid."""
    axes.set_xscale("log" if x else "linear")
    axes.set_yscale("log" if y else "linear")
    axes.grid(True, which="major", color=GREY, alpha=0.2)


def plain_log_ticks(axes: "Axes", decades: float, on: str = "x") -> None:
    """Make an axis, "x" or "y", logarithmic with ticks that are written out, as many as so many decades need."""
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log") if on == "x" else axes.set_yscale("log")
    axis = axes.xaxis if on == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}") if decades < 5 else LogFormatterSciNotation())
    axis.set_minor_formatter(NullFormatter())


def identity_line(axes: "Axes", label: str = "gain = misfit") -> None:
    """Draw y = x across the present limits."""
    across, up = axes.get_xlim(), axes.get_ylim()
    ends = [min(across[0], up[0]), max(across[1], up[1])]
    axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1.2, label=label, zorder=1)
    axes.set(xlim=across, ylim=up)


def outside(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return which values are not within limits; text always is."""
    if not np.issubdtype(values.dtype, np.number):
        return np.zeros(values.shape, bool)
    return (values < limits[0]) | (values > limits[1])
