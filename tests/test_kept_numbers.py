"""Results that were stored: they stand, draw by draw, when the code is changed."""

from pathlib import Path

import jax
import numpy as np
import pytest

from tests.kept_numbers import CASES, QUANTITIES, compute

KEPT = Path(__file__).parent / "data" / "numbers.npz"

CLOSE = {"float64": 1e-12, "float32": 1e-5}
"""Of weak_error. The stored numbers are met bit by bit on the kind of CPU that made them (with AVX-512)."""

RARE = {"float64": 0.0, "float32": 0.002}
"""Share of tasks that may differ by `FAR` times as much on another kind of CPU."""

FAR = 10.0

if jax.default_backend() != "cpu":
    # Normal numbers are drawn in float32, and their last digit is another there; now and then a rank is another, too.
    CLOSE, FAR = {"float64": 1e-5, "float32": 1e-4}, float("inf")
    RARE = {"float64": 0.05, "float32": 0.05}


IN_FLOAT32 = (
    *(
        "few tasks",
        "many tasks",
        "sizes",
        "reused inputs, sizes",
        "fresh misfit, few tasks",
        "standard errors",
    ),
    *("sobol", "ball", "trained, hidden", "wide", "pretrained", "user's world"),
)
"""Cases that are compared in float32 too: one for each way of computing that there is."""


@pytest.mark.usefixtures("optimized")
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in CASES for dtype in CLOSE if dtype == "float64" or name in IN_FLOAT32],
)
def test_numbers_are_those_of_before(name: str, dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        found = compute(name)
    kept = np.load(KEPT)
    scale = kept[f"{name}|{dtype}|weak_error"]
    for quantity in QUANTITIES:
        ours = found[quantity].isel(task=slice(min(found.sizes["task"], 2))).values
        theirs = kept[f"{name}|{dtype}|{quantity}"]
        error = np.abs(ours - theirs) / scale
        assert (np.isnan(ours) == np.isnan(theirs)).all(), quantity
        beyond = np.mean(error > CLOSE[dtype])
        assert beyond <= RARE[dtype], (quantity, np.nanmax(error))
        assert np.nanmax(error) < FAR * CLOSE[dtype], (quantity, np.nanmax(error))
