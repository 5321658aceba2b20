"""Any two quantities of a sweep against each other: coloured by one axis, in panels by another."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from w2sjax.errors import W2SError
from w2sjax.figures.saving import plain_text
from w2sjax.figures.scatter_axes import Discrete, central_limits, label_of, lie_outside, shown, wrapped
from w2sjax.figures.scatter_data import Points, draw_points
from w2sjax.figures.style import (
    BLUE,
    GREEN,
    GREY,
    LEGEND,
    ORANGE,
    PURPLE,
    emptiest_corner,
    identity_line,
)
from w2sjax.validation import nearest

CATEGORIES = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000")
"""Colours of values without an order (Okabe and Ito)."""

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
) -> Figure:
    """Draw one quantity against another for every pair, task and cell, or for an even sample of them.

    Args:
        blocks: Datasets of one sweep with disjoint pairs or cells, such as the finished regions of a store; an axis of
            length one may have lost its dimension.
        x, y: names of variables or axes.
        color: an axis; numbers get colours in their order, with a bar beside the figure where they are many.
        facet: an axis with at most `MOST_PANELS` values; one panel each.
        points: most points in the whole figure.
        title, note: above the panels.

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
    width, height = (4.2 * across + 1.4, 3.7 * down + 1.2) if len(facets) > 1 else (6.6, 5.5)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = np.atleast_1d(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)).ravel()
    for panel in panels[len(facets) :]:
        panel.set_visible(False)
    colours = _Colours(blocks[0], color, columns)
    medians = x in blocks[0].coords and y in blocks[0].data_vars
    values = np.unique(columns[x]) if medians else np.array([])
    discrete = Discrete(values) if 0 < values.size <= MOST_MEDIANS else None
    limits = central_limits(columns[x]), central_limits(columns[y])
    for panel, value in zip(panels, facets, strict=False):
        inside = np.ones(columns[x].size, bool) if facet is None else columns[facet] == value
        if discrete is None:
            colours.draw(panel, columns, columns[x], y, inside)
            panel.set_xlim(limits[0])
        else:
            colours.draw_discrete(panel, columns, discrete, x, y, inside)
        panel.set_ylim(limits[1])
        for axis in (panel.xaxis, panel.yaxis):
            if hasattr(axis.get_major_formatter(), "set_powerlimits"):
                axis.get_major_formatter().set_powerlimits((-3, 4))
        if facet is not None:
            panel.set_title(f"{plain_text(facet)} = {shown(value)}", fontsize=10)
        if (x, y) == ("misfit", "gain"):
            identity_line(panel)
        panel.tick_params(labelbottom=True)
    evenly = (
        "\n(values at equal distances)" if discrete and discrete.scale == "rank" and values.size > 1 else ""
    )
    figure.supxlabel(wrapped(label_of(blocks[0], x), width, 10) + evenly, fontsize=10)
    figure.supylabel(wrapped(label_of(blocks[0], y), height - 0.7, 10), fontsize=10)
    colours.explain(figure, panels[: len(facets)], height)
    outside = lie_outside(columns[y], limits[1])
    if discrete is None:
        outside = outside | lie_outside(columns[x], limits[0])
    lines = [
        plain_text("; ".join(text for text in (title, note) if text)),
        _counted(data) + (f"; {outside.mean():.2%} lie outside the frame" if outside.any() else ""),
        f"pooled: {', '.join(_pooled_axis(*axis) for axis in data.pooled.items())}" if data.pooled else "",
    ]
    text = "\n".join(wrapped(line, width, 9) for line in lines if line)
    figure.suptitle(text, fontsize=9, color=GREY)
    return figure


def _counted(data: Points) -> str:
    drawn = data.columns[next(iter(data.columns))].size
    if data.complete:
        return f"{drawn:,} points" + (f", {data.total - drawn:,} not finite" if drawn < data.total else "")
    return f"{drawn:,} of {data.total:,} points drawn, spread evenly"


def _pooled_axis(name: str, values: np.ndarray) -> str:
    if name in ("pair", "task"):
        return f"{values.size:,}\u00a0{name}s"
    return (
        f"{plain_text(name)} ({values.size} values, {shown(values[0].item())} to {shown(values[-1].item())})"
    )


def check_names(
    dataset: xr.Dataset, *, x: str, y: str, color: str | None = None, facet: str | None = None
) -> None:
    """Refuse names that a Dataset does not have.

    Raises:
        W2SError: naming the option, the value and the nearest valid name.
    """
    variables, axes = [str(v) for v in dataset.data_vars], [str(c) for c in dataset.coords]
    if not variables:
        raise W2SError("the store has no variables: pass one written by w2sjax sweep.")
    for option, name, known in (
        ("--x", x, variables + axes),
        ("--y", y, variables + axes),
        ("--color", color, axes),
        ("--facet", facet, axes),
    ):
        if name is not None and name not in known:
            kind = "variable or axis" if known is not axes else "axis"
            if not known:
                raise W2SError(f"{option} {name} is no {kind} of this store, which has none: leave it out.")
            raise W2SError(
                f"{option} {name} is no {kind} of this store: did you mean {nearest(name, known)}? "
                f"It has {', '.join(known)}."
            )


class _Colours:
    """One colour per value of an axis, ordered where values are numbers."""

    def __init__(self, dataset: xr.Dataset, name: str | None, columns: dict[str, np.ndarray]) -> None:
        self._name = name
        self._label = label_of(dataset, name) if name else ""
        self._values: list[Any] = np.unique(columns[name]).tolist() if name else [None]
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in self._values)
        self._bar = numbers and len(self._values) > MOST_IN_LEGEND
        # Cividis keeps its order for every kind of colour vision; its lightest end is too pale on white.
        self._map = matplotlib.colormaps["cividis"]
        if not name:
            self._colours: list[Any] = [BLUE]
        elif self._bar:
            low, high = min(self._values), max(self._values)
            self._norm = LogNorm(low, high) if low > 0 and high / low > 100 else Normalize(low, high)
            self._colours = [self._map(float(self._norm(v))) for v in self._values]
        elif numbers:
            self._colours = [self._map(s) for s in np.linspace(0.0, 0.88, max(2, len(self._values)))]
        else:
            self._colours = [CATEGORIES[i % len(CATEGORIES)] for i in range(len(self._values))]

    def draw(
        self,
        panel: Axes,
        columns: dict[str, np.ndarray],
        x: np.ndarray,
        y: str,
        inside: np.ndarray,
        alpha: float | None = None,
    ) -> None:
        """Draw the chosen points in one call, in the order given."""
        shades = np.array([matplotlib.colors.to_rgba(c) for c in self._colours])[self._which(columns, inside)]
        few = inside.sum() < 500
        panel.scatter(
            x[inside],
            columns[y][inside],
            s=14 if few else 5,
            c=shades,
            alpha=alpha or (0.8 if few else 0.5),
            linewidth=0,
            rasterized=True,
        )

    def draw_discrete(
        self,
        panel: Axes,
        columns: dict[str, np.ndarray],
        discrete: "Discrete",
        x: str,
        y: str,
        inside: np.ndarray,
    ) -> None:
        """Draw the chosen points around their values of x, and medians with 10-90% ranges, one per colour."""
        which = np.zeros(inside.size, int)
        which[inside] = self._which(columns, inside)
        groups = 1 if self._bar else len(self._colours)  # more would stand too close: they share medians
        group = which if groups > 1 else np.zeros_like(which)
        centre = (np.arange(groups) - (groups - 1) / 2) * (0.7 / groups)
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, inside.size) / groups
        self.draw(panel, columns, discrete.at(columns[x], centre[group] + jitter), y, inside, alpha=0.25)
        for g in range(groups):
            chosen = inside & (group == g)
            drawn = np.unique(columns[x][chosen])
            if not drawn.size or not np.issubdtype(columns[y].dtype, np.number):
                continue
            low, middle, high = np.array(
                [np.quantile(columns[y][chosen & (columns[x] == v)], (0.1, 0.5, 0.9)) for v in drawn]
            ).T
            panel.errorbar(
                discrete.at(drawn, np.full(drawn.size, centre[g])),
                middle,
                (middle - low, high - middle),
                fmt="o-" if discrete.scale != "rank" and x not in ("pair", "task") else "o",
                color="black" if groups == 1 else self._colours[g],
                ecolor="black",
                markeredgecolor="white" if groups == 1 else "black",
                markeredgewidth=0.8,
                markersize=6,
                linewidth=1,
                elinewidth=1.6,
                capsize=3,
                label="median, 10–90% of the points drawn" if g == 0 else None,
            )
        discrete.label(panel)

    def _which(self, columns: dict[str, np.ndarray], inside: np.ndarray) -> np.ndarray:
        """Return the index of the colour of every chosen point."""
        if self._name is None:
            return np.zeros(int(inside.sum()), int)
        return np.searchsorted(np.array(self._values), columns[self._name][inside])

    def explain(self, figure: Figure, panels: np.ndarray, height: float) -> None:
        """Add the legend, or a bar of colours where there are many values."""
        handles, labels = panels[0].get_legend_handles_labels()
        if self._bar:
            mappable = matplotlib.cm.ScalarMappable(norm=self._norm, cmap=self._map)
            figure.colorbar(mappable, ax=list(panels), label=wrapped(self._label, height - 0.7, 10))
        elif self._name:
            for colour, value in zip(self._colours, self._values, strict=True):
                handles.append(panels[0].scatter([], [], color=colour, s=24))
                labels.append(f"{plain_text(self._name)} = {shown(value)}")
        if handles:
            drawn = np.asarray(panels[0].collections[0].get_offsets())
            size = 0.025 * max(map(len, labels)) + 0.1, 0.06 * len(labels) + 0.02
            corner, _ = emptiest_corner(panels[0], drawn[:, 0], drawn[:, 1], size)
            panels[0].legend(handles, labels, loc=corner, **LEGEND)
