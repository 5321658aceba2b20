"""The axes of a scatter plot: where values stand, what is left out, and how numbers and names are written."""

import re
import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from w2sjax.figures.saving import plain_text

MOST_TICKS = 8
"""Values of an axis up to which each gets a tick of its own."""

_CHARACTERS_PER_INCH = {9: 13.5, 10: 12.5}
"""By size of the font."""


class Discrete:
    """Where the values of an axis stand: to scale where they are distinct there, else at equal distances."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        numbers = np.issubdtype(values.dtype, np.number) and values.size > 1
        if numbers and _distinct(values):
            self.scale, self._positions = "linear", values.astype(float)
        elif numbers and values[0] > 0 and _distinct(np.log(values)):
            self.scale, self._positions = "log", np.log(values)
        else:
            self.scale, self._positions = "rank", np.arange(values.size, dtype=float)
        self._step = float(np.diff(self._positions).min()) if values.size > 1 else 1.0

    def at(self, values: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Return where values are drawn, shifted by parts of the smallest step."""
        positions = self._positions[np.searchsorted(self._values, values)] + self._step * shift
        return np.exp(positions) if self.scale == "log" else positions

    def label(self, panel: Axes) -> None:
        """Set scale, limits and, unless the values are to scale, ticks."""
        ends = self._positions[[0, -1]] + np.array([-0.6, 0.6]) * self._step
        if self.scale == "log":
            panel.set_xscale("log")
            ends = np.exp(ends)
        elif self.scale == "rank" or self._values.size <= MOST_TICKS:
            panel.set_xticks(self._positions, [shown(v) for v in self._values.tolist()])
        panel.set_xlim(*ends)


def _distinct(positions: np.ndarray) -> bool:
    """Say whether neighbours are far enough from each other to be told apart."""
    return bool(np.diff(positions).min() >= 0.03 * (positions[-1] - positions[0]))


def central_limits(values: np.ndarray) -> tuple[float, float]:
    """Return limits that leave out values further from the central 90% than 1.5 times its width."""
    if not np.issubdtype(values.dtype, np.number):
        return -0.5, len(np.unique(values)) - 0.5
    central = np.quantile(values, (0.05, 0.95))
    beyond = 1.5 * (central[1] - central[0]) or np.inf
    low = max(float(values.min()), float(central[0] - beyond))
    high = min(float(values.max()), float(central[1] + beyond))
    pad = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    # An axis that nearly begins at zero should begin there.
    start = min(0.0, low) if 0 <= low < 0.2 * high else low - pad
    return start, high + pad


def lie_outside(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return which values are not within limits; text always is."""
    if not np.issubdtype(values.dtype, np.number):
        return np.zeros(values.shape, bool)
    return (values < limits[0]) | (values > limits[1])


def label_of(dataset: xr.Dataset, name: str) -> str:
    """Return the name, meaning and unit of a variable or axis."""
    attributes = dataset[name].attrs
    meaning, unit = attributes.get("long_name", ""), attributes.get("units")
    first = f"{name}: {meaning}" if meaning and meaning != name else name
    return plain_text(first + (f"  [{unit}]" if unit else ""))


def wrapped(text: str, inches: float, size: int) -> str:
    """Break a text into lines of so many inches, brackets kept together."""
    kept = re.sub(r"(\w+ )?\(.*?\)|\[.*?\]", lambda bracket: bracket[0].replace(" ", "\u00a0"), text)
    return textwrap.fill(kept, int(inches * _CHARACTERS_PER_INCH[size])).replace("\u00a0", " ")


def shown(value: Any) -> str:
    """Return a value of an axis for people."""
    return f"{value:.4g}" if isinstance(value, float) else plain_text(str(value))
