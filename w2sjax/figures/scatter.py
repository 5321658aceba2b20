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

from w2sjax.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, identity_line
from w2sjax.validation import nearest

CATEGORIES = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000")
"""Colours of values without an order (Okabe and Ito)."""

MOST_PANELS = 16
MOST_IN_LEGEND = 8


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
        central 90% than 1.5 times its width, and say how many. The line y = x is drawn for gain against misfit.

    Raises:
        ValueError: for a name that the data do not have, with the nearest one, or too many panels.

    Cost: reads only the pairs that it draws.
    """
    if not blocks:
        raise ValueError("the store has no finished chunk yet: run the sweep further.")
    check_names(blocks[0], x=x, y=y, color=color, facet=facet)
    columns = _sample([name for name in (x, y, color, facet) if name], blocks, points)
    facets: list[Any] = np.unique(columns[facet]).tolist() if facet else [None]
    if len(facets) > MOST_PANELS:
        raise ValueError(f"--facet {facet} has {len(facets)} values: use an axis of at most {MOST_PANELS}.")
    across = min(len(facets), 4 if len(facets) != 4 else 2)
    down = math.ceil(len(facets) / across)
    size = (4.2 * across + 1.4, 3.7 * down + 0.9) if len(facets) > 1 else (6.6, 5.2)
    figure = Figure(figsize=size, layout="constrained")
    panels = np.atleast_1d(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)).ravel()
    for panel in panels[len(facets) :]:
        panel.set_visible(False)
    colours = _Colours(blocks[0], color, columns)
    limits = _limits(columns[x]), _limits(columns[y])
    for panel, value in zip(panels, facets, strict=False):
        inside = np.ones(columns[x].size, bool) if facet is None else columns[facet] == value
        colours.draw(panel, columns, x, y, inside)
        panel.set_xlim(limits[0])
        panel.set_ylim(limits[1])
        panel.ticklabel_format(scilimits=(-3, 4))
        if facet is not None:
            panel.set_title(f"{facet} = {_shown(value)}", fontsize=10)
        if (x, y) == ("misfit", "gain"):
            identity_line(panel)
        panel.tick_params(labelbottom=True)
    figure.supxlabel(_label(blocks[0], x), fontsize=10)
    figure.supylabel(_label(blocks[0], y), fontsize=10)
    colours.explain(figure, panels[: len(facets)])
    outside = np.mean(_outside(columns[x], limits[0]) | _outside(columns[y], limits[1]))
    notes = [title, f"{columns[x].size} points", note, f"{outside:.2%} lie outside" if outside > 0 else ""]
    figure.suptitle("; ".join(text for text in notes if text), fontsize=9, color=GREY)
    return figure


def check_names(
    dataset: xr.Dataset, *, x: str, y: str, color: str | None = None, facet: str | None = None
) -> None:
    """Refuse names that a Dataset does not have.

    Raises:
        ValueError: naming the option, the value and the nearest valid name.
    """
    variables, axes = [str(v) for v in dataset.data_vars], [str(c) for c in dataset.coords]
    for option, name, known in (
        ("--x", x, variables + axes),
        ("--y", y, variables + axes),
        ("--color", color, axes),
        ("--facet", facet, axes),
    ):
        if name is not None and name not in known:
            kind = "variable or axis" if known is not axes else "axis"
            raise ValueError(
                f"{option} {name} is no {kind} of this store: did you mean {nearest(name, known)}? "
                f"It has {', '.join(known)}."
            )


class _Colours:
    """One colour per value of an axis, ordered where values are numbers."""

    def __init__(self, dataset: xr.Dataset, name: str | None, columns: dict[str, np.ndarray]) -> None:
        self._name = name
        self._label = _label(dataset, name) if name else ""
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

    def draw(self, panel: Axes, columns: dict[str, np.ndarray], x: str, y: str, inside: np.ndarray) -> None:
        """Draw the chosen points in one call, in the order given."""
        if self._name is None:
            colour = np.zeros(int(inside.sum()), int)
        else:
            colour = np.searchsorted(np.array(self._values), columns[self._name][inside])
        shades = np.array([matplotlib.colors.to_rgba(c) for c in self._colours])[colour]
        few = inside.sum() < 500
        panel.scatter(
            columns[x][inside],
            columns[y][inside],
            s=14 if few else 5,
            c=shades,
            alpha=0.8 if few else 0.5,
            linewidth=0,
            rasterized=True,
        )

    def explain(self, figure: Figure, panels: np.ndarray) -> None:
        """Add the legend, or a bar of colours where there are many values."""
        handles, labels = panels[0].get_legend_handles_labels()
        if self._bar:
            mappable = matplotlib.cm.ScalarMappable(norm=self._norm, cmap=self._map)
            figure.colorbar(mappable, ax=list(panels), label=self._label)
        elif self._name:
            for colour, value in zip(self._colours, self._values, strict=True):
                handles.append(panels[0].scatter([], [], color=colour, s=24))
                labels.append(f"{self._name} = {_shown(value)}")
        if handles:
            panels[0].legend(handles, labels, frameon=False, fontsize=8, loc="best")


def _sample(names: list[str], blocks: Sequence[xr.Dataset], points: int) -> dict[str, np.ndarray]:
    """Return columns of equal length with at most so many finite points, an equal share from every block."""
    share = max(1, points // len(blocks))
    rng = np.random.default_rng(0)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for block in blocks[:: max(1, math.ceil(len(blocks) / points))]:
        chosen = block[[n for n in names if n in block.data_vars]]
        per_pair = math.prod(length for name, length in chosen.sizes.items() if name != "pair")
        if "pair" in chosen.dims:
            # Twice what is needed, since not every value is finite.
            chosen = chosen.isel(pair=slice(min(chosen.sizes["pair"], math.ceil(2 * share / per_pair))))
        arrays = xr.broadcast(*(block[n] if n in block.coords else chosen[n] for n in names))
        aligned = xr.align(*arrays, join="inner")
        flat = [array.values.ravel() for array in aligned]
        finite = np.all([np.isfinite(v) for v in flat if np.issubdtype(v.dtype, np.number)], axis=0)
        kept = np.flatnonzero(finite)
        if kept.size > share:
            kept = np.sort(rng.choice(kept, share, replace=False))
        for name, values in zip(names, flat, strict=True):
            columns[name].append(values[kept])
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    shuffled = rng.permutation(joined[names[0]].size)  # so that no value hides the others
    joined = {name: values[shuffled] for name, values in joined.items()}
    if not shuffled.size:
        raise ValueError(f"{names[0]} and {names[1]} are nowhere both finite: choose other variables.")
    return joined


def _limits(values: np.ndarray) -> tuple[float, float]:
    if not np.issubdtype(values.dtype, np.number):
        return -0.5, len(np.unique(values)) - 0.5
    central = np.quantile(values, (0.05, 0.95))
    beyond = 1.5 * (central[1] - central[0]) or np.inf
    low = max(float(values.min()), float(central[0] - beyond))
    high = min(float(values.max()), float(central[1] + beyond))
    pad = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    # An axis that nearly begins at zero should begin there.
    start = min(0.0, low) if 0 <= low < 0.2 * high else low - pad
    return start, high + pad


def _outside(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    if not np.issubdtype(values.dtype, np.number):
        return np.zeros(values.shape, bool)
    return (values < limits[0]) | (values > limits[1])


def _label(dataset: xr.Dataset, name: str) -> str:
    attributes = dataset[name].attrs
    meaning, unit = attributes.get("long_name", ""), attributes.get("units")
    first = f"{name}: {meaning}" if meaning and meaning != name else name
    return first + (f"  [{unit}]" if unit else "")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
