"""The host edge: arrays become labelled variables with meanings and units."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from w2sjax.engine.metrics import Metric
from w2sjax.engine.outcome import Outcome
from w2sjax.flags import Flag
from w2sjax.sweeps.grid import Grid

AXIS_MEANINGS = {
    "n_weak": ("samples of the weak model", "samples"),
    "n_strong": ("samples of the w2s model", "samples"),
    "n_eval": ("evaluation samples", "samples"),
    "ridge": ("ridge of the heads", "squared feature unit"),
    "label_noise": ("standard deviation of label noise", "label unit"),
    "radius": ("largest norm of the heads' weights", "label unit per feature unit"),
    "copies": ("heads combined", "heads"),
    "epochs": ("epochs of training", "epochs"),
    "batch_size": ("rows per step of training", "samples"),
    "learning_rate": ("learning rate", "1"),
    "weight_decay": ("weight decay", "1"),
    "weak_noise": ("standard deviation of the weak parameters' noise", "parameter unit"),
    "strong_noise": ("standard deviation of the strong parameters' noise", "parameter unit"),
    "input_scale": ("standard deviation of the inputs", "input unit"),
}
"""Long name and unit of the fields that have them; others go by their name."""

CURVE = "_loss_curve"
"""Ending of the names of training curves."""

LEARNING = "_learning_curve"
"""Ending of the names of metrics along training."""

STANDARD_ERROR = "_standard_error"

_STATUS = {
    "rank": "numerical rank of the {} features",
    "condition": "condition number of the {} features, columns scaled",
    "dropped": "{} directions dropped",
}


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable of results.

    Attributes:
        own: dimensions beside pair and axes: task, progress of training, none for the status.
        shape: along these.
        dtype: in NumPy's words.
        attributes: meaning and unit.
    """

    own: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    attributes: dict[str, str]

    @property
    def missing(self) -> Any:
        """What stands where there is no result."""
        return float("nan") if np.issubdtype(np.dtype(self.dtype), np.floating) else 0


def flatten(outcome: Outcome) -> dict[str, np.ndarray]:
    """Return the arrays of an outcome by variable name, on the host."""
    outcome = jax.device_get(outcome)
    named = {name: np.asarray(values) for name, values in outcome.values.items()}
    named |= {f"status_{name}": np.asarray(values) for name, values in outcome.status.named().items()}
    named |= {f"{name}{STANDARD_ERROR}": np.asarray(values) for name, values in outcome.spread.items()}
    named |= {f"{name}{LEARNING}": np.asarray(values) for name, values in outcome.learning.items()}
    return named | {f"{name}{CURVE}": np.asarray(curve) for name, curve in outcome.curves.items()}


def variables_of(
    template: Mapping[str, np.ndarray], grid: Grid, metrics: Sequence[Metric]
) -> dict[str, Variable]:
    """Return the variables of results.

    Args:
        template: one pair's results by name, `[1, *inner axes, ...]`; only shapes and dtypes matter.
        grid: of the sweep.
        metrics: what is measured.
    """
    table = {metric.name: metric for metric in metrics}
    return {
        name: Variable(
            own=_own_dimensions(name),
            shape=values.shape[1 + len(grid.inner) :],
            dtype=str(values.dtype),
            attributes=_attributes(name, table),
        )
        for name, values in template.items()
    }


def _own_dimensions(name: str) -> tuple[str, ...]:
    if name.endswith(CURVE):
        return ("progress",)
    if name.endswith(LEARNING):
        return ("task", "progress")
    return () if name.startswith("status_") else ("task",)


def _attributes(name: str, metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return the meaning and unit of a variable."""
    if name == "status_code":
        bits = ", ".join(f"{int(flag)} {flag.words()}" for flag in Flag if flag)
        return {"long_name": f"status, bits: {bits}", "units": "1"}
    if name == "status_dropped_effect":
        meaning = "largest share of the explained label variance along dropped directions"
        return {"long_name": meaning, "units": "1"}
    if name.startswith("status_"):
        group, _, what = name.removeprefix("status_").rpartition("_")
        return {"long_name": _STATUS[what].format(group), "units": "1"}
    if name.endswith(CURVE):
        what = name.removesuffix(CURVE).replace("_", " ")
        return {"long_name": f"mean training loss of {what}", "units": "squared label unit"}
    metric = metrics[name.removesuffix(STANDARD_ERROR).removesuffix(LEARNING)]
    prefix = "standard error of " if name.endswith(STANDARD_ERROR) else ""
    suffix = ", along training" if name.endswith(LEARNING) else ""
    return {"long_name": prefix + metric.long_name + suffix, "units": metric.unit}


def coordinates(axes: Mapping[str, list[Any]], tasks: int, pairs: range) -> dict[str, Any]:
    """Return the coordinates of a Dataset that holds the given pairs and tasks.

    Args:
        axes: what stands for the values of every axis.
        tasks: their number.
        pairs: those that it holds.
    """
    coords: dict[str, Any] = {"pair": np.arange(pairs.start, pairs.stop), "task": np.arange(tasks)}
    for name, values in axes.items():
        meaning = AXIS_MEANINGS.get(name.split(".")[-1])
        attributes = {"long_name": meaning[0], "units": meaning[1]} if meaning else {}
        coords[name] = (name, np.array(values), attributes)
    return coords
