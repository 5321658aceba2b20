"""Overlapping subspaces: excess risks, and the ratios PGR and OPR, against both sample sizes."""

from typing import TYPE_CHECKING

import xarray as xr

from w2sjax.figures.style import (
    BLUE,
    CATEGORIES,
    GREEN,
    GREY,
    MARKERS,
    ORANGE,
    PURPLE,
    for_paper,
    head,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MODELS = {
    "weak_error": ("weak", ORANGE, "s"),
    "w2s_error": ("w2s", BLUE, "o"),
    "baseline_error": ("strong, n labels", GREEN, "^"),
    "ceiling_error": ("ceiling, n + N", PURPLE, "d"),
}
_AXES = {"n_strong": "N  (n = 2000)", "n_weak": "n  (N = 4000)"}


def subspaces_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw excess risks for three choices of overlap and noise, and PGR and OPR by overlap, against N and n.

    Args:
        result: of `w2sjax.analysis.subspace_panels`.
        title: above the figure.

    Returns:
        Lines are exact expectations, dotted ones the paper's bound of the w2s error, points means over trials with 2
        standard errors.
    """
    noises, overlaps = result["label_noise"].values.tolist(), result["overlap"].values.tolist()
    middle = noises[len(noises) // 2]
    small = next((overlap for overlap in overlaps if overlap > 0), overlaps[0])
    risks = [(small, middle), (overlaps[-1], middle), (overlaps[-1], noises[0])]
    ratios = [(name, noise) for noise in noises[len(noises) // 2 :] for name in ("pgr", "opr")]
    figure = new_figure(6.8, 7.6)
    panels = figure.subplots(4, 4)
    for row, along in enumerate(_AXES):
        for panel, (overlap, noise) in zip(panels[2 * row], risks, strict=False):
            cell = result.sel(along=along, overlap=overlap, label_noise=noise)
            for name, (label, color, marker) in _MODELS.items():
                _line(panel, cell[name], color, marker, label)
            bound = cell["w2s_error"].sel(of="bound").dropna("n")
            panel.plot(bound["n"], bound, ":", color=BLUE, linewidth=1, label="bound of w2s (paper)")
            panel.set_yscale("log")
            panel.set_title(f"overlap {overlap}, s² = {noise**2:.2g}", fontsize=9)
            panel.set_xlabel(_AXES[along], fontsize=9)
        panels[2 * row][0].set_ylabel("excess risk", fontsize=9)
        for panel in panels[2 * row][len(risks) :]:
            panel.set_visible(False)
        for panel, (name, noise) in zip(panels[2 * row + 1], ratios, strict=False):
            for i, overlap in enumerate(overlaps):
                cell = result.sel(along=along, overlap=overlap, label_noise=noise)
                _line(panel, cell[name], CATEGORIES[i], MARKERS[i], f"overlap {overlap}")
            panel.axhline(1, color=GREY, linewidth=0.8, linestyle="--")
            panel.set_title(f"{name.upper()}, s² = {noise**2:.2g}", fontsize=9)
            panel.set_xlabel(_AXES[along], fontsize=9)
    for panel in panels.ravel():
        panel.tick_params(labelsize=8)
        panel.grid(True, color=GREY, alpha=0.2)
    for row, legend in ((0, panels[0][3]), (1, panels[2][3])):  # where there is no panel
        handles, labels = panels[row][0].get_legend_handles_labels()
        legend.set_visible(True)
        legend.axis("off")
        legend.legend(handles, labels, loc="center", frameon=False, fontsize=9)
    head(figure, title, result, "; lines: exact; n labelled, N weakly labelled rows, noise variance s²")
    for_paper(figure, 7)
    return figure


def _line(panel: "Axes", values: xr.DataArray, color: str, marker: str, label: str) -> None:
    exact = values.sel(of="predicted").dropna("n")
    panel.plot(exact["n"], exact, color=color, linewidth=1.1)
    means = values.sel(of="simulated").dropna("n")
    bars = 2 * values.sel(of="standard_error").sel(n=means["n"])
    panel.errorbar(means["n"], means, bars, fmt=marker, color=color, markersize=3.5, capsize=2, label=label)
