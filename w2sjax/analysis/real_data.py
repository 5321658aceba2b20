"""Weak supervision on a data set: which weak models a student beats, by how much, and by what they could be chosen."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.answers import medians
from w2sjax.analysis.choices import rank_correlation
from w2sjax.analysis.representations import QUANTITIES, Comparison
from w2sjax.analysis.statistics import counted, usable
from w2sjax.cores import one_linear_algebra_thread
from w2sjax.theory.xue2025 import label_free_metric

METRIC_ROWS = 500
"""Rows that the label-free metric is computed from."""


def label_free_metrics(both: Comparison, seed: int = 0) -> xr.DataArray:
    """Return Xue et al.'s metric of every weak with every strong representation, dims ("weak", "strong").

    Cost: singular values of 500 rows, drawn at random from the whole data set.
    """
    rows = np.random.default_rng(seed).permutation(len(both.world.targets))[:METRIC_ROWS]
    strong_of = [next(s.features for s in both.stages if s.name == f"c{j}") for j in range(len(both.strong))]
    table = {name: both.world.features[name][rows] for name in both.world.features}
    known: dict[tuple[str, str], float] = {}
    values = np.empty((len(both.weak), len(both.strong)))
    for i in range(len(both.weak)):
        for j, strong in enumerate(strong_of):
            pair = (f"weak_{i}", strong)
            if pair not in known:
                known[pair] = float(label_free_metric(table[pair[0]], table[strong]))
            values[i, j] = known[pair]
    return xr.DataArray(
        values, dims=("weak", "strong"), coords={"weak": list(both.weak), "strong": list(both.strong)}
    )


def help_on_data(dataset: xr.Dataset, both: Comparison, **attributes: Any) -> xr.Dataset:
    """Return what weak supervision does on a data set, for every weak model, student and cell of a sweep.

    Args:
        dataset: of a sweep of `both`, with axes or without.
        both: of `w2sjax.analysis.comparison`.
        attributes: of the result, such as a unit.

    Returns:
        Along `of` (median over resamples, low and high end of its 95% interval): `QUANTITIES`, `relative_gain`, gain /
        weak_error; `rank_bound` and `rank_metric`, Spearman's correlation over weak models of w2s_error with weak_error
        - misfit (the rule of Charikar et al. 2024) and with the label-free metric (Xue et al. 2025), of each resample;
        `regret`, of the model that the first rule takes, over the least w2s_error. And `chosen`, the share of resamples
        in which it takes each; `label_free`, the metric.
    """
    table = both.table(dataset)
    table = table[list(QUANTITIES)].where(usable(table))
    table["relative_gain"] = table["gain"] / table["weak_error"]
    with one_linear_algebra_thread():  # more of them wait for each other on a busy machine
        metric = label_free_metrics(both)
    error = table["w2s_error"]

    def ranks(criterion: xr.DataArray) -> xr.DataArray:
        found: xr.DataArray = xr.apply_ufunc(
            lambda a, b: rank_correlation(np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)),
            *xr.broadcast(criterion, error),
            input_core_dims=[["weak"], ["weak"]],
        )
        return found

    first = table["upper_bound"].argmin("weak")
    best = error.min("weak")
    each = xr.Dataset(
        {
            "rank_bound": ranks(table["upper_bound"]),
            "rank_metric": ranks(metric),
            "regret": (error.isel(weak=first).drop_vars("weak") - best) / best,
        }
    )
    place = xr.DataArray(np.arange(len(both.weak)), dims="weak", coords={"weak": list(both.weak)})
    result = xr.merge([medians(table), medians(each)], join="outer")
    result = result.assign(chosen=(first == place).mean("pair"), label_free=metric)
    return counted(result, dataset, **attributes)


def at_largest(result: xr.Dataset) -> xr.Dataset:
    """Return the cell of the largest samples and the first value of others, of the student with the best ceiling."""
    for name in result["gain"].dims:
        if name not in ("weak", "strong", "of"):
            result = result.isel({name: -1 if str(name).startswith("n_") else 0})
    ceiling = result["ceiling_error"].isel(weak=0).sel(of="median")
    return result.isel(strong=int(np.argmin(ceiling.values)))


def without_seed(weak: str) -> str:
    """Return the size of a weak model named "<size>, seed <number>", which others of that size have too."""
    return weak.partition(", seed ")[0]


def over_seeds(cell: xr.Dataset) -> xr.Dataset:
    """Return mean, least and largest over seeds, along `of`, of the medians over resamples of `QUANTITIES`.

    Args:
        cell: of `at_largest`; weak models named "<size>, seed <number>" are of one `size`, others of their own.
    """
    names = cell["weak"].values.tolist()
    sizes = list(map(without_seed, names))
    middle = cell[list(QUANTITIES)].sel(of="median", drop=True).assign_coords(size=("weak", sizes))
    of_size = middle.groupby("size")
    found = xr.concat(
        [of_size.mean(), of_size.min(), of_size.max()], xr.Variable("of", ["mean", "least", "largest"])
    )
    return found.sel(size=list(dict.fromkeys(sizes)))


def help_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the selection table at the largest samples, where the gain is above 0 over all cells, and a `headline`."""
    cell = at_largest(result)
    rows: list[dict[str, Any]] = []
    names = (
        "weak_error",
        "misfit",
        "upper_bound",
        "w2s_error",
        "gain",
        "ceiling_error",
        "baseline_error",
        "pgr",
        "opr",
    )
    for name in cell["weak"].values.tolist():
        row = cell.sel(weak=name)
        numbers = {quantity: row[quantity].values.tolist() for quantity in names}
        rows.append(
            {"weak": name, **numbers, "chosen": float(row["chosen"]), "label_free": float(row["label_free"])}
        )
    helped = result["gain"].sel(of="low") > 0
    harmed = result["gain"].sel(of="high") < 0
    ranks = {name: cell[name].values.tolist() for name in ("rank_bound", "rank_metric", "regret")}
    some = [name for name in cell["weak"].values.tolist() if bool(helped.sel(weak=name).any())]
    shares = {
        str(name): {
            "helped": float(helped.sel(weak=name).mean()),
            "harmed": float(harmed.sel(weak=name).mean()),
        }
        for name in result["weak"].values
    }
    now = int((cell["gain"].sel(of="low") > 0).sum())
    headline = (
        f"largest samples: gain above 0 for {now} of {len(rows)} weak models; over all cells it is for "
        f"{float(helped.mean()):.0%}, below 0 for {float(harmed.mean()):.0%}; Spearman with w2s_error "
        f"{ranks['rank_bound'][0]:.2f} (weak_error - misfit), {ranks['rank_metric'][0]:.2f} (label-free)"
    )
    return {
        "student": str(cell["strong"].item()),
        "selection": rows,
        **ranks,
        "cells": shares,
        "helped_somewhere": some,
        "headline": headline,
    }
