"""Students side by side: quantities against an axis, with intervals over pairs, and gain against misfit."""

from typing import TYPE_CHECKING

import xarray as xr

from w2sjax.figures.style import CATEGORIES, GREY, MARKERS, head, identity_line, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def students_figure(
    result: xr.Dataset,
    title: str = "",
    *,
    along: str,
    label: str,
    quantities: dict[str, str],
    scatter: bool = False,
    log: bool = False,
) -> "Figure":
    """Draw quantities of students against an axis, a panel each; lines are students, or the values of another axis.

    Args:
        result: of `w2sjax.analysis.compare_students`.
        title: above the figure.
        along: the axis, and `label` what it is called.
        quantities: variables of the result, and what they are called.
        scatter: a first panel of gain against misfit of every pair, at the last value of the axis.
        log: whether the axis is logarithmic.

    Returns:
        Points are medians over pairs, bars their 95% intervals.
    """
    figure = new_figure(6.8, 3.4)
    panels = figure.subplots(1, len(quantities) + scatter)
    if scatter:
        _scatter(panels[0], result.isel({along: -1}))
    for panel, (name, meaning) in zip(panels[scatter:], quantities.items(), strict=True):
        values = result[name]
        if values.sizes.get("student") == 1:
            values = values.isel(student=0, drop=True)
        other = [str(dim) for dim in values.dims if dim not in (along, "of")]
        stacked = values.stack(line=other) if other else values.expand_dims("line")
        for number in range(stacked.sizes["line"]):
            line = stacked.isel(line=number)
            color, marker = CATEGORIES[number % len(CATEGORIES)], MARKERS[number % len(MARKERS)]
            words = ", ".join(_words(name, line[name].item()) for name in other)
            middle = line.sel(of="median")
            bars = [middle - line.sel(of="low"), line.sel(of="high") - middle]
            place = middle[along] * (1 + 0.02 * number) if log else middle[along]
            panel.errorbar(
                place,
                middle,
                bars,
                fmt=f"{marker}-",
                color=color,
                markersize=3.5,
                capsize=2,
                linewidth=1,
                label=words,
            )
        if name != "accuracy":
            panel.axhline(0, color=GREY, linewidth=0.8, linestyle="--")
        panel.set(xlabel=label, xscale="log" if log else "linear")
        panel.set_title(meaning, fontsize=9)
        if other:
            panel.legend(fontsize=7.5, frameon=False)
    for panel in panels:
        panel.tick_params(labelsize=8)
        panel.grid(True, color=GREY, alpha=0.2)
    head(figure, title, result, "; medians, 95% intervals")
    return figure


def _words(name: str, value: object) -> str:
    return str(value) if name == "student" else f"{name} {shown(value)}"


def _scatter(panel: "Axes", cell: xr.Dataset) -> None:
    for number, student in enumerate(cell["student"].values.tolist()):
        own = cell.sel(student=student)
        panel.plot(
            own["pair_misfit"],
            own["pair_gain"],
            MARKERS[number],
            color=CATEGORIES[number],
            markersize=4,
            label=student,
        )
    identity_line(panel)
    panel.set(xlabel="misfit", ylabel="gain")
    panel.set_title("every pair, most samples", fontsize=9)
    panel.legend(fontsize=7.5, frameon=False)
