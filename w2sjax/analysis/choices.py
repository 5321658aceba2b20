"""Choosing among candidate models by weak_error - misfit (Charikar, Pabbaraju and Shiragur 2024, Tables 1 to 3).

Theorem 1 of that paper bounds the error of the w2s model by `weak_error - misfit` where the strong class is convex and
realizes the truth. The paper therefore proposes to train the strong model with each candidate weak model and to keep
the one for which this difference is smallest. It needs the truth only through `weak_error`. The same rule chooses
among candidate strong models.

Everything here is NumPy on the host. Arrays of candidates have the shape `[candidate, ...]`; further axes (pairs,
tasks, sample sizes) are independent selections.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats

from w2sjax.errors import W2SError
from w2sjax.theory.charikar2024 import theorem1_bound
from w2sjax.validation import plain_array

CRITERIA = ("upper_bound", "weak_error", "misfit", "random")
"""What candidates are chosen by: the smallest weak_error - misfit, weak_error or misfit, or uniformly at random."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """What a criterion chose and what that cost, each array `[...]`: the candidates' shape without its leading axis.

    Attributes:
        chosen: position of the candidate with the smallest criterion, the first of equals; -1 if none is usable.
        regret: w2s_error of the chosen candidate minus the smallest w2s_error of any usable one, >= 0.
        relative_regret: regret / smallest w2s_error; NaN where that is not positive.
        rank_correlation: Spearman's coefficient between criterion and w2s_error over usable candidates, in [-1, 1].
        negative_share: share of usable candidates whose criterion is negative, in [0, 1].
        chosen_negative: 1 where the chosen criterion is negative, else 0.
        usable: number of usable candidates.

    All but `chosen` and `usable` are NaN where no candidate is usable.
    """

    chosen: np.ndarray
    regret: np.ndarray
    relative_regret: np.ndarray
    rank_correlation: np.ndarray
    negative_share: np.ndarray
    chosen_negative: np.ndarray
    usable: np.ndarray


def select(criterion: Any, w2s_error: Any, usable: Any = None) -> Selection:
    """Choose the candidate with the smallest criterion, and measure the choice against the truth.

    Args:
        criterion: `[candidate, ...]`, any real numbers. None for a uniformly random choice: the regret is then the
            expected one, `chosen` is -1, and there is no rank and no negative share.
        w2s_error: `[candidate, ...]`, the error of the w2s model that each candidate gives, >= 0. A better estimate
            than the one behind the criterion makes the regret an honest one.
        usable: `[candidate, ...]` booleans; None for all. Candidates with a criterion or w2s_error that is not finite
            are never usable.

    Returns:
        A `Selection`; see there.

    Raises:
        W2SError: for shapes that differ, or no candidates.

    Cost: O(k log k) time per selection among k candidates.
    """
    at_random = criterion is None
    criterion, w2s_error, usable = _checked(w2s_error if at_random else criterion, w2s_error, usable)
    count = usable.sum(0)
    some = count > 0
    rank = negative = chosen_negative = np.full(count.shape, np.nan)
    if at_random:
        chosen = np.full(count.shape, -1)
        error = np.where(usable, w2s_error, 0).sum(0) / np.maximum(count, 1)
    else:
        chosen = np.argmin(np.where(usable, criterion, np.inf), axis=0)
        error, value = (np.take_along_axis(v, chosen[None], 0)[0] for v in (w2s_error, criterion))
        rank = rank_correlation(criterion, w2s_error, usable)
        negative = np.where(some, (usable & (criterion < 0)).sum(0) / np.maximum(count, 1), np.nan)
        chosen_negative = np.where(some, value < 0, np.nan)
    best = np.where(usable, w2s_error, np.inf).min(0)
    regret = np.where(some, error, np.nan) - np.where(some, best, 0)
    return Selection(
        chosen=np.where(some, chosen, -1),
        regret=regret,
        relative_regret=np.where(best > 0, regret / np.where(best > 0, best, 1), np.nan),
        rank_correlation=rank,
        negative_share=negative,
        chosen_negative=chosen_negative,
        usable=count,
    )


def rank_correlation(a: Any, b: Any, usable: Any = None) -> np.ndarray:
    """Return Spearman's rank correlation over the leading axis, equals having their mean rank.

    Args:
        a, b: `[candidate, ...]`.
        usable: `[candidate, ...]` booleans; the others are left out. None for all.

    Returns:
        `[...]`, in [-1, 1]; NaN where fewer than two are usable, or where all usable values of a or of b are equal.
    """
    a, b, usable = _checked(a, b, usable)
    ranks = [
        np.where(usable, stats.rankdata(np.where(usable, v, np.nan), axis=0, nan_policy="omit"), 0)
        for v in (a, b)
    ]
    count = np.maximum(usable.sum(0), 1)
    centred = [np.where(usable, rank - rank.sum(0) / count, 0) for rank in ranks]
    spread = np.sqrt((centred[0] ** 2).sum(0) * (centred[1] ** 2).sum(0))
    product = (centred[0] * centred[1]).sum(0)
    return np.where(spread > 0, product / np.where(spread > 0, spread, 1), np.nan)


def compare_criteria(
    weak_error: Any, misfit: Any, w2s_error: Any, usable: Any = None, truth: Any = None
) -> dict[str, Selection]:
    """Choose by each of `CRITERIA`, and measure every choice against the same truth.

    Args:
        weak_error, misfit, w2s_error: `[candidate, ...]`, the estimates at hand. A candidate for which any of them is
            not finite is unusable for every criterion.
        usable: `[candidate, ...]` booleans; None for all.
        truth: `[candidate, ...]`, a better estimate of w2s_error to measure regret and rank correlation against; None
            for w2s_error itself.

    Returns:
        A `Selection` by criterion.
    """
    truth = w2s_error if truth is None else truth
    given = {"weak_error": weak_error, "misfit": misfit, "w2s_error": w2s_error, "truth": truth}
    values = [plain_array(name, value) for name, value in given.items()]
    allowed = np.ones(values[0].shape, bool) if usable is None else plain_array("usable", usable) != 0
    for value in values:
        allowed = allowed & np.isfinite(value)
    criteria = (theorem1_bound(*values[:2]), values[0], values[1], None)
    return {name: select(value, values[3], allowed) for name, value in zip(CRITERIA, criteria, strict=True)}


def _checked(a: Any, b: Any, usable: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both as floating arrays, and which candidates are usable."""
    a, b = plain_array("criterion", a), plain_array("w2s_error", b)
    allowed = np.ones(a.shape, bool) if usable is None else plain_array("usable", usable) != 0
    if not a.shape == b.shape == allowed.shape:
        raise W2SError(
            f"shapes {a.shape}, {b.shape} and {allowed.shape} differ: pass arrays [candidate, ...] of one shape."
        )
    if a.ndim == 0 or a.shape[0] == 0:
        raise W2SError(f"shape {a.shape} has no candidates: pass arrays [candidate, ...].")
    return a, b, allowed & np.isfinite(a) & np.isfinite(b)
