"""What is drawn of a relation between two quantities: points, or medians along an axis."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.analysis.points import (
    Quantity,
    draw_points,
    pairs_by_cell,
)
from w2sjax.analysis.statistics import MIDDLE_80
from w2sjax.errors import W2SError
from w2sjax.figures.style import (
    BLUE,
    CATEGORIES,
    GREY,
    MARKERS,
    identity_line,
    outside,
    plain_text,
    shown,
)
from w2sjax.medians import median_and_interval

MOST_IN_LEGEND = 8

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Points:
    """Pairs and tasks as points."""

    def __init__(
        self,
        blocks: Sequence[xr.Dataset],
        x: Quantity,
        y: Sequence[Quantity],
        axes: Sequence[str],
        log: str,
        points: int,
        pooled: bool,
    ) -> None:
        named = [Quantity.parse(name) for name in axes]
        data = draw_points([x, *y, *named], blocks, max(1, points // len(y)))
        self._x, self._y, self._log = x.text, [q.text for q in y], log
        kept = np.ones(data.columns[x.text].size, bool)
        for on, names in (("x", [x.text]), ("y", self._y)):
            for name in names if on in log else ():
                kept &= data.columns[name] > 0
        self._columns = {name: values[kept] for name, values in data.columns.items()}
        if not kept.any():
            raise W2SError(f"--log {log} has nothing to show: no value is positive.")
        self._data, self._dropped = data, int((~kept).sum())
        ys = np.concatenate([self._columns[name] for name in self._y])
        self._limits = [central_limits(self._columns[x.text], "x" in log), central_limits(ys, "y" in log)]
        self._equal = x.text == "misfit" and self._y == ["gain"]
        if self._equal:
            self._limits = [(min(a), max(b)) for a, b in [tuple(zip(*self._limits, strict=True))] * 2]

    def values_of(self, axis: str) -> list[Any]:
        """Return the values of an axis among the points."""
        found: list[Any] = np.unique(self._columns[axis]).tolist()
        return found

    def draw(
        self, panel: "Axes", at: Mapping[str, Any], color: str | None, series: list[Any], palette: np.ndarray
    ) -> None:
        """Draw the points of a panel in random order, so that none hides the others by its colour."""
        inside = np.ones(self._columns[self._x].size, bool)
        for axis, value in at.items():
            inside &= self._columns[axis] == value
        x = np.tile(self._columns[self._x][inside], len(self._y))
        y = np.concatenate([self._columns[name][inside] for name in self._y])
        if color:
            which = np.searchsorted(series, self._columns[color][inside])
        else:
            which = np.repeat(np.arange(len(self._y)), np.count_nonzero(inside))
        order = np.random.default_rng(0).permutation(x.size) if len(self._y) > 1 else slice(None)
        size, dense = (14, 0.8) if x.size < 500 else (5, 0.5)
        panel.scatter(
            x[order], y[order], s=size, c=palette[which][order], alpha=dense, linewidth=0, rasterized=True
        )

    def decades(self, on: str) -> float:
        """Return how many powers of ten a logarithmic axis shows."""
        low, high = self._limits["xy".index(on)]
        return math.log10(high / low)

    def frame(self, panels: np.ndarray) -> None:
        """Set the limits of all panels, and draw the lines that they share."""
        for panel in panels:
            panel.set(xlim=self._limits[0], ylim=self._limits[1])
            for on, name in (("x", self._x), ("y", self._y[0])):
                if self._columns[name].dtype.kind in "iuf" and on not in self._log:
                    panel.ticklabel_format(axis=on, scilimits=(-3, 4))
            if self._equal:
                identity_line(panel)
                panel.set_aspect("equal")
            zero_line(panel, self._log)

    def heading(self) -> str:
        """Say how many points are drawn, and how many are not."""
        data, drawn = self._data, self._columns[self._x].size
        count = f"{drawn:,} points" if data.complete else f"{drawn:,} of {data.total:,} points, spread evenly"
        if data.complete and drawn + self._dropped < data.total:
            count += f", {data.total - drawn - self._dropped:,} not finite"
        if self._dropped:
            count += f", {self._dropped:,} not positive"
        beyond = np.any([outside(self._columns[name], self._limits[1]) for name in self._y], axis=0)
        beyond |= outside(self._columns[self._x], self._limits[0])
        return count + (f"; {beyond.mean():.2%} lie outside the frame" if beyond.any() else "")


class Lines:
    """Medians over pairs along an axis."""

    def __init__(
        self,
        blocks: Sequence[xr.Dataset],
        x: Quantity,
        y: Sequence[Quantity],
        axes: Sequence[str],
        log: str,
        points: int,
        pooled: bool,
    ) -> None:
        cells, self._share = pairs_by_cell(y, (x.text, *axes), blocks)
        self._axes, self._y, self._log, self._pooled = (x.text, *axes), [q.text for q in y], log, pooled
        self._pairs = max(values.size for cell in cells.values() for values in cell.values())
        self._values = [sorted({at[i] for at in cells}) for i in range(len(self._axes))]
        self._numbers = not isinstance(self._values[0][0], str | bool)
        self._hidden = []
        if "x" in log:
            if not self._numbers:
                raise W2SError(f"--log {log}: {x.text} has no numbers: leave out x.")
            self._hidden = [value for value in self._values[0] if value <= 0]
            self._values[0] = self._values[0][len(self._hidden) :]
            if not self._values[0]:
                raise W2SError(f"--log {log} has nothing to show: no value of {x.text} is positive.")
        self._found: dict[tuple[Any, ...], dict[str, np.ndarray]] = {}
        for at, cell in cells.items():
            self._found[at] = {}
            for text, values in cell.items():
                usable = values[np.isfinite(values)]
                band = np.quantile(usable, MIDDLE_80)[[0, 2]] if usable.size else (np.nan, np.nan)
                ends = median_and_interval(values[:, None])[:, 0]
                if pooled:
                    ends[1:] = np.nan  # the same pairs are in it several times
                self._found[at][text] = np.concatenate([ends, band])
        self._limits, self._cut = self._limits_with_cuts()

    def values_of(self, axis: str) -> list[Any]:
        """Return the values of an axis."""
        return self._values[self._axes.index(axis)]

    def draw(
        self, panel: "Axes", at: Mapping[str, Any], color: str | None, series: list[Any], palette: np.ndarray
    ) -> None:
        """Draw a line with bars and a band for every series, side by side where x is text."""
        xs = self._values[0]
        for i, one in enumerate(series):
            place = dict(at) | ({color: one} if color else {})
            text = self._y[i] if len(self._y) > 1 else self._y[0]
            keys = [(value, *(place[axis] for axis in self._axes[1:])) for value in xs]
            none = np.full(5, np.nan)
            middle, low, high, bottom, top = np.array(
                [self._found.get(key, {}).get(text, none) for key in keys]
            ).T
            where = np.array(xs, float) if self._numbers else np.arange(len(xs)) + 0.08 * i
            if "y" in self._log:
                middle, low, high, bottom = (
                    np.where(values > 0, values, np.nan) for values in (middle, low, high, bottom)
                )
            panel.fill_between(where, bottom, top, color=palette[i], alpha=0.12, linewidth=0)
            panel.errorbar(
                where, middle, (middle - low, high - middle), fmt=MARKERS[i % len(MARKERS)] + "-", color=palette[i],
                markersize=4, linewidth=1.4, elinewidth=1.2, capsize=2.5,
            )  # fmt: skip
        if not self._numbers:
            panel.set_xticks(range(len(xs)), [shown(value) for value in xs])

    def decades(self, on: str) -> float:
        """Return how many powers of ten a logarithmic axis shows."""
        values = self._limits if on == "y" else self._values[0]
        return math.log10(values[-1] / values[0])

    def _limits_with_cuts(self) -> tuple[tuple[float, float], bool]:
        """Return limits that hold all medians and intervals, and whether bands further out are cut."""
        found = np.array([values for cell in self._found.values() for values in cell.values()])
        inner, bands = (part[np.isfinite(part)] for part in (found[:, :3], found[:, 3:]))
        if "y" in self._log:
            inner, bands = np.log(inner[inner > 0]), np.log(bands[bands > 0])
        if not inner.size:
            positive = " and positive" if "y" in self._log else ""
            raise W2SError(
                f"{', '.join(self._y)} has no median that is finite{positive}: choose another one."
            )
        low, high = inner.min(), inner.max()
        room = 0.5 * (high - low) or np.inf
        bottom, top = max(bands.min(), low - room), min(bands.max(), high + room)
        pad = 0.05 * (top - bottom) or 0.05 * abs(top) or 1.0
        limits = np.array([bottom - pad, top + pad])
        limits = np.exp(limits) if "y" in self._log else limits
        return (limits[0], limits[1]), bool(bottom > bands.min() or top < bands.max())

    def frame(self, panels: np.ndarray) -> None:
        """Set the limits of all panels, and draw the line at zero."""
        for panel in panels:
            panel.set_ylim(self._limits)
            zero_line(panel, self._log)

    def heading(self) -> str:
        """Say what lines, bars and bands are."""
        bars = "" if self._pooled else ", bars: their 95% intervals"
        cut = " (cut at the frame)" if self._cut else ""
        part = f", {self._share:.1%} of all, spread evenly" if self._share < 1 else ""
        hidden = (
            f"; not positive: {self._axes[0]} = {', '.join(map(shown, self._hidden))}" if self._hidden else ""
        )
        return f"medians over {self._pairs:,} pairs{part}{bars}; bands: 10–90% of the pairs{cut}{hidden}"


def zero_line(panel: "Axes", log: str) -> None:
    low, high = panel.get_ylim()
    if "y" not in log and low <= 0 <= high:
        panel.axhline(0, color=GREY, linewidth=0.8, zorder=0.5)


def coloured(
    figure: "Figure", panels: np.ndarray, series: list[Any], name: str, label: str, marks: str
) -> tuple[np.ndarray, list[Any]]:
    """Return the colour of every series `[series, 4]`, and what a legend says.

    Numbers are in the order of their colours; those with many values have a bar beside the panels in place of a legend.
    """
    import matplotlib
    from matplotlib.colors import LogNorm, Normalize, to_rgba_array
    from matplotlib.lines import Line2D

    if series == [None]:
        return to_rgba_array([BLUE]), []
    # Cividis keeps its order for every kind of colour vision; its lightest end is too pale on white.
    cividis = matplotlib.colormaps["cividis"]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in series)
    if numbers and len(series) > MOST_IN_LEGEND:
        low, high = float(series[0]), float(series[-1])
        norm = LogNorm(low, high) if low > 0 and high > 100 * low else Normalize(low, high)
        figure.colorbar(matplotlib.cm.ScalarMappable(norm, cividis), ax=list(panels), label=plain_text(label))
        return np.asarray(cividis(norm(series))), []
    palette = cividis(np.linspace(0.0, 0.8, max(2, len(series))))
    if not numbers:
        palette = to_rgba_array([CATEGORIES[i % len(CATEGORIES)] for i in range(len(series))])
    handles = [
        Line2D(
            [], [], color=color, marker=marks[i % len(marks)], linestyle="",
            label=f"{name} = {shown(value)}" if name else plain_text(value),
        )
        for i, (color, value) in enumerate(zip(palette, series, strict=False))
    ]  # fmt: skip
    return palette, handles


def central_limits(values: np.ndarray, log: bool) -> tuple[float, float]:
    """Return limits that leave out values further from the central 90% than 1.5 times its width."""
    if not np.issubdtype(values.dtype, np.number):
        return -0.5, len(np.unique(values)) - 0.5
    values = np.log(values) if log else values
    central = np.quantile(values, (0.05, 0.95))
    beyond = 1.5 * (central[1] - central[0]) or np.inf
    low = max(float(values.min()), float(central[0] - beyond))
    high = min(float(values.max()), float(central[1] + beyond))
    pad = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    if log:
        return math.exp(low - pad), math.exp(high + pad)
    # An axis that nearly begins at zero should begin there.
    return min(0.0, low) if 0 <= low < 0.2 * high else low - pad, high + pad


def common_label(quantities: Sequence[Quantity], dataset: xr.Dataset) -> str:
    """Return the names of several quantities, with their unit if they share it."""
    units = {found[0] if (found := re.findall(r"\[[^\]]*\]$", q.label(dataset))) else "" for q in quantities}
    return ", ".join(q.text for q in quantities) + (f"  {units.pop()}" if len(units) == 1 else "")


def wrapped(text: str, inches: float) -> str:
    """Break a text into lines of so many inches, brackets kept together."""
    kept = re.sub(r"(\w+ )?\(.*?\)|\[.*?\]", lambda bracket: bracket[0].replace(" ", "\u00a0"), text)
    return textwrap.fill(kept, int(12.5 * inches)).replace("\u00a0", " ")
