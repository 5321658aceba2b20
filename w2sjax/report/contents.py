"""The numbers of a page about a sweep: an even sample of points, counts of all, medians, the law, flags."""

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.answers import pair_values
from w2sjax.analysis.deviation import BAND, deviation_laws, law_samples, mean_and_spread
from w2sjax.analysis.points import Quantity, draw_points
from w2sjax.analysis.statistics import MIDDLE_80, quantiles
from w2sjax.errors import W2SError
from w2sjax.figures.relation_layers import central_limits
from w2sjax.flags import Flag
from w2sjax.medians import median_and_interval

POINTS = 20_000
"""Most points on a page; further ones are counted in bins."""

BINS = 60_000
"""About how many bins all cells have together."""

MOST_CELLS = 5000

LAW_PAIRS = 32

_SHOWN = ("misfit", "gain", "weak_error", "w2s_error", "ceiling_error")


def contents(
    blocks: Sequence[xr.Dataset], *, title: str = "", theory: bool = True, points: int = POINTS
) -> dict[str, Any]:
    """Gather what a page shows of a sweep, as plain JSON values.

    Args:
        blocks: Datasets of one sweep with disjoint pairs or cells, such as the finished regions of a store.
        title: in place of the sweep's own.
        theory: compute the law of the deviation from the first 32 pairs; networks of the world are trained again.
        points: most points that are drawn.

    Returns:
        `axes`, each with its values; `points`, by column; `bins`, counts of all points by cell where points are left
        out; `cells`, medians over pairs with 95% intervals and 10 and 90% quantiles by quantity, flags and the law's 5,
        50 and 95% of the deviation; `flags` and `notes` in words; `configuration`.

    Raises:
        W2SError: for a sweep without gain and misfit, or with more than 5000 cells.

    Cost: reads every block once, and the two variables of the points once more.
    """
    if not blocks:
        raise W2SError("the store has no finished chunk yet: run the sweep further.")
    first = blocks[0]
    for name in _SHOWN[:2]:
        if name not in first or "task" not in first[name].dims:
            raise W2SError(f"the store has no {name} of every task: pass one of the usual chain of stages.")
    axes = _axes(blocks)
    count = math.prod(len(values) for values in axes.values())
    if count > MOST_CELLS:
        raise W2SError(
            f"the store has {count} cells, more than the {MOST_CELLS} of a page: sweep fewer values."
        )
    shown = [name for name in _SHOWN if name in first]
    drawn = draw_points([Quantity.parse(name) for name in (*shown, "pair", "task", *axes)], blocks, points)
    places = [_places(drawn.columns[name], values) for name, values in axes.items()]
    shape = tuple(map(len, axes.values()))
    limits = _limits(drawn.columns["misfit"], drawn.columns["gain"])
    notes: list[str] = []
    blocks = [block.squeeze(_without(block, (*axes, "pair", "task"))) for block in blocks]
    laws = _laws(blocks, axes, notes) if theory else {}
    configured = json.loads(first.attrs.get("configuration", "{}"))
    return {
        "title": title or first.attrs.get("title", "A sweep"),
        "axes": [
            {"name": name, "label": _label(first[name], name), "values": values} | _palettes(values)
            for name, values in axes.items()
        ],
        "points": {name: _short(drawn.columns[name]) for name in (*shown, "pair", "task")}
        | {
            "cell": np.ravel_multi_index(places, shape).tolist()
            if places
            else [0] * drawn.columns["pair"].size
        },
        "labels": {
            str(name): _label(first[name], str(name))
            for name in first.data_vars
            if "task" in first[name].dims
        },
        "total": drawn.total,
        "limits": limits,
        "bins": None if drawn.complete else _bins(blocks, axes, limits),
        **_cells(blocks, axes, laws),
        "notes": notes,
        "configuration": configured,
        "made": {str(k): str(v) for k, v in first.attrs.items() if k not in ("configuration", "title")},
    }


def _axes(blocks: Sequence[xr.Dataset]) -> dict[str, list[Any]]:
    """Return the values of every axis with several, in order."""
    found: dict[str, list[Any]] = {}
    first = blocks[0]
    names = [str(name) for name in dict.fromkeys((*first["gain"].dims, *first.coords))]
    for name in (name for name in names if name in first.coords and name not in ("pair", "task")):
        values = {
            v.item() if isinstance(v, np.generic) else v for b in blocks for v in np.ravel(b[name].values)
        }
        if len(values) > 1:
            found[name] = sorted(values)
    return found


def _without(block: xr.Dataset, names: Sequence[str]) -> list[Any]:
    """Return the dimensions of one value that have other names."""
    return [name for name in block["gain"].dims if name not in names and block.sizes[name] == 1]


def _places(column: np.ndarray, values: list[Any]) -> np.ndarray:
    kept = np.array(values)
    return np.searchsorted(kept, column.astype(kept.dtype))


def _label(array: xr.DataArray, name: str) -> str:
    meaning, unit = (str(array.attrs.get(key, "")) for key in ("long_name", "units"))
    return name + (f": {meaning}" if meaning and meaning != name else "") + (f" [{unit}]" if unit else "")


def _palettes(values: list[Any]) -> dict[str, list[str]]:
    """Return colours of the values on white and on black: in order for numbers, apart for text."""
    import matplotlib
    from matplotlib.colors import to_hex

    from w2sjax.figures.style import CATEGORIES

    if isinstance(values[0], str | bool):
        kinds = [*CATEGORIES[:-1], "#888888"]
        return dict.fromkeys(("light", "dark"), [kinds[i % len(kinds)] for i in range(len(values))])
    ends = {"light": (0.0, 0.8), "dark": (0.35, 1.0)}
    cividis = matplotlib.colormaps["cividis"]
    return {
        name: [to_hex(cividis(at)) for at in np.linspace(*end, len(values))] for name, end in ends.items()
    }


def _limits(misfit: np.ndarray, gain: np.ndarray) -> tuple[float, float]:
    ends = np.array([central_limits(values, False) for values in (misfit, gain)])
    return float(ends.min()), float(ends.max())


def _short(values: np.ndarray) -> list[Any]:
    """Return numbers of 5 digits, which a page needs no more of."""
    if values.dtype.kind != "f":
        return values.tolist()
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]


def _by_cell(
    blocks: Sequence[xr.Dataset], axes: dict[str, list[Any]]
) -> Iterator[tuple[xr.Dataset, np.ndarray]]:
    """Yield every block with its axes in the order of the sweep, and the numbers of its cells by these axes."""
    shape = tuple(map(len, axes.values()))
    for block in blocks:
        places = [_places(np.ravel(block[name].values), values) for name, values in axes.items()]
        grid = np.meshgrid(*places, indexing="ij")
        number = np.ravel_multi_index(grid, shape) if axes else np.array(0)
        own = [name for name in axes if name in block.dims]
        yield block, number.reshape([block.sizes[name] for name in own])


def _bins(
    blocks: Sequence[xr.Dataset], axes: dict[str, list[Any]], limits: tuple[float, float]
) -> dict[str, Any]:
    """Count all points in square bins within the limits, by cell: what a page shows beside a sample of them."""
    cells = math.prod(len(values) for values in axes.values())
    side = int(np.clip((BINS / cells) ** 0.5, 8, 60))
    counts = np.zeros((cells, side * side), np.int64)
    edges = np.linspace(*limits, side + 1)
    for block, numbers in _by_cell(blocks, axes):
        own = [name for name in axes if name in block.dims]
        arrays = xr.broadcast(block["misfit"], block["gain"])
        x, y = (array.transpose(*own, "pair", "task").values.reshape(numbers.size, -1) for array in arrays)
        for number, across, up in zip(numbers.ravel().tolist(), x, y, strict=True):
            found, _, _ = np.histogram2d(across, up, [edges, edges])
            counts[number] += found.ravel().astype(np.int64)
    cell, place = np.nonzero(counts)
    return {
        "edges": edges.tolist(),
        "cell": cell.tolist(),
        "x": (place // side).tolist(),
        "y": (place % side).tolist(),
        "count": counts[cell, place].tolist(),
    }


def _cells(
    blocks: Sequence[xr.Dataset], axes: dict[str, list[Any]], laws: dict[int, list[float | None]]
) -> dict[str, Any]:
    """Return medians over pairs and counts of flags of every cell that has some, and the flags that occur."""
    gathered: dict[int, list[xr.Dataset]] = {}
    codes: dict[int, list[np.ndarray]] = {}
    for block, numbers in _by_cell(blocks, axes):
        values = pair_values(block)
        own = [name for name in axes if name in block.dims]
        for index in np.ndindex(numbers.shape):
            at, number = dict(zip(own, index, strict=True)), int(numbers[index])
            gathered.setdefault(number, []).append(values.isel(at))
            code = block["status_code"]
            codes.setdefault(number, []).append(
                code.isel({k: v for k, v in at.items() if k in code.dims}).values
            )
    flags = [
        flag for flag in Flag if flag and any((code & flag).any() for each in codes.values() for code in each)
    ]
    cells = []
    for number in sorted(gathered):
        whole = np.concatenate(codes[number])
        found = {}
        for name in gathered[number][0].data_vars:
            per_pair = np.concatenate([part[name].values for part in gathered[number]])
            finite = per_pair[np.isfinite(per_pair)]
            wide = np.quantile(finite, MIDDLE_80)[[0, 2]] if finite.size else np.full(2, np.nan)
            found[str(name)] = _short(np.concatenate([median_and_interval(per_pair[:, None])[:, 0], wide]))
        cells.append(
            {
                "cell": number,
                "pairs": int(whole.size),
                "values": found,
                "flags": [int(np.count_nonzero(whole & flag)) for flag in flags],
                "law": laws.get(number),
            }
        )
    return {"cells": cells, "flags": [{"name": flag.words(), "meaning": flag.meaning()} for flag in flags]}


def _laws(
    blocks: Sequence[xr.Dataset], axes: dict[str, list[Any]], notes: list[str]
) -> dict[int, list[float | None]]:
    """Return 5, 50 and 95% of the deviation of single tasks that the law predicts, by cell; add a note of refusals."""
    first = blocks[0]
    if "configuration" not in first.attrs:
        notes.append("No law of the deviation: the store does not say what made it.")
        return {}
    pairs = np.unique(np.concatenate([np.ravel(block["pair"].values) for block in blocks]))[:LAW_PAIRS]
    scalars = {str(n): c.values for n, c in first.coords.items() if n not in (*axes, "pair", "task")}
    whole = xr.Dataset(coords={**axes, **scalars, "pair": pairs, "task": first["task"]}, attrs=first.attrs)
    whole["number"] = (
        tuple(axes),
        np.arange(math.prod(whole[a].size for a in axes)).reshape(list(map(len, axes.values()))),
    )
    others = [name for name in axes if name.split(".")[-1] not in ("n_strong", "n_eval")]
    found: dict[int, list[float | None]] = {}
    refused: list[str] = []
    for values in itertools.product(*(axes[name] for name in others)):
        cells = whole.sel({name: [value] for name, value in zip(others, values, strict=True)})
        try:
            mean, spread = mean_and_spread(cells, deviation_laws(cells))
        except W2SError as error:
            refused.append(str(error))
            continue
        band = quantiles(law_samples(mean, spread), ("pair", "task", "node"), BAND)
        rows = band.broadcast_like(cells["number"]).transpose(*axes, "quantile").values.reshape(-1, len(BAND))
        found |= {
            n: _short(row) for n, row in zip(cells["number"].values.ravel().tolist(), rows, strict=True)
        }
    for reason in dict.fromkeys(refused):
        notes.append(f"No law of the deviation{' in some cells' if found else ''}: {reason}")
    return found
