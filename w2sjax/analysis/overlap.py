"""Accuracies by group in the overlap-density world, beside those that the paper's notebook prints."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.moments import configuration
from w2sjax.analysis.statistics import check_holds, counted
from w2sjax.errors import W2SError
from w2sjax.flags import UNUSABLE, Flag
from w2sjax.worlds.overlap_density import GROUPS, OverlapDensity

MODELS = ("weak", "ceiling", "w2s")
EVERY = "all"
"""All rows, in the proportions of the weak split."""

RUNS = 500
"""Of the notebook."""

_OVERALL = (
    (0.667733, 0.823562, 0.584029),
    (0.678655, 0.829918, 0.669500),
    (0.685991, 0.834852, 0.729070),
    (0.694017, 0.839600, 0.763908),
    (0.699752, 0.844000, 0.779056),
)
_BY_GROUP = (  # model by model, each easy, hard, overlap
    ((0.82018, 0.49968, 0.823800), (0.81714, 0.82134, 0.910000), (0.60124, 0.56174, 0.63480)),
    ((0.82846, 0.49908, 0.827500), (0.82196, 0.82356, 0.901500), (0.69558, 0.62440, 0.76460)),
    ((0.83246, 0.49642, 0.829667), (0.82462, 0.82340, 0.907133), (0.76104, 0.66868, 0.82380)),
    ((0.83270, 0.49896, 0.834950), (0.82418, 0.82766, 0.908000), (0.79228, 0.70048, 0.85155)),
    ((0.83604, 0.49670, 0.833280), (0.82716, 0.82912, 0.907440), (0.80506, 0.71160, 0.86196)),
)
PUBLISHED = xr.DataArray(
    np.concatenate([np.array(_BY_GROUP), np.array(_OVERALL)[:, :, None]], axis=2),
    {"rows": [10, 20, 30, 40, 50], "model": list(MODELS), "group": [*GROUPS, EVERY]},
    ("rows", "model", "group"),
)
"""Means over 500 runs that the notebook of the public code prints, by number of overlap rows."""


def overlap_accuracy(dataset: xr.Dataset) -> xr.Dataset:
    """Return mean accuracies by model, group and number of rows of the group that varies, with their spread.

    Args:
        dataset: from `sweep` of `OverlapDensity` along n_weak and n_strong, of stages named weak, w2s and ceiling, with
            their accuracies by group. Cells count in which the strong split has as many rows of its group as the weak.

    Returns:
        Dims rows, model and group (with `EVERY`): `mean` and `deviation` over pairs, `standard_error` of the mean,
        `published` and `published_error`, the standard error that the published mean has: of 500 runs, each of which
        tested as many rows as it had, where ours tests n_eval / 3 of each group. `distance` is the difference of means
        over its standard error. By rows: `runs` that count, and `one_class`, those left out because all rows of the
        strong split had one label, which the notebook's fit refuses. Attribute: varied, the group.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    configured = configuration(dataset)
    fields = dict(configured["world"])
    if fields.pop("kind") != OverlapDensity.__name__:
        raise W2SError(f"dataset is a sweep of {configured['world']['kind']}: pass one of OverlapDensity.")
    check_holds(dataset, "n_weak", "n_strong")
    world = OverlapDensity(**fields)
    tested = configured["protocol"]["n_eval"] // len(GROUPS)
    sizes, cells = [], []
    for n_weak in dataset["n_weak"].values.tolist():
        counts = world.counts(n_weak)
        if counts[world.taught] in dataset["n_strong"]:
            cell = dataset.sel(n_weak=n_weak, n_strong=counts[world.taught], drop=True)
            cells.append(_one_size(cell, counts, tested))
            sizes.append(counts[world.rest])
    result = xr.concat(cells, xr.Variable("rows", sizes))
    if world == OverlapDensity():
        result["published"] = PUBLISHED.reindex(rows=sizes)
        error = np.sqrt(result["standard_error"] ** 2 + result["published_error"] ** 2)
        result["distance"] = (result["mean"] - result["published"]) / error
    return counted(result, dataset, varied=world.rest)


def _one_size(cell: xr.Dataset, counts: dict[str, int], tested: int) -> xr.Dataset:
    one_class = (cell["status_code"] & int(Flag.FIT_NOT_CONVERGED)) != 0
    usable = ((cell["status_code"] & int(UNUSABLE)) == 0) & ~one_class
    share = xr.DataArray([counts[group] for group in GROUPS], {"group": list(GROUPS)}, "group")
    by_group = xr.concat(
        [
            xr.concat([cell[f"{model}_accuracy_{group}"].mean("task") for group in GROUPS], share["group"])
            for model in MODELS
        ],
        xr.Variable("model", list(MODELS)),
    ).where(usable)
    weight = share / share.sum()
    each = xr.concat(
        [by_group, (by_group * weight).sum("group", skipna=False).expand_dims(group=[EVERY])], "group"
    )
    # Binomial variance of a run per row tested: in our spread at one number of rows, in theirs at another.
    binomial = (by_group * (1 - by_group)).mean("pair") * tested / (tested - 1)
    more = binomial * (1 / share.where(share > 0) - 1 / tested)
    overall = (more * weight**2).sum("group").expand_dims(group=[EVERY])
    runs = usable.sum("pair")
    variance = each.var("pair", ddof=1)
    theirs = (variance + xr.concat([more, overall], "group")).clip(min=0)
    return xr.Dataset(
        {
            "mean": each.mean("pair"),
            "deviation": np.sqrt(variance),
            "standard_error": np.sqrt(variance / runs),
            "published_error": np.sqrt(theirs / RUNS),
            "runs": runs,
            "one_class": one_class.sum("pair"),
        }
    ).drop_attrs()


def overlap_report(result: xr.Dataset) -> dict[str, Any]:
    """Return means, and published ones beside them, by rows, model and group, as plain numbers, with a `headline`."""
    table = {
        str(rows): {
            model: {
                group: {
                    name: float(result[name].sel(rows=rows, model=model, group=group))
                    for name in ("mean", "standard_error", "published", "distance")
                    if name in result
                }
                for group in result["group"].values.tolist()
            }
            for model in MODELS
        }
        for rows in result["rows"].values.tolist()
    }
    overall = result["mean"].sel(group=EVERY)
    ends = overall.isel(rows=[0, -1]).sel(model="w2s").values
    headline = f"w2s accuracy {ends[0]:.3f} to {ends[1]:.3f} over {len(table)} numbers of {result.attrs['varied']} rows"
    left_out = int(result["one_class"].sum())
    found: dict[str, Any] = {"by_rows": table, "runs_of_one_class_left_out": left_out}
    if "distance" in result:
        distance = abs(result["distance"])
        found["largest_distance_in_standard_errors"] = float(distance.max())
        found["largest_distance_overall"] = float(distance.sel(group=EVERY).max())
        far, count = float(distance.max()), int(distance.count())
        headline += f"; at most {far:.1f} standard errors from the {count} published means"
    return found | {"headline": headline}
