"""Moments of the strong class on a world, which the bounds need and a sweep does not keep: its pairs drawn again."""

import functools
import json
from typing import Any

import jax
import numpy as np
import xarray as xr

from w2sjax import worlds
from w2sjax.engine.design import Design, design_of
from w2sjax.engine.protocol import Numerics, Protocol
from w2sjax.engine.source import source_of
from w2sjax.errors import W2SError
from w2sjax.random.keys import BLOCK, Role, pair_key
from w2sjax.random.threefry import seed_key
from w2sjax.worlds.static import as_pytree

_SMALLEST = 1e-10
"""Whitened directions below this share of the largest singular value are dropped."""


def axis_values(dataset: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return the values of an axis, or the one that was selected; None where the field is no axis of the sweep.

    Raises:
        W2SError: if it is an axis whose values were dropped.
    """
    if name in dataset.coords:
        return dataset[name]
    if name in dataset.dims or name in configuration(dataset)["axes"]:
        raise W2SError(f"axis {name} has no values left: select one of them without drop=True.")
    return None


def configuration(dataset: xr.Dataset) -> dict[str, Any]:
    """Return what a sweep was configured with."""
    found: dict[str, Any] = json.loads(dataset.attrs["configuration"])
    return found


def class_moments(dataset: xr.Dataset, samples: int = 10_000) -> xr.Dataset:
    """Draw the pairs of a sweep again and estimate what the uniform-convergence terms of its strong class need.

    Features are whitened, with a constant one among them for the intercept, so that the norm of a head is the root mean
    square of its outputs. The class is then all heads with |b| <= radius = |g| + sqrt(largest w2s_error of that task),
    which holds both the best head and every w2s model of the sweep.

    Args:
        dataset: from `sweep`: a world of `w2sjax.worlds`, pairs whose draws all cells share, and weak heads that are
            least squares on labels without noise. Of the axes only sample sizes and ridge_strong may have several
            values; of others select one.
        samples: evaluation samples drawn per pair, >= 1, rounded up to whole blocks; the first ones of the sweep's own.

    Returns:
        A Dataset by pair, or by pair and task: `dimension`, linearly independent features and the constant one;
        `output_bound`, the largest |output| of truth, weak model and best head in the sample; `radius`;
        `fourth_moment` E|z|^4 and `cross_moment` E[(p - w)^2 |z|^2] of whitened features z; `output_scale`, |g|;
        `best_error` eps = |p - g|^2, and the `weak_error` of the weak head fitted here, on the same sample.
        The largest output of a sample bounds nothing where inputs are unbounded, and there the moments of rarely active
        units depend on the sample.

    Raises:
        W2SError: if the sweep is another one; the message says what to select or to change.

    Cost: one pass over n_weak + samples rows per pair, in NumPy, and memory for one pair's.
    """
    world, protocol = _settings(dataset)
    tasks = dataset.sizes["task"]
    others = [d for d in dataset["w2s_error"].dims if d not in ("pair", "task")]
    largest_error = dataset["w2s_error"].max(others).transpose("pair", "task").values
    seed = seed_key(configuration(dataset)["seed"])
    rows = [
        _moments(world, protocol, pair_key(seed, int(index)), tasks, samples, error)
        for index, error in zip(dataset["pair"].values, largest_error, strict=True)
    ]
    result = xr.Dataset(coords={"pair": dataset["pair"], "task": dataset["task"]})
    for name in rows[0]:
        values = np.stack([row[name] for row in rows])
        result[name] = (("pair", "task")[: values.ndim], values)
    return result


def _settings(dataset: xr.Dataset) -> tuple[Any, dict[str, Any]]:
    """Return the world and the fields of the protocol that a sweep drew its pairs by, or refuse it."""
    configured = configuration(dataset)
    if not configured["paired"]:
        raise W2SError(
            "the sweep has paired=False, so that every cell has pairs of its own: run it with paired=True."
        )
    fields = dict(configured["world"])
    kind = fields.pop("kind")
    if not hasattr(worlds, kind):
        raise W2SError(f"world {kind} is not in w2sjax.worlds: compute its moments from its features.")
    protocol = dict(configured["protocol"])
    weak_head = protocol["head"] if protocol["weak_head"] is None else protocol["weak_head"]
    for axis in dict.fromkeys([*configured["axes"], *(str(d) for d in dataset.dims if d in fields)]):
        *owner, name = axis.split(".")
        of_student = name == "ridge" and protocol["weak_head"] is not None and owner[-1] != "weak_head"
        if name in ("n_strong", "n_eval") or of_student:
            continue
        values = axis_values(dataset, axis)
        assert values is not None  # as it is an axis
        if name in ("n_weak", "ridge"):
            values = values.max()
        if values.ndim > 0:
            raise W2SError(
                f"axis {axis} changes the pairs or their weak heads: select one value of it first."
            )
        table = weak_head if name == "ridge" else fields if name in fields else protocol
        table[name] = values.item()
    for name, value, wanted in (
        ("weak head", weak_head["kind"], "Ridge"),
        ("ridge of the weak heads", weak_head.get("ridge"), 0),
        ("label_noise", protocol["label_noise"], 0),
    ):
        if value != wanted:
            raise W2SError(
                f"the sweep has {name} {value!r}, but the bounds are for weak heads that are least squares on labels "
                f"without noise: run it with {wanted!r}."
            )
    return getattr(worlds, kind)(**fields), protocol


def _moments(
    world: Any,
    protocol: dict[str, Any],
    key: jax.Array,
    tasks: int,
    samples: int,
    largest_error: np.ndarray,
) -> dict[str, np.ndarray]:
    n_weak = int(protocol["n_weak"])
    numerics = Numerics(evaluation_points=protocol["numerics"]["evaluation_points"])
    rows = -(-samples // BLOCK) * BLOCK
    design = design_of(Protocol(n_weak=n_weak, n_eval=rows, tasks=tasks, numerics=numerics))
    drawn = _draw(as_pytree(world), key, design=design)
    (weights, bias), training, evaluation = jax.tree.map(lambda v: np.asarray(v, float), drawn)
    target, weak = (training[name][:n_weak] for name in ("target", "weak"))
    weak_head = _least_squares(weak, target @ weights + bias)
    target, weak, strong = (evaluation[name] for name in ("target", "weak", "strong"))
    truth = target @ weights + bias
    by_weak = _with_constant(weak) @ weak_head
    whitened = _whiten(_with_constant(strong))
    best = whitened @ (whitened.T @ truth) / len(whitened)
    norms = (whitened**2).sum(1)
    outputs = np.stack([np.abs(v).max(0) for v in (truth, by_weak, best)])
    scale = np.sqrt((truth**2).mean(0))
    return {
        "dimension": np.array(whitened.shape[1]),
        "output_bound": outputs.max(0),
        "output_scale": scale,
        "best_error": ((best - truth) ** 2).mean(0),
        "weak_error": ((by_weak - truth) ** 2).mean(0),
        "radius": scale + np.sqrt(largest_error),
        "fourth_moment": np.array((norms**2).mean()),
        "cross_moment": ((best - by_weak) ** 2 * norms[:, None]).mean(0),
    }


@functools.partial(jax.jit, static_argnames=("design",))
def _draw(world: Any, key: jax.Array, *, design: Design) -> Any:
    """Return target heads, and the features `[n, width]` by name of the weak training and evaluation samples."""
    source = source_of(world, key, design)
    samples = (
        source.rows(source.entries((role, 0)), design.order, split)
        for role, split in ((Role.WEAK, "weak"), (Role.EVAL, "eval"))
    )
    return source.target_heads(design.tasks), *samples


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)


def _whiten(features: np.ndarray) -> np.ndarray:
    """Return linear combinations of the columns with the unit matrix as their second moment."""
    scale = np.sqrt((features**2).mean(0))
    left, singular, _ = np.linalg.svd(features[:, scale > 0] / scale[scale > 0], full_matrices=False)
    return left[:, singular > _SMALLEST * singular[0]] * np.sqrt(len(features))


def _least_squares(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the least-squares head `[width + 1, task]`, its last row the intercept."""
    design = _with_constant(features)
    scale = np.sqrt((design**2).mean(0))
    scale = np.where(scale > 0, scale, 1)
    return np.linalg.lstsq(design / scale, labels, rcond=_SMALLEST)[0] / scale[:, None]
