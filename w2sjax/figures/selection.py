"""Selection among candidates against sample size: regret, rank correlation, and how often the bound is negative."""

from typing import TYPE_CHECKING

import xarray as xr

from w2sjax.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    head,
    line_with_band,
    log_scales,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CRITERIA = {
    "upper_bound": ("smallest weak error − misfit", BLUE, "o-"),
    "weak_error": ("smallest weak error", ORANGE, "s-"),
    "misfit": ("smallest misfit", GREEN, "^-"),
    "random": ("random candidate", PURPLE, "d-"),
}
"""Label, colour and marker."""


def selection_against_samples(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw regret, rank correlation and negative bounds against the common size of both training samples.

    Args:
        result: of `w2sjax.analysis.selection_by_size`.
        title: above the figure.

    Returns:
        Three columns: mean regret over tasks relative to the best candidate, Spearman correlation of criterion and w2s
        error, and the share of tasks with the best candidate chosen and of candidates with a negative bound; one row
        per evaluation size. Lines are medians over pairs (means for the shares), bands 25-75%.
    """
    sizes = result["n_eval"].values.tolist()
    figure = new_figure(13.5, 3.9 * len(sizes) + 0.7)
    rows = figure.subplots(len(sizes), 3, squeeze=False, sharex=True, sharey="col")
    for row, n_eval in zip(rows, sizes, strict=True):
        cell = result.sel(n_eval=n_eval)
        _draw_quartiles(row[0], cell["relative_regret"])
        _draw_quartiles(row[1], cell["rank_correlation"])
        _draw_shares(row[2], cell.sel(statistic="mean"))
        row[0].set_ylabel("regret / smallest w2s error  [1]")
        row[1].set_ylabel("rank correlation with w2s error  [1]")
        row[2].set_ylabel("share with the best one chosen  [1]")
        for axes in row:
            axes.set_title(f"criterion from {n_eval} evaluation samples", fontsize=9, color=GREY)
            log_scales(axes, y=False)
            axes.set_xlabel("n_weak = n_strong  [samples]")
            axes.tick_params(labelbottom=True)
        row[0].set_yscale("symlog", linthresh=0.01)
        row[0].set_ylim(bottom=0)
        row[1].set_ylim(-1.05, 1.05)
        row[1].axhline(0, color=GREY, linewidth=0.8)
        row[2].set_ylim(-0.03, 1.03)
    handles, labels = rows[0][2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    head(figure, title, result, "; lines: medians over pairs, bands 25–75% (right: means)")
    return figure


def _draw_quartiles(axes: "Axes", values: xr.DataArray) -> None:
    quartiles = values.sel(statistic=["quantile_25", "median", "quantile_75"]).rename(statistic="quantile")
    for criterion in values["criterion"].values.tolist():
        line = quartiles.sel(criterion=criterion)
        if line.notnull().any():  # a random choice has no rank
            label, color, style = CRITERIA[criterion]
            line_with_band(axes, line["n"], line, style, 0.18, color=color, label=label)


def _draw_shares(axes: "Axes", means: xr.Dataset) -> None:
    for criterion in means["criterion"].values.tolist():
        best = means["best_share"].sel(criterion=criterion)
        label, color, style = CRITERIA[criterion]
        axes.plot(best["n"], best, style, color=color, markersize=5, label=label)
    bound = means.sel(criterion="upper_bound")
    for name, style, which in (
        ("negative_share", "k:", "all candidates"),
        ("chosen_negative", "k--", "the chosen one"),
    ):
        axes.plot(bound["n"], bound[name], style, label=f"right: weak error − misfit < 0, {which}")
