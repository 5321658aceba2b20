"""Checks at the public edge: one sentence that names the argument, its value and the fix."""

import datetime
import difflib
import math
import numbers
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

_NO_NUMBERS = (bool, str, bytes, complex, list, tuple, dict, set, datetime.date, datetime.time)


def check_integer(name: str, value: Any, *, least: int, most: int | None = None) -> int:
    """Return an integer, or refuse anything but one >= least and <= most, if given. Booleans are not integers here."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise ValueError(f"{name}={value!r} is not an integer: pass a whole number >= {least}.")
    value = int(value)
    if value < least:
        raise ValueError(f"{name}={value} is too small: pass a whole number >= {least}.")
    if most is not None and value > most:
        raise ValueError(f"{name}={value} is too large: pass a whole number <= {most}.")
    return value


def check_number(name: str, value: Any, *, least: float | None = None, above: float | None = None) -> None:
    """Refuse anything but a finite real number in range, or an array of them. Traced and abstract values pass."""
    fix = f">= {least:g}" if least is not None else f"> {above:g}"
    if value is None or isinstance(value, _NO_NUMBERS):
        raise ValueError(f"{name}={value!r} is not a number: pass a finite number {fix}.")
    if isinstance(value, jax.core.Tracer):
        return
    if not isinstance(value, numbers.Real | jax.Array | np.ndarray):
        return
    for number in np.asarray(value, float).flat:
        too_small = (least is not None and number < least) or (above is not None and number <= above)
        if not math.isfinite(number) or too_small:
            raise ValueError(f"{name}={number:g} is out of range: pass a finite number {fix}.")


def known_number(value: Any) -> float | None:
    """Return the single number that a field holds; None where there is none, or it is traced."""
    if isinstance(value, numbers.Real):
        return float(value)
    array = isinstance(value, jax.Array | np.ndarray) and not isinstance(value, jax.core.Tracer)
    return float(value) if array and value.ndim == 0 else None


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse anything but one of the choices, naming the nearest."""
    if value not in choices:
        raise ValueError(
            f"{name}={value!r} is not known: did you mean {nearest(str(value), choices)!r}? "
            f"The choices are {', '.join(choices)}."
        )


def nearest(word: str, choices: Sequence[str]) -> str:
    """Return the choice that is spelled most like the word."""
    return max(choices, key=lambda c: difflib.SequenceMatcher(None, word.lower(), c.lower()).ratio())
