"""How typical one published panel is: its slope, correlation and deviation over many independent draws."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from w2sjax.engine.outcome import UNUSABLE
from w2sjax.figures.style import BLUE, GREY, ORANGE
from w2sjax.figures.summary import no_slope, pair_fit
from w2sjax.methods.selection import rank_correlation

NOTEBOOK = {"gain": 0.13}
"""Mean gain of the draw in the notebook released with Charikar et al. 2024."""


def per_pair(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """Return per pair the panel's numbers and what may explain them, `[pair]` each; failed trainings are left out.

    `slope` and `correlation` of gain on misfit over tasks; means over tasks of the errors, gain, misfit;
    `relative_deviation` = mean deviation / mean weak error; `ceiling_share` = mean ceiling error / mean weak error, the
    non-realizable term of Theorem 2; `dead_share`, the part of the strong features without rank;
    `condition` of the strong features.
    """
    kept = dataset.isel(pair=np.flatnonzero((dataset["status_code"].values & int(UNUSABLE)) == 0))
    fits = [pair_fit(m, g) for m, g in zip(kept["misfit"].values, kept["gain"].values, strict=True)]
    slope, r2 = np.array(fits).reshape(-1, 2).T
    means = {
        name: kept[name].mean("task").values
        for name in ("weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation")
    }
    rank, dropped = kept["status_strong_rank"].values, kept["status_strong_dropped"].values
    return means | {
        "pair": kept["pair"].values,
        "slope": slope,
        "correlation": np.sign(slope) * np.sqrt(np.clip(r2, 0, 1)),
        "relative_deviation": means["deviation"] / means["weak_error"],
        "ceiling_share": means["ceiling_error"] / means["weak_error"],
        "dead_share": dropped / (rank + dropped),
        "condition": kept["status_strong_condition"].values,
    }


def typicality_report(dataset: xr.Dataset) -> dict[str, Any]:
    """Return quantiles over pairs of the panel's numbers, and rank correlations with what may explain them."""
    numbers = per_pair(dataset)
    count = len(numbers["pair"])
    report: dict[str, Any] = {"pairs": dataset.sizes["pair"], "pairs_without_failure": count}
    for name, values in numbers.items():
        if name != "pair" and count:
            levels = (0.05, 0.25, 0.5, 0.75, 0.95)
            finite = values[np.isfinite(values)]
            quantiles = np.quantile(finite, levels) if finite.size else np.full(len(levels), np.nan)
            report[name] = dict(zip(map(str, levels), map(float, quantiles), strict=True))
    if count > 2:
        report["spearman"] = {
            effect: {
                cause: float(rank_correlation(numbers[cause], numbers[effect]))
                for cause in ("ceiling_share", "dead_share", "condition")
            }
            for effect in ("slope", "correlation", "relative_deviation")
        }
        report["share_with_gain_below_the_notebooks"] = float(np.mean(numbers["gain"] <= NOTEBOOK["gain"]))
    middle = {name: report[name]["0.5"] if count else float("nan") for name in ("slope", "correlation")}
    if np.isfinite(middle["slope"]):
        text = f"median slope {middle['slope']:.3f}, correlation {middle['correlation']:.3f}"
    else:
        text = no_slope(dataset.sizes["task"])
    return report | {"headline": f"{count} of {dataset.sizes['pair']} worlds: {text}"}


def typicality(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw slope, correlation and relative deviation of every world: their distributions, and against the ceiling.

    Args:
        dataset: from `sweep`, dims pair and task only.
        title: above the figure.
    """
    numbers = per_pair(dataset)
    effects = (
        ("slope", "slope of gain on misfit  [1]", 1.0),
        ("correlation", "correlation of gain and misfit  [1]", 1.0),
        ("relative_deviation", "mean deviation / mean weak error  [1]", 0.0),
    )
    share = numbers["ceiling_share"]
    figure = Figure(figsize=(13, 7.6), layout="constrained")
    for column, (name, label, theory) in enumerate(effects):
        values = numbers[name]
        top = figure.add_subplot(2, 3, 1 + column)
        finite = values[np.isfinite(values)]
        top.hist(
            finite, bins=min(25, max(5, finite.size)), color=BLUE, alpha=0.8, edgecolor="white", linewidth=0.5
        )
        top.axvline(theory, color=GREY, linestyle="--", label="gain = misfit")
        if finite.size:
            median = float(np.median(finite))
            top.axvline(median, color=ORANGE, linewidth=2, label=f"median {median:.2f}")
        top.xaxis.set_major_locator(MaxNLocator(6))
        top.yaxis.set_major_locator(MaxNLocator(integer=True))
        top.set_xlabel(label)
        top.set_ylabel("worlds")
        _legend_above(top)
        below = figure.add_subplot(2, 3, 4 + column)
        below.scatter(share, values, s=14, color=BLUE, alpha=0.7, linewidth=0)
        below.axhline(theory, color=GREY, linestyle="--", label="gain = misfit")
        if name == "relative_deviation":
            _theorem_2(below, share)
        _spread(below, share)
        below.set_xlabel("ceiling error / weak error  [1]")
        below.set_ylabel(label)
        _legend_above(below)
    if title:
        failed = dataset.sizes["pair"] - len(numbers["pair"])
        figure.suptitle(f"{title}\n{len(numbers['pair'])} worlds, {failed} left out after a failed training")
    return figure


def _legend_above(axes: Axes) -> None:
    """Put the legend where it covers neither bars nor lines."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=8)


def _spread(axes: Axes, share: np.ndarray) -> None:
    """Make the horizontal axis logarithmic where the values span more than a decade, with ticks that fit."""
    positive = share[np.isfinite(share) & (share > 0)]
    if not positive.size or positive.max() < 10 * positive.min():
        axes.xaxis.set_major_locator(MaxNLocator(6))
        return
    axes.set_xscale("log")
    decades = np.log10(positive.max() / positive.min())
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _theorem_2(axes: Axes, share: np.ndarray) -> None:
    """Draw the most negative deviation that a ceiling error allows with infinite samples, in weak errors."""
    finite = share[np.isfinite(share) & (share > 0)]
    if not finite.size:
        return
    s = np.geomspace(finite.min(), finite.max(), 100)
    # deviation = 2 E[(weak - w2s)(w2s - truth)]; the projection leaves 2 E[(weak - w2s)(ceiling - truth)], and
    # |weak - w2s|^2 = misfit <= |weak - ceiling|^2 <= (sqrt(weak_error) + sqrt(ceiling_error))^2.
    axes.plot(s, -2 * np.sqrt(s) * (1 + np.sqrt(s)), color=ORANGE, label="Theorem 2, population limit")
    axes.set_yscale("symlog", linthresh=0.1)  # linear near 0; a few worlds are far below
