"""The law of the deviation and its coverage against n_strong."""

from typing import TYPE_CHECKING

import xarray as xr

from w2sjax.figures.style import BLUE, CATEGORIES, GREY, INSIDE, MARKERS, for_paper, head, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def law_coverage_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw the law's band of deviation / weak_error by n_strong, what was simulated, and what share the bands hold.

    Args:
        result: of `w2sjax.analysis.law_coverage`.
        title: above the figure.

    Returns:
        One panel per world: lines and bands are the law's, points with bars the median and the middle 90% of the
        simulated tasks. The last panel: the share of tasks in the law's intervals, with 2 standard errors over pairs.
    """
    noises = result["strong_noise"].values.tolist()
    figure = new_figure(6.8, 3.3)
    panels = figure.subplots(1, len(noises) + 1)
    n = result["n_strong"].values.astype(float)
    for axes, noise in zip(panels, noises, strict=False):
        cell = result.sel(strong_noise=noise)
        low, middle, high = cell["predicted"].transpose("quantile", ...).values
        axes.fill_between(n, low, high, color=BLUE, alpha=0.2, linewidth=0, label="law, middle 90%")
        axes.plot(n, middle, color=BLUE, label="law, median")
        low, middle, high = cell["simulated"].transpose("quantile", ...).values
        axes.errorbar(
            n, middle, (middle - low, high - middle), fmt="o", color="black", markersize=3.5, capsize=2, elinewidth=1,
            label="simulated, median, middle 90%",
        )  # fmt: skip
        axes.set_xscale("log")
        axes.set(ylim=(-1.5, 0.5), xlabel="n_strong  [samples]", title=f"strong_noise {noise:g}")
        axes.grid(True, color=GREY, alpha=0.2)
    panels[0].set_ylabel("(gain − misfit) / weak error  [1]")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False)
    last = panels[-1]
    last.axhspan(0.85, 0.95, color=GREY, alpha=0.12, linewidth=0)
    for j, level in enumerate(result["level"].values.tolist()):
        last.axhline(level, color=GREY, linestyle="--", linewidth=0.8)
        for i, noise in enumerate(noises):
            cell = result.sel(strong_noise=noise, level=level)
            last.errorbar(
                n, cell["coverage"], 2 * cell["coverage_standard_error"], fmt=MARKERS[i] + "-", color=CATEGORIES[i],
                markersize=3.5, linewidth=1, capsize=2, label=f"strong_noise {noise:g}" if j == 0 else None,
            )  # fmt: skip
    last.set_xscale("log")
    last.set(
        ylim=(0, 1.02),
        xlabel="n_strong  [samples]",
        ylabel="share of tasks in the interval  [1]",
        title="coverage",
    )
    last.legend(**INSIDE, loc="lower right", title="law's 50, 90 and 99%", title_fontsize=8)
    head(figure, title, result)
    for_paper(figure, 7)
    return figure
