"""Does a metric of representations alone rank weak models? Against rules that need labels or a trained student."""

import dataclasses
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.choices import select
from w2sjax.analysis.moments import configuration, settings_of
from w2sjax.analysis.statistics import check_axes, check_holds, counted, quantiles, usable
from w2sjax.engine.redraw import redraw
from w2sjax.theory.xue2025 import label_free_metric

SHARES = (0.001, 0.01, 0.1)
"""Ridges of the metric, in mean eigenvalues of the kernel."""

SAMPLES = 500

RULES = (*(f"label-free, {share:g}" for share in SHARES), "weak_error", "misfit", "random")


def label_free_ranking(dataset: xr.Dataset) -> xr.Dataset:
    """Rank candidate weak models of every pair by the label-free metric, weak_error, misfit, and at random.

    Args:
        dataset: from `sweep` with the axis weak_noise, the candidates, such as of `PerturbedCandidates`.

    Returns:
        By `rule` of `RULES`, pair and task: `rank_correlation`, Spearman's of rule and w2s_error over candidates, and
        `relative_regret` of the candidate that the rule puts first, over the least w2s_error; over pairs, of their mean
        over tasks, `rank_over_pairs` and `regret_over_pairs`, 10, 50 and 90%; `metric` by share, candidate and pair.
        Features of the metric are 500 inputs that no split of the sweep has.

    Raises:
        W2SError: for a Dataset of another kind.

    Cost: 500 rows per pair and candidate, and their singular values.
    """
    check_holds(dataset, "weak_noise", "w2s_error", "misfit")
    check_axes(dataset, "weak_noise")
    world, protocol, axes = settings_of(dataset)
    pairs, seed = dataset["pair"].values.tolist(), configuration(dataset)["seed"]
    metric = np.zeros((len(SHARES), len(axes["weak_noise"]), len(pairs)))
    for i, noise in enumerate(axes["weak_noise"]):
        own = dataclasses.replace(world, weak_noise=noise)
        small = dataclasses.replace(protocol, n_weak=50, tasks=1)  # features alone are wanted
        features, _ = redraw(own, small, protocol.chain()[:1], ("weak", "strong"), SAMPLES, seed, pairs)
        drawn = features["weak"], features["strong"]
        for k, share in enumerate(SHARES):
            metric[k, i] = label_free_metric(*drawn, share=share)
    order = ("weak_noise", "pair", "task")
    errors = {name: dataset[name].transpose(*order).values for name in ("w2s_error", "weak_error", "misfit")}
    good = np.broadcast_to(
        usable(dataset).transpose("weak_noise", "pair").values[..., None], errors["misfit"].shape
    )
    by_rule: list[Any] = [np.broadcast_to(m[..., None], good.shape) for m in metric]
    by_rule += [errors["weak_error"], errors["misfit"], None]
    chosen = [select(rule, errors["w2s_error"], good) for rule in by_rule]
    dims = ("rule", "pair", "task")
    found = {
        name: (dims, np.stack([getattr(c, name) for c in chosen]))
        for name in ("rank_correlation", "relative_regret")
    }
    coords = {"rule": list(RULES), "pair": pairs, "share": list(SHARES), "weak_noise": axes["weak_noise"]}
    result = xr.Dataset({**found, "metric": (("share", "weak_noise", "pair"), metric)}, coords=coords)
    over_pairs = quantiles(result[["rank_correlation", "relative_regret"]].mean("task"), "pair")
    result = result.assign(
        rank_over_pairs=over_pairs["rank_correlation"], regret_over_pairs=over_pairs["relative_regret"]
    )
    return counted(result, dataset, candidates=len(axes["weak_noise"]))


def label_free_report(result: xr.Dataset) -> dict[str, Any]:
    """Return by rule the median over pairs of the tasks' mean Spearman and regret, 10 and 90%, and a `headline`."""
    rules = {}
    for rule in RULES:
        one = result.sel(rule=rule)
        numbers = {}
        for name in ("rank_over_pairs", "regret_over_pairs"):
            low, median, high = one[name].values.tolist()
            numbers[name] = {"median": median, "quantile_10": low, "quantile_90": high}
        rules[rule] = numbers
    medians = {rule: rules[rule]["rank_over_pairs"]["median"] for rule in RULES if rule != "random"}
    headline = "median Spearman with w2s_error: " + ", ".join(
        f"{rule} {value:.2f}" for rule, value in medians.items()
    )
    return {
        "rules": rules,
        "weak_strong_pairs": result.attrs["pairs"] * result.attrs["candidates"],
        "headline": headline,
    }
