"""Theorems 1 and 2 of Charikar et al. 2024 beside what is measured, and how loose each term is."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from w2sjax.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from w2sjax.theory.charikar2024 import looseness
from w2sjax.theory.class_moments import class_moments

TERMS = {
    "nonrealizable": ("truth outside the class: 2√(ε·misfit)", ORANGE, "s"),
    "localized": ("finite sample, localized", GREEN, "^"),
    "complexity": ("finite sample, Rademacher: 16 M Rₙ", PURPLE, "d"),
    "confidence": ("finite sample, confidence: 10 M² √(ln 20 / 2n)", "#E69F00", "v"),
}
"""Label, colour and marker of every term, drawn for delta = 0.05."""

_MOST_POINTS = 4000


def bounds_report(dataset: xr.Dataset) -> dict[str, Any]:
    """Return how far every term of the bounds is above the measured deviation, by n_strong, as plain numbers.

    Args:
        dataset: from `sweep` with the axis n_strong and a world of `w2sjax.worlds`.

    Returns:
        By n_strong: medians over pairs and tasks of every term and of the measured |deviation| relative to weak_error,
        of ratio = bound / |deviation|, and the shares of tasks in which Theorem 1's inequality fails, in which it would
        fail by more than each bound allows, and in which weak_error - misfit is negative; a `headline`.
    """
    report = looseness(dataset, class_moments(dataset))
    by_size = {}
    for n in report["n_strong"].values.tolist():
        cell, data = report.sel(n_strong=n), dataset.sel(n_strong=n)
        scale = data["weak_error"]
        entry: dict[str, Any] = {
            f"{name}_over_weak_error": _median(cell[name] / scale)
            for name in ("nonrealizable", "localized", "complexity", "confidence")
        }
        entry["absolute_deviation_over_weak_error"] = _median(abs(cell["shortfall"]) / scale)
        population = cell["nonrealizable"] / abs(cell["shortfall"])
        for name, ratio in (
            ("nonrealizable", population),
            ("localized", cell["localized_ratio"]),
            ("theorem2", cell["ratio"]),
        ):
            entry[f"{name}_bound_over_absolute_deviation"] = {
                "median": _median(ratio),
                "quantile_10": float(np.nanquantile(ratio, 0.1)),
                "quantile_90": float(np.nanquantile(ratio, 0.9)),
            }
        entry["share_below_theorem1"] = float((cell["shortfall"] > 0).mean())
        entry["share_violating_nonrealizable_alone"] = _share(cell["shortfall"] > cell["nonrealizable"])
        entry["share_violating_localized"] = _share(cell["shortfall"] > cell["localized_allowance"])
        entry["share_violating_theorem2"] = _share(cell["shortfall"] > cell["allowance"])
        entry["share_with_negative_theorem1_bound"] = _share(cell["theorem1"] < 0)
        by_size[f"n_strong={n}"] = entry
    last = list(by_size)[-1]
    ratios = {
        k: by_size[last][f"{k}_bound_over_absolute_deviation"]["median"]
        for k in ("nonrealizable", "theorem2")
    }
    headline = (
        f"{last}: median bound / |deviation| {ratios['nonrealizable']:.1f} (population), "
        f"{ratios['theorem2']:.0f} (Theorem 2)"
    )
    return {"pairs": dataset.sizes["pair"], "tasks": dataset.sizes["task"], **by_size, "headline": headline}


def bounds(dataset: xr.Dataset, title: str = "") -> Figure:
    """Draw gain against misfit with Theorem 1's line and Theorem 2's band, w2s errors against bounds, and all terms.

    Args:
        dataset: from `sweep` with the axis n_strong and a world of `w2sjax.worlds`.
        title: above the figure.

    Returns:
        Three panels. Left, at the largest n_strong: gain / misfit against misfit / ceiling error, where Theorem 1 and
        the population limit of Theorem 2 are one curve each for all tasks. Middle, likewise: the w2s error against its
        upper bounds. Right: medians of every term against n_strong, relative to the weak error.
    """
    dataset = dataset.sortby("n_strong")
    report = looseness(dataset, class_moments(dataset))
    figure = Figure(figsize=(16, 5.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    largest = int(dataset["n_strong"].max())
    _draw_band(left, dataset.isel(n_strong=-1), largest)
    _draw_bounds(middle, dataset.isel(n_strong=-1), report.isel(n_strong=-1), largest)
    _draw_terms(right, report, dataset["weak_error"])
    count = f"{dataset.sizes['pair']} pairs x {dataset.sizes['task']} tasks"
    figure.suptitle(f"{title}\n{count}".strip(), fontsize=11)
    return figure


def _draw_band(axes: Axes, data: xr.Dataset, n: int) -> None:
    """gain / misfit against misfit / eps: Theorem 1 is at 1, Theorem 2 at 1 - 2 / sqrt(misfit / eps)."""
    u = (data["misfit"] / data["ceiling_error"]).values.ravel()
    v = (data["gain"] / data["misfit"]).values.ravel()
    chosen = np.isfinite(u) & np.isfinite(v) & (u > 0)
    u, v = u[chosen], v[chosen]
    low, high = np.quantile(u, (0.001, 0.999))
    grid = np.geomspace(low, high, 300)
    axes.fill_between(
        grid, 1 - 2 / grid**0.5, 1 + 2 / grid**0.5, color=ORANGE, alpha=0.15, linewidth=0,
        label="Theorem 2, population, linear class: 1 ± 2 √(ε / misfit)",
    )  # fmt: skip
    axes.plot(grid, 1 - 2 / grid**0.5, color=ORANGE, linewidth=1.2)
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1.2, label="Theorem 1: gain ≥ misfit")
    share = min(1.0, _MOST_POINTS / max(1, u.size))
    shown = np.random.default_rng(0).random(u.size) < share
    axes.scatter(
        u[shown], v[shown], s=6, color=BLUE, alpha=0.5, linewidth=0, rasterized=True, label="one task"
    )
    outside = np.mean((v < -2) | (v > 3))
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(-2, 3)
    axes.set_xlabel("misfit / ceiling error ε  [1]")
    axes.set_ylabel("gain / misfit  [1]")
    note = f"; {outside:.1%} outside" if outside else ""
    axes.set_title(f"gain against misfit, n_strong = {n}{note}", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    axes.grid(True, which="major", color=GREY, alpha=0.2)


def _draw_bounds(axes: Axes, data: xr.Dataset, report: xr.Dataset, n: int) -> None:
    """Upper bounds on w2s_error against w2s_error, all relative to weak_error: below the line they are broken."""
    scale = data["weak_error"]
    error = (data["w2s_error"] / scale).values.ravel()
    shown = np.random.default_rng(0).random(error.size) < min(1.0, _MOST_POINTS / 4 / max(1, error.size))
    for name, allowance, colour in (
        ("Theorem 1: weak error − misfit", 0 * report["shortfall"], GREY),
        ("+ 2√(ε·misfit)", report["nonrealizable"], ORANGE),
        ("+ localized finite-sample term", report["localized_allowance"], GREEN),
        ("Theorem 2 with bounded outputs", report["allowance"], PURPLE),
    ):
        bound = ((report["theorem1"] + allowance) / scale).values.ravel()
        negative = np.mean(bound <= 0)
        label = name + (f" ({negative:.1%} negative, not drawn)" if negative else "")
        kept = shown & (bound > 0)
        axes.scatter(
            error[kept], bound[kept], s=6, color=colour, alpha=0.5, linewidth=0, rasterized=True, label=label
        )
    low, high = np.nanquantile(error, (0.001, 0.999))
    axes.plot([low, high], [low, high], "k-", linewidth=1, label="bound = w2s error (above: the bound holds)")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low / 3, 1e3 * float(np.nanquantile(report["allowance"] / scale, 0.95)))  # legend above
    axes.set_xlabel("w2s error / weak error  [1]")
    axes.set_ylabel("upper bound on the w2s error / weak error  [1]")
    axes.set_title(f"upper bounds, n_strong = {n}", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.grid(True, which="major", color=GREY, alpha=0.2)


def _draw_terms(axes: Axes, report: xr.Dataset, scale: xr.DataArray) -> None:
    n = report["n_strong"].values.astype(float)
    measured = abs(report["shortfall"]) / scale
    low, middle, high = (measured.quantile(q, ("pair", "task")).values for q in (0.1, 0.5, 0.9))
    axes.fill_between(n, low, high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(n, middle, "o-", color=BLUE, label="measured |gain − misfit| (band: 10–90%)")
    for name, (label, colour, marker) in TERMS.items():
        median = (report[name] / scale).median(("pair", "task")).values
        axes.plot(n, median, marker + "-", color=colour, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("n_strong  [samples]")
    axes.set_ylabel("term / weak error, median over pairs and tasks  [1]")
    axes.set_title("what the terms allow, and what is measured", fontsize=10)
    axes.grid(True, which="major", color=GREY, alpha=0.2)
    axes.set_ylim(top=axes.get_ylim()[1] * 1e3)
    axes.legend(frameon=False, fontsize=8, loc="upper right")


def _median(values: xr.DataArray) -> float:
    return float(np.nanmedian(values.values))


def _share(values: xr.DataArray) -> float:
    return float(values.mean())
