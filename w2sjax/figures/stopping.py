"""Error of the best-stopped student against that of its teacher, with the exponents of the literature."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.analysis.stopping import exponents
from w2sjax.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INSIDE,
    ORANGE,
    for_paper,
    head,
    log_scales,
    new_figure,
    plain_log_ticks,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def student_against_teacher(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw w2s_error against weak_error, and their ratio against the teacher's width.

    Args:
        result: of `w2sjax.analysis.best_stopping`.
        title: above the figure.

    Returns:
        A figure. Lines are predictions, dash-dotted of a student of infinite width where there is one; points are means
        with 2 standard errors over pairs. Left also the square of weak_error, below which no student of this
        class is (Medvedev et al. 2025, up to a constant).
    """
    predicted, simulated, error = (result.sel(of=of) for of in ("predicted", "simulated", "standard_error"))
    figure = new_figure(6.8, 3.6)
    left, right = figure.subplots(1, 2)
    weak = np.sort(predicted["weak_error"].values)
    left.plot(weak, weak, ":", color=GREY, label="student = teacher")
    left.plot(weak, weak**2, "--", color=GREY, label="square of the teacher")
    left.plot(predicted["weak_error"], predicted["w2s_error"], "-", color=BLUE, label="predicted")
    left.errorbar(
        simulated["weak_error"], simulated["w2s_error"], 2 * error["w2s_error"], 2 * error["weak_error"],
        fmt="o", markersize=4, capsize=2, color=ORANGE, label="simulated",
    )  # fmt: skip
    unit = "[squared label unit]"
    left.set(xlabel=f"weak_error  {unit}", ylabel=f"w2s_error at the best time  {unit}")
    log_scales(left)
    plain_log_ticks(left, np.log10(weak[-1] / weak[0]) + 0.6)
    for of in exponents(result):
        if of not in ("predicted", "simulated"):
            wide = result.sel(of=of)
            left.plot(wide["weak_error"], wide["w2s_error"], "-.", color=GREEN, label=of)
            right.plot(result["weak_width"], wide["w2s_error"] / wide["weak_error"], "-.", color=GREEN)
    left.set_title("exponent: " + ",\n".join(f"{of} {value:.2f}" for of, value in exponents(result).items()))
    left.legend(**INSIDE | {"fontsize": 7})
    widths = result["weak_width"].values
    right.plot(widths, predicted["w2s_error"] / predicted["weak_error"], "-", color=BLUE)
    ratio = simulated["w2s_error"] / simulated["weak_error"]
    right.errorbar(
        widths,
        ratio,
        2 * error["w2s_error"] / simulated["weak_error"],
        fmt="o",
        markersize=4,
        capsize=2,
        color=ORANGE,
    )
    log_scales(right, y=False)
    plain_log_ticks(right, 1)
    right.set(xlabel="weak_width  [features]", ylabel="w2s_error / weak_error  [1]")
    head(figure, title, result, "; bars: 2 standard errors over pairs")
    for_paper(figure)
    return figure
