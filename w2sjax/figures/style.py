"""Colours and sizes shared by all figures. Colours: Okabe and Ito, distinguishable without colour vision."""

from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#555555"


def identity_line(axes: Axes, label: str = "gain = misfit") -> None:
    """Draw y = x across the present limits."""
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    limits = axes.get_xlim(), axes.get_ylim()
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1.2, label=label, zorder=1)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
