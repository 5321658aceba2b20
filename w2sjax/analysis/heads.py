"""How gain departs from misfit where heads are no linear least squares: width, activation and training, each apart."""

from typing import Any

import xarray as xr

from w2sjax.analysis.statistics import QUARTILES, check_holds, counted, pair_fits, quantiles, usable


def by_head_class(dataset: xr.Dataset) -> xr.Dataset:
    """Return quartiles over pairs of what separates width, activation and optimization, by class of heads.

    Args:
        dataset: from `sweep` with trained heads and the axes head.activation, head.epochs and head.width.

    Returns:
        Dims "quantile" and the axes; pairs that failed are left out, and counted in the attribute `failed_cells`.
        `slope` of gain on misfit over tasks; `relative_deviation` = mean deviation / mean weak error; `training_loss`,
        the last training loss of the w2s heads / mean weak error: what is left of the weak labels, whether the class
        cannot express it or the training has not found it; `gain` and `misfit`, means / mean weak error.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    check_holds(dataset, "w2s_head_loss_curve", "deviation", "head.activation", "head.epochs", "head.width")
    weak = dataset["weak_error"].mean("task")
    values = xr.Dataset(
        {
            "slope": pair_fits(dataset)["slope"],
            "relative_deviation": dataset["deviation"].mean("task") / weak,
            "training_loss": dataset["w2s_head_loss_curve"].isel(progress=-1) / weak,
            "gain": dataset["gain"].mean("task") / weak,
            "misfit": dataset["misfit"].mean("task") / weak,
        }
    ).where(usable(dataset))
    failed = int(values["slope"].isnull().sum())
    return counted(quantiles(values, "pair", QUARTILES), dataset, failed_cells=failed)


def head_study_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the medians of `by_head_class` as plain numbers by activation, epochs and width, and a `headline`."""
    medians = result.sel(quantile=0.5, drop=True)
    report: dict[str, Any] = {**result.attrs, "widths": result["head.width"].values.tolist()}
    for activation in result["head.activation"].values.tolist():
        for epochs in result["head.epochs"].values.tolist():
            cell = medians.sel({"head.activation": activation, "head.epochs": epochs})
            report[f"{activation}, {epochs} epochs"] = {
                str(name): cell[name].values.tolist() for name in medians
            }
    deviations = medians["relative_deviation"]
    low, high = float(deviations.min()), float(deviations.max())
    return report | {
        "headline": f"median deviation / weak error from {low:.3f} to {high:.3f} over classes of heads"
    }
