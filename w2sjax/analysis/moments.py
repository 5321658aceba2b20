"""Moments of the strong class on a world, which the bounds need and a sweep does not keep: its pairs drawn again."""

import json
from typing import Any

import jax
import numpy as np
import xarray as xr

from w2sjax.analysis.statistics import check_holds
from w2sjax.engine.axes import find, put
from w2sjax.engine.protocol import Protocol
from w2sjax.engine.redraw import redraw
from w2sjax.errors import W2SError
from w2sjax.losses import SQUARED, ZERO_ONE
from w2sjax.random.keys import Role

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
    """Return what a sweep was configured with, or refuse a Dataset that does not say."""
    check_holds(dataset)
    if "configuration" not in dataset.attrs:
        raise W2SError("dataset has no attribute configuration: pass what sweep or open_store returned.")
    found: dict[str, Any] = json.loads(dataset.attrs["configuration"])
    return found


def class_moments(dataset: xr.Dataset, samples: int = 10_000) -> xr.Dataset:
    """Draw the pairs of a sweep again and estimate what the uniform-convergence terms of its strong class need.

    Features are whitened, with a constant one among them for the intercept, so that the norm of a head is the root mean
    square of its outputs. The class is then all heads with |b| <= radius = |g| + sqrt(largest w2s_error of that task),
    which holds both the best head and every w2s model of the sweep.

    Args:
        dataset: from `sweep`: a world of `w2sjax.worlds`, and pairs whose draws all cells share. Of the axes only
            sample sizes and those of the strong heads may have several values; of others select one.
        samples: evaluation samples drawn per pair, >= 1, rounded up to whole blocks; the first ones of the sweep's own.

    Returns:
        A Dataset by pair, or by pair and task: `dimension`, linearly independent features and the constant one;
        `output_bound`, the largest |output| of truth, weak model and best head in the sample; `radius`;
        `fourth_moment` E|z|^4 and `cross_moment` E[(p - w)^2 |z|^2] of whitened features z; `output_scale`, |g|;
        `best_error` eps = |p - g|^2, and the `weak_error`, on the same sample.
        The largest output of a sample bounds nothing where inputs are unbounded, and there the moments of rarely active
        units depend on the sample.

    Raises:
        W2SError: if the sweep is another one; the message says what to select or to change.

    Cost: the weak fit of every pair and one pass over `samples` rows; memory for one pair's.
    """
    check_holds(dataset, "w2s_error")
    world, protocol = _cell_of(dataset)
    others = [d for d in dataset["w2s_error"].dims if d not in ("pair", "task")]
    largest_error = dataset["w2s_error"].max(others).transpose("pair", "task").values
    first, seed = protocol.chain()[:1], configuration(dataset)["seed"]
    rows = []
    for index, error in zip(dataset["pair"].values.tolist(), largest_error, strict=True):
        drawn = redraw(world, protocol, first, ("strong",), samples, seed, [index], Role.EVAL)
        features, predictions = jax.tree.map(lambda values: np.asarray(values[0], float), drawn)
        rows.append(_moments(features["strong"], predictions["truth"], predictions[first[0].name], error))
    result = xr.Dataset(coords={"pair": dataset["pair"], "task": dataset["task"]})
    for name in rows[0]:
        values = np.stack([row[name] for row in rows])
        result[name] = (("pair", "task")[: values.ndim], values)
    return result


def settings_of(dataset: xr.Dataset) -> tuple[Any, Protocol, dict[str, list[Any]]]:
    """Return the world, the protocol and the axes of a sweep: of an axis that was selected, the one value.

    Raises:
        W2SError: for a world or a head that this package does not have, and an axis whose values were dropped.
    """
    from w2sjax.sweeps.configuration import check_configuration

    check_holds(dataset, "pair", "task")
    configured = configuration(dataset)
    if not configured["paired"]:
        raise W2SError(
            "the sweep has paired=False, so that cells have pairs of their own: run it with paired=True."
        )
    protocol = configured["protocol"] | {"tasks": dataset.sizes["task"]}
    known = {loss.name: name.lower() for name, loss in (("SQUARED", SQUARED), ("ZERO_ONE", ZERO_ONE))}
    if protocol["loss"] not in known:
        raise W2SError(f"the sweep has loss {protocol['loss']!r}: theories here are for squared error.")
    protocol["loss"] = known[protocol["loss"]]
    axes = {}
    for name in configured["axes"]:
        values = axis_values(dataset, name)
        assert values is not None  # as it is an axis
        axes[name] = np.atleast_1d(values.values).tolist()
    for part in (protocol["numerics"], *(protocol["stages"] or ())):
        part.pop("kind", None)
    rebuilt = check_configuration(
        {"pairs": 1, "world": configured["world"], "protocol": protocol, "axes": axes}
    )
    return rebuilt.world, rebuilt.protocol, axes


def _cell_of(dataset: xr.Dataset) -> tuple[Any, Protocol]:
    """Return the world and the protocol that the pairs of a sweep and their weak models go by."""
    world, protocol, axes = settings_of(dataset)
    dims = [str(dim) for dim in dataset["w2s_error"].dims if dim not in ("pair", "task")]
    for name in dict.fromkeys([*axes, *dims]):
        path = find(name, world, protocol)
        of_student = path[1] == "head" and protocol.weak_head is not None
        if path[-1] in ("n_strong", "n_eval") or of_student:
            continue
        values = axis_values(dataset, name)
        assert values is not None  # as it is an axis
        values = values.max() if path[-1] == "n_weak" else values
        if values.ndim > 0:
            raise W2SError(
                f"axis {name} changes the pairs or their weak heads: select one value of it first."
            )
        world, protocol = put(world, protocol, {path: values.item()})
    return world, protocol


def _moments(
    strong: np.ndarray, truth: np.ndarray, by_weak: np.ndarray, largest_error: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the numbers of one pair from its strong features, truth and weak predictions on one sample."""
    whitened = _whiten(np.concatenate([strong, np.ones((len(strong), 1))], axis=1))
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


def _whiten(features: np.ndarray) -> np.ndarray:
    """Return linear combinations of the columns with the unit matrix as their second moment."""
    scale = np.sqrt((features**2).mean(0))
    left, singular, _ = np.linalg.svd(features[:, scale > 0] / scale[scale > 0], full_matrices=False)
    return left[:, singular > _SMALLEST * singular[0]] * np.sqrt(len(features))
