"""Answers of a sweep: medians over pairs in every cell, and paired differences between cells, with intervals."""

import json
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import check_holds, counted, usable
from w2sjax.errors import W2SError
from w2sjax.flags import Flag
from w2sjax.medians import median_and_interval, recovered, task_means
from w2sjax.validation import nearest, shown

OF = ("median", "low", "high")


def pair_values(dataset: xr.Dataset) -> xr.Dataset:
    """Return every quantity of every pair, averaged over what is finite of its tasks; NaN for unusable pairs.

    Args:
        dataset: from `sweep`, any axes.

    Returns:
        dims pair and the axes. `pgr` is gain / (weak_error - ceiling_error) of these averages, NaN where that gap is
        not positive. Pairs with a flag of `w2sjax.flags.UNUSABLE` are NaN.
    """
    names = [
        str(name)
        for name, values in dataset.data_vars.items()
        if "task" in values.dims and not str(name).endswith("_standard_error")
    ]
    means = {name: xr.apply_ufunc(task_means, dataset[name], input_core_dims=[["task"]]) for name in names}
    parts = ("gain", "weak_error", "ceiling_error")
    if "pgr" in means and all(part in means for part in parts):
        means["pgr"] = xr.apply_ufunc(recovered, *(means[part] for part in parts))
    result = xr.Dataset(means).where(usable(dataset))
    for name in names:
        result[name].attrs = dataset[name].attrs
    return result


def medians(values: xr.Dataset) -> xr.Dataset:
    """Return the median over pairs of every variable, and its 95% interval by resampling pairs, along `of`.

    Args:
        values: dims pair and others, such as of `pair_values`.

    Returns:
        The other dims and `of`, "median", "low" and "high"; NaN ends for fewer than 8 finite pairs. The interval is
        that of infinitely many resamples, see `w2sjax.medians.interval_ranks`.
    """
    found: xr.Dataset = xr.apply_ufunc(
        lambda array: np.moveaxis(median_and_interval(np.moveaxis(array, -1, 0)), 0, -1),
        values,
        input_core_dims=[["pair"]],
        output_core_dims=[["of"]],
        keep_attrs=True,
    )
    return found.assign_coords(of=list(OF))


def check_sweep(dataset: Any) -> None:
    """Refuse what is no Dataset of a sweep."""
    check_holds(dataset)
    for dim in ("pair", "task"):
        if not dataset.sizes.get(dim):
            raise W2SError(f"dataset has no dimension {dim}: pass what sweep or open_store returned.")
    if "status_code" not in dataset:
        raise W2SError(
            "dataset has no status_code: keep it beside the quantities, it says which pairs count."
        )


def summarize(dataset: xr.Dataset) -> xr.Dataset:
    """Return what a sweep found in every cell: medians over pairs with 95% intervals, and how many pairs have flags.

    Args:
        dataset: from `sweep`, any axes.

    Returns:
        By the axes, and along `of` ("median", "low", "high"): every quantity of `pair_values`. By the axes:
        `usable_pairs`; along `flag`, `flagged_pairs`, how many pairs have that flag. Attributes: pairs, tasks.
        `summarize(ds)["gain"].sel(of="median")` has the medians; `.to_dataframe()` of the result is a table.

    Raises:
        W2SError: for a Dataset without pairs and tasks.

    Cost: loads the Dataset.
    """
    check_sweep(dataset)
    found = medians(pair_values(dataset))
    code = dataset["status_code"]
    flags = [flag for flag in Flag if flag]
    counts = xr.concat([((code & int(flag)) != 0).sum("pair") for flag in flags], "flag")
    counts = counts.assign_coords(flag=[str(flag.name).lower() for flag in flags])
    return counted(found.assign(usable_pairs=usable(dataset).sum("pair"), flagged_pairs=counts), dataset)


def compare(dataset: xr.Dataset, axis: str, reference: Any = None) -> xr.Dataset:
    """Compare the cells along an axis with one of them, pair by pair: all cells of a sweep share their draws.

    Args:
        dataset: from `sweep` with `paired` as it is by default.
        axis: a dimension of the sweep with several values.
        reference: the value of the axis to compare with; None for the first.

    Returns:
        By the axes and along `of`: for every quantity of `pair_values`, "median", "low" and "high" of the difference
        value - value at the reference over pairs, with the 95% interval of `medians`; "larger", the share of pairs
        in which it is positive, of those in which it is not zero; and "p_value" of the two-sided sign test that as many
        pairs grow as shrink, which assumes nothing of how differences are distributed. Each is one comparison: many of
        them want a correction, such as `scipy.stats.false_discovery_control`. The reference itself is NaN in the last
        two. Attributes: pairs, tasks, axis, reference.

    Raises:
        W2SError: for no such axis or value, or a sweep whose cells do not share their draws.

    Cost: loads the Dataset.
    """
    from scipy import stats

    check_sweep(dataset)
    axes = [str(dim) for dim in dataset["status_code"].dims if dim != "pair"]
    if axis not in axes:
        known = f"did you mean {nearest(axis, axes)}?" if axes else "it has none."
        raise W2SError(f"axis={shown(axis)} is no axis of this sweep: {known}")
    labels = dataset[axis].values.tolist()
    reference = labels[0] if reference is None else reference
    if reference not in labels:
        raise W2SError(f"reference={shown(reference)} is no value of {axis}: use one of {shown(labels)}.")
    reference = labels[labels.index(reference)]
    if not json.loads(dataset.attrs.get("configuration", "{}")).get("paired", True):
        raise W2SError(
            "dataset has draws of its own in every cell (paired=False): sweep again with paired=True."
        )
    values = pair_values(dataset)
    difference = values - values.sel({axis: reference}, drop=True)
    larger, smaller = (difference > 0).sum("pair"), (difference < 0).sum("pair")
    count = larger + smaller
    tail = xr.apply_ufunc(stats.binom.cdf, np.minimum(larger, smaller), count, 0.5)
    test = {"larger": larger / count.where(count > 0), "p_value": (2 * tail).clip(max=1).where(count > 0)}
    found = xr.concat([medians(difference), *(part.assign_coords(of=of) for of, part in test.items())], "of")
    return counted(found, dataset, axis=axis, reference=reference)
