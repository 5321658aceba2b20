"""The finite-sample map: how far gain is from misfit as either sample size, or both, grow."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from w2sjax.figures.style import BLUE, GREEN, GREY, ORANGE

CURVES = {
    "n_weak": "n_weak, weak model (n_strong = {largest:,})",
    "n_strong": "n_strong, w2s model (n_weak = {largest:,})",
    "both": "both, n_weak = n_strong",
}
"""What grows, and in brackets what the other size is held at."""

COLORS = {"n_weak": ORANGE, "n_strong": GREEN, "both": BLUE}
MARKERS = {"n_weak": "s", "n_strong": "^", "both": "o"}

SMALLEST_FITTED = 200
"""Slopes are fitted from this size on: below, a head of 16 units is not yet determined by its sample."""

RESAMPLES = 200

FEWEST_RESAMPLED = 8
"""Pairs from which an interval is resampled: below, it says nothing."""


def along(dataset: xr.Dataset, curve: str) -> xr.Dataset:
    """Return the cells of one curve along a dimension `n`: the other size is the largest one, or equal."""
    sizes = sorted(set(dataset["n_weak"].values.tolist()) & set(dataset["n_strong"].values.tolist()))
    n = xr.DataArray(sizes, dims="n", coords={"n": sizes})
    largest = xr.full_like(n, sizes[-1])
    where = {
        "n_weak": {"n_weak": n, "n_strong": largest},
        "n_strong": {"n_weak": largest, "n_strong": n},
        "both": {"n_weak": n, "n_strong": n},
    }[curve]
    return dataset.sel(where).drop_vars(["n_weak", "n_strong"])


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


def _worlds(dataset: xr.Dataset) -> list[tuple[float, bool, xr.Dataset]]:
    noises = dataset["strong_noise"].values.tolist()
    return [(noise, noise == 0, dataset.sel(strong_noise=noise)) for noise in noises]


def finite_sample_slopes(dataset: xr.Dataset) -> dict[str, Any]:
    """Return fitted exponents and medians of every curve, by world.

    Args:
        dataset: from `sweep` with axes strong_noise, n_weak and n_strong.

    Returns:
        Plain numbers by `strong_noise=...` and curve, and a `headline`.
    """
    report: dict[str, Any] = {}
    for noise, realizable, world in _worlds(dataset):
        limit = along(world, "both").isel(n=-1)
        floor = (limit["deviation"] / limit["weak_error"].where(limit["weak_error"] > 0)).median().item()
        entry: dict[str, Any] = {"median_relative_deviation_at_largest_size": float(floor)}
        for curve in CURVES:
            cells = along(world, curve)
            values = distance(cells, realizable)
            medians = values.median(("pair", "task"))
            entry[curve] = fitted_slope(values, _largest_fitted(cells, realizable)) | {
                "median_by_size": {
                    int(n): float(m) for n, m in zip(medians["n"].values, medians.values, strict=True)
                }
            }
        report[f"strong_noise={noise:g}"] = entry
    slopes = "; ".join(f"{name}: {entry['both']['slope']:.2f}" for name, entry in report.items())
    return report | {"headline": f"fitted exponent with both sizes equal, {slopes}"}


def _largest_fitted(cells: xr.Dataset, realizable: bool) -> float:
    """Return the largest size fitted: where the limit is a finite sample too, a quarter of that sample."""
    largest = float(cells["n"].values[-1])
    return largest if realizable else largest / 4


def finite_sample_map(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw the distance of deviation from its limit against each sample size and both, one panel per world.

    Args:
        dataset: from `sweep` with axes strong_noise, n_weak and n_strong.
        title: above the figure.

    Returns:
        A log-log figure: medians over pairs and tasks, 10-90% bands, fitted exponents with 95% intervals, and the
        n^-1/2 and 1/n lines through the first fitted median of the curve of both sizes.
    """
    worlds = _worlds(dataset)
    figure = Figure(figsize=(6 * len(worlds), 6.6), layout="constrained")
    panels = figure.subplots(1, len(worlds), squeeze=False)[0]
    for axes, (noise, realizable, world) in zip(panels, worlds, strict=True):
        for curve, text in CURVES.items():
            cells = along(world, curve)
            largest = _largest_fitted(cells, realizable)
            label = text.format(largest=int(cells["n"].values[-1]))
            _draw(axes, curve, label, distance(cells, realizable), largest)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("sample size n  [samples]")
        limit = "" if realizable else "\n− its value at the largest n"
        axes.set_ylabel(f"|(gain − misfit){limit}| / weak error  [1]")
        kind = "realizable: the strong representation is the target's" if realizable else "not realizable"
        axes.set_title(f"{kind}\n(strong_noise {noise:g})", fontsize=10)
        axes.grid(True, which="major", color=GREY, alpha=0.2)
        title_of_legend = _legend_title(dataset.sizes["pair"], largest)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}
        axes.legend(title=title_of_legend, title_fontsize=8, frameon=False, fontsize=8, **below)
    sizes = f"{dataset.sizes['pair']} pairs x {dataset.sizes['task']} tasks; bands 10–90%"
    figure.suptitle(f"{title}\n{sizes}".strip(), fontsize=11)
    return figure


def _legend_title(pairs: int, largest: float) -> str:
    interval = " [95% interval, pairs resampled]" if pairs >= FEWEST_RESAMPLED else ""
    return f"what grows: exponent fitted from {SMALLEST_FITTED:,} to {largest:,.0f}{interval}"


def _draw(axes: Axes, curve: str, label: str, values: xr.DataArray, largest: float) -> None:
    n = values["n"].values.astype(float)
    low, middle, high = (values.quantile(q, ("pair", "task")).values for q in (0.1, 0.5, 0.9))
    fit = fitted_slope(values, largest)
    color = COLORS[curve]
    interval = f" [{fit['low']:.2f}, {fit['high']:.2f}]" if np.isfinite(fit["low"]) else ""
    axes.fill_between(n, low, high, color=color, alpha=0.12, linewidth=0)
    axes.plot(
        n,
        middle,
        marker=MARKERS[curve],
        markersize=4,
        color=color,
        label=f"{label}: {fit['slope']:.2f}{interval}",
    )
    if curve == "both":
        first = int(np.argmax(n >= SMALLEST_FITTED))
        for power, style, name in ((0.5, "--", "n$^{-1/2}$"), (1.0, ":", "n$^{-1}$")):
            axes.plot(
                n, middle[first] * (n / n[first]) ** -power, style, color=GREY, linewidth=1.2, label=name
            )
