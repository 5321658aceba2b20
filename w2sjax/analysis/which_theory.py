"""Which theory explains a curve? Every theory on one world, with what it needs to know measured on that world.

A theory that does not hold in the world is computed all the same, from what it would take there for its own quantities:
widths, spectra, overlaps, variances that a representation misses, measured on rows of redrawn pairs; or the
kernels of the limit of infinite width. What it assumes and the world violates is listed by the theory itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from w2sjax import theory
from w2sjax.analysis.moments import configuration, settings_of
from w2sjax.analysis.statistics import counted
from w2sjax.engine.axes import find, put
from w2sjax.engine.redraw import redraw
from w2sjax.errors import W2SError
from w2sjax.theory.dong2025 import excess_risks
from w2sjax.theory.infinite_width import arc_cosine_kernel, expected_errors
from w2sjax.theory.least_squares import excess_error
from w2sjax.theory.ridge_chains import error_of, flow_stage, ridge_stage, truth_of
from w2sjax.worlds.random_mlp import RandomMLP

PAIRS = 8
"""Pairs whose rows the theories' quantities are measured on."""

ROWS = 4096

_POINTS = 500
"""Inputs on which kernels are decomposed."""

QUANTITIES = ("weak_error", "w2s_error", "gain", "deviation", "prediction_gap")


class Known(NamedTuple):
    """What theories may know of one cell: sizes, heads, rows of some pairs, and eigenvalues of kernels.

    Attributes:
        world, protocol: of the cell.
        n, m: n_weak and n_strong.
        noise: standard deviation.
        ridges: of teacher and student.
        rows: by pair, features "weak" and "strong" `[row, width]`, and "truth" `[row, task]`.
        kernels: eigenvalues of the target's kernel on common coordinates, and what the weak and the strong one have.
    """

    world: Any
    protocol: Any
    n: int
    m: int
    noise: float
    ridges: tuple[float, float]
    rows: list[dict[str, np.ndarray]]
    kernels: dict[str, jax.Array]


def _least_squares(known: Known) -> dict[str, float]:
    width = known.world.width
    error = excess_error(known.n, width, known.noise) if known.n > width + 2 else np.nan
    return {"weak_error": error, "w2s_error": error, "gain": 0 * error, "deviation": 0 * error}


def _subspaces(known: Known) -> dict[str, float]:
    width = known.world.width
    if min(known.n, known.m) <= width + 2:
        return {}
    found = []
    for rows in known.rows:
        weak, strong = (np.linalg.qr(rows[name])[0] for name in ("weak", "strong"))
        both = np.linalg.qr(np.concatenate([rows["weak"], rows["strong"]], axis=1))[0]
        y = rows["truth"]

        def missed(basis: np.ndarray, y: np.ndarray = y) -> float:
            return float(((y - basis @ (basis.T @ y)) ** 2).mean())

        least = missed(both)
        found.append(
            excess_risks(
                n_weak=known.n, n_strong=known.m, noise=known.noise, weak_dim=width, strong_dim=width,
                overlap=float(((weak.T @ strong) ** 2).sum()), missed_by_weak=missed(weak),
                missed_by_strong=missed(strong), only_weak=missed(strong) - least, only_strong=missed(weak) - least,
                intercept=False,
            )
        )  # fmt: skip
    return _with_gain({name: float(np.mean([one[name] for one in found])) for name in found[0]})


def _two_stages(known: Known) -> dict[str, float]:
    found = []
    for rows in known.rows:
        features, y = rows["strong"], rows["truth"]
        spectrum, directions = np.linalg.eigh(features.T @ features / len(y))
        kept = spectrum > 1e-10 * spectrum[-1]
        inner = directions[:, kept].T @ (features.T @ y) / len(y)
        target = np.sqrt((inner**2).mean(1)) / spectrum[kept]
        given = (known.n, known.ridges[0], known.m, known.ridges[1], known.noise)
        found.append(theory.two_stage_ridge(spectrum[kept], target, *given))
    means = {
        name: float(np.mean([getattr(one, name) for one in found]))
        for name in ("weak_error", "w2s_error", "misfit")
    }
    return _with_gain(means)


def _random_features(known: Known) -> dict[str, float]:
    width, kernels = jnp.asarray(float(known.world.width)), known.kernels
    sizes = [
        (jnp.asarray(float(n)), width, jnp.asarray(r))
        for n, r in zip((known.n, known.m), known.ridges, strict=True)
    ]
    teacher = ridge_stage(
        kernels["weak"], truth_of(kernels["target"]), *sizes[0], jnp.asarray(known.noise**2)
    )
    student = ridge_stage(kernels["strong"], teacher.function, *sizes[1], jnp.asarray(0.0))
    return _of_stages(teacher, student, kernels["target"])


def _flow(known: Known) -> dict[str, float]:
    width, kernels = jnp.asarray(float(known.world.width)), known.kernels
    given = (jnp.asarray(jnp.inf), width, jnp.asarray(0.0), jnp.asarray(0.0))
    teacher = ridge_stage(kernels["weak"], truth_of(kernels["target"]), *given)
    student = flow_stage(kernels["strong"], teacher.function, jnp.asarray(1 / known.ridges[1]))
    return _of_stages(teacher, student, kernels["target"])


def _of_stages(teacher: Any, student: Any, energy: Any) -> dict[str, float]:
    weak, w2s = (float(error_of(stage.function, energy)) for stage in (teacher, student))
    return _with_gain({"weak_error": weak, "w2s_error": w2s, "misfit": float(student.misfit)})


def _infinite_width(known: Known) -> dict[str, float]:
    return {
        name: float(mean)
        for name, (mean, _) in expected_errors(known.world, known.protocol, draws=15, rows=300).items()
    }


def _law(known: Known) -> dict[str, float]:
    laws, n, rng = [], known.n, np.random.default_rng(0)
    for rows in known.rows:
        weak, y = rows["weak"], rows["truth"]
        noisy = y[:n] + known.noise * rng.standard_normal(y[:n].shape)
        inner = weak[:n].T @ weak[:n] + n * known.ridges[0] * np.eye(weak.shape[1])
        taught = weak[n:] @ np.linalg.solve(inner, weak[:n].T @ noisy)
        laws.append(theory.deviation_law(rows["strong"][n:], taught, y[n:]))
    return {"deviation": float(np.mean([law.mean(known.m) for law in laws]))}


def _principal(known: Known) -> dict[str, float]:
    n, m, gaps = known.n, known.m, []
    for rows in known.rows:
        weak, strong, y = rows["weak"], rows["strong"], rows["truth"]
        given = (weak[:n], y[:n], weak[n : n + m], strong[n : n + m], y[n : n + m])
        options: dict[str, Any] = {
            "weak_ridge": known.ridges[0],
            "strong_ridge": known.ridges[1],
            "label_noise": known.noise,
        }
        gaps.append(theory.predicted_gap(*given, **options).mean())
    return {"prediction_gap": float(np.mean(gaps))}


def _groups(known: Known) -> dict[str, float]:
    gamma = known.world.width / known.n
    error = known.noise**2 * gamma / (1 - gamma) if gamma < 1 else np.nan
    return {"weak_error": error, "w2s_error": error, "gain": 0 * error, "deviation": 0 * error}


def _nothing(known: Known) -> dict[str, float]:
    return {}


COMPARED: dict[str, tuple[theory.Theory, Callable[[Known], dict[str, float]]]] = {
    "least squares": (theory.LEAST_SQUARES, _least_squares),
    "law of the deviation": (theory.DEVIATION_LAW, _law),
    "subspaces (Dong)": (theory.SUBSPACES, _subspaces),
    "principal (Xue)": (theory.PRINCIPAL, _principal),
    "two-stage ridge (Moniri)": (theory.TWO_STAGE, _two_stages),
    "surrogates (Ildiz)": (theory.SURROGATES, _nothing),
    "infinite width": (theory.INFINITE_WIDTH, _infinite_width),
    "random features (Wu)": (theory.RANDOM_FEATURE_RIDGE, _random_features),
    "early stopping (Medvedev)": (theory.RANDOM_FEATURE_FLOW, _flow),
    "signs (Wu, Sahai)": (theory.SIGN_INTERPOLATION, _nothing),
    "groups (Liu, Dong)": (theory.GROUPS, _groups),
    "multi-index (Moniri)": (theory.MULTI_INDEX, _nothing),
}
"""Every theory of `w2sjax.theory.THEORIES` by the name in figures; those of which nothing is drawn say nothing
of squared errors with ridge and more samples than features."""


def _with_gain(found: dict[str, float]) -> dict[str, float]:
    found = found | {"gain": found["weak_error"] - found["w2s_error"]}
    return found | {"deviation": found["gain"] - found["misfit"]} if "misfit" in found else found


def theories_compared(dataset: xr.Dataset) -> xr.Dataset:
    """Put every theory's curves beside a sweep.

    Args:
        dataset: from `sweep` of `RandomMLP` with heads `RidgeThroughOrigin`, the one axis n_weak, and the metric
            `w2sjax.theory.PREDICTION_GAP`.

    Returns:
        `QUANTITIES`, dims ("theory", "n_weak"), NaN where a theory says nothing; `<quantity>_simulated` and
        `<quantity>_error`, means and standard errors over pairs; `violated` by theory, assumptions in words.

    Raises:
        W2SError: for another world.
    """
    world, protocol, axes = settings_of(dataset)
    if not isinstance(world, RandomMLP):
        raise W2SError(
            f"world={type(world).__name__}(...) has no kernels of infinite width here: pass RandomMLP."
        )
    seed, pairs = configuration(dataset)["seed"], dataset["pair"].values.tolist()[:PAIRS]
    path = find("n_weak", world, protocol)
    predictions: dict[str, list[dict[str, float]]] = {name: [] for name in COMPARED}
    rows = _rows_of(world, protocol, seed, pairs)
    for n in axes["n_weak"]:
        cell = put(world, protocol, {path: n})
        with jax.enable_x64(True):
            known = _known(*cell, rows)
            for name, (_, predict) in COMPARED.items():
                predictions[name].append(predict(known))
    found = {
        quantity: (
            ("theory", "n_weak"),
            [[one.get(quantity, np.nan) for one in cells] for cells in predictions.values()],
        )
        for quantity in QUANTITIES
    }
    means = dataset[list(QUANTITIES)].mean("task")
    result = xr.Dataset(found, coords={"theory": list(COMPARED), "n_weak": axes["n_weak"]})
    for name in QUANTITIES:
        error = means[name].std("pair", ddof=1) / dataset.sizes["pair"] ** 0.5
        result = result.assign({f"{name}_simulated": means[name].mean("pair"), f"{name}_error": error})
    broken = ["; ".join(one.violated(world, protocol)) for one, _ in COMPARED.values()]
    return counted(result.assign(violated=("theory", broken)), dataset)


def _rows_of(world: RandomMLP, protocol: Any, seed: int, pairs: list[int]) -> list[dict[str, np.ndarray]]:
    """Return features and truth of rows of each pair that no split of the sweep has."""
    features, labels = redraw(world, protocol, protocol.chain()[:1], ("weak", "strong"), ROWS, seed, pairs)
    arrays = features | {"truth": labels["truth"]}
    return [{name: a[i] for name, a in arrays.items()} for i in range(len(pairs))]


def _known(world: RandomMLP, protocol: Any, rows: list[dict[str, np.ndarray]]) -> Known:
    chain = protocol.chain()
    inputs = np.random.default_rng(0).standard_normal((_POINTS, world.input_dim)) / world.input_dim**0.5
    depths = {"weak": world.weak_depth, "strong": world.strong_depth, "target": world.target_depth}
    kernels = {name: arc_cosine_kernel(inputs, inputs, depth) / _POINTS for name, depth in depths.items()}
    directions = np.linalg.eigh(kernels["strong"])[1]
    along = {
        name: jnp.asarray(np.maximum(((kernel @ directions) * directions).sum(0), 0))
        for name, kernel in kernels.items()
    }
    weak, strong = (float(stage.head.ridge) for stage in chain[:2])
    noise = float(protocol.label_noise)
    return Known(world, protocol, protocol.n_weak, protocol.n_strong, noise, (weak, strong), rows, along)


def theories_report(result: xr.Dataset) -> dict[str, Any]:
    """Return by theory how far it is off at the median and at most over n_weak, by quantity, and what is violated."""
    found: dict[str, Any] = {}
    for name in result["theory"].values.tolist():
        one, off = result.sel(theory=name), {}
        for quantity in QUANTITIES:
            distance = abs(one[quantity] - one[f"{quantity}_simulated"]) / one["weak_error_simulated"]
            if distance.notnull().any():
                off[quantity] = {"median": float(distance.median()), "largest": float(distance.max())}
        found[name] = {"off_by_shares_of_weak_error": off, "violated": str(one["violated"].item())}
    errors = {
        name: one["off_by_shares_of_weak_error"]["w2s_error"]["median"]
        for name, one in found.items()
        if "w2s_error" in one["off_by_shares_of_weak_error"]
    }
    best = min(errors, key=lambda name: errors[name])
    return {
        "theories": found,
        "headline": f"nearest to w2s_error: {best}, off by {errors[best]:.1%} of weak_error",
    }
