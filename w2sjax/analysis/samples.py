"""Deviation against sample size: how far gain is from misfit when the samples are finite."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import check_holds, common_sizes, counted, equal_sizes, quantiles
from w2sjax.medians import FEWEST_RESAMPLED

SIZES = ("n_weak", "n_strong", "n_eval")

CURVES = ("n_weak", "n_strong", "both")
"""What grows; the other sample size is held at its largest value."""

SMALLEST_FITTED = 200
"""Slopes are fitted from this size on: below, a head of 16 units is not yet determined by its sample."""

RESAMPLES = 200


def deviation_by_size(dataset: xr.Dataset) -> xr.Dataset:
    """Return |deviation| / weak_error by the common size n of all three samples, where weak_error is positive.

    Args:
        dataset: from `sweep` with the same values on the axes n_weak, n_strong and n_eval.

    Returns:
        `relative_deviation`, dims ("quantile", "n"): 10, 50 and 90% over pairs and tasks; `exponent`, the slope of
        the logarithm of its median against that of n; `root_factor`, the c of c n^(-1/2) through the geometric mean of
        the medians.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    check_holds(dataset, *SIZES, "deviation")
    cells = equal_sizes(dataset, SIZES)
    relative = abs(cells["deviation"]) / cells["weak_error"].where(cells["weak_error"] > 0)
    found = quantiles(relative, ("pair", "task"))
    n, median = found["n"].values, found.sel(quantile=0.5).values
    numbers = {
        "exponent": np.polyfit(np.log(n), np.log(median), 1)[0],
        "root_factor": np.exp(np.mean(np.log(median * n**0.5))),
    }
    return counted(xr.Dataset({"relative_deviation": found} | numbers), dataset)


def medians_by_size(result: xr.Dataset) -> dict[str, Any]:
    """Return the medians of `deviation_by_size` as plain numbers with a `headline`."""
    medians = _by_size(result["relative_deviation"])
    listed = ", ".join(f"{median:.3g} at {n:,}" for n, median in medians.items())
    return {
        "median_relative_deviation_by_size": medians,
        "headline": f"median |deviation| / weak_error by samples in each split: {listed}",
    }


def along(dataset: xr.Dataset, curve: str) -> xr.Dataset:
    """Return the cells of one of `CURVES` along a dimension `n`: the other size is the largest one, or equal."""
    sizes = ("n_weak", "n_strong")
    n = common_sizes(dataset, sizes)
    largest = xr.full_like(n, n.values[-1])
    where = {name: n if curve in (name, "both") else largest for name in sizes}
    return dataset.sel(where).drop_vars(sizes)


def distance(cells: xr.Dataset, realizable: bool) -> xr.DataArray:
    """Return how far deviation / weak_error of every pair and task is from its limit, by size.

    The weak_error is that of the largest size. In the realizable world the limit is zero. Otherwise it is not known,
    and the value at the largest size stands for it: the draws are common to all sizes.
    """
    scale = cells["weak_error"].isel(n=-1)
    relative = cells["deviation"] / scale.where(scale > 0)
    if realizable:
        return abs(relative)
    return abs(relative - relative.isel(n=-1)).isel(n=slice(None, -1))


def fitted_slope(values: xr.DataArray, largest: float) -> dict[str, float]:
    """Fit the exponent of the median over pairs and tasks, with a 95% interval from resampled pairs.

    Args:
        values: dims pair, task and n.
        largest: sizes above it are left out.

    Returns:
        slope, low and high: the fit and the 2.5 and 97.5% quantiles over `RESAMPLES` bootstrap samples of pairs; both
        NaN with fewer than `FEWEST_RESAMPLED` pairs.
    """
    n = values["n"].values
    chosen = (n >= SMALLEST_FITTED) & (n <= largest)
    samples = values.transpose("pair", "task", "n").values[:, :, chosen]
    log_n = np.log(n[chosen])

    def slope(pairs: Any) -> float:
        median = np.nanmedian(samples[pairs].reshape(-1, chosen.sum()), axis=0)
        return float(np.polyfit(log_n, np.log(median), 1)[0])

    rng = np.random.default_rng(0)
    count = samples.shape[0]
    low = high = np.nan
    if count >= FEWEST_RESAMPLED:
        resampled = [slope(rng.integers(0, count, count)) for _ in range(RESAMPLES)]
        low, high = np.quantile(resampled, (0.025, 0.975))
    return {"slope": slope(np.arange(count)), "low": float(low), "high": float(high)}


def finite_sample(dataset: xr.Dataset) -> xr.Dataset:
    """Measure how far deviation is from its limit as either sample size grows, or both, and fit the exponents.

    Args:
        dataset: from `sweep` with the axes strong_noise, n_weak and n_strong.

    Returns:
        By `strong_noise` and `curve` of `CURVES`: `distance`, the 10, 50 and 90% quantiles over pairs and tasks of
        `distance`, along `quantile` and `n`, NaN at the largest n where that is the limit; `slope`, `low` and `high`
        of `fitted_slope`. By strong_noise: `realizable`; `floor`, the median of deviation / weak_error at the largest
        size; and `largest_fitted`: where the limit is a finite sample too, a quarter of that sample.

    Raises:
        W2SError: for a Dataset of another kind.

    Cost: `RESAMPLES` medians over all pairs and tasks per curve and world.
    """
    check_holds(dataset, "strong_noise", "n_weak", "n_strong", "deviation")
    noises = dataset["strong_noise"].values.tolist()
    worlds = [_one_world(dataset.sel(strong_noise=noise, drop=True), noise == 0) for noise in noises]
    return counted(xr.concat(worlds, xr.Variable("strong_noise", noises), join="outer"), dataset)


def _one_world(dataset: xr.Dataset, realizable: bool) -> xr.Dataset:
    largest = float(common_sizes(dataset, ("n_weak", "n_strong"))[-1])
    largest_fitted = largest if realizable else largest / 4
    curves = []
    for curve in CURVES:
        values = distance(along(dataset, curve), realizable)
        found = quantiles(values, ("pair", "task"))
        curves.append(xr.Dataset({"distance": found} | fitted_slope(values, largest_fitted)))
    result = xr.concat(curves, xr.Variable("curve", list(CURVES)))
    limit = along(dataset, "both").isel(n=-1, drop=True)
    floor = (limit["deviation"] / limit["weak_error"].where(limit["weak_error"] > 0)).median()
    return result.assign(realizable=realizable, floor=floor, largest_fitted=largest_fitted)


def finite_sample_slopes(result: xr.Dataset) -> dict[str, Any]:
    """Return exponents and medians of `finite_sample` as plain numbers by world and curve, and a `headline`."""
    report: dict[str, Any] = {}
    for noise in result["strong_noise"].values.tolist():
        world = result.sel(strong_noise=noise)
        report[f"strong_noise={noise:g}"] = {
            "median_relative_deviation_at_largest_size": float(world["floor"])
        } | {
            curve: {name: float(world[name].sel(curve=curve)) for name in ("slope", "low", "high")}
            | {"median_by_size": _by_size(world["distance"].sel(curve=curve))}
            for curve in CURVES
        }
    slopes = "; ".join(f"{name}: {entry['both']['slope']:.2f}" for name, entry in report.items())
    return report | {"headline": f"fitted exponent with both sizes equal, {slopes}"}


def _by_size(values: xr.DataArray) -> dict[int, float]:
    """Return the medians of quantiles as plain numbers by n, without those that are NaN."""
    medians = values.sel(quantile=0.5).dropna("n")
    return dict(zip(medians["n"].values.tolist(), medians.values.tolist(), strict=True))
