"""Selection among candidates against sample size: regret, rank correlation, and how often the bound is negative."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from w2sjax.errors import W2SError
from w2sjax.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from w2sjax.methods.selection import select_in_dataset

COLORS = {"upper_bound": BLUE, "weak_error": ORANGE, "misfit": GREEN, "random": PURPLE}
MARKERS = {"upper_bound": "o", "weak_error": "s", "misfit": "^", "random": "d"}
LABELS = {
    "upper_bound": "smallest weak error − misfit",
    "weak_error": "smallest weak error",
    "misfit": "smallest misfit",
    "random": "random candidate",
}
CANDIDATE_AXES = ("weak_noise", "strong_noise")


def candidate_axis(dataset: xr.Dataset) -> str:
    """Return the axis whose values are the candidates.

    Raises:
        W2SError: unless exactly one of weak_noise and strong_noise is an axis of the Dataset.
    """
    found = [name for name in CANDIDATE_AXES if name in dataset["w2s_error"].dims]
    if len(found) != 1:
        raise W2SError(f"axes {found} hold candidates: pass a sweep over one of {', '.join(CANDIDATE_AXES)}.")
    return found[0]


def criteria_for(axis: str) -> tuple[str, ...]:
    """Return the criteria that tell candidates on an axis apart: candidate strong models share one weak_error."""
    return tuple(name for name in COLORS if name != "weak_error" or axis.startswith("weak"))


def held_out_error(dataset: xr.Dataset) -> xr.DataArray:
    """Return w2s_error on the samples of the largest n_eval that no smaller n_eval of the same cell has used.

    The first n rows of every evaluation sample are the same. With e_n the mean over n rows, the mean over the rest of N
    rows is (N e_N - n e_n) / (N - n).

    Args:
        dataset: from `sweep` with at least two values on the axis n_eval.

    Returns:
        w2s_error at every n_eval but the largest, from N - n other rows.

    Raises:
        W2SError: with fewer than two values on the axis n_eval.
    """
    if dataset.sizes.get("n_eval", 0) < 2:
        raise W2SError(
            "n_eval has no second value: sweep a small one to select with and a large one as the truth."
        )
    dataset = dataset.sortby("n_eval")
    error = dataset["w2s_error"]
    n, largest = dataset["n_eval"][:-1], dataset["n_eval"][-1].item()
    return (largest * error.isel(n_eval=-1, drop=True) - n * error.isel(n_eval=slice(-1))) / (largest - n)


def selections(dataset: xr.Dataset) -> xr.Dataset:
    """Select by every criterion in every pair and task, where n_weak = n_strong.

    Args:
        dataset: from `sweep` with one axis of candidates, the same values on n_weak and n_strong, and n_eval.

    Returns:
        The report of `select_in_dataset`, dims criterion, pair, n, n_eval and task: criteria estimated at every n_eval
        but the largest, regret and ranks measured by `held_out_error`.
    """
    truth = held_out_error(dataset)
    estimates = dataset.sortby("n_eval").isel(n_eval=slice(-1))
    sizes = sorted(set(dataset["n_weak"].values.tolist()) & set(dataset["n_strong"].values.tolist()))
    n = xr.DataArray(sizes, dims="n", coords={"n": sizes})
    cells = {"n_weak": n, "n_strong": n}
    names = [v for v in ("weak_error", "misfit", "w2s_error", "status_code") if v in estimates]
    return select_in_dataset(
        estimates[names].sel(cells).drop_vars(["n_weak", "n_strong"]),
        candidate_axis(dataset),
        truth.sel(cells).drop_vars(["n_weak", "n_strong"]),
    )


def by_pair(report: xr.Dataset) -> xr.Dataset:
    """Return the average over tasks of each pair, and the share of tasks in which the best candidate was chosen."""
    averages = report[
        ["relative_regret", "rank_correlation", "negative_share", "chosen_negative", "usable"]
    ].mean("task")
    finite = report["regret"].notnull()
    best = (report["regret"] == 0).where(finite).mean("task")
    # A random choice is the best one in one of so many candidates.
    chance = (1 / report["usable"].where(report["usable"] > 0)).mean("task")
    return averages.assign(best_share=xr.where(report["criterion"] == "random", chance, best))


def selection_report(dataset: xr.Dataset) -> dict[str, Any]:
    """Return regret, ranks and negative bounds by criterion and sample sizes as plain numbers.

    Args:
        dataset: as for `selections`.

    Returns:
        Per criterion and `n=..., n_eval=...`: median, 10 and 90% quantiles over pairs of the task averages; how many
        candidates could not be used; a `headline`.
    """
    report = selections(dataset)
    values = by_pair(report)
    axis = candidate_axis(dataset)
    candidates = dataset.sizes[axis]
    numbers: dict[str, Any] = {
        "candidate_axis": axis,
        "candidates": dataset[axis].values.tolist(),
        "pairs": dataset.sizes["pair"],
        "tasks": dataset.sizes["task"],
        "selections_per_size": int(report["regret"].isel(criterion=0, n=0, n_eval=0).size),
        "unusable_candidates": int((candidates - report["usable"].isel(criterion=0)).sum()),
    }
    quantities = ("relative_regret", "best_share", "rank_correlation", "negative_share", "chosen_negative")
    criteria = criteria_for(axis)
    for criterion in criteria:
        entry: dict[str, Any] = {}
        for n in values["n"].values.tolist():
            for n_eval in values["n_eval"].values.tolist():
                cell = values.sel(criterion=criterion, n=n, n_eval=n_eval)
                entry[f"n={n}, n_eval={n_eval}"] = {
                    name: _quantiles(cell[name].values) for name in quantities
                }
        numbers[criterion] = entry
    last = f"n={values['n'].values[-1]}, n_eval={values['n_eval'].values[-1]}"
    shares = ", ".join(f"{c} {numbers[c][last]['best_share']['mean']:.2f}" for c in criteria)
    return numbers | {"headline": f"{last}: share of tasks with the best candidate chosen, {shares}"}


def selection_against_samples(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw regret, rank correlation and negative bounds against the common size of both training samples.

    Args:
        dataset: as for `selections`.
        title: above the figure.

    Returns:
        Three columns: mean regret over tasks relative to the best candidate, Spearman correlation of criterion and w2s
        error, and the share of candidates with a negative bound; one row per evaluation size. Lines are medians over
        pairs (means for the shares), bands 25-75%.
    """
    report = selections(dataset)
    values = by_pair(report)
    sizes = values["n_eval"].values.tolist()
    figure = Figure(figsize=(13.5, 3.9 * len(sizes) + 0.7), layout="constrained")
    rows = figure.subplots(len(sizes), 3, squeeze=False, sharex=True, sharey="col")
    criteria = criteria_for(candidate_axis(dataset))
    for row, n_eval in zip(rows, sizes, strict=True):
        cell = values.sel(n_eval=n_eval)
        _draw(row[0], cell["relative_regret"], criteria)
        _draw(row[1], cell["rank_correlation"], tuple(c for c in criteria if c != "random"))
        _draw_shares(row[2], cell, criteria)
        row[0].set_ylabel("regret / smallest w2s error  [1]")
        row[1].set_ylabel("rank correlation with w2s error  [1]")
        row[2].set_ylabel("share with the best one chosen  [1]")
        for axes in row:
            axes.set_title(f"criterion from {n_eval} evaluation samples", fontsize=9, color=GREY)
            axes.set_xscale("log")
            axes.grid(True, which="major", color=GREY, alpha=0.2)
            axes.set_xlabel("n_weak = n_strong  [samples]")
            axes.tick_params(labelbottom=True)
        row[0].set_yscale("symlog", linthresh=0.01)
        row[0].set_ylim(bottom=0)
        row[1].set_ylim(-1.05, 1.05)
        row[1].axhline(0, color=GREY, linewidth=0.8)
        row[2].set_ylim(-0.03, 1.03)
    handles, labels = rows[0][2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    count = f"{dataset.sizes['pair']} pairs x {dataset.sizes['task']} tasks"
    figure.suptitle(
        f"{title}\n{count}; lines: medians over pairs, bands 25–75% (right: means)".strip(), fontsize=11
    )
    return figure


def _draw(axes: Axes, values: xr.DataArray, criteria: tuple[str, ...]) -> None:
    n = values["n"].values.astype(float)
    for criterion in criteria:
        chosen = values.sel(criterion=criterion)
        low, middle, high = (chosen.quantile(q, "pair").values for q in (0.25, 0.5, 0.75))
        axes.fill_between(n, low, high, color=COLORS[criterion], alpha=0.18, linewidth=0)
        axes.plot(
            n,
            middle,
            MARKERS[criterion] + "-",
            color=COLORS[criterion],
            markersize=5,
            label=LABELS[criterion],
        )


def _draw_shares(axes: Axes, cell: xr.Dataset, criteria: tuple[str, ...]) -> None:
    n = cell["n"].values.astype(float)
    for criterion in criteria:
        best = cell["best_share"].sel(criterion=criterion).mean("pair")
        axes.plot(
            n, best, MARKERS[criterion] + "-", color=COLORS[criterion], markersize=5, label=LABELS[criterion]
        )
    bound = cell.sel(criterion="upper_bound")
    axes.plot(
        n, bound["negative_share"].mean("pair"), "k:", label="right: weak error − misfit < 0, all candidates"
    )
    axes.plot(
        n,
        bound["chosen_negative"].mean("pair"),
        "k--",
        label="right: weak error − misfit < 0, the chosen one",
    )


def _quantiles(values: np.ndarray) -> dict[str, float | None]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {"mean": None, "median": None, "quantile_10": None, "quantile_90": None}
    low, middle, high = np.quantile(finite, (0.1, 0.5, 0.9))
    return {
        "mean": float(finite.mean()),
        "median": float(middle),
        "quantile_10": float(low),
        "quantile_90": float(high),
    }
