"""Arrays of features and labels that a user gives, checked by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from w2sjax.errors import W2SError
from w2sjax.validation import check_array

FEATURES = ("weak_train", "weak_transfer", "strong_transfer", "weak_eval", "strong_eval")
LABELS = ("y_train", "y_eval", "y_transfer")

_SAME_ROWS = (
    ("weak_train", "y_train"),
    ("weak_transfer", "strong_transfer"),
    ("strong_transfer", "y_transfer"),
    ("weak_eval", "strong_eval"),
    ("weak_eval", "y_eval"),
)
_SAME_WIDTH = (
    ("weak_train", "weak_transfer"),
    ("weak_train", "weak_eval"),
    ("strong_transfer", "strong_eval"),
)
_LAYOUT: tuple[dict[str, Any], ...] = (
    {"layout": "[n] or [n, task]", "ranks": (1, 2)},
    {"layout": "[n, width]", "ranks": (2,)},
)
_MEANING = (
    ("rows", "the same inputs, in the same order, in both"),
    ("columns", "features of the same representation in both"),
)


def check_arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of `evaluate_features` by name, or refuse them. Values of traced ones are not checked.

    Raises:
        W2SError: naming the array, what is wrong with it, and the fix.
    """
    arrays = {name: check_array(name, value, **_LAYOUT[name in FEATURES]) for name, value in given.items()}
    _check_shapes({name: array.shape for name, array in arrays.items()})
    return arrays


def cast(name: str, values: np.ndarray, dtype: Any) -> np.ndarray:
    """Return an array in another dtype, or refuse numbers that it cannot hold."""
    wanted = np.finfo(dtype)
    largest = np.abs(values.astype(np.float64)).max()
    if largest > wanted.max:
        raise W2SError(
            f"{name} holds {largest:.3g}, too large for {wanted.dtype}: rescale it or set jax_enable_x64."
        )
    return values.astype(wanted.dtype)


def _check_shapes(shapes: dict[str, tuple[int, ...]]) -> None:
    """Refuse arrays that do not belong together."""
    for axis, pairs in enumerate((_SAME_ROWS, _SAME_WIDTH)):
        for a, b in pairs:
            if a in shapes and b in shapes and shapes[a][axis] != shapes[b][axis]:
                what, why = _MEANING[axis]
                raise W2SError(f"{b} has {shapes[b][axis]} {what} but {a} has {shapes[a][axis]}: pass {why}.")
    for name in LABELS[1:]:
        if name in shapes and shapes[name][1:] != shapes["y_train"][1:]:
            raise W2SError(
                f"{name} has shape {shapes[name]} but y_train has {shapes['y_train']}: pass the same tasks "
                f"in both, as [n] for one or [n, task] for many."
            )
