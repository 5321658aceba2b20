"""How typical one published panel is: its slope, correlation and deviation over many independent draws."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.choices import rank_correlation
from w2sjax.analysis.statistics import (
    check_axes,
    check_holds,
    counted,
    no_slope,
    pair_fits,
    quantiles,
    usable,
)

NOTEBOOK = {"gain": 0.13}
"""Mean gain of the draw in the notebook released with Charikar et al. 2024."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def per_pair(dataset: xr.Dataset) -> xr.Dataset:
    """Return per pair the panel's numbers and what may explain them; failed trainings are left out.

    Args:
        dataset: from `sweep`, dims pair and task only.

    Returns:
        By the pairs kept: `slope` and `correlation` of gain on misfit over tasks; means over tasks of the errors, gain,
        misfit and deviation; `relative_deviation` = mean deviation / mean weak error; `ceiling_share` = mean ceiling
        error / mean weak error, the non-realizable term of Theorem 2; `dead_share`, the part of the strong features
        without rank; `condition` of the strong features. `over_pairs`, dims ("level", "number"), has the quantiles
        `LEVELS` of what is finite of each, NaN without any. Attributes: pairs and tasks of the Dataset.

    Raises:
        W2SError: for a Dataset of another kind.
    """
    check_holds(dataset, "pair", "task", "weak_error", "gain", "misfit", "deviation", "status_code")
    check_axes(dataset)
    kept = dataset.isel(pair=np.flatnonzero(usable(dataset)))
    fits = pair_fits(kept)
    means = kept[["weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation"]].mean("task")
    rank, dropped = kept["status_strong_rank"], kept["status_strong_dropped"]
    numbers = means.assign(
        slope=fits["slope"],
        correlation=np.sign(fits["slope"]) * np.sqrt(fits["r2"].clip(0, 1)),
        relative_deviation=means["deviation"] / means["weak_error"],
        ceiling_share=means["ceiling_error"] / means["weak_error"],
        dead_share=dropped / (rank + dropped),
        condition=kept["status_strong_condition"],
    )
    over_pairs = quantiles(numbers.to_dataarray("number"), "pair", LEVELS).rename(quantile="level")
    return counted(numbers.assign(over_pairs=over_pairs), dataset)


def typicality_report(result: xr.Dataset) -> dict[str, Any]:
    """Return quantiles over pairs of the numbers of `per_pair`, and rank correlations with what may explain them."""
    count, tasks = result.sizes["pair"], result.attrs["tasks"]
    report: dict[str, Any] = {"pairs": result.attrs["pairs"], "pairs_without_failure": count}
    for name in result["number"].values.tolist() if count else ():
        over_pairs = result["over_pairs"].sel(number=name)
        report[name] = dict(zip(map(str, LEVELS), over_pairs.values.tolist(), strict=True))
    if count > 2:
        report["spearman"] = {
            effect: {
                cause: float(rank_correlation(result[cause], result[effect]))
                for cause in ("ceiling_share", "dead_share", "condition")
            }
            for effect in ("slope", "correlation", "relative_deviation")
        }
        report["share_with_gain_below_the_notebooks"] = float((result["gain"] <= NOTEBOOK["gain"]).mean())
    slope, correlation = result["over_pairs"].sel(level=0.5, number=["slope", "correlation"]).values
    text = no_slope(tasks)
    if np.isfinite(slope):
        text = f"median slope {slope:.3f}, correlation {correlation:.3f}"
    return report | {"headline": f"{count} of {result.attrs['pairs']} worlds: {text}"}
