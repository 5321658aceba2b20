"""Class labels that a user gives, integers, booleans or text, as shares of classes."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from w2sjax.engine.arrays import LABELS
from w2sjax.errors import W2SError
from w2sjax.validation import check_unmasked

MOST_CLASSES = 1000


def hold_classes(given: Mapping[str, Any]) -> bool:
    """Say whether all labels among arrays are integers, booleans or text."""
    arrays = [given[name] for name in LABELS if name in given]
    if any(isinstance(value, jax.core.Tracer) or value is None for value in arrays):
        return False
    try:
        return all(np.asarray(value).dtype.kind in "biuUT" for value in arrays)
    except ValueError:  # no arrays, which are refused later
        return False


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
        arrays[name] = np.asarray(value)
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
