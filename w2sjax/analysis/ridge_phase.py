"""Where a ridge student beats its ridge teacher: the phase diagram of the theory, and sweeps beside it."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.moments import settings_of
from w2sjax.analysis.theory import beside_theory, theory_report
from w2sjax.theory.two_stage import TWO_STAGE, two_stage_ridge

TEACHER, STUDENT = "weak_head.ridge", "head.ridge"

FINE = 100
"""Ridges of each stage in the diagram."""


def ridge_map(dataset: xr.Dataset) -> xr.Dataset:
    """Put a sweep over the ridges of teacher and student beside the theory, and the theory on a fine grid.

    Args:
        dataset: from `sweep` of `PowerLaw` with the axes `weak_head.ridge` and `head.ridge`.

    Returns:
        The result of `beside_theory`, and `relative_gain` = gain / weak_error by the theory alone, dims ("teacher",
        "student"), `FINE` ridges each between the ends of the axes, NaN where a fixed point did not converge; `best`,
        the teacher's ridge of least error on that grid.

    Cost: some seconds for the 10,000 cells.
    """
    world, protocol, axes = settings_of(dataset)
    result = beside_theory(dataset, TWO_STAGE.predict(world, protocol, axes))
    teacher, student = (np.geomspace(min(axes[a]), max(axes[a]), FINE) for a in (TEACHER, STUDENT))
    sizes = (
        protocol.n_weak,
        teacher[:, None],
        protocol.n_strong,
        student[None, :],
        float(protocol.label_noise),
    )
    found = two_stage_ridge(world.spectrum(), world.target(), *sizes, world.weight())
    relative = (("teacher", "student"), found.gain / found.weak_error)
    return result.assign(
        relative_gain=relative, best=teacher[np.nanargmin(found.weak_error[:, 0])]
    ).assign_coords(teacher=teacher, student=student)


def ridge_phase_report(result: xr.Dataset) -> dict[str, Any]:
    """Return how many cells of the diagram and of the sweep the student wins, and a `headline`."""
    measured = result[[name for name in result if "of" in result[name].dims]]
    report = theory_report(measured)
    gain = result["gain"]
    certain = abs(gain.sel(of="simulated")) > 3 * gain.sel(of="standard_error")
    same = (gain.sel(of="simulated") > 0) == (gain.sel(of="predicted") > 0)
    agree, cells = int((certain & same).sum()), int(certain.sum())
    share = float((result["relative_gain"] > 0).mean())
    headline = (
        f"student wins in {share:.0%} of the diagram; theory has the sign of {agree} of {cells} certain cells"
    )
    numbers = {
        "share_where_the_student_wins": share,
        "certain_cells": cells,
        "certain_cells_of_the_same_sign": agree,
    }
    return report | numbers | {"best_teacher_ridge": float(result["best"]), "headline": headline}
