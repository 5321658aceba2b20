"""Any quantities of a sweep against another, or against an axis: coloured by one axis, in panels by another."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.analysis.points import (
    Quantity,
    check_quantities,
    draw_points,
    free_axes,
    pairs_by_cell,
    selected,
)
from w2sjax.analysis.statistics import MIDDLE_80
from w2sjax.errors import W2SError
from w2sjax.figures.style import (
    BLUE,
    CATEGORIES,
    GREY,
    MARKERS,
    ORANGE,
    identity_line,
    new_figure,
    outside,
    plain_log_ticks,
    plain_text,
    shown,
)
from w2sjax.medians import median_and_interval
from w2sjax.validation import check_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 16
MOST_IN_LEGEND = 8


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
    across = Quantity.parse(x)
    up = [Quantity.parse(text) for text in ([y] if isinstance(y, str) else y)]
    check_quantities(blocks[0], x=across, y=up, color=color, facet=facet)
    if len(up) > 1 and color is not None:
        raise W2SError(f"--color {color} has no colours left, several --y have them: use --facet {color}.")
    blocks = selected(blocks, sel or {})
    color, facet, pooled = _assigned(blocks, x, up, color, facet, pool)
    axes = [name for name in (color, facet) if name]
    is_axis = x in blocks[0].coords and x not in ("pair", "task")
    found = _Lines if is_axis and all(q.of in blocks[0].data_vars for q in up) else _Points
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
    bar = _wrapped(Quantity.parse(color).label(blocks[0]), 3 * rows) if color else ""
    marks = MARKERS if isinstance(drawing, _Lines) else "o"
    palette, handles = _coloured(figure, panels[: len(facets)], series, name, bar, marks)
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
    figure.supxlabel(_wrapped(plain_text(across.label(blocks[0])), width), fontsize=10)
    label = up[0].label(blocks[0]) if len(up) == 1 else _common_label(up, blocks[0])
    figure.supylabel(_wrapped(plain_text(label), height - 1), fontsize=10)
    lines = [plain_text("; ".join(filter(None, (title, note, _chosen(sel))))), drawing.heading()]
    if pooled:
        lines.append("POOLED, cells of different settings mixed: " + _named(pooled))
    text = "\n".join(_wrapped(line, width) for line in lines if line)
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


class _Points:
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
        self._limits = [_central_limits(self._columns[x.text], "x" in log), _central_limits(ys, "y" in log)]
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
            _zero_line(panel, self._log)

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


class _Lines:
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
        values = self._limits if on == "y" else [value for value in self._values[0] if value > 0]
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
            _zero_line(panel, self._log)

    def heading(self) -> str:
        """Say what lines, bars and bands are."""
        bars = "" if self._pooled else ", bars: their 95% intervals"
        cut = " (cut at the frame)" if self._cut else ""
        part = f", {self._share:.1%} of all, spread evenly" if self._share < 1 else ""
        return f"medians over {self._pairs:,} pairs{part}{bars}; bands: 10–90% of the pairs{cut}"


def _draw_band(panel: "Axes", band: xr.DataArray) -> None:
    """Draw the middle 90% and the median of single tasks that a theory predicts."""
    low, middle, high = band.transpose("quantile", "x").values
    limits = panel.get_xlim(), panel.get_ylim()
    label = "law of the deviation, one\ntask: middle 90% and median"
    panel.fill_between(band["x"], low, high, color=GREY, alpha=0.3, linewidth=0, label=label, zorder=2.5)
    panel.plot(band["x"], middle, color="black", linewidth=1.2, zorder=2.6)
    panel.set(xlim=limits[0], ylim=limits[1])


def _zero_line(panel: "Axes", log: str) -> None:
    low, high = panel.get_ylim()
    if "y" not in log and low <= 0 <= high:
        panel.axhline(0, color=GREY, linewidth=0.8, zorder=0.5)


def _coloured(
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


def _central_limits(values: np.ndarray, log: bool) -> tuple[float, float]:
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


def _chosen(sel: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{axis} = {value}" for axis, value in (sel or {}).items())


def _named(pooled: Mapping[str, np.ndarray]) -> str:
    return ", ".join(
        f"{plain_text(name)} ({values.size} values, {shown(values[0].item())} to {shown(values[-1].item())})"
        for name, values in pooled.items()
    )


def _common_label(quantities: Sequence[Quantity], dataset: xr.Dataset) -> str:
    """Return the names of several quantities, with their unit if they share it."""
    units = {found[0] if (found := re.findall(r"\[[^\]]*\]$", q.label(dataset))) else "" for q in quantities}
    return ", ".join(q.text for q in quantities) + (f"  {units.pop()}" if len(units) == 1 else "")


def _wrapped(text: str, inches: float) -> str:
    """Break a text into lines of so many inches, brackets kept together."""
    kept = re.sub(r"(\w+ )?\(.*?\)|\[.*?\]", lambda bracket: bracket[0].replace(" ", "\u00a0"), text)
    return textwrap.fill(kept, int(12.5 * inches)).replace("\u00a0", " ")
