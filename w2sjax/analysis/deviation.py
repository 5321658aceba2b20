"""The law of the deviation beside simulation: its bands over sweeps, and how many tasks they cover."""

import itertools
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.moments import axis_values, configuration, settings_of
from w2sjax.analysis.samples import along
from w2sjax.analysis.statistics import check_holds, counted, quantiles
from w2sjax.engine.axes import find, put
from w2sjax.errors import W2SError
from w2sjax.theory.deviation import DEVIATION_LAW, DeviationLaw, laws_of_pairs

LEVELS = (0.5, 0.9, 0.99)
"""Shares of the law that its intervals hold."""

BAND = (0.05, 0.5, 0.95)

BINS = 16

FAR = 5
"""Standard deviations from the law's mean beyond which a task counts as an explosion."""

_NODES = 41


def deviation_laws(dataset: xr.Dataset) -> xr.Dataset:
    """Return the law of every pair and task of a sweep: what n_strong and n_eval have no part in.

    Args:
        dataset: from `sweep`, of a world of `w2sjax.worlds`.

    Returns:
        The fields of `w2sjax.theory.deviation.DeviationLaw`, dims the other axes that the Dataset has, pair and task.

    Raises:
        W2SError: where an assumption of the law is violated, with its name.

    Cost: one pass over n_weak + 10,000 rows per pair and cell of the other axes; networks that the world trains are
    trained again.
    """
    world, protocol, axes = settings_of(dataset)
    axes = {name: v for name, v in axes.items() if name.split(".")[-1] not in ("n_strong", "n_eval")}
    paths = [find(name, world, protocol) for name in axes]
    seed, pairs = configuration(dataset)["seed"], dataset["pair"].values.tolist()
    cells = []
    for values in itertools.product(*axes.values()):
        cell = put(world, protocol, dict(zip(paths, values, strict=True)))
        DEVIATION_LAW.assume(*cell)
        cells.append(laws_of_pairs(*cell, seed, pairs))
    shape, dims = tuple(map(len, axes.values())), (*axes, "pair", "task")
    found = {
        name: (dims, np.stack([getattr(law, name) for law in cells]).reshape(*shape, *cells[0].limit.shape))
        for name in DeviationLaw._fields
    }
    coords = {**axes, "pair": pairs, "task": dataset["task"].values}
    laws = xr.Dataset(found, coords=coords)
    return laws.squeeze([name for name in axes if name not in dataset.dims], drop=True)


def mean_and_spread(dataset: xr.Dataset, laws: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the law's mean and standard deviation of every cell, pair and task, NaN where samples are too few."""
    law = DeviationLaw(*(laws[name] for name in DeviationLaw._fields))
    n, n_eval = (_size(dataset, name) for name in ("n_strong", "n_eval"))
    enough = law.dimension < n
    return law.mean(n).where(enough), law.spread(n, n_eval).where(enough)


def _size(dataset: xr.Dataset, name: str) -> Any:
    values = axis_values(dataset, name)
    return float(configuration(dataset)["protocol"][name]) if values is None else values.astype(float)


def law_samples(mean: xr.DataArray, spread: xr.DataArray) -> xr.DataArray:
    """Return quantiles of the law at evenly spread levels, along `node`: all pairs together are a mixture."""
    from scipy.stats import norm

    levels = (np.arange(_NODES) + 0.5) / _NODES
    return mean + spread * xr.DataArray(norm.ppf(levels), dims="node")


def law_band(dataset: xr.Dataset, x: str, y: str) -> xr.Dataset:
    """Return where the law puts the middle 90% of the tasks of a sweep, along another quantity.

    Args:
        dataset: from `sweep`, as for `deviation_laws`.
        x: "misfit", of which there are `BINS` bins between its 1% and 99% quantiles, or an axis.
        y: "gain" or "deviation".

    Returns:
        `band`, dims ("quantile", "x"): 5, 50 and 95% over pairs, tasks and the axes that are not x.

    Raises:
        W2SError: for other quantities, and as `deviation_laws`.
    """
    if y not in ("gain", "deviation") or (x != "misfit" and x not in dataset.dims):
        raise W2SError(
            f"--theory is for gain or deviation against misfit or an axis, not {y} against {x}: pass such --x and --y."
        )
    mean, spread = mean_and_spread(dataset, deviation_laws(dataset))
    values = law_samples(mean, spread) + (dataset["misfit"] if y == "gain" else 0)
    if x in dataset.dims:
        over = [dim for dim in values.dims if dim != x]
        band = quantiles(values, over, BAND).rename({x: "x"})
        return xr.Dataset({"band": band})
    place = dataset["misfit"].broadcast_like(values)
    first, last = np.nanquantile(dataset["misfit"], (0.01, 0.99))
    edges = np.linspace(first, last, BINS + 1)
    flat, which = values.values.ravel(), np.digitize(place.transpose(*values.dims).values.ravel(), edges) - 1
    inside = [flat[(which == i) & np.isfinite(flat)] for i in range(BINS)]
    none = np.full(len(BAND), np.nan)
    found = np.stack([np.quantile(v, BAND) if v.size >= 20 * _NODES else none for v in inside], axis=1)
    middles = (edges[:-1] + edges[1:]) / 2
    coords = {"quantile": list(BAND), "x": middles}
    return xr.Dataset({"band": (("quantile", "x"), found)}, coords=coords)


def law_over_map(result: xr.Dataset, dataset: xr.Dataset, pairs: int = 100) -> xr.Dataset:
    """Add to the finite-sample map what the law says of the distance along n_strong.

    Args:
        result: of `w2sjax.analysis.finite_sample`.
        dataset: the sweep that it is of.
        pairs: first ones, whose laws are computed.

    Returns:
        The result with `law`, dims (strong_noise, "quantile", "n"): 10, 50 and 90% of the distance over pairs and
        tasks, n_weak being the largest, NaN below the number of features.
    """
    few = dataset.isel(pair=slice(pairs))
    largest = few.isel(n_weak=[int(np.argmax(few["n_weak"].values))])
    laws = deviation_laws(largest).isel(n_weak=0, drop=True)
    worlds = []
    for noise in result["strong_noise"].values.tolist():
        law = DeviationLaw(*(laws[name].sel(strong_noise=noise) for name in DeviationLaw._fields))
        realizable = bool(result["realizable"].sel(strong_noise=noise))
        n, last = result["n"].astype(float), float(result["n"].max())
        scale = along(few.sel(strong_noise=noise), "n_strong")["weak_error"].isel(n=-1, drop=True)
        # In the other world the limit is a finite sample, of which all smaller ones are a part.
        less = 0 if realizable else 1 / last
        size = 1 / (1 / n - less).where(n < last) if not realizable else n
        n_eval = _size(dataset, "n_eval") if realizable else np.inf
        mean = law.mean(size) if realizable else law.bias / size
        values = abs(law_samples(mean, law.spread(size, n_eval))) / scale.where(scale > 0)
        values = values.where(law.dimension < n)
        worlds.append(quantiles(values, ("pair", "task", "node")))
    band = xr.concat(worlds, result["strong_noise"])
    return result.assign(law=band.drop_vars([v for v in band.coords if v not in band.dims]))


def law_coverage(dataset: xr.Dataset) -> xr.Dataset:
    """Measure how many tasks lie in the intervals of the law, by n_strong and world.

    Args:
        dataset: from `sweep` with the axes n_strong and strong_noise, as for `deviation_laws`.

    Returns:
        By strong_noise and n_strong: `coverage` of the intervals of `LEVELS` along `level`, and its
        `coverage_standard_error` over pairs, whose tasks share their samples; `simulated` and `predicted`, 5, 50 and
        95% of deviation / weak_error over pairs and tasks along `quantile`; `explosions`, the share of tasks further
        than `FAR` standard deviations from the law's mean; `spread_ratio`, the root mean square of
        (deviation - mean) / spread, 1 where the law holds.

    Cost: that of `deviation_laws`.
    """
    from scipy.stats import norm

    check_holds(dataset, "deviation", "weak_error")
    mean, spread = mean_and_spread(dataset, deviation_laws(dataset))
    over = ("pair", "task")
    distance = (dataset["deviation"] - mean) / spread
    limits = xr.DataArray([norm.ppf((1 + level) / 2) for level in LEVELS], {"level": list(LEVELS)}, "level")
    by_pair = (abs(distance) < limits).mean("task")
    relative = 1 / dataset["weak_error"].where(dataset["weak_error"] > 0)
    found = {
        "coverage": by_pair.mean("pair"),
        "coverage_standard_error": by_pair.std("pair", ddof=1) / dataset.sizes["pair"] ** 0.5,
        "simulated": (dataset["deviation"] * relative).pipe(quantiles, over, BAND),
        "predicted": (law_samples(mean, spread) * relative).pipe(quantiles, (*over, "node"), BAND),
        "explosions": (abs(distance) > FAR).mean(over),
        "spread_ratio": (distance**2).mean(over) ** 0.5,
    }
    return counted(xr.Dataset(found), dataset)


def law_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the numbers of `law_coverage` by world and n_strong as plain numbers, with a `headline`."""
    worlds = {}
    for noise in result["strong_noise"].values.tolist():
        cells = {}
        for n in result["n_strong"].values.tolist():
            cell = result.sel(strong_noise=noise, n_strong=n)
            cells[str(n)] = {
                "coverage": dict(zip(map(str, LEVELS), cell["coverage"].values.tolist(), strict=True)),
                "coverage_of_90_standard_error": float(cell["coverage_standard_error"].sel(level=0.9)),
                "explosions": float(cell["explosions"]),
                "spread_ratio": float(cell["spread_ratio"]),
            }
        worlds[f"strong_noise={noise:g}"] = cells
    large = result["coverage"].sel(level=0.9).where(result["n_strong"] >= 1000, drop=True)
    headline = "no n_strong >= 1000"
    if large.size:
        share = f"{float(large.min()):.1%} to {float(large.max()):.1%} of the tasks"
        headline = f"from n_strong = 1000 on the law's 90% band holds {share}"
    return {"by_world": worlds, "headline": headline}
