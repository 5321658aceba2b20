"""Theorems 1 and 2 of Charikar et al. 2024 beside what is measured, and how loose each term is."""

from typing import Any

import xarray as xr

from w2sjax.analysis.moments import axis_values, class_moments, configuration
from w2sjax.analysis.statistics import check_holds, counted, quantiles
from w2sjax.theory.charikar2024 import localized_term, theorem2_bound
from w2sjax.theory.rademacher import linear_rademacher_bound

TERMS = ("nonrealizable", "localized", "complexity", "confidence")

RATIOS = {"nonrealizable": "nonrealizable_ratio", "localized": "localized_ratio", "theorem2": "ratio"}
"""What a bound adds to Theorem 1, over what is measured, by bound."""


def looseness(dataset: xr.Dataset, moments: xr.Dataset | None = None, delta: float = 0.05) -> xr.Dataset:
    """Compare the terms of Theorem 2 with the measured misfit - gain, for every pair, task and cell.

    Args:
        dataset: from `sweep`; n_strong is read from its axis or, failing that, from its configuration.
        moments: from `class_moments` for the same pairs and tasks; None for the population terms only.
        delta: probability of failure, in (0, 1].

    Returns:
        A Dataset in squared label units: `shortfall` = misfit - gain, positive where Theorem 1's inequality fails;
        `theorem1`, `nonrealizable`, `complexity`, `confidence` and `localized`, of which the last three, which need
        moments, are 0 without; `allowance` of Theorem 2, all of it with moments and that of infinitely many samples
        without, and `localized_allowance` = nonrealizable + localized. `ratio`, `localized_ratio` and
        `nonrealizable_ratio` are these allowances / |shortfall|, how many times larger than the deviation the bound is.
        A ratio below 1 with a positive shortfall is a violation.

    Raises:
        W2SError: if delta is out of range, or an axis n_strong has no values left.
    """
    check_holds(dataset, "weak_error", "misfit", "ceiling_error", "deviation")
    n = axis_values(dataset, "n_strong")
    size = float(configuration(dataset)["protocol"]["n_strong"]) if n is None else n.astype(float)
    zero = xr.zeros_like(dataset["misfit"])
    rademacher = bound = localized = zero  # infinitely many samples
    if moments is not None:
        bound = moments["output_bound"]
        rademacher = linear_rademacher_bound(moments["radius"], moments["dimension"], size)
        distance = dataset["w2s_error"] ** 0.5
        localized = localized_term(distance, moments["cross_moment"], moments["fourth_moment"], size, delta)
    terms = theorem2_bound(
        dataset["weak_error"], dataset["misfit"], dataset["ceiling_error"], rademacher, bound, size, delta
    )
    shortfall = -dataset["deviation"]
    measured = abs(shortfall).where(shortfall != 0)
    named = {
        "shortfall": shortfall,
        "theorem1": terms.theorem1,
        "nonrealizable": terms.nonrealizable,
        "complexity": terms.complexity + zero,
        "confidence": terms.confidence + zero,
        "localized": localized,
        "allowance": terms.allowance,
        "localized_allowance": terms.nonrealizable + localized,
        "ratio": terms.allowance / measured,
        "localized_ratio": (terms.nonrealizable + localized) / measured,
        "nonrealizable_ratio": terms.nonrealizable / measured,
    }
    return xr.Dataset({name: value.drop_attrs() for name, value in named.items()})


def compare_bounds(dataset: xr.Dataset) -> xr.Dataset:
    """Measure how far every term of the bounds is above the measured deviation, by n_strong.

    Args:
        dataset: from `sweep` with the axis n_strong and a world of `w2sjax.worlds`, as for `class_moments`.

    Returns:
        In the order of n_strong: the errors, gain and misfit of the Dataset and the terms of `looseness` of every pair
        and task; over pairs and tasks, 10, 50 and 90% quantiles: `relative`, of `TERMS` and "absolute_deviation",
        |shortfall|, over weak_error, dims ("quantile", "term", "n_strong"), and `looser`, of `RATIOS`, dims
        ("quantile", "bound", "n_strong"); and `share`, dims ("event", "n_strong"), of tasks in which Theorem 1's
        inequality fails ("below_theorem1"), fails by more than each bound allows ("violating_..."), or bounds nothing
        ("with_negative_theorem1_bound").

    Raises:
        W2SError: as `class_moments`.

    Cost: that of `class_moments`.
    """
    check_holds(dataset, "n_strong", "deviation")
    dataset = dataset.sortby("n_strong")
    terms = looseness(dataset, class_moments(dataset))
    over = ("pair", "task")
    errors = dataset[["weak_error", "w2s_error", "ceiling_error", "gain", "misfit"]]
    measured = abs(terms["shortfall"])
    relative = terms[list(TERMS)].assign(absolute_deviation=measured) / dataset["weak_error"]
    ratios = terms[list(RATIOS.values())].to_dataarray("bound").assign_coords(bound=list(RATIOS))
    shortfall = terms["shortfall"]
    events = {
        "below_theorem1": shortfall > 0,
        "violating_nonrealizable_alone": shortfall > terms["nonrealizable"],
        "violating_localized": shortfall > terms["localized_allowance"],
        "violating_theorem2": shortfall > terms["allowance"],
        "with_negative_theorem1_bound": terms["theorem1"] < 0,
    }
    result = errors.merge(terms).assign(
        relative=quantiles(relative.to_dataarray("term"), over),
        looser=quantiles(ratios, over),
        share=xr.Dataset(events).to_dataarray("event").mean(over),
    )
    return counted(result, dataset)


def bounds_report(result: xr.Dataset) -> dict[str, Any]:
    """Return quantiles and shares of `compare_bounds` by n_strong as plain numbers, and a `headline`."""
    by_size: dict[str, dict[str, Any]] = {}
    for n in result["n_strong"].values.tolist():
        cell = result[["relative", "looser", "share"]].sel(n_strong=n)
        medians = cell["relative"].sel(quantile=0.5).to_series()
        ratios = cell["looser"].transpose("bound", "quantile").to_series().unstack("bound")
        by_size[f"n_strong={n}"] = (
            {f"{term}_over_weak_error": value for term, value in medians.items()}
            | {
                f"{bound}_bound_over_absolute_deviation": {
                    "median": values[0.5],
                    "quantile_10": values[0.1],
                    "quantile_90": values[0.9],
                }
                for bound, values in ratios.items()
            }
            | {f"share_{event}": value for event, value in cell["share"].to_series().items()}
        )
    last = list(by_size)[-1]
    population, theorem2 = (
        by_size[last][f"{bound}_bound_over_absolute_deviation"]["median"]
        for bound in ("nonrealizable", "theorem2")
    )
    headline = f"{last}: median bound / |deviation| {population:.1f} (population), {theorem2:.0f} (Theorem 2)"
    return {**result.attrs, **by_size, "headline": headline}
