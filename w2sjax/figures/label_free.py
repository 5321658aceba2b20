"""Rules that rank weak models: their rank correlations and regrets over pairs."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.figures.style import BLUE, GREY, head, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def label_free_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw Spearman's correlation with w2s_error, and the regret of the first choice, by rule.

    Args:
        result: of `w2sjax.analysis.label_free_ranking`.
        title: above the figure.

    Returns:
        Points are medians over pairs of the mean over tasks, bars their 10-90%; a random choice has no rank.
    """
    figure = new_figure(6.8, 3.6)
    panels = figure.subplots(1, 2, sharey=True)
    rules = result["rule"].values.tolist()
    place = np.arange(len(rules))
    for panel, (name, label) in zip(
        panels,
        (
            ("rank_over_pairs", "Spearman with w2s error  [1]"),
            ("regret_over_pairs", "regret / least w2s error  [1]"),
        ),
        strict=True,
    ):
        low, median, high = result[name].transpose("quantile", "rule").values
        panel.errorbar(median, place, xerr=(median - low, high - median), fmt="o", color=BLUE, capsize=3)
        panel.set_xlabel(label, fontsize=9)
        panel.grid(True, axis="x", color=GREY, alpha=0.2)
    panels[0].axvline(0, color=GREY, linewidth=0.8)
    panels[1].set_xscale("log")
    panels[0].set_yticks(place, rules, fontsize=9)
    panels[0].invert_yaxis()
    head(
        figure,
        title,
        result,
        f" x {result.attrs['candidates']} candidates; medians, bars: 10–90% of the pairs",
    )
    return figure
