"""Checks at the public edge: one sentence that names the argument, its value and the fix."""

import dataclasses
import difflib
import functools
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError

LARGEST_INTEGER = 2**31 - 1
"""Of sizes and counts, which are indices of 32 bits."""


def check_integer(name: str, value: Any, *, least: int, most: int = LARGEST_INTEGER) -> int:
    """Return an integer, or refuse anything but one from least to most. Booleans are not integers here."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise W2SError(f"{name}={shown(value)} is not an integer: pass a whole number >= {least}.")
    value = int(value)
    if value < least:
        raise W2SError(f"{name}={shown(value)} is too small: pass a whole number >= {least}.")
    if value > most:
        raise W2SError(f"{name}={shown(value)} is too large: pass a whole number <= {most}.")
    return value


def check_number(name: str, value: Any, *, least: float | None = None, above: float | None = None) -> None:
    """Refuse anything but one finite real number in range. The value of a traced one is not checked."""
    fix = f">= {least:g}" if least is not None else f"> {above:g}"
    array = isinstance(value, jax.Array | np.ndarray)
    if isinstance(value, bool | np.bool_) or not (array or isinstance(value, numbers.Real)):
        raise W2SError(f"{name}={shown(value)} is not a number: pass a finite number {fix}.")
    kinds = (jnp.floating, jnp.integer)
    if array and (value.ndim > 0 or not any(jnp.issubdtype(value.dtype, kind) for kind in kinds)):
        raise W2SError(f"{name}={shown(value)} is not a single number: pass a finite number {fix}.")
    check_unmasked(name, value)
    if isinstance(value, jax.core.Tracer):
        return
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    too_small = (least is not None and number < least) or (above is not None and number <= above)
    if not math.isfinite(number) or too_small:
        written = f"{number:g}" if math.isfinite(number) else shown(value)
        raise W2SError(f"{name}={written} is out of range: pass a finite number {fix}.")


def check_boolean(name: str, value: Any) -> bool:
    """Return a truth value, or refuse anything else: text such as "no" is true to Python."""
    if not isinstance(value, bool | np.bool_):
        raise W2SError(f"{name}={shown(value)} is not a boolean: pass True or False.")
    return bool(value)


def whole(default: Any, *, least: int, most: int = LARGEST_INTEGER) -> Any:
    """Return a field of a `Checked` dataclass that holds an integer from least to most."""
    return _field(default, functools.partial(check_integer, least=least, most=most))


def real(default: Any, *, least: float | None = None, above: float | None = None) -> Any:
    """Return a field of a `Checked` dataclass that holds a finite number in range."""
    return _field(default, functools.partial(check_number, least=least, above=above))


def share(default: Any, *, inside: bool = False) -> Any:
    """Return a field of a `Checked` dataclass that holds a number in [0, 1], or in (0, 1)."""
    return _field(default, functools.partial(check_share, inside=inside))


def choice(default: str, choices: Sequence[str]) -> Any:
    """Return a field of a `Checked` dataclass that holds one of the choices."""
    return _field(default, functools.partial(check_choice, choices=choices))


def switch(default: bool) -> Any:
    """Return a field of a `Checked` dataclass that holds a truth value."""
    return _field(default, check_boolean)


def check_share(name: str, value: Any, *, inside: bool = False) -> None:
    """Refuse anything but a number in [0, 1], or in (0, 1). The value of a traced one is not checked."""
    check_number(name, value, above=0) if inside else check_number(name, value, least=0)
    number = known_number(value)
    if number is not None and (number > 1 or (inside and number == 1)):
        raise W2SError(
            f"{name}={number:g} is no share: pass a number {'below' if inside else 'of at most'} 1."
        )


def _field(default: Any, check: Callable[[str, Any], Any]) -> Any:
    return dataclasses.field(default=default, metadata={"check": check})


class Checked:
    """A dataclass that is refused where it is built with a field out of the range that stands beside it.

    A subclass may give a field another default: its range stays. A field whose default is None may be None.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            known = (
                vars(kind).get("__dataclass_fields__", {}).get(field.name) for kind in type(self).__mro__
            )
            checks = [each.metadata["check"] for each in known if each and "check" in each.metadata]
            if checks and not (field.default is None and getattr(self, field.name) is None):
                checks[0](field.name, getattr(self, field.name))


def check_unmasked(name: str, value: Any) -> None:
    """Refuse an array of which some values are masked: what stands under the mask would be used."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        count = int(np.ma.getmaskarray(value).sum())
        raise W2SError(
            f"{name} has {count} masked values: drop those rows, or fill them, and pass a plain array."
        )


def check_array(name: str, value: Any, *, layout: str, ranks: tuple[int, ...]) -> Any:
    """Return a floating array, a NumPy one unless it is traced, or refuse it. Values of a traced one are not checked.

    Args:
        name, value: of the argument.
        layout: its shape in words.
        ranks: numbers of dimensions that it may have.

    Raises:
        W2SError: naming what is wrong: dtype, rank, no rows, a value that is not finite with its row and column.
    """
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
    if value.ndim not in ranks:
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
        place = f"row {first[0]}" + (f", column {first[1]}" if value.ndim > 1 else "")
        raise W2SError(
            f"{name} holds {np.size(finite) - np.count_nonzero(finite)} NaN or infinite values, the first "
            f"({value[first]}) at {place}: drop or fill those rows."
        )
    if not np.isfinite(value.astype(np.float64)).all():
        raise W2SError(f"{name} holds numbers that are too large for float64: rescale it.")


def plain_array(name: str, value: Any) -> np.ndarray:
    """Return numbers as a plain float64 array, or refuse them."""
    check_unmasked(name, value)
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise W2SError(f"{name}={shown(value)} is not an array of numbers: pass one.") from error


def known_number(value: Any) -> float | None:
    """Return the single number that a field holds; None where there is none, or it is traced."""
    if isinstance(value, numbers.Real):
        return float(value)
    array = isinstance(value, jax.Array | np.ndarray) and not isinstance(value, jax.core.Tracer)
    return float(value) if array and value.ndim == 0 else None


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse anything but one of the choices, naming the nearest."""
    if not isinstance(value, str) or value not in choices:
        raise W2SError(
            f"{name}={shown(value)} is not known: did you mean {nearest(str(value), choices)!r}? "
            f"The choices are {', '.join(choices)}."
        )


def nearest(word: str, choices: Sequence[str]) -> str:
    """Return the choice that is spelled most like the word."""
    return max(choices, key=lambda c: difflib.SequenceMatcher(None, word.lower(), c.lower()).ratio())


LONGEST_SHOWN = 60


def shown(value: Any) -> str:
    """Return a value as a message shows it: in one line, and not at length."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**LONGEST_SHOWN:
        return "a whole number of over 60 digits"  # whose text Python may refuse to write
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."
