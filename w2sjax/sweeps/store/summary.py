"""Numbers that sum up a finished store: quantiles over pairs in every cell, read one chunk at a time."""

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from w2sjax.errors import StoreError, told
from w2sjax.files import write_atomically
from w2sjax.flags import UNUSABLE, Flag
from w2sjax.medians import interval_ranks, recovered, task_means
from w2sjax.sweeps import labels
from w2sjax.sweeps.store.layout import SUMMARY, Layout, open_variable
from w2sjax.sweeps.store.reading import reading

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

EXACT = 2**20
"""Pairs up to which quantiles are exact; more are counted in bins of width `RELATIVE_ERROR`."""

RELATIVE_ERROR = 1e-3


class Distribution:
    """Count, mean and quantiles of a stream of numbers in bounded memory; what is not finite is left out.

    Quantiles are NumPy's, linear between order statistics, as long as there are at most `exact` numbers. Beyond,
    numbers are counted in logarithmic bins, and a quantile is an order statistic with a relative error of at most
    `RELATIVE_ERROR`; numbers below 1e-150 count as zero.
    """

    def __init__(self, exact: int = EXACT) -> None:
        self.count, self.total = 0, 0
        self._sum = 0.0
        self._exact = exact
        self._kept: list[np.ndarray] = []
        self._bins: dict[tuple[int, int], int] | None = None
        self._log = math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))

    def add(self, values: np.ndarray) -> None:
        """Add numbers of any shape."""
        self.total += values.size
        finite = values[np.isfinite(values)].astype(float)
        self.count += finite.size
        self._sum += float(finite.sum())
        if self._bins is None:
            self._kept.append(finite)
            if self.count > self._exact:
                self._bins = {}
                for kept in self._kept:
                    self._count(kept)
                self._kept = []
        else:
            self._count(finite)

    def _count(self, values: np.ndarray) -> None:
        assert self._bins is not None
        size = np.abs(values)
        sign = np.where(size < 1e-150, 0, np.sign(values)).astype(int)
        index = np.ceil(np.log(np.where(sign == 0, 1.0, size)) / self._log).astype(int)
        # Negative numbers run the other way, so that bins are in the order of their values.
        found, counts = np.unique(np.stack([sign, sign * index]), axis=1, return_counts=True)
        for s, i, n in zip(*found.tolist(), counts.tolist(), strict=True):
            self._bins[s, i] = self._bins.get((s, i), 0) + n

    def mean(self) -> float | None:
        """Return the mean, or None of nothing."""
        return self._sum / self.count if self.count else None

    def quantiles(self, levels: tuple[float, ...]) -> list[float] | None:
        """Return quantiles at levels in [0, 1], or None of nothing."""
        if not self.count:
            return None
        if self._bins is None:
            return [float(q) for q in np.quantile(np.concatenate(self._kept), levels)]
        keys = sorted(self._bins)
        reached = np.cumsum([self._bins[key] for key in keys])
        ranks = np.round(np.array(levels) * (self.count - 1)).astype(int)
        return [self._value(*keys[int(np.searchsorted(reached, rank, side="right"))]) for rank in ranks]

    def _value(self, sign: int, signed_index: int) -> float:
        upper = math.exp(sign * signed_index * self._log)
        return sign * upper * (1 - RELATIVE_ERROR) if sign else 0.0


def summarize_store(layout: Layout, *, exact: int = EXACT) -> dict[str, Any]:
    """Sum up a finished store cell by cell.

    Every quantity is first averaged over what is finite of the tasks of a pair; mean and quantiles are over pairs, less
    those with a flag of `UNUSABLE`. `pgr` is gain / (weak_error - ceiling_error) of these averages. The numbers are
    those of `w2sjax.analysis.summarize`.

    Returns:
        JSON values: the configuration, and per cell its place on the axes, per quantity `mean`, `quantiles` by level,
        `median_interval`, the 95% interval of the median by resampling pairs (None for a few), `finite_pairs` and
        `tasks_left_out`, those that were not finite; how many pairs carry each status flag, and how many are unusable.

    Raises:
        StoreError: if a chunk is damaged.

    Cost: reads every metric and the status once; memory is one chunk and 8 bytes per pair, cell of the inner axes and
    quantity, at most `exact` pairs of them.
    """
    names = list(layout.axes)
    blocks = [range(math.ceil(len(values) / layout.blocks[name])) for name, values in layout.axes.items()]
    metrics = [
        name
        for name, variable in layout.variables.items()
        if variable.own == ("task",) and not name.endswith(labels.STANDARD_ERROR)
    ]
    entries: dict[tuple[int, ...], dict[str, Any]] = {
        place: {"axes": {name: layout.axes[name][i] for name, i in zip(names, place, strict=True)}}
        for place in itertools.product(*(range(len(values)) for values in layout.axes.values()))
    }
    for block in itertools.product(*blocks):
        first = tuple(part.start for part in layout.slices((0, *block))[1:])
        for variable in metrics:
            found, left_out = _distributions(layout, block, variable, exact)
            for index, distribution in found.items():
                levels = distribution.quantiles(QUANTILES)
                ranks = interval_ranks(distribution.count)
                ends = ranks and distribution.quantiles(
                    (ranks[0] / (distribution.count - 1), ranks[1] / (distribution.count - 1))
                )
                entries[_sum(first, index)][variable] = {
                    "mean": distribution.mean(),
                    "quantiles": dict(zip(map(str, QUANTILES), levels, strict=True)) if levels else None,
                    "median_interval": ends,
                    "finite_pairs": distribution.count,
                    "tasks_left_out": left_out[index],
                }
        for index, counts in _flags(layout, block).items():
            entries[_sum(first, index)]["status"] = counts
    return {
        "pairs": len(layout.pairs),
        "averaged_over": "task",
        "unusable_pairs": "left out",
        "quantile_relative_error": 0.0 if len(layout.pairs) <= exact else RELATIVE_ERROR,
        "configuration": layout.configuration,
        "cells": list(entries.values()),
    }


def _sum(first: tuple[int, ...], index: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, index, strict=True))


def write_summary(layout: Layout) -> None:
    """Write the summary of a finished store into it.

    Raises:
        StoreError: if it cannot be written, or a chunk is damaged.
    """
    file = layout.path / SUMMARY
    text = json.dumps(summarize_store(layout), indent=1, allow_nan=False)
    with told(f"{file} cannot be written", StoreError, ", then run the same command again"):
        write_atomically(file, text + "\n")


def has_summary(layout: Layout) -> bool:
    """Say whether a store has its summary, whole."""
    try:
        found = json.loads((layout.path / SUMMARY).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and bool(found.get("cells"))


def _distributions(
    layout: Layout, block: tuple[int, ...], variable: str, exact: int
) -> tuple[dict[tuple[int, ...], Distribution], dict[tuple[int, ...], int]]:
    """Return the distributions of task means over pairs, and how many tasks are not in them, by cell of the block."""
    found: dict[tuple[int, ...], Distribution] = {}
    left_out: dict[tuple[int, ...], int] = {}
    gap = ("gain", "weak_error", "ceiling_error")
    parts = gap if variable == "pgr" and all(name in layout.variables for name in gap) else ()
    names = ("status_code", variable, *parts)
    for code, values, *others in zip(*(_chunks(layout, block, name) for name in names), strict=True):
        means = recovered(*map(task_means, others)) if others else task_means(values)
        means = np.where(code & int(UNUSABLE), np.nan, means)
        for index in np.ndindex(means.shape[1:]):
            here = (slice(None), *index)
            found.setdefault(index, Distribution(exact)).add(means[here])
            left_out[index] = left_out.get(index, 0) + int(np.count_nonzero(~np.isfinite(values[here])))
    return found, left_out


def _flags(layout: Layout, block: tuple[int, ...]) -> dict[tuple[int, ...], dict[str, int]]:
    found: dict[tuple[int, ...], dict[str, int]] = {}
    for values in _chunks(layout, block, "status_code"):
        for index in np.ndindex(values.shape[1:]):
            code = values[(slice(None), *index)]
            counts = found.setdefault(index, {})
            for flag in Flag:
                if flag and flag.name:
                    name = flag.name.lower()
                    counts[name] = counts.get(name, 0) + int(np.count_nonzero(code & int(flag)))
            counts["unusable"] = counts.get("unusable", 0) + int(np.count_nonzero(code & int(UNUSABLE)))
    return found


def _chunks(layout: Layout, block: tuple[int, ...], variable: str) -> Iterator[np.ndarray]:
    """Yield the chunks `[pair, *axes, ...]` of a variable in the cells of a block."""
    array = open_variable(layout, variable, mode="r")
    for run in range(layout.runs):
        with reading(layout):
            values = np.asarray(array[layout.slices((run, *block))])
        yield values
