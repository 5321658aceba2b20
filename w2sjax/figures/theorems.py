"""Theorems 1 and 2 of Charikar et al. 2024 beside what is measured, and all terms against the sample size."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.figures.style import (
    BLUE,
    CATEGORIES,
    GREEN,
    GREY,
    INSIDE,
    ORANGE,
    PURPLE,
    head,
    line_with_band,
    log_scales,
    new_figure,
    plain_log_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TERMS = {
    "nonrealizable": ("truth outside the class: 2√(ε·misfit)", ORANGE, "s-"),
    "localized": ("finite sample, localized", GREEN, "^-"),
    "complexity": ("finite sample, Rademacher: 16 M Rₙ", PURPLE, "d-"),
    "confidence": ("finite sample, confidence: 10 M² √(ln 20 / 2n)", CATEGORIES[4], "v-"),
}
"""Label, colour and marker of every term, drawn for delta = 0.05."""

_MOST_POINTS = 4000
_POINTS: dict[str, Any] = {"s": 6, "alpha": 0.5, "linewidth": 0, "rasterized": True}


def bounds(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw gain against misfit with Theorem 1's line and Theorem 2's band, w2s errors against bounds, and all terms.

    Args:
        result: of `w2sjax.analysis.compare_bounds`.
        title: above the figure.

    Returns:
        Three panels. Left, at the largest n_strong: gain / misfit against misfit / ceiling error, where Theorem 1 and
        the population limit of Theorem 2 are one curve each for all tasks. Middle, likewise: the w2s error against its
        upper bounds. Right: medians of every term against n_strong, relative to the weak error.
    """
    figure = new_figure(16, 5.6)
    left, middle, right = figure.subplots(1, 3)
    largest = result.isel(n_strong=-1)
    _draw_band(left, largest)
    _draw_bounds(middle, largest)
    _draw_terms(right, result["relative"])
    head(figure, title, result)
    return figure


def _draw_band(axes: "Axes", data: xr.Dataset) -> None:
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
    part = _part(u.size, _MOST_POINTS)
    axes.scatter(u[part], v[part], color=BLUE, label="one task", **_POINTS)
    beyond = np.mean((v < -2) | (v > 3))
    plain_log_ticks(axes, decades=0)
    axes.set(xlim=(low, high), ylim=(-2, 3))
    axes.set_xlabel("misfit / ceiling error ε  [1]")
    axes.set_ylabel("gain / misfit  [1]")
    note = f"; {beyond:.1%} outside" if beyond else ""
    axes.set_title(f"gain against misfit, n_strong = {int(data['n_strong'])}{note}", fontsize=10)
    axes.legend(**INSIDE, loc="upper right")
    axes.grid(True, which="major", color=GREY, alpha=0.2)


def _draw_bounds(axes: "Axes", data: xr.Dataset) -> None:
    """Upper bounds on w2s_error against w2s_error, all relative to weak_error: below the line they are broken."""
    scale = data["weak_error"]
    error = (data["w2s_error"] / scale).values.ravel()
    part = _part(error.size, _MOST_POINTS // 4)
    for name, allowance, color in (
        ("Theorem 1: weak error − misfit", 0, GREY),
        ("+ 2√(ε·misfit)", data["nonrealizable"], ORANGE),
        ("+ localized finite-sample term", data["localized_allowance"], GREEN),
        ("Theorem 2 with bounded outputs", data["allowance"], PURPLE),
    ):
        bound = ((data["theorem1"] + allowance) / scale).values.ravel()
        negative = np.mean(bound <= 0)
        label = name + (f" ({negative:.1%} negative, not drawn)" if negative else "")
        kept = part & (bound > 0)
        axes.scatter(error[kept], bound[kept], color=color, label=label, **_POINTS)
    low, high = np.nanquantile(error, (0.001, 0.999))
    axes.plot([low, high], [low, high], "k-", linewidth=1, label="bound = w2s error (above: the bound holds)")
    axes.set_yscale("log")
    top = 1e3 * float(np.nanquantile(data["allowance"] / scale, 0.95))  # the legend is above
    axes.set(xlim=(low, high), ylim=(low / 3, top))
    axes.set_xlabel("w2s error / weak error  [1]")
    axes.set_ylabel("upper bound on the w2s error / weak error  [1]")
    axes.set_title(f"upper bounds, n_strong = {int(data['n_strong'])}", fontsize=10)
    axes.legend(**INSIDE, loc="upper left")
    axes.grid(True, which="major", color=GREY, alpha=0.2)


def _draw_terms(axes: "Axes", relative: xr.DataArray) -> None:
    n = relative["n_strong"]
    label = "measured |gain − misfit| (band: 10–90%)"
    line_with_band(axes, n, relative.sel(term="absolute_deviation"), color=BLUE, label=label)
    for name, (label, color, style) in TERMS.items():
        axes.plot(n, relative.sel(term=name, quantile=0.5), style, color=color, label=label)
    log_scales(axes)
    axes.set_xlabel("n_strong  [samples]")
    axes.set_ylabel("term / weak error, median over pairs and tasks  [1]")
    axes.set_title("what the terms allow, and what is measured", fontsize=10)
    axes.set_ylim(top=axes.get_ylim()[1] * 1e3)
    axes.legend(**INSIDE, loc="upper right")


def _part(count: int, most: int) -> np.ndarray:
    """Choose about so many points, the same ones each time."""
    return np.random.default_rng(0).random(count) < min(1.0, most / max(1, count))
