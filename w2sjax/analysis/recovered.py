"""What students of a chain recover of their supervisors' gap, and how far they imitate them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax import heads
from w2sjax.analysis.moments import configuration
from w2sjax.analysis.statistics import counted, usable
from w2sjax.engine.chain import TRUTH
from w2sjax.errors import W2SError
from w2sjax.medians import median_and_interval, recovered

OF = ("median", "low", "high")
"""Over pairs; the ends are those of the 95% interval of the median."""

CURVE = "_accuracy_learning_curve"


def students_of(stages: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str, str]]:
    """Return the teacher, the supervisor and the ceiling of every student of a chain, of stages as plain values.

    The supervisor is where its labels come from in the end: a model of the truth, or a simulated one. The ceiling is
    the model of the truth on the student's own features, but for that of the weak split; else the stage "ceiling".
    """
    by_name = {stage["name"]: stage for stage in stages}

    def is_root(stage: Mapping[str, Any]) -> bool:
        kind = getattr(heads, stage["head"]["kind"], None)
        return stage["labels"] == TRUTH or getattr(kind, "sees_truth", False)

    found = {}
    for stage in stages:
        if is_root(stage):
            continue
        root = by_name[stage["labels"]]
        while not is_root(root):
            root = by_name[root["labels"]]
        own = [
            other["name"]
            for other in stages
            if (other["labels"], other["features"]) == (TRUTH, stage["features"]) and other["split"] != "weak"
        ]
        found[stage["name"]] = (stage["labels"], root["name"], (own or ["ceiling"])[0])
    return found


def recovery(dataset: xr.Dataset) -> xr.Dataset:
    """Return what every student recovers, as medians over pairs of means over tasks.

    Args:
        dataset: from a sweep of classes, of a chain of stages.

    Returns:
        With dims ("student", *axes, "of"), `of` being "median", "low" and "high", the 95% interval of the median:
        `pgr`, (student - supervisor) / (ceiling - supervisor) in accuracy, of the pairs where that gap is positive, NaN
        where these are less than half;
        `accuracy`, `supervisor_accuracy`, `ceiling_accuracy`; and `agreement` with the stage whose labels it was given,
        on all samples, where that is `right` and where it is `wrong`. Where heads have learning curves, `curve` and
        `agreement_curve`, accuracy and agreement along training, with a dim "progress" from 0 to 1.

    Raises:
        W2SError: for a sweep whose protocol has no stages.
    """
    settings = configuration(dataset)
    stages = settings["protocol"]["stages"]
    if stages is None:
        raise W2SError("recovery is of chains: pass stages to the Protocol of the sweep.")
    axes = [name for name in settings["axes"] if name in dataset["status_code"].dims]
    students = students_of(stages)
    good = usable(dataset)
    results = []
    for student, (teacher, supervisor, ceiling) in students.items():
        prefix = "" if (teacher, student) == ("weak", "w2s") else f"{student}_"
        own, right, below, above = (
            dataset[f"{name}_accuracy"].mean("task") for name in (student, teacher, supervisor, ceiling)
        )
        pgr = own.copy(data=recovered(own - below, 1 - below, 1 - above))
        agreement = dataset[f"{prefix}agreement"].mean("task")
        both_wrong = dataset[f"{prefix}errors_inherited"].mean("task")
        values = {
            "pgr": pgr.where(pgr.notnull().mean("pair") >= 0.5),
            "accuracy": own,
            "supervisor_accuracy": below,
            "ceiling_accuracy": above,
            "agreement": agreement,
            "agreement_right": (agreement - both_wrong) / right,
            "agreement_wrong": both_wrong / (1 - right).where(right < 1),
        }
        curve, imitated = f"{student}{CURVE}", f"{prefix}agreement_learning_curve"
        if curve in dataset:
            values |= {
                "curve": dataset[curve].mean("task"),
                "agreement_curve": dataset[imitated].mean("task"),
            }
        kept = xr.Dataset(values).where(good).transpose("pair", *axes, ...)
        medians = {
            name: ((*kept[name].dims[1:], "of"), np.moveaxis(median_and_interval(kept[name].values), 0, -1))
            for name in kept
        }
        results.append(xr.Dataset(medians))
    result = xr.concat(results, xr.Variable("student", list(students)), join="outer", fill_value=np.nan)
    coords: dict[str, Any] = {"of": list(OF), **{name: dataset[name] for name in axes}}
    if "curve" in result:
        points = result.sizes["progress"]
        coords["progress"] = np.arange(1, points + 1) / points
    return counted(result.assign_coords(coords), dataset)


def recovery_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the median `pgr` of every student, over all cells that have one, and a `headline`."""
    cells = result["pgr"].sel(of="median")
    pgr = {
        str(name): float(cells.sel(student=name).median())
        if cells.sel(student=name).notnull().any()
        else float("nan")
        for name in result["student"].values
    }
    headline = "median PGR over cells: " + ", ".join(f"{name} {value:.2f}" for name, value in pgr.items())
    return {**{name: result.attrs[name] for name in ("pairs", "tasks")}, "pgr": pgr, "headline": headline}
