"""What analyses share: which pairs count, the line of every pair, quantiles, and the sizes that axes have in common."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.errors import W2SError
from w2sjax.flags import UNUSABLE
from w2sjax.validation import shown

MIDDLE_80 = (0.1, 0.5, 0.9)
QUARTILES = (0.25, 0.5, 0.75)

FEWEST_TASKS = 3
"""Tasks that a slope of gain on misfit needs: a line through two is no fit."""


def usable(dataset: xr.Dataset) -> xr.DataArray:
    """Return which pairs count: those without a flag of `w2sjax.flags.UNUSABLE`, dims of status_code."""
    check_holds(dataset, "status_code")
    return (dataset["status_code"] & int(UNUSABLE)) == 0


def check_holds(dataset: xr.Dataset, *names: str) -> None:
    """Refuse a Dataset without some variables or axes.

    Raises:
        W2SError: naming those that are missing, or for what is no Dataset.
    """
    if not isinstance(dataset, xr.Dataset):
        raise W2SError(f"dataset={shown(dataset)} is no Dataset: pass what sweep or open_store returned.")
    missing = [name for name in names if name not in dataset.variables and name not in dataset.dims]
    if missing:
        raise W2SError(
            f"dataset has no {', '.join(missing)}: pass a sweep that has {', '.join(names)} as axes or variables."
        )


def check_axes(dataset: xr.Dataset, *names: str) -> None:
    """Refuse a Dataset whose misfit has other axes than these, beside pair and task.

    Raises:
        W2SError: naming them.
    """
    others = [str(name) for name in dataset["misfit"].dims if name not in (*names, "pair", "task")]
    if others:
        raise W2SError(
            f"dataset also has the axes {', '.join(others)}: select one value of each, as in "
            f"dataset.sel({{{others[0]!r}: {dataset[others[0]].values[0]!s}}})."
        )


def pair_fit(misfit: np.ndarray, gain: np.ndarray) -> tuple[float, float]:
    """Return slope and R2 of the least-squares line of gain on misfit; NaN for fewer than three distinct points."""
    misfit, gain = np.asarray(misfit, float), np.asarray(gain, float)
    finite = np.isfinite(misfit) & np.isfinite(gain)
    misfit, gain = misfit[finite], gain[finite]
    if misfit.size < FEWEST_TASKS or np.ptp(misfit) == 0 or np.ptp(gain) == 0:
        return float("nan"), float("nan")
    centred_misfit, centred_gain = misfit - misfit.mean(), gain - gain.mean()
    covariance = np.mean(centred_misfit * centred_gain)
    slope = covariance / np.mean(centred_misfit**2)
    return float(slope), float(slope * covariance / np.mean(centred_gain**2))


def pair_fits(dataset: xr.Dataset) -> xr.Dataset:
    """Return `slope` and `r2` of `pair_fit` over tasks, with the other dims of misfit and gain."""
    slope, r2 = xr.apply_ufunc(
        pair_fit,
        dataset["misfit"],
        dataset["gain"],
        input_core_dims=[["task"], ["task"]],
        output_core_dims=[[], []],
        vectorize=True,
        output_dtypes=[float, float],  # where there is no pair
        keep_attrs=False,
    )
    return xr.Dataset({"slope": slope, "r2": r2})


def slope_ends(misfit: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return the ends of the 95% interval of a pair's slope over its tasks, however their spread varies with misfit.

    The variance is sum ((x - mean)^2 (e / (1 - h))^2) / (sum (x - mean)^2)^2, with residuals e and leverages h (HC3 of
    MacKinnon and White 1985), the quantile that of Student's t with n - 2 degrees of freedom. NaN for fewer than three
    distinct points.
    """
    from scipy.stats import t

    misfit, gain = np.asarray(misfit, float), np.asarray(gain, float)
    finite = np.isfinite(misfit) & np.isfinite(gain)
    x, y = misfit[finite], gain[finite]
    slope, _ = pair_fit(x, y)
    if not np.isfinite(slope):
        return np.full(2, np.nan)
    x, y = x - x.mean(), y - y.mean()
    leverage = 1 / x.size + x**2 / np.sum(x**2)
    residual = (y - slope * x) / np.maximum(1 - leverage, np.finfo(float).eps)
    spread = np.sqrt(np.sum(x**2 * residual**2)) / np.sum(x**2)
    return slope + spread * t.ppf([0.025, 0.975], x.size - 2)


def no_slope(tasks: int) -> str:
    """Say that there is no slope, and why where pairs have too few tasks."""
    return "no slope" + (f", which needs {FEWEST_TASKS} tasks" if tasks < FEWEST_TASKS else "")


def quantiles[T: (xr.Dataset, xr.DataArray)](values: T, over: Any, levels: Sequence[float] = MIDDLE_80) -> T:
    """Return quantiles over dimensions along a new one, `quantile`, of what is finite; NaN where nothing is."""
    dims = [over] if isinstance(over, str) else over
    values = values.pad({dim: (0, 1) for dim in dims if not values.sizes[dim]})  # with NaN
    finite = np.isfinite(values)
    some = finite.any(over)
    return values.where(finite).where(some, 0).quantile(levels, over).where(some)


def counted(result: xr.Dataset, dataset: xr.Dataset, **attributes: Any) -> xr.Dataset:
    """Return a result whose attributes say from how many `pairs` and `tasks` it is, and what else is given.

    Axes keep what the Dataset says of them; nothing else keeps attributes.
    """
    sizes = {"pairs": dataset.sizes["pair"], "tasks": dataset.sizes["task"]}
    result = result.drop_attrs().assign_attrs(sizes | attributes)
    axes = [name for name in result.dims if name in dataset.coords and name in result.coords]
    return result.assign_coords({name: result[name].assign_attrs(dataset[name].attrs) for name in axes})


def common_sizes(dataset: xr.Dataset, names: Sequence[str]) -> xr.DataArray:
    """Return the sample sizes that all the named axes have, in order, along a dimension `n`."""
    shared = sorted(set.intersection(*(set(dataset[name].values.tolist()) for name in names)))
    return xr.DataArray(shared, dims="n", coords={"n": shared})


def equal_sizes(dataset: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Return the cells in which the named sample sizes are equal, along a dimension `n` in place of theirs."""
    return dataset.sel(dict.fromkeys(names, common_sizes(dataset, names))).drop_vars(names)
