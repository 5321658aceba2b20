"""Students side by side: medians over pairs of what each makes of its teacher, and of the difference of two."""

from typing import Any

import xarray as xr

from w2sjax.analysis.answers import medians, pair_values
from w2sjax.analysis.statistics import counted

QUANTITIES = ("error", "accuracy", "gain", "misfit", "deviation")


def compare_students(
    dataset: xr.Dataset, students: dict[str, str], change_along: str | None = None
) -> xr.Dataset:
    """Return medians over pairs, with 95% intervals, of students of the same pairs.

    Args:
        dataset: from `sweep`, any axes, of classes; a pair is the mean of its tasks.
        students: names of stages, and what each is called.
        change_along: an axis, for `error_change`: the error less that at the axis's first value, pair by pair.

    Returns:
        By the axes, `student` and `of` ("median", "low", "high"): error, accuracy, gain, misfit and deviation, as far
        as stages have them (those on true labels have the first two); `relative_deviation`, (gain - misfit) /
        teacher's error. By axes, student and pair: `pair_gain` and `pair_misfit`. By axes and of: `margin`, the
        difference of the accuracies of the first two students, pair by pair, and `error_margin`, of their errors.
    """
    values = pair_values(dataset)
    each = []
    for stage in students:
        own = {name: values[_named(stage, name)] for name in QUANTITIES if _named(stage, name) in values}
        if "deviation" in own:
            own["relative_deviation"] = own["deviation"] / (own["error"] + own["gain"])
        each.append(xr.Dataset(own).drop_attrs())
    along = xr.concat(each, xr.Variable("student", list(students.values())), join="outer")
    if change_along is not None:
        along["error_change"] = along["error"] - along["error"].isel({change_along: 0}, drop=True)
    found = medians(along)
    if len(students) > 1:
        first, second = (along.isel(student=i, drop=True) for i in (0, 1))
        names = {"margin": "accuracy", "error_margin": "error"}
        differences = xr.Dataset({name: first[of] - second[of] for name, of in names.items()})
        found = found.merge(medians(differences))
    found = found.assign({f"pair_{name}": along[name] for name in ("gain", "misfit") if name in along})
    return counted(found, dataset)


def _named(stage: str, quantity: str) -> str:
    if quantity in ("error", "accuracy") or stage != "w2s":
        return f"{stage}_{quantity}"
    return quantity


def students_report(result: xr.Dataset, *, headline: Any) -> dict[str, Any]:
    """Return every median with its interval by cell and student as plain numbers, and a headline.

    Args:
        result: of `compare_students`.
        headline: maps it to a sentence.
    """
    table = result.drop_dims("pair", errors="ignore")
    rows = table.to_array("quantity").to_dataframe("value").reset_index().dropna(subset=["value"])
    key = [name for name in rows.columns if name not in ("value", "of")]
    cells: dict[str, dict[str, float]] = {}
    for row in rows.to_dict("records"):
        cells.setdefault(", ".join(f"{name}={row[name]}" for name in key), {})[row["of"]] = float(
            row["value"]
        )
    return {"cells": cells, "headline": headline(result)}
