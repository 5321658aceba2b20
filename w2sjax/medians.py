"""Medians over pairs and how well so many pairs determine them. NumPy on the host.

The errors of independent pairs are heavy-tailed: a few draws have errors hundreds of times the typical ones and lead
every mean. Medians are what a typical pair does.
"""

import bisect
import functools
from typing import Any

import numpy as np

FEWEST_RESAMPLED = 8
"""Pairs from which an interval is resampled: below, it says nothing."""

LEVEL = 0.95
"""Of intervals."""


@functools.lru_cache(maxsize=4096)
def interval_ranks(count: int) -> tuple[int, int] | None:
    """Return the ranks, from 0, of the order statistics that bound a median of so many independent values.

    They are the 2.5% and 97.5% quantiles of the median of resampled values (the percentile bootstrap, Efron 1979), not
    by drawing but exactly: the median of n values drawn with replacement is at most the k-th smallest with probability
    P(Binomial(n, k / n) >= m), where m = (n + 1) / 2 is the median's rank. For an even n the lower of the two middle
    values stands for it at the lower end, and the upper one at the upper end.

    Returns:
        None for fewer than `FEWEST_RESAMPLED` values.
    """
    from scipy.special import betainc

    if count < FEWEST_RESAMPLED:
        return None

    def first(middle: int, probability: float) -> int:
        # P(Binomial(n, p) >= m) is the incomplete beta function of p at m and n - m + 1.
        at_most = functools.partial(betainc, middle, count - middle + 1)
        return bisect.bisect_left(range(1, count + 1), probability, key=lambda k: at_most(k / count))

    tail = (1 - LEVEL) / 2
    return first((count + 1) // 2, tail), first(count // 2 + 1, 1 - tail)


def median_and_interval(values: np.ndarray) -> np.ndarray:
    """Return the median over the leading axis of what is finite, and the ends of its 95% interval.

    Args:
        values: `[pair, ...]`.

    Returns:
        `[3, ...]`: median, low, high; NaN where nothing is finite, the ends also where fewer than `FEWEST_RESAMPLED`
        are.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    ordered = np.sort(values.reshape(len(values), -1), axis=0)  # NaN last
    counts = np.isfinite(ordered).sum(0)
    found = np.full((3, ordered.shape[1]), np.nan)
    for count in np.unique(counts[counts > 0]).tolist():
        cells = np.flatnonzero(counts == count)
        found[0, cells] = ordered[[(count - 1) // 2, count // 2]][:, cells].mean(0)
        ranks = interval_ranks(count)
        if ranks is not None:
            found[1:, cells] = ordered[list(ranks)][:, cells]
    return found.reshape(3, *values.shape[1:])


def task_means(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of what is finite; NaN of nothing."""
    finite = np.isfinite(values)
    count = finite.sum(axis=-1)
    total = np.where(finite, values, 0.0).sum(axis=-1, dtype=float)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def recovered(gain: Any, weak_error: Any, ceiling_error: Any) -> Any:
    """Return gain / (weak_error - ceiling_error) of means over tasks, NaN where that gap is not positive.

    It is the performance gap recovered of a pair. The mean of every task's own would be led by tasks of a small gap.
    """
    gap = np.asarray(weak_error) - np.asarray(ceiling_error)
    return np.where(gap > 0, np.asarray(gain) / np.where(gap > 0, gap, 1.0), np.nan)
