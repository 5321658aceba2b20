"""How typical one published panel is: its numbers over many worlds, and against the ceiling error."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.figures.style import ABOVE, BLUE, GREY, ORANGE, new_figure, plain_log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EFFECTS = (
    ("slope", "slope of gain on misfit  [1]", 1.0),
    ("correlation", "correlation of gain and misfit  [1]", 1.0),
    ("relative_deviation", "mean deviation / mean weak error  [1]", 0.0),
)
"""Name, label, and where gain equals misfit."""


def typicality(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw slope, correlation and relative deviation of every world: their distributions, and against the ceiling.

    Args:
        result: of `w2sjax.analysis.per_pair`.
        title: above the figure.
    """
    from matplotlib.ticker import MaxNLocator

    share = result["ceiling_share"].values
    figure = new_figure(13, 7.6)
    for column, (name, label, theory) in enumerate(_EFFECTS):
        values = result[name].values
        finite = values[np.isfinite(values)]
        top = figure.add_subplot(2, 3, 1 + column)
        bins = min(25, max(5, finite.size))
        top.hist(finite, bins=bins, color=BLUE, alpha=0.8, edgecolor="white", linewidth=0.5)
        top.axvline(theory, color=GREY, linestyle="--", label="gain = misfit")
        median = float(result["over_pairs"].sel(number=name, level=0.5))
        if np.isfinite(median):
            top.axvline(median, color=ORANGE, linewidth=2, label=f"median {median:.2f}")
        top.xaxis.set_major_locator(MaxNLocator(6))
        top.yaxis.set_major_locator(MaxNLocator(integer=True))
        top.set(xlabel=label, ylabel="worlds")
        top.legend(**ABOVE, ncols=2)
        below = figure.add_subplot(2, 3, 4 + column)
        below.scatter(share, values, s=14, color=BLUE, alpha=0.7, linewidth=0)
        below.axhline(theory, color=GREY, linestyle="--", label="gain = misfit")
        positive = share[np.isfinite(share) & (share > 0)]
        if name == "relative_deviation" and positive.size:
            _theorem_2(below, positive)
        if positive.size and positive.max() >= 10 * positive.min():
            plain_log_ticks(below, decades=np.log10(positive.max() / positive.min()))
        else:
            below.xaxis.set_major_locator(MaxNLocator(6))
        below.set(xlabel="ceiling error / weak error  [1]", ylabel=label)
        below.legend(**ABOVE, ncols=2)
    if title:
        count = result.sizes["pair"]
        failed = result.attrs["pairs"] - count
        figure.suptitle(f"{title}\n{count} worlds, {failed} left out after a failed training")
    return figure


def _theorem_2(axes: "Axes", share: np.ndarray) -> None:
    """Draw the most negative deviation that a ceiling error allows with infinite samples, in weak errors."""
    s = np.geomspace(share.min(), share.max(), 100)
    # deviation = 2 E[(weak - w2s)(w2s - truth)]; the projection leaves 2 E[(weak - w2s)(ceiling - truth)], and
    # |weak - w2s|^2 = misfit <= |weak - ceiling|^2 <= (sqrt(weak_error) + sqrt(ceiling_error))^2.
    axes.plot(s, -2 * np.sqrt(s) * (1 + np.sqrt(s)), color=ORANGE, label="Theorem 2, population limit")
    axes.set_yscale("symlog", linthresh=0.1)  # linear near 0; a few worlds are far below
