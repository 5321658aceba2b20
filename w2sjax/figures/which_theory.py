"""All theories on one world."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.figures.style import CATEGORIES, GREY, for_paper, head, new_figure, plain_log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = ("weak_error", "w2s_error", "gain", "deviation", "prediction_gap")
_STYLES = ("-", "--", "-.")


def theories_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw what every theory says as lines, and simulation as points with 2 standard errors, against n_weak.

    Args:
        result: of `w2sjax.analysis.theories_compared`.
        title: above the figure.

    Returns:
        One panel per quantity, whose limits are near the simulated values and 0: lines may leave it.
    """
    figure = new_figure(6.8, 5.2)
    panels = figure.subplots(2, 3).ravel()
    n = result["n_weak"].values
    for panel, quantity in zip(panels, _PANELS, strict=False):
        simulated, error = result[f"{quantity}_simulated"], result[f"{quantity}_error"]
        panel.errorbar(
            n,
            simulated,
            2 * error,
            fmt="o",
            color="black",
            markersize=3.5,
            capsize=2,
            zorder=5,
            label="simulated",
        )
        for i, name in enumerate(result["theory"].values.tolist()):
            line = result[quantity].sel(theory=name)
            if line.notnull().any():
                style = _STYLES[i // len(CATEGORIES)]
                panel.plot(n, line, style, color=CATEGORIES[i % len(CATEGORIES)], linewidth=1.3, label=name)
        low, high = float(simulated.min()), float(simulated.max())
        if low > 0:
            panel.set_yscale("log")
            panel.set_ylim(low / 3, high * 3)
        else:
            lines = result[quantity].values
            ends = np.nanmin([low, np.nanmin(lines)]), np.nanmax([high, np.nanmax(lines)])
            panel.set_ylim(max(ends[0], low - 2 * (high - low)) - 0.02, min(ends[1], 0) + 0.02)
        plain_log_ticks(panel, np.log10(n[-1] / n[0]))
        panel.set(xlabel="n_weak", ylabel=quantity)
        panel.grid(True, which="major", color=GREY, alpha=0.2)
    handles: dict[str, Any] = {}
    for panel in panels[: len(_PANELS)]:
        handles |= dict(zip(*panel.get_legend_handles_labels()[::-1], strict=True))
    panels[-1].axis("off")
    panels[-1].legend(handles.values(), handles, loc="center", frameon=False, fontsize=7)
    head(figure, title, result, "; squared label units; bars: 2 standard errors")
    for_paper(figure)
    return figure
