"""Numbers that sum up a Dataset of pairs and tasks."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.engine.outcome import Flag

FEWEST_TASKS = 3
"""Tasks that a slope of gain on misfit needs: a line through two is no fit."""


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


def summarize(dataset: xr.Dataset) -> dict[str, Any]:
    """Return mean and spread of every error over all pairs and tasks, and slope and R2 of gain on misfit per pair.

    Args:
        dataset: dims pair and task.

    Returns:
        Plain numbers: per quantity the mean, the standard deviation over tasks (averaged over pairs), the standard
        deviation of the pair means, median and 10 and 90% quantiles; the fits of all pairs (None where no pair has
        one); counts of status flags; a `headline`.
    """
    quantities = ("weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation", "pgr")
    summary: dict[str, Any] = {"pairs": dataset.sizes["pair"], "tasks": dataset.sizes["task"]}
    for name in quantities:
        values = dataset[name].values
        finite = np.isfinite(values)
        if not finite.any():
            summary[name] = None
            continue
        by_pair = np.array([row[ok].mean() for row, ok in zip(values, finite, strict=True) if ok.any()])
        within = np.array([row[ok].std() for row, ok in zip(values, finite, strict=True) if ok.any()])
        low, middle, high = np.quantile(values[finite], (0.1, 0.5, 0.9))
        summary[name] = {
            "mean": float(values[finite].mean()),
            "std_over_tasks": float(within.mean()),
            "std_over_pairs": float(by_pair.std(ddof=1)) if by_pair.size > 1 else None,
            "quantile_10": float(low),
            "median": float(middle),
            "quantile_90": float(high),
            "finite_share": float(finite.mean()),
        }
    ratio = (dataset["deviation"].mean("task") / dataset["weak_error"].mean("task")).values
    summary["deviation_over_weak_error"] = _quantiles(ratio)
    fits = [pair_fit(m, g) for m, g in zip(dataset["misfit"].values, dataset["gain"].values, strict=True)]
    summary["gain_on_misfit"] = {
        "slope": _quantiles(np.array([slope for slope, _ in fits])),
        "r2": _quantiles(np.array([r2 for _, r2 in fits])),
    }
    code = dataset["status_code"].values
    summary["status"] = {
        flag.name.lower(): int(np.count_nonzero(code & flag)) for flag in Flag if flag and flag.name
    }
    return summary | {"headline": _headline(summary)}


def _headline(summary: dict[str, Any]) -> str:
    slope, r2 = summary["gain_on_misfit"]["slope"], summary["gain_on_misfit"]["r2"]
    if slope is not None:
        return f"gain on misfit: slope {slope['median']:.3f}, R2 {r2['median']:.3f}"
    means = [
        f"mean {name} " + (f"{summary[name]['mean']:.3g}" if summary[name] else "not finite")
        for name in ("gain", "misfit")
    ]
    return f"{', '.join(means)}; {no_slope(summary['tasks'])}"


def no_slope(tasks: int) -> str:
    """Say that there is no slope, and why where pairs have too few tasks."""
    return "no slope" + (f", which needs {FEWEST_TASKS} tasks" if tasks < FEWEST_TASKS else "")


def _quantiles(values: np.ndarray) -> dict[str, float] | None:
    """Return median, 10 and 90% quantile of the finite values; None if there are none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, middle, high = np.quantile(finite, (0.1, 0.5, 0.9))
    return {"median": float(middle), "quantile_10": float(low), "quantile_90": float(high)}
