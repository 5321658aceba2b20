"""Students stopped at their best time: error of the student against that of the teacher, and the fitted exponent."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.theory import beside_theory, prediction_of
from w2sjax.theory.base import Theory


def best_stopping(theory: Theory, times: Sequence[float]) -> Callable[[xr.Dataset], xr.Dataset]:
    """Return the analysis of `at_best` over time of a sweep beside a theory, which is predicted at more times."""

    def analysis(dataset: xr.Dataset) -> xr.Dataset:
        return at_best(beside_theory(dataset, prediction_of(theory, dataset, time=times)), "time")

    return analysis


def at_best(both: xr.Dataset, over: str) -> xr.Dataset:
    """Return what simulation and theory are where the mean w2s_error is least, each at its own best value of an axis.

    Args:
        both: of `beside_theory`.
        over: the axis, such as time or a ridge.

    Returns:
        `weak_error`, `w2s_error` and the value of `over`, by `of` and the other axes.
    """
    errors = both[["weak_error", "w2s_error"]]
    parts = []
    for of in ("predicted", "simulated"):
        best = errors["w2s_error"].sel(of=of).fillna(np.inf).argmin(over)
        at = errors.sel(of=of).isel({over: best})
        parts.append(at.drop_vars(over).assign({over: at[over]}))
    error = errors.sel(of="standard_error").isel({over: best}).drop_vars(over)  # of the simulated one
    parts.append(error.assign({over: xr.full_like(error["w2s_error"], np.nan)}))
    of = ["predicted", "simulated", "standard_error"]
    return (
        xr.concat([part.drop_vars("of") for part in parts], "of")
        .assign_coords(of=of)
        .assign_attrs(both.attrs)
    )


def slope(x: xr.DataArray, y: xr.DataArray) -> float:
    """Return the exponent of y in x, fitted to their logarithms where both are finite."""
    x, y = xr.broadcast(x, y)
    finite = (np.isfinite(x) & np.isfinite(y)).values
    return float(np.polyfit(np.log(x.values[finite]), np.log(y.values[finite]), 1)[0])


def exponents(result: xr.Dataset) -> tuple[float, float]:
    """Return the exponents of w2s_error in weak_error of `at_best`, simulated and predicted."""
    of = (result.sel(of=name) for name in ("simulated", "predicted"))
    return tuple(slope(one["weak_error"], one["w2s_error"]) for one in of)  # type: ignore[return-value]


def stopping_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the exponents, the least ratio of errors and a `headline` as plain numbers.

    Args:
        result: of `best_stopping`, along weak_width.
    """
    simulated = result.sel(of="simulated")
    ratio = float((simulated["w2s_error"] / simulated["weak_error"]).min())
    quadratic = float((simulated["w2s_error"] / simulated["weak_error"] ** 2).min())
    exponent, predicted = exponents(result)
    headline = f"w2s_error goes as weak_error to the power {exponent:.2f} (predicted {predicted:.2f})"
    return {
        **{name: result.attrs[name] for name in ("pairs", "tasks", "theory")},
        "exponent": exponent,
        "predicted_exponent": predicted,
        "least_ratio": ratio,
        "least_ratio_to_the_square": quadratic,
        "headline": headline,
    }
