"""Predictions of a theory as lines, simulations as points with intervals."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.errors import W2SError
from w2sjax.figures.style import CATEGORIES, GREY, MARKERS, head, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def theory_beside_simulation(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw every predicted variable along its longest axis, and what was simulated beside it.

    Args:
        result: of `w2sjax.analysis.beside_theory`.
        title: above the figure.

    Returns:
        One panel per variable. Lines are predictions, one colour per cell of the other axes; points are means over
        pairs and tasks, with 2 standard errors over pairs. Positive values whose largest is more than 20 times the
        smallest have a logarithmic axis; no axis shows rounding, below 1e-6 of the largest prediction.

    Raises:
        W2SError: for a result without an axis.
    """
    names = [str(name) for name in result]
    axes_of = [str(dim) for dim in result.dims if dim != "of"]
    if not axes_of:
        raise W2SError("result has no axis to draw along: predict and sweep at least one.")
    x = max(axes_of, key=lambda name: result.sizes[name])
    others = [name for name in axes_of if name != x]
    cells = [
        dict(zip(others, values, strict=True))
        for values in itertools.product(*(result[name].values.tolist() for name in others))
    ]
    frame = 1e-6 * max(float(abs(result[name].sel(of="predicted")).max()) for name in names)
    across = min(len(names), 3)
    down = -(-len(names) // across)
    figure = new_figure(4.4 * across, 3.6 * down + 0.8)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        for i, cell in enumerate(cells):
            line = result[name].sel(cell)
            label = ", ".join(f"{other} {shown(value)}" for other, value in cell.items())
            color, marker = CATEGORIES[i % len(CATEGORIES)], MARKERS[i % len(MARKERS)]
            at = line[x].values
            panel.plot(at, line.sel(of="predicted"), "-", color=color, linewidth=1.4)
            panel.errorbar(
                at, line.sel(of="simulated"), 2 * line.sel(of="standard_error"), fmt=marker, color=color,
                markersize=5, capsize=2, linestyle="", label=label or "simulated",
            )  # fmt: skip
        if _is_wide(result[x].values):
            panel.set_xscale("log")
        if _is_wide(result[name].sel(of="predicted").values):
            panel.set_yscale("log")
        elif np.ptp(panel.get_ylim()) < frame:
            panel.set_ylim(np.mean(panel.get_ylim()) + np.array([-frame, frame]))
        panel.set(xlabel=x, ylabel=f"{name}  [squared label unit]")
        panel.grid(True, which="major", color=GREY, alpha=0.2)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    theory = result.attrs.get("theory", "theory")
    head(figure, title, result, f"; lines: {theory}; points: means with 2 standard errors over pairs")
    return figure


def _is_wide(values: np.ndarray) -> bool:
    if not np.issubdtype(values.dtype, np.number):
        return False
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() > 20 * finite.min())
