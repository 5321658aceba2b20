"""The weak-to-strong experiment in 160 decimal digits: what floating-point solves are measured against.

Heads come from the normal equations, which square the condition number: at most 1e20 for the features of a test, times
1e32 for column scales from 1e-8 to 1e8. The minimum norm is the limit of a vanishing ridge; here it is 1e-90.
"""

import decimal
from typing import Any

import numpy as np

VANISHING = decimal.Decimal(10) ** -90


def experiment(arrays: dict[str, Any], ridge: float, fit_intercept: bool) -> dict[str, np.ndarray]:
    """Return errors, misfit, gain and deviation, each `[task]`, for one ridge of both heads."""
    with decimal.localcontext(prec=160):
        exact = {name: _exact(v if v.ndim == 2 else v[:, None]) for name, v in arrays.items()}
        weak = _head(exact["weak_train"], exact["y_train"], ridge, fit_intercept)
        labels = exact["weak_transfer"] @ weak[0] + weak[1]
        w2s = _head(exact["strong_transfer"], labels, ridge, fit_intercept)
        ceiling = _head(exact["strong_transfer"], exact["y_transfer"], ridge, fit_intercept)
        by_weak = exact["weak_eval"] @ weak[0] + weak[1]
        by_w2s = exact["strong_eval"] @ w2s[0] + w2s[1]
        by_ceiling = exact["strong_eval"] @ ceiling[0] + ceiling[1]
        values = {
            "weak_error": _mean_square(by_weak - exact["y_eval"]),
            "w2s_error": _mean_square(by_w2s - exact["y_eval"]),
            "ceiling_error": _mean_square(by_ceiling - exact["y_eval"]),
            "misfit": _mean_square(by_w2s - by_weak),
        }
        values["gain"] = values["weak_error"] - values["w2s_error"]
        values["deviation"] = values["gain"] - values["misfit"]
        return {name: value.astype(float) for name, value in values.items()}


_exact = np.vectorize(lambda number: decimal.Decimal(float(number)), otypes=[object])


def _mean_square(values: np.ndarray) -> np.ndarray:
    return (values * values).sum(axis=0) / decimal.Decimal(len(values))


def _head(x: np.ndarray, y: np.ndarray, ridge: float, fit_intercept: bool) -> tuple[np.ndarray, np.ndarray]:
    n, d = x.shape
    used = decimal.Decimal(int(fit_intercept))
    x_mean, y_mean = used * x.sum(axis=0) / n, used * y.sum(axis=0) / n
    x, y = x - x_mean, y - y_mean
    penalty = n * (decimal.Decimal(ridge) if ridge > 0 else VANISHING)
    if d <= n:
        weights = _solve_positive(x.T @ x + penalty * _exact(np.eye(d)), x.T @ y)
    else:
        weights = x.T @ _solve_positive(x @ x.T + penalty * _exact(np.eye(n)), y)
    return weights, y_mean - x_mean @ weights


def _solve_positive(matrix: np.ndarray, right_side: np.ndarray) -> np.ndarray:
    """Solve by a Cholesky factorization; linear algebra of NumPy does not take decimals."""
    lower, solution = matrix.copy(), right_side.copy()
    size = len(lower)
    for j in range(size):
        lower[j, j] = lower[j, j].sqrt()
        lower[j + 1 :, j] = lower[j + 1 :, j] / lower[j, j]
        for i in range(j + 1, size):
            lower[i:, i] -= lower[i:, j] * lower[i, j]
    for j in range(size):
        solution[j] = solution[j] / lower[j, j]
        solution[j + 1 :] -= lower[j + 1 :, j][:, None] * solution[j]
    for j in reversed(range(size)):
        solution[j] = solution[j] / lower[j, j]
        solution[:j] -= lower[j, :j][:, None] * solution[j]
    return solution
