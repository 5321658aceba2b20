"""Arrays that a user gives, made ready for the default precision: centred before they are rounded to it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from w2sjax.draws import default_dtype
from w2sjax.errors import W2SError

CONSTANT_IN_EPS = 4
"""A feature that deviates from its mean by fewer units of rounding of its largest value is a constant."""

SPLITS = {"weak": ("weak_train", "weak_transfer", "weak_eval"), "strong": ("strong_transfer", "strong_eval")}
"""Splits of each representation; the heads are fitted on the first."""


def centred(arrays: dict[str, np.ndarray], labels: Sequence[str]) -> tuple[dict[str, np.ndarray], bool]:
    """Centre what loses digits by a cast to the default precision, in float64, and cast everything.

    Heads with an intercept are the same for features and labels less a constant; rounded to float32 before that, a
    time in seconds or an energy of a molecule would keep no digit.

    Args:
        arrays: finite, floating, by the names of `evaluate_features`.
        labels: names of those that are labels.

    Returns:
        The arrays in the default dtype, columns of features that are constant all zero, and whether one of those
        columns is constant to the rounding of its dtype only.
    """
    changed: dict[str, np.ndarray] = {}
    blurred = False
    for splits in SPLITS.values():
        training = arrays[splits[0]]
        if not any(_is_narrowed(arrays[name]) for name in splits):
            changed |= {name: arrays[name] for name in splits}
            continue
        wide = training.astype(np.float64)
        mean = _mean(wide)
        largest = np.abs(wide).max(axis=0)
        spread = _spread(wide - mean)
        constant = spread <= CONSTANT_IN_EPS * float(_eps(training)) * largest
        blurred |= bool((constant & (np.ptp(wide, axis=0) > 0)).any())
        for name in splits:
            changed[name] = np.where(constant, 0, arrays[name].astype(np.float64) - mean)
    narrowed = any(_is_narrowed(arrays[name]) for name in labels)
    mean = _mean(arrays["y_train"].astype(np.float64)) if narrowed else np.zeros(())
    for name in labels:
        changed[name] = arrays[name].astype(np.float64) - mean
    return {name: cast(name, values) for name, values in changed.items()}, blurred


def cast(name: str, values: np.ndarray) -> np.ndarray:
    """Return an array in the default dtype, or refuse numbers that it cannot hold."""
    wanted = np.finfo(default_dtype())
    largest = np.abs(values).max()
    if largest > wanted.max:
        raise W2SError(
            f"{name} holds {largest:.3g}, too large for {wanted.dtype}: rescale it or set jax_enable_x64."
        )
    return values.astype(wanted.dtype)


def _is_narrowed(values: np.ndarray) -> bool:
    """Say whether an array loses digits by the cast."""
    return _eps(values) < _eps(np.zeros(0, default_dtype()))


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the means of columns; sums of the largest float64 numbers would overflow."""
    return values[0] + (values - values[0]).mean(axis=0) if np.isfinite(np.ptp(values)) else values[0]


def _spread(values: np.ndarray) -> np.ndarray:
    """Return the root mean squares of columns, whatever their scale."""
    largest = np.abs(values).max(axis=0)
    scale = np.where(largest > 0, largest, 1)
    return np.sqrt(((values / scale) ** 2).mean(axis=0)) * scale


def _eps(values: Any) -> float:
    import jax.numpy as jnp  # knows bfloat16 too

    return float(jnp.finfo(values.dtype).eps)
