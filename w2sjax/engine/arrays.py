"""Arrays of features and labels that a user gives, checked by name, and class labels as shares of classes."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.validation import check_array, check_unmasked

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


MOST_CLASSES = 1000


def hold_classes(given: Mapping[str, Any]) -> bool:
    """Say whether all labels among arrays are integers, booleans or text."""
    labels = {name: given[name] for name in LABELS if name in given}
    if any(isinstance(value, jax.core.Tracer) or value is None for value in labels.values()):
        return False
    try:
        return all(_plain(name, value).dtype.kind in "biuUT" for name, value in labels.items())
    except W2SError:
        raise
    except ValueError:  # no arrays, which are refused later
        return False


def _plain(name: str, value: Any) -> np.ndarray:
    """Return labels as an array, text that is held as Python objects, such as a column of a table, as text."""
    array = np.asarray(value)
    others = [each for each in array.flat if not isinstance(each, str)] if array.dtype == object else []
    if array.dtype != object or len(others) == array.size:
        return array
    if others:
        raise W2SError(f"{name} holds text and {others[0]!r}: drop those rows, or pass text in all.")
    return array.astype(str)


def encode(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return labels as floating numbers, and the classes in words, sorted.

    Args:
        given: labels `[n]` or `[n, task]` by name, integers, booleans or text.

    Returns:
        For two classes 0 and 1, in the shape of the labels; for more the shares of classes, `[n, task, class]` with a
        task axis in any case. All tasks have the classes that occur in any of them.

    Raises:
        W2SError: where there is one class, or more than `MOST_CLASSES`.
    """
    arrays = {}
    for name, value in given.items():
        check_unmasked(name, value)
        arrays[name] = _plain(name, value)
        if arrays[name].ndim not in (1, 2) or not arrays[name].size:
            raise W2SError(f"{name} has shape {arrays[name].shape}: pass classes of shape [n] or [n, task].")
    kinds = {array.dtype.kind in "UT" for array in arrays.values()}
    if len(kinds) > 1:
        raise W2SError(f"{' and '.join(arrays)} mix text and numbers: pass classes of one kind in all.")
    classes = np.unique(np.concatenate([array.ravel() for array in arrays.values()]))
    if len(classes) < 2:
        raise W2SError(
            f"{' and '.join(arrays)} hold one class, {classes[0]!s}: pass labels of two classes or more."
        )
    if len(classes) > MOST_CLASSES:
        raise W2SError(
            f"{' and '.join(arrays)} hold {len(classes)} different values, more than {MOST_CLASSES} classes: pass "
            "numbers as astype(float)."
        )
    names = tuple(str(each) for each in classes)
    numbers = {name: np.searchsorted(classes, array) for name, array in arrays.items()}
    if len(classes) == 2:
        return {name: number.astype(np.float64) for name, number in numbers.items()}, names
    shares = {name: np.eye(len(classes))[number] for name, number in numbers.items()}
    return {name: s if s.ndim == 3 else s[:, None] for name, s in shares.items()}, names
