"""Predictions of a theory as lines, simulations as points with intervals."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.errors import W2SError
from w2sjax.figures.style import (
    CATEGORIES,
    GREY,
    MARKERS,
    for_paper,
    head,
    new_figure,
    plain_log_ticks,
    shown,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def theory_beside_simulation(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw every predicted variable along its longest axis, and what was simulated beside it.

    Args:
        result: of `w2sjax.analysis.beside_theory`.
        title: above the figure.

    Returns:
        One panel per variable, 6.8 inches wide together. Lines are predictions, one colour per cell of the other axes,
        dotted those of other theories; points are means over pairs and tasks, with 2 standard errors over pairs.
        Positive values whose largest is more than 20 times the smallest have a logarithmic axis; no axis shows
        rounding, below 1e-6 of the largest prediction.

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
    across = 2 if len(names) == 4 else min(len(names), 3)
    down = -(-len(names) // across)
    figure = new_figure(6.8, 2.1 * down + 0.9)
    others_of = [
        of for of in result["of"].values.tolist() if of not in ("predicted", "simulated", "standard_error")
    ]
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        for i, cell in enumerate(cells):
            line = result[name].sel(cell)
            label = ", ".join(f"{other} {shown(value)}" for other, value in cell.items())
            color, marker = CATEGORIES[i % len(CATEGORIES)], MARKERS[i % len(MARKERS)]
            at = line[x].values
            for of, style in (("predicted", "-"), *((of, ":") for of in others_of)):
                known = line.sel(of=of).dropna(x)
                panel.plot(known[x].values, known, style, color=color, linewidth=1.2)
            panel.errorbar(
                at, line.sel(of="simulated"), 2 * line.sel(of="standard_error"), fmt=marker, color=color,
                markersize=3.5, capsize=1.5, elinewidth=1, linestyle="", label=label or "simulated",
            )  # fmt: skip
        if _is_wide(result[x].values):
            plain_log_ticks(panel, np.log10(result[x].values.max() / result[x].values.min()) + across / 6)
        if _is_wide(result[name].sel(of="predicted").values):
            panel.set_yscale("log")
        elif np.ptp(panel.get_ylim()) < frame:
            panel.set_ylim(np.mean(panel.get_ylim()) + np.array([-frame, frame]))
        panel.set(xlabel=f"{x}  [{result[x].attrs.get('units', '1')}]", ylabel=name)
        panel.grid(True, which="major", color=GREY, alpha=0.2)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    theory, units = (result.attrs.get(name, other) for name, other in (("theory", "theory"), ("units", "1")))
    more = f"; dotted: {', '.join(others_of)}" if others_of else ""
    note = f"; bars: 2 standard errors over pairs\nlines: {theory}{more}; unit: {units}"
    head(figure, title, result, note)
    for_paper(figure)
    return figure


def _is_wide(values: np.ndarray) -> bool:
    if not np.issubdtype(values.dtype, np.number):
        return False
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() > 20 * finite.min())
