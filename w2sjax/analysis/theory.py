"""Simulation beside what a theory predicts."""

import xarray as xr

from w2sjax.analysis.statistics import counted


def beside_theory(dataset: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
    """Put means over tasks and pairs, with their standard errors over pairs, beside predictions.

    Args:
        dataset: from `sweep`.
        prediction: of a `w2sjax.theory.Theory`, on the same axes, perhaps with more values for smoother lines.

    Returns:
        The variables of the prediction by `of`, "predicted", "simulated" and "standard_error" (NaN for a single pair),
        and by axis; simulations are NaN where only the prediction has a value. A pair counts as one observation: its
        tasks share their features.
    """
    means = dataset[list(prediction)].mean("task")
    error = means.std("pair", ddof=1) / dataset.sizes["pair"] ** 0.5
    parts = {"predicted": prediction, "simulated": means.mean("pair"), "standard_error": error}
    both = xr.concat([part.drop_attrs() for part in parts.values()], "of", join="outer")
    return counted(both.assign_coords(of=list(parts)), dataset, **prediction.attrs)
