"""Choosing among candidate models by weak_error - misfit (Charikar, Pabbaraju and Shiragur 2024, Tables 1 to 3).

Theorem 1 of that paper bounds the error of the w2s model by `weak_error - misfit` where the strong class is convex and
realizes the truth. The paper therefore proposes to train the strong model with each candidate weak model and to keep
the one for which this difference is smallest. It needs the truth only through `weak_error`. The same rule chooses
among candidate strong models.

Everything here is NumPy on the host. Arrays of candidates have the shape `[candidate, ...]`; further axes (pairs,
tasks, sample sizes) are independent selections.
"""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.engine.evaluate import evaluate_features
from w2sjax.engine.outcome import UNUSABLE
from w2sjax.errors import W2SError
from w2sjax.theory.charikar2024 import theorem1_bound
from w2sjax.validation import plain_array

CRITERIA = ("upper_bound", "weak_error", "misfit", "random")
"""What candidates are chosen by: the smallest weak_error - misfit, weak_error or misfit, or uniformly at random."""

_QUANTITIES = ("weak_error", "misfit", "w2s_error")

_MEANINGS = {
    "chosen": ("position of the chosen candidate; -1 if none is usable", "1"),
    "regret": ("w2s_error of the chosen candidate - smallest w2s_error", "squared label unit"),
    "relative_regret": ("regret / smallest w2s_error", "1"),
    "rank_correlation": ("Spearman correlation of criterion and w2s_error over candidates", "1"),
    "negative_share": ("share of usable candidates with a negative criterion", "1"),
    "chosen_negative": ("the criterion of the chosen candidate is negative: 1, else 0", "1"),
    "usable": ("usable candidates", "candidates"),
}


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
        criterion: `[candidate, ...]`, any real numbers.
        w2s_error: `[candidate, ...]`, the error of the w2s model that each candidate gives, >= 0. A better estimate
            than the one behind the criterion makes the regret an honest one.
        usable: `[candidate, ...]` booleans; None for all. Candidates with a criterion or w2s_error that is not finite
            are never usable.

    Returns:
        A `Selection`; see there.

    Raises:
        W2SError: for shapes that differ, or no candidates.

    Cost: O(k^2) time and memory per selection among k candidates.
    """
    criterion, w2s_error, usable = _checked(criterion, w2s_error, usable)
    chosen = np.argmin(np.where(usable, criterion, np.inf), axis=0)
    taken_error = np.take_along_axis(w2s_error, chosen[None], 0)[0]
    taken_criterion = np.take_along_axis(criterion, chosen[None], 0)[0]
    return _selection(chosen, taken_error, taken_criterion < 0, criterion, w2s_error, usable)


def choose_at_random(w2s_error: Any, usable: Any = None) -> Selection:
    """Return the expected regret of a uniformly random usable candidate; `chosen` is -1 and no rank is given.

    Args:
        w2s_error, usable: as in `select`.
    """
    _, w2s_error, usable = _checked(w2s_error, w2s_error, usable)
    count = usable.sum(0)
    with np.errstate(invalid="ignore"):
        average = np.where(usable, w2s_error, 0).sum(0) / np.where(count > 0, count, np.nan)
    nothing = np.full(average.shape, np.nan)
    result = _selection(np.full(count.shape, -1), average, nothing, None, w2s_error, usable)
    return dataclasses.replace(result, negative_share=nothing, chosen_negative=nothing)


def rank_correlation(a: Any, b: Any, usable: Any = None) -> np.ndarray:
    """Return Spearman's rank correlation over the leading axis, equals having their mean rank.

    Args:
        a, b: `[candidate, ...]`.
        usable: `[candidate, ...]` booleans; the others are left out. None for all.

    Returns:
        `[...]`, in [-1, 1]; NaN where fewer than two are usable, or where all usable values of a or of b are equal.
    """
    a, b, usable = _checked(a, b, usable)
    ranks = [_ranks(values, usable) for values in (a, b)]
    count = np.where(usable.any(0), usable.sum(0), 1)
    centred = [np.where(usable, r - r.sum(0) / count, 0) for r in ranks]
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
    criteria = {"upper_bound": theorem1_bound(*values[:2]), "weak_error": values[0], "misfit": values[1]}
    chosen = {name: select(value, values[3], allowed) for name, value in criteria.items()}
    return chosen | {"random": choose_at_random(values[3], allowed)}


def select_in_dataset(dataset: xr.Dataset, candidate: str, truth: xr.DataArray | None = None) -> xr.Dataset:
    """Select along an axis of a sweep: candidate models are its values.

    Args:
        dataset: from `sweep`, with the axis `candidate` and the variables weak_error, misfit, w2s_error and, if there,
            status_code: candidates with a flag of `w2sjax.engine.outcome.UNUSABLE` are never
            chosen.
        candidate: name of the axis, such as "weak_noise" (strong model fixed) or "strong_noise" (weak model fixed).
        truth: w2s_error to measure against, with the axis `candidate`; None for the Dataset's own.

    Returns:
        A Dataset with the fields of `Selection` and `chosen_value`, the chosen value of the axis where it is numeric;
        dims ("criterion", and those of w2s_error without the axis).

    Raises:
        W2SError: if the Dataset lacks the axis or a variable; the message names it.
    """
    for name in _QUANTITIES:
        if name not in dataset:
            raise W2SError(f"the Dataset has no variable {name}: pass the result of a sweep.")
    if candidate not in dataset["w2s_error"].dims:
        axes = ", ".join(str(d) for d in dataset["w2s_error"].dims)
        raise W2SError(f"candidate={candidate!r} is no axis of the Dataset: its axes are {axes}.")
    arrays = [dataset[name] for name in _QUANTITIES]
    arrays.append(arrays[2] if truth is None else truth)
    usable = xr.ones_like(arrays[2], bool)
    if "status_code" in dataset:
        usable = (dataset["status_code"] & int(UNUSABLE)) == 0
    broadcast = xr.broadcast(*arrays, usable)
    dims = (candidate, *(d for d in broadcast[0].dims if d != candidate))
    weak_error, misfit, w2s_error, measured, allowed = (a.transpose(*dims).values for a in broadcast)
    selections = compare_criteria(weak_error, misfit, w2s_error, allowed, measured)
    coords = {d: broadcast[0][d] for d in dims[1:] if d in broadcast[0].coords}
    report = _report(selections, tuple(str(d) for d in dims[1:]), coords)
    values = dataset[candidate].values
    if np.issubdtype(values.dtype, np.number):
        chosen = report["chosen"]
        report["chosen_value"] = xr.where(chosen >= 0, values[chosen.values], np.nan).assign_attrs(
            long_name=f"{candidate} of the chosen candidate"
        )
    return report


def select_candidates(
    candidates: Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]],
) -> tuple[xr.Dataset, xr.Dataset]:
    """Run the experiment on the features of every candidate, and choose among them.

    Args:
        candidates: the keyword arguments of `evaluate_features` for each candidate, by name or in order. Candidates
            for the weak model share `strong_transfer`, `strong_eval` and the labels, and bring their own `weak_train`,
            `weak_transfer` and `weak_eval`; widths may differ. `y_eval` measures weak_error, which the criterion needs,
            and w2s_error, which it does not. Regret on the same small sample flatters: pass a large one.

    Returns:
        report: the fields of `Selection` and `chosen_name`, dims ("criterion",) or ("criterion", "task").
        outcomes: weak_error, w2s_error, ceiling_error, misfit, gain, deviation, pgr and status_code of every
            candidate, dims ("candidate",) or ("candidate", "task").

    Raises:
        W2SError: for no candidates, candidates with different tasks, and as `evaluate_features`, naming the
            candidate.

    Cost: that of `evaluate_features` per candidate, which compiles anew for every width.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal((3, 200, 8))
        >>> y = np.sin(x) @ np.ones(8)
        >>> shared = dict(y_train=y[0], y_eval=y[2], strong_transfer=np.sin(x[1]), strong_eval=np.sin(x[2]))
        >>> def weak(seen):
        ...     return dict(weak_train=x[0, :, :seen], weak_transfer=x[1, :, :seen], weak_eval=x[2, :, :seen])
        >>> report, outcomes = select_candidates({"two": shared | weak(2), "six": shared | weak(6)})
        >>> report["chosen_name"].sel(criterion="upper_bound").item()
        'six'
    """
    named = (
        dict(candidates) if isinstance(candidates, Mapping) else {str(i): c for i, c in enumerate(candidates)}
    )
    if not named:
        raise W2SError("candidates is empty: pass the arguments of evaluate_features for at least one.")
    outcomes = []
    for name, arguments in named.items():
        _check_names(name, arguments)
        try:
            outcomes.append(evaluate_features(**arguments))
        except W2SError as error:
            raise W2SError(f"candidate {name!r}: {error}") from error
    shapes = {np.shape(outcome.weak_error) for outcome in outcomes}
    if len(shapes) > 1:
        raise W2SError(
            f"candidates have labels of different shapes {sorted(shapes)}: give all the same tasks."
        )
    dims = ("candidate", "task")[: 1 + len(shapes.pop())]
    fields = (*_QUANTITIES, "ceiling_error", "gain", "deviation", "pgr")
    table = xr.Dataset(
        {f: (dims, np.stack([np.asarray(getattr(o, f)) for o in outcomes])) for f in fields},
        coords={"candidate": list(named)},
    )
    table["status_code"] = ("candidate", np.array([int(o.status.code) for o in outcomes]))
    report = select_in_dataset(table, "candidate")
    names = np.array([*named, ""])
    return report.assign(chosen_name=(report["chosen"].dims, names[report["chosen"].values])), table


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


def _check_names(candidate: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that `evaluate_features` does not have or lacks."""
    try:
        inspect.signature(evaluate_features).bind(**arguments)
    except TypeError as error:
        raise W2SError(
            f"candidate {candidate!r}: {error}: pass the arguments of evaluate_features."
        ) from error


def _ranks(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return mean ranks from 1 among the usable values of the leading axis, 0 for the others."""
    values = np.where(usable, values, np.inf)
    below = np.zeros(values.shape)
    for other, counts in zip(values, usable, strict=True):
        below += counts * ((other < values) + 0.5 * (other == values))
    return np.where(usable, below + 0.5, 0)


def _selection(
    chosen: np.ndarray,
    error: np.ndarray,
    negative: np.ndarray,
    criterion: np.ndarray | None,
    w2s_error: np.ndarray,
    usable: np.ndarray,
) -> Selection:
    count = usable.sum(0)
    some = count > 0
    best = np.where(usable, w2s_error, np.inf).min(0)
    with np.errstate(invalid="ignore"):
        regret = np.where(some, error - best, np.nan)
        relative = np.where(some & (best > 0), regret / np.where(best > 0, best, 1), np.nan)
    nothing = np.full(count.shape, np.nan)
    below = nothing
    if criterion is not None:
        below = np.where(some, (usable & (criterion < 0)).sum(0) / np.where(some, count, 1), np.nan)
    return Selection(
        chosen=np.where(some, chosen, -1),
        regret=regret,
        relative_regret=relative,
        rank_correlation=nothing if criterion is None else rank_correlation(criterion, w2s_error, usable),
        negative_share=below,
        chosen_negative=np.where(some, negative, np.nan),
        usable=count,
    )


def _report(
    selections: Mapping[str, Selection], dims: tuple[str, ...], coords: Mapping[Any, Any]
) -> xr.Dataset:
    """Label selections by criterion along a dimension `criterion`."""
    return xr.Dataset(
        {
            field: (
                ("criterion", *dims),
                np.stack([getattr(selection, field) for selection in selections.values()]),
                {"long_name": meaning, "units": unit},
            )
            for field, (meaning, unit) in _MEANINGS.items()
        },
        coords={"criterion": list(selections), **coords},
    )
