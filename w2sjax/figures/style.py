"""Colours, legends and notes shared by all figures. Colours: Okabe and Ito, distinguishable without colour vision."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#555555"

LEGEND: dict[str, Any] = {"framealpha": 0.85, "facecolor": "white", "edgecolor": "none", "fontsize": 8}
"""Options of a legend that is read above data."""

Corner = Literal["upper left", "lower right", "upper right", "lower left"]
_CORNERS: tuple[Corner, ...] = ("upper left", "lower right", "upper right", "lower left")


def identity_line(axes: Axes, label: str = "gain = misfit") -> None:
    """Draw y = x across the present limits."""
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    limits = axes.get_xlim(), axes.get_ylim()
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1.2, label=label, zorder=1)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def emptiest_corner(
    axes: Axes, x: ArrayLike, y: ArrayLike, size: tuple[float, float], taken: Corner | None = None
) -> tuple[Corner, int]:
    """Return the corner of the axes, at their present limits, with the fewest of the points, and how many those are.

    Args:
        axes: with the data drawn.
        x, y: the points.
        size: width and height of what is put there, as shares of the axes.
        taken: a corner that is not free.
    """
    limits = np.array([axes.get_xlim(), axes.get_ylim()]).T  # also settles limits that follow the data
    to_axes = axes.transData + axes.transAxes.inverted()
    (left, bottom), (right, top) = to_axes.transform(limits)
    across, up = to_axes.transform(np.column_stack([np.ravel(x), np.ravel(y)])).T
    inside = (across >= left) & (across <= right) & (up >= bottom) & (up <= top)
    width, height = size
    points = {}
    for corner in _CORNERS:
        vertical, horizontal = corner.split()
        beside = across < width if horizontal == "left" else across > 1 - width
        level = up < height if vertical == "lower" else up > 1 - height
        points[corner] = int(np.count_nonzero(inside & beside & level))
    best = min((corner for corner in _CORNERS if corner != taken), key=points.__getitem__)
    return best, points[best]


def corner_note(axes: Axes, text: str, corner: Corner) -> None:
    """Write small grey text into a corner of the axes, on a background above the data."""
    vertical, horizontal = corner.split()
    axes.annotate(
        text,
        (0.02 if horizontal == "left" else 0.98, 0.02 if vertical == "lower" else 0.98),
        xycoords="axes fraction",
        ha=horizontal,
        va="bottom" if vertical == "lower" else "top",
        fontsize=8,
        color=GREY,
        bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2},
        zorder=5,
    )
