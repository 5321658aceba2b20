"""Choosing among candidates on labelled data: along an axis of a sweep, and on the features of every candidate."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.choices import Selection, compare_criteria
from w2sjax.analysis.statistics import usable
from w2sjax.engine.evaluate import evaluate_features
from w2sjax.errors import W2SError

_QUANTITIES = ("weak_error", "misfit", "w2s_error")

MEANINGS = {
    "chosen": ("position of the chosen candidate; -1 if none is usable", "1"),
    "regret": ("w2s_error of the chosen candidate - smallest w2s_error", "squared label unit"),
    "relative_regret": ("regret / smallest w2s_error", "1"),
    "rank_correlation": ("Spearman correlation of criterion and w2s_error over candidates", "1"),
    "negative_share": ("share of usable candidates with a negative criterion", "1"),
    "chosen_negative": ("the criterion of the chosen candidate is negative: 1, else 0", "1"),
    "usable": ("usable candidates", "candidates"),
}
"""Long name and unit of the fields of `Selection`."""


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
    counts = usable(dataset) if "status_code" in dataset else xr.ones_like(arrays[2], bool)
    broadcast = xr.broadcast(*arrays, counts)
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
    outcomes: list[Any] = []
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


def _check_names(candidate: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that `evaluate_features` does not have or lacks."""
    try:
        inspect.signature(evaluate_features).bind(**arguments)
    except TypeError as error:
        raise W2SError(
            f"candidate {candidate!r}: {error}: pass the arguments of evaluate_features."
        ) from error


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
            for field, (meaning, unit) in MEANINGS.items()
        },
        coords={"criterion": list(selections), **coords},
    )
