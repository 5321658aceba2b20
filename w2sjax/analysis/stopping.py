"""Students stopped at their best time: error of the student against that of the teacher, and the fitted exponent."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.moments import settings_of
from w2sjax.analysis.theory import beside_theory, prediction_of
from w2sjax.theory.base import Theory


def best_stopping(
    theory: Theory, times: Iterable[float], *, infinite: bool = False
) -> Callable[[xr.Dataset], xr.Dataset]:
    """Return the analysis of `at_best` over time of a sweep beside a theory, which is predicted at more times.

    Args:
        theory, times: what predicts, and when besides.
        infinite: predict a student of infinite width too, as `of` "infinite student".
    """

    def analysis(dataset: xr.Dataset) -> xr.Dataset:
        own = prediction_of(theory, dataset, time=times)
        others = {}
        if infinite:
            world, protocol, axes = settings_of(dataset)
            wide = dataclasses.replace(world, strong_width=0, rows=world.table_rows())
            others["infinite student"] = theory.predict(
                wide, protocol, axes | {"time": own["time"].values.tolist()}
            )
        return at_best(beside_theory(dataset, own, **others), "time")

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
    names = [of for of in both["of"].values.tolist() if of not in ("simulated", "standard_error")]
    parts = []
    for of in (*names, "simulated"):
        best = errors["w2s_error"].sel(of=of).fillna(np.inf).argmin(over)
        at = errors.sel(of=of).isel({over: best})
        parts.append(at.drop_vars(over).assign({over: at[over]}))
    error = errors.sel(of="standard_error").isel({over: best}).drop_vars(over)  # of the simulated one
    parts.append(error.assign({over: xr.full_like(error["w2s_error"], np.nan)}))
    of = [*names, "simulated", "standard_error"]
    return (
        xr.concat([part.drop_vars("of") for part in parts], "of")
        .assign_coords(of=of)
        .assign_attrs(both.attrs)
    )


def slope(x: xr.DataArray, y: xr.DataArray) -> float:
    """Return the exponent of y in x, fitted to their logarithms where both are finite."""
    x, y = xr.broadcast(x, y)
    across, up = x.values, y.values
    finite = np.isfinite(across) & np.isfinite(up)
    return float(np.polyfit(np.log(across[finite]), np.log(up[finite]), 1)[0])


def exponents(result: xr.Dataset) -> dict[str, float]:
    """Return the exponent of w2s_error in weak_error of `at_best` by `of`."""
    names = [of for of in result["of"].values.tolist() if of != "standard_error"]
    return {of: slope(*(result[name].sel(of=of) for name in ("weak_error", "w2s_error"))) for of in names}


def stopping_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the exponents, the least ratio of errors and a `headline` as plain numbers.

    Args:
        result: of `best_stopping`, along weak_width.
    """
    simulated = result.sel(of="simulated")
    ratio = float((simulated["w2s_error"] / simulated["weak_error"]).min())
    quadratic = float((simulated["w2s_error"] / simulated["weak_error"] ** 2).min())
    found = exponents(result)
    headline = f"w2s_error goes as weak_error to the power {found['simulated']:.2f}"
    return {
        **{name: result.attrs[name] for name in ("pairs", "tasks", "theory")},
        "exponents": found,
        "least_ratio": ratio,
        "least_ratio_to_the_square": quadratic,
        "headline": f"{headline} (predicted {found['predicted']:.2f})",
    }
