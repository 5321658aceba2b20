"""Selection among candidates against sample size: regret, rank correlation, and how often the bound is negative."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.choices import CRITERIA
from w2sjax.analysis.selection import select_in_dataset
from w2sjax.analysis.statistics import check_holds, counted, equal_sizes, quantiles
from w2sjax.errors import W2SError

CANDIDATE_AXES = ("weak_noise", "strong_noise")

QUANTILES = {"quantile_10": 0.1, "quantile_25": 0.25, "median": 0.5, "quantile_75": 0.75, "quantile_90": 0.9}

_REPORTED = ("mean", "median", "quantile_10", "quantile_90")


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
    return tuple(name for name in CRITERIA if name != "weak_error" or axis.startswith("weak"))


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

    Raises:
        W2SError: as `candidate_axis` and `held_out_error`.
    """
    check_holds(dataset, "n_weak", "n_strong", "n_eval", "w2s_error", "misfit")
    names = [v for v in ("weak_error", "misfit", "w2s_error", "status_code") if v in dataset]
    estimates = dataset[names].sortby("n_eval").isel(n_eval=slice(-1))
    cells = equal_sizes(estimates.assign(truth=held_out_error(dataset)), ("n_weak", "n_strong"))
    return select_in_dataset(cells.drop_vars("truth"), candidate_axis(dataset), cells["truth"])


def selection_by_size(dataset: xr.Dataset) -> xr.Dataset:
    """Sum up the choices of every criterion over pairs, by the size n of both training samples and by n_eval.

    Args:
        dataset: as for `selections`.

    Returns:
        The averages over tasks of relative_regret, rank_correlation, negative_share and chosen_negative, and
        `best_share`, the share of tasks in which the best candidate was chosen (1 / usable for a random choice); dims
        ("statistic", "criterion", "n", "n_eval"): "mean" and `QUANTILES` over pairs. Criteria are those of
        `criteria_for`. Attributes: pairs, tasks, candidate_axis, candidates, selections_per_size, unusable_candidates.

    Raises:
        W2SError: as `selections`.
    """
    choices = selections(dataset)
    axis = candidate_axis(dataset)
    by_pair = choices[["relative_regret", "rank_correlation", "negative_share", "chosen_negative"]].mean(
        "task"
    )
    best = (choices["regret"] == 0).where(choices["regret"].notnull()).mean("task")
    # A random choice is the best one in one of so many candidates.
    chance = (1 / choices["usable"].where(choices["usable"] > 0)).mean("task")
    by_pair["best_share"] = xr.where(choices["criterion"] == "random", chance, best)
    by_pair = by_pair.sel(criterion=list(criteria_for(axis)))
    found = quantiles(by_pair, "pair", list(QUANTILES.values())).rename(quantile="statistic")
    found = found.assign_coords(statistic=list(QUANTILES))
    mean = by_pair.where(np.isfinite(by_pair)).mean("pair").expand_dims(statistic=["mean"])
    return counted(
        xr.concat([mean, found], "statistic"),
        dataset,
        candidate_axis=axis,
        candidates=dataset[axis].values.tolist(),
        selections_per_size=choices["regret"].isel(criterion=0, n=0, n_eval=0).size,
        unusable_candidates=int((dataset.sizes[axis] - choices["usable"].isel(criterion=0)).sum()),
    )


def selection_report(result: xr.Dataset) -> dict[str, Any]:
    """Return regret, ranks and negative bounds by criterion and sample sizes as plain numbers.

    Args:
        result: of `selection_by_size`.

    Returns:
        Its attributes; per criterion and `n=..., n_eval=...` the mean, median, 10 and 90% quantiles over pairs of the
        task averages, None where nothing is finite; a `headline`.
    """
    numbers: dict[str, Any] = dict(result.attrs)
    cells = [(n, n_eval) for n in result["n"].values.tolist() for n_eval in result["n_eval"].values.tolist()]
    for criterion in result["criterion"].values.tolist():
        numbers[criterion] = {}
        for n, n_eval in cells:
            cell = result.sel(criterion=criterion, n=n, n_eval=n_eval)
            numbers[criterion][f"n={n}, n_eval={n_eval}"] = {
                str(name): {
                    of: float(value) if np.isfinite(value := values.sel(statistic=of)) else None
                    for of in _REPORTED
                }
                for name, values in cell.data_vars.items()
            }
    last = "n={}, n_eval={}".format(*cells[-1])
    shares = ", ".join(
        f"{criterion} {numbers[criterion][last]['best_share']['mean']:.2f}"
        for criterion in result["criterion"].values.tolist()
    )
    return numbers | {"headline": f"{last}: share of tasks with the best candidate chosen, {shares}"}
