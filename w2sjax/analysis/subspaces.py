"""Excess risks, performance gap recovered and outperformance in overlapping subspaces, beside their exact values."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.moments import settings_of
from w2sjax.analysis.statistics import check_holds, counted
from w2sjax.theory.dong2025 import bounds, excess_risks, sizes_of

FIXED = {"n_strong": 4000, "n_weak": 2000}
"""The size of one sample where the other one varies."""

_FINE = 60


def subspace_panels(dataset: xr.Dataset) -> xr.Dataset:
    """Put means over trials beside exact expectations, along n_strong and along n_weak.

    The ceiling has n_weak + n_strong true labels, as in the paper: `ceiling_error` of that n_strong. pgr and opr are
    means over trials of the ratios of each trial, and ratios of expectations.

    Args:
        dataset: from `sweep` of `OverlappingSubspaces` with a baseline and the axes n_weak, n_strong, overlap and
            label_noise, whose n_strong holds the sums.

    Returns:
        By `along` ("n_strong", the other size being `FIXED`, and "n_weak") and `n`, overlap and label_noise:
        `weak_error`, `w2s_error`, `baseline_error`, `ceiling_error`, `pgr` and `opr` by `of`, "predicted" (on a finer
        grid of n too), "simulated" and "standard_error" over pairs; and `bound` by quantity, the paper's curves.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    check_holds(dataset, "n_weak", "n_strong", "overlap", "label_noise", "baseline_error")
    world, _, axes = settings_of(dataset)
    paths = {"n_strong": dataset["n_strong"].values, "n_weak": dataset["n_weak"].values}
    parts = []
    for along, sizes in paths.items():
        other = "n_weak" if along == "n_strong" else "n_strong"
        trials = []
        for n in sizes.tolist():
            weak, strong = (n, FIXED[other]) if along == "n_weak" else (FIXED[other], n)
            if weak + strong not in axes["n_strong"]:
                continue
            cell = dataset.sel(n_weak=weak, n_strong=strong, drop=True)
            whole = dataset["ceiling_error"].sel(n_weak=weak, n_strong=weak + strong, drop=True)
            cell = (
                cell[["weak_error", "w2s_error", "baseline_error"]].assign(ceiling_error=whole).mean("task")
            )
            trials.append(_with_ratios(cell).expand_dims(n=[float(n)]))
        each = xr.concat(trials, "n")
        fine = np.geomspace(sizes.min(), max(t["n"].item() for t in trials), _FINE)
        predicted = _predicted(world, axes, along, np.union1d(fine, each["n"]), exact=True)
        named = {
            "predicted": predicted,
            "bound": _predicted(world, axes, along, predicted["n"].values, exact=False),
            "simulated": each.mean("pair"),
            "standard_error": each.std("pair", ddof=1) / dataset.sizes["pair"] ** 0.5,
        }
        of = xr.Variable("of", list(named))
        parts.append(xr.concat([value.drop_attrs() for value in named.values()], of, join="outer"))
    return counted(xr.concat(parts, xr.Variable("along", list(paths)), join="outer"), dataset)


def _with_ratios(errors: xr.Dataset) -> xr.Dataset:
    gain, gap = errors["weak_error"] - errors["w2s_error"], errors["weak_error"] - errors["ceiling_error"]
    return errors.assign(pgr=gain / gap.where(gap > 0), opr=errors["baseline_error"] / errors["w2s_error"])


def _predicted(world: Any, axes: dict[str, list[Any]], along: str, n: np.ndarray, exact: bool) -> xr.Dataset:
    from dataclasses import replace

    by_overlap = []
    for overlap in axes["overlap"]:
        sizes = sizes_of(replace(world, overlap=overlap))
        if not exact:
            sizes = {name: v for name, v in sizes.items() if not name.startswith("only")}
        other = "n_weak" if along == "n_strong" else "n_strong"
        given: dict[str, Any] = {
            along: xr.DataArray(n, {"n": n}, "n"),
            other: float(FIXED[other]),
            "noise": xr.DataArray(axes["label_noise"], {"label_noise": axes["label_noise"]}, "label_noise"),
            **sizes,
        }
        formula = excess_risks if exact else bounds
        found = formula(**given)
        if exact:
            whole = given | {"n_strong": given["n_weak"] + given["n_strong"]}
            found["ceiling_error"] = excess_risks(**whole)["ceiling_error"]
        shape = xr.zeros_like(given[along] * given["noise"])
        by_overlap.append(_with_ratios(xr.Dataset({name: value + shape for name, value in found.items()})))
    return xr.concat(by_overlap, xr.Variable("overlap", axes["overlap"]))


def subspace_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the largest distance from the exact errors in standard errors, the extremes of pgr, and a `headline`."""
    errors = ("weak_error", "w2s_error", "baseline_error", "ceiling_error")
    simulated, predicted, error = (result.sel(of=of) for of in ("simulated", "predicted", "standard_error"))
    largest = {name: float((abs(simulated[name] - predicted[name]) / error[name]).max()) for name in errors}
    beyond = float(np.mean([(abs(simulated[n] - predicted[n]) > 2 * error[n]).sum() for n in errors]))
    cells = int(simulated["w2s_error"].notnull().sum())
    pgr = simulated["pgr"]
    numbers = {
        "largest_distance_in_standard_errors": largest,
        "share_beyond_two_standard_errors": beyond / cells,
        "cells": cells,
        "pgr_smallest": float(pgr.min()),
        "pgr_largest": float(pgr.max()),
    }
    headline = (
        f"pgr from {float(pgr.min()):.2f} to {float(pgr.max()):.2f}; {beyond / cells:.1%} of the errors are further "
        "than 2 standard errors from exact"
    )
    return numbers | {"headline": headline}
