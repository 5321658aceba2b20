"""The phase diagram of two ridges: where the student beats its teacher, and errors along the student's ridge."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from w2sjax.figures.style import (
    CATEGORIES,
    GREY,
    INSIDE,
    MARKERS,
    for_paper,
    head,
    log_scales,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEACHER, STUDENT = "weak_head.ridge", "head.ridge"


def ridge_phase_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw the relative gain by both ridges, and w2s errors along the student's ridge for some teachers.

    Args:
        result: of `w2sjax.analysis.ridge_map`.
        title: above the figure.

    Returns:
        Left: colours are the theory's gain / weak_error, the black line is no gain, the dashed one the teacher's best
        ridge; discs and crosses are cells whose simulated gain is above or below 0 by 3 standard errors, dots others.
        Right: lines are the theory's, points simulated w2s errors with 2 standard errors; dotted the teachers' errors.
    """
    figure = new_figure(6.8, 3.9)
    left, right = figure.subplots(1, 2)
    relative = result["relative_gain"]
    largest = float(np.nanquantile(abs(relative), 0.98))
    mesh = left.pcolormesh(
        result["teacher"],
        result["student"],
        relative.T,
        cmap="RdBu",
        vmin=-largest,
        vmax=largest,
        rasterized=True,
    )
    left.contour(result["teacher"], result["student"], relative.T, levels=[0], colors="black", linewidths=1.2)
    figure.colorbar(mesh, ax=left, label="gain / weak error, theory  [1]", extend="both")
    left.axvline(float(result["best"]), color=GREY, linestyle="--", linewidth=1)
    gain = result["gain"].transpose(TEACHER, STUDENT, "of")
    simulated, error = gain.sel(of="simulated").values, gain.sel(of="standard_error").values
    across, up = np.meshgrid(result[TEACHER], result[STUDENT], indexing="ij")
    for where, marker, label in (
        (simulated > 3 * error, "o", "simulated: student wins"),
        (simulated < -3 * error, "x", "teacher wins"),
        (abs(simulated) <= 3 * error, ".", "within 3 standard errors"),
    ):
        left.plot(across[where], up[where], marker, color="black", markersize=5, linestyle="", label=label)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False)
    log_scales(left)
    left.set(
        xlabel="teacher's ridge  [squared feature unit]",
        ylabel="student's ridge  [squared feature unit]",
    )
    errors = result["w2s_error"]
    teachers = result[TEACHER].values
    for i, ridge in enumerate(teachers[:: max(1, len(teachers) // 3)].tolist()):
        line = errors.sel({TEACHER: ridge})
        color = CATEGORIES[i]
        right.plot(line[STUDENT], line.sel(of="predicted"), color=color)
        right.errorbar(
            line[STUDENT], line.sel(of="simulated"), 2 * line.sel(of="standard_error"), fmt=MARKERS[i], color=color,
            markersize=4, capsize=2, label=f"teacher's ridge {ridge:.2g}",
        )  # fmt: skip
        teacher = float(result["weak_error"].sel({TEACHER: ridge}).sel(of="predicted").mean())
        right.axhline(teacher, color=color, linestyle=":", linewidth=1)
    right.set_xscale("log")
    right.set(xlabel="student's ridge  [squared feature unit]", ylabel="w2s error  [squared label unit]")
    right.legend(**INSIDE)
    note = "; left: black, no gain; dashed, the teacher's best ridge\nright: lines, theory; bars, 2 standard errors"
    head(figure, title, result, note + "; dotted, the teachers' errors")
    for_paper(figure, 7)
    return figure
