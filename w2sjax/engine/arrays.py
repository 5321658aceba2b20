"""Arrays of features and labels that a user gives, checked by name."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.validation import check_unmasked

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
_MEANING = (
    ("rows", "the same inputs, in the same order, in both"),
    ("columns", "features of the same representation in both"),
)


def check_arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of `evaluate_features` by name, or refuse them. Values of traced ones are not checked.

    Raises:
        W2SError: naming the array, what is wrong with it, and the fix.
    """
    arrays = {name: _checked(name, value) for name, value in given.items()}
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


def _checked(name: str, value: Any) -> Any:
    """Return an array of features or labels, or refuse it."""
    layout = "[n, width]" if name in FEATURES else "[n] or [n, task]"
    traced = isinstance(value, jax.core.Tracer)
    if value is None:
        raise W2SError(f"{name} is missing: pass floating numbers of shape {layout}.")
    if not traced:
        check_unmasked(name, value)
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise W2SError(f"{name} is not an array: pass floating numbers of shape {layout}.") from error
    if not jnp.issubdtype(value.dtype, jnp.floating):
        remedy = "its real part" if jnp.issubdtype(value.dtype, jnp.complexfloating) else "astype(float)"
        raise W2SError(f"{name} has dtype {value.dtype}: pass floating numbers, by {remedy} for example.")
    if value.ndim not in ((2,) if name in FEATURES else (1, 2)):
        raise W2SError(f"{name} has shape {value.shape}: pass an array of shape {layout}.")
    if 0 in value.shape:
        raise W2SError(f"{name} is empty, of shape {value.shape}: pass at least one row and one column.")
    if not traced:
        _check_values(name, value)
    return value


def _check_values(name: str, value: np.ndarray) -> None:
    """Refuse NaN, infinity, and numbers that float64 cannot hold."""
    finite = np.isfinite(value)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise W2SError(
            f"{name} holds {np.size(finite) - np.count_nonzero(finite)} NaN or infinite values, the first "
            f"({value[first]}) at row {first[0]}: drop or fill those rows."
        )
    if not np.isfinite(value.astype(np.float64)).all():
        raise W2SError(f"{name} holds numbers that are too large for float64: rescale it.")


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
