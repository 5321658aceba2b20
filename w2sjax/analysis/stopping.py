"""Students stopped at their best time: error of the student against that of the teacher, and the fitted exponent."""

from typing import Any

import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import counted
from w2sjax.analysis.theory import beside_theory


def best_stopping(dataset: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
    """Put the errors at the time with the least mean w2s_error beside those that a theory predicts for its own best.

    Args:
        dataset: from `sweep`, with axes weak_width and time.
        prediction: of a `w2sjax.theory.Theory`, on the same axes, perhaps with more times.

    Returns:
        `weak_error`, `w2s_error` and `time`, by `of` ("predicted", "simulated", "standard_error") and weak_width.
        Attributes: `exponent` and `predicted_exponent`, slopes of log w2s_error on log weak_error.
    """
    both = beside_theory(dataset, prediction)[["weak_error", "w2s_error"]]
    parts = []
    best = {}
    for of in ("predicted", "simulated"):
        best[of] = both["w2s_error"].sel(of=of).fillna(np.inf).argmin("time")
        at = both.sel(of=of).isel(time=best[of])
        parts.append(at.drop_vars("time").assign(time=at["time"]))
    error = both.sel(of="standard_error").isel(time=best["simulated"]).drop_vars("time")
    parts.append(error.assign(time=xr.full_like(error["w2s_error"], np.nan)))
    result = xr.concat([part.drop_vars("of") for part in parts], "of").assign_coords(of=both["of"].values)
    slopes = [
        float(
            np.polyfit(np.log(result["weak_error"].sel(of=of)), np.log(result["w2s_error"].sel(of=of)), 1)[0]
        )
        for of in ("simulated", "predicted")
    ]
    return counted(
        result, dataset, exponent=slopes[0], predicted_exponent=slopes[1], theory=prediction.attrs["theory"]
    )


def stopping_report(result: xr.Dataset) -> dict[str, Any]:
    """Return the exponents, the least ratio of errors and a `headline` as plain numbers.

    Args:
        result: of `best_stopping`.
    """
    simulated = result.sel(of="simulated")
    ratio = float((simulated["w2s_error"] / simulated["weak_error"]).min())
    quadratic = float((simulated["w2s_error"] / simulated["weak_error"] ** 2).min())
    exponent, predicted = result.attrs["exponent"], result.attrs["predicted_exponent"]
    headline = f"w2s_error goes as weak_error to the power {exponent:.2f} (predicted {predicted:.2f})"
    return {
        **{name: result.attrs[name] for name in ("pairs", "tasks", "theory")},
        "exponent": exponent,
        "predicted_exponent": predicted,
        "least_ratio": ratio,
        "least_ratio_to_the_square": quadratic,
        "headline": headline,
    }
