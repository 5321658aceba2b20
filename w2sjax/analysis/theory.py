"""Simulation beside what a theory predicts."""

from collections.abc import Callable, Iterable
from typing import Any

import xarray as xr

from w2sjax.analysis.moments import configuration, settings_of
from w2sjax.analysis.statistics import counted
from w2sjax.theory.base import Theory


def held_against(theory: Theory, **more: Iterable[Any]) -> Callable[[xr.Dataset], xr.Dataset]:
    """Return the analysis that puts a sweep beside a theory's prediction of its own world, protocol and axes.

    Args:
        theory: what predicts.
        more: values of axes that are predicted too, for smoother lines; `__` in a name stands for a point.
    """

    def analysis(dataset: xr.Dataset) -> xr.Dataset:
        return beside_theory(dataset, prediction_of(theory, dataset, **more))

    return analysis


def prediction_of(theory: Theory, dataset: xr.Dataset, **more: Iterable[Any]) -> xr.Dataset:
    """Predict a sweep from its own settings; see `held_against`."""
    world, protocol, axes = settings_of(dataset)
    for name, values in more.items():
        axis = name.replace("__", ".")
        axes[axis] = sorted({*axes[axis], *values})
    pairs = dataset["pair"].values
    drawn = {"pairs": len(pairs), "first_pair": int(pairs[0]), "seed": configuration(dataset)["seed"]}
    return theory.predict(world, protocol, axes, **drawn)


def beside_theory(dataset: xr.Dataset, prediction: xr.Dataset, **others: xr.Dataset) -> xr.Dataset:
    """Put means over tasks and pairs, with their standard errors over pairs, beside predictions.

    Args:
        dataset: from `sweep`.
        prediction: of a `w2sjax.theory.Theory`, on the same axes, perhaps with more values for smoother lines; of a
            theory that predicts pair by pair, of the pairs of the Dataset.
        others: further predictions by name, expectations.

    Returns:
        The variables that both have by `of`, "predicted", "simulated" and "standard_error" (NaN for a single pair), the
        names of others, and by axis; simulations are NaN where only the prediction has a value. A pair counts as one
        observation: its tasks share their features. The standard error is that of simulated minus predicted, where the
        prediction is of the pair itself. Attributes are those of the prediction, and `units` of the first variable.
    """
    prediction = prediction[[name for name in prediction if name in dataset]]
    units = dataset[next(iter(prediction))].attrs.get("units", "1")
    means = dataset[list(prediction)].mean("task")
    error = means
    if "pair" in prediction.dims:
        prediction = prediction.mean("task", keep_attrs=True)
        error = means - prediction
        prediction = prediction.mean("pair", keep_attrs=True)
    error = error.std("pair", ddof=1) / dataset.sizes["pair"] ** 0.5
    parts = {"predicted": prediction, "simulated": means.mean("pair"), "standard_error": error} | others
    both = xr.concat([part.drop_attrs() for part in parts.values()], "of", join="outer")
    return counted(both.assign_coords(of=list(parts)), dataset, **prediction.attrs, units=units)


def theory_report(result: xr.Dataset) -> dict[str, Any]:
    """Return by variable the largest |simulated - predicted| in standard errors as plain numbers, and a `headline`.

    Args:
        result: of `beside_theory`. Differences of rounding, below 1e-9 of the largest prediction, count as none.
    """
    rounding = 1e-9 * max(float(abs(result[name].sel(of="predicted")).max()) for name in result)
    largest = {}
    for name, values in result.items():
        predicted, simulated, error = (
            values.sel(of=of) for of in ("predicted", "simulated", "standard_error")
        )
        distance = abs(simulated - predicted)
        ratio = (distance / error).where(distance > rounding, 0).where(simulated.notnull())
        largest[str(name)] = float(ratio.max())
    attributes = {name: result.attrs[name] for name in ("pairs", "tasks", "theory")}
    headline = f"largest distance from {attributes['theory']}: {max(largest.values()):.1f} standard errors"
    return {**attributes, "largest_distance_in_standard_errors": largest, "headline": headline}
