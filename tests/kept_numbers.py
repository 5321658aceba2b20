"""Settings whose results are kept: worlds, heads, grids and precisions, 48 pairs each.

`python -m tests.kept_numbers FOLDER` computes all of them with the installed version and writes `FOLDER/numbers.npz`.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import w2sjax as w2s
from w2sjax.heads import Ball, Ridge, Trained
from w2sjax.random.draws import normal

PAIRS = 48
QUANTITIES = ("weak_error", "ceiling_error", "misfit", "gain", "deviation")
MLP = w2s.worlds.PerturbedMLP


@dataclasses.dataclass(frozen=True)
class MaskedPair:
    """A pair of a user's world: the weak and the strong model see a part of the inputs."""

    weights: jax.Array

    def features(self, key: jax.Array, n: int) -> Any:
        inputs = normal(key, (n, self.weights.shape[0]))
        return tuple(jnp.tanh(inputs[:, :seen] @ self.weights[:seen]) for seen in (None, 3, 5))


@dataclasses.dataclass(frozen=True)
class Masked:
    """A user's world: a plain dataclass with rows of features, and the default prior over heads."""

    def draw(self, key: jax.Array) -> MaskedPair:
        return MaskedPair(normal(key, (6, 7)))


class Case(NamedTuple):
    """A sweep: world, fields of the protocol, axes, and other arguments."""

    world: Any
    protocol: dict[str, Any]
    axes: dict[str, Any] = {}
    options: dict[str, Any] = {}


N = {"n_weak": 300, "n_strong": 300, "n_eval": 300}
SMALL = MLP(width=6, depth=2)

CASES: dict[str, Case] = {
    "few tasks": Case(MLP(), N | {"tasks": 2}),
    "many tasks": Case(MLP(), N | {"tasks": 40}),
    "realizable": Case(MLP(strong_noise=0.0), N | {"tasks": 2}),
    "sizes": Case(SMALL, {"tasks": 2}, {"n_weak": [7, 300, 1200], "n_strong": [40, 700], "n_eval": [1, 900]}),
    "ridges": Case(SMALL, N | {"tasks": 2}, {"ridge": [0.0, 1e-3, 10.0]}),
    "two ridges": Case(SMALL, N | {"tasks": 2, "weak_head": Ridge(1e-2), "head": Ridge(1e-4)}),
    "one ridge, many tasks": Case(SMALL, N | {"tasks": 30, "head": Ridge(1e-3)}),
    "sizes and ridges": Case(
        SMALL,
        N | {"tasks": 2, "weak_head": Ridge()},
        {"protocol.head.ridge": [0.0, 0.1], "n_strong": [100, 800]},
    ),
    "label noise, few tasks": Case(MLP(), N | {"tasks": 2, "label_noise": 0.1}),
    "label noise, many tasks": Case(SMALL, N | {"tasks": 30}, {"label_noise": [0.0, 0.1]}),
    "reused inputs": Case(SMALL, N | {"tasks": 2, "reuse_inputs": True}),
    "reused inputs, sizes": Case(
        SMALL,
        {"tasks": 2, "n_weak": 900, "n_strong": 600, "n_eval": 200, "reuse_inputs": True},
        {"n_strong": [50, 600]},
    ),
    "fresh misfit, few tasks": Case(MLP(), N | {"tasks": 2, "fresh_misfit": True}),
    "fresh misfit, many tasks": Case(SMALL, N | {"tasks": 30, "fresh_misfit": True}),
    "standard errors": Case(SMALL, N | {"tasks": 2, "standard_errors": True}),
    "sobol": Case(SMALL, N | {"tasks": 2, "numerics": w2s.Numerics(evaluation_points="sobol")}),
    "float32 features": Case(MLP(), N | {"tasks": 2, "numerics": w2s.Numerics(feature_precision="float32")}),
    "ball": Case(SMALL, N | {"tasks": 2, "head": Ball()}, {"radius": [1e-4, 1.0]}),
    "ball, sizes": Case(SMALL, {"tasks": 2, "head": Ball(radius=1e-3, ridge=1e-4)}, {"n_strong": [30, 600]}),
    "trained": Case(SMALL, N | {"tasks": 2, "head": Trained(epochs=3, learning_rate=1e-2)}),
    "trained, hidden": Case(
        SMALL,
        {
            "n_weak": 90,
            "n_strong": 70,
            "n_eval": 120,
            "tasks": 2,
            "head": Trained(epochs=3, width=3, activation="tanh", standardize=True, schedule="cosine"),
        },
    ),
    "trained, combined": Case(
        SMALL,
        {
            "n_weak": 60,
            "n_strong": 60,
            "n_eval": 60,
            "tasks": 2,
            "head": Trained(epochs=2, copies=2, batch_size=0),
            "fresh_misfit": True,
            "reuse_inputs": True,
        },
    ),
    "outer axes": Case(SMALL, N | {"tasks": 2}, {"weak_noise": [0.02, 0.2], "input_scale": [1.0, 500.0]}),
    "tanh, uniform": Case(
        MLP(width=8, depth=3, activation="tanh", inputs="uniform", input_scale=1.0), N | {"tasks": 2}
    ),
    "student t, matrix products": Case(MLP(width=10, depth=2, inputs="student_t"), N | {"tasks": 2}),
    "wide": Case(MLP(width=40, depth=3), {"n_weak": 600, "n_strong": 600, "n_eval": 600, "tasks": 2}),
    "candidates": Case(
        w2s.worlds.PerturbedCandidates(width=6, depth=2), N | {"tasks": 2}, {"weak_noise": [0.05, 0.1]}
    ),
    "pretrained": Case(
        w2s.worlds.PretrainedMLP(
            width=4, depth=2, weak_depth=1, strong_depth=2, pretrain_tasks=2, pretrain_samples=40, epochs=2
        ),
        N | {"tasks": 2},
    ),
    "user's world": Case(Masked(), N | {"tasks": 2}),
    "user's world, many tasks": Case(Masked(), N | {"tasks": 40}, {"n_weak": [60, 600]}),
}


def compute(name: str) -> xr.Dataset:
    """Run a case in the precision of JAX's x64 flag."""
    case = CASES[name]
    return w2s.sweep(
        case.world, w2s.Protocol(**case.protocol), pairs=PAIRS, seed=7, axes=case.axes, **case.options
    )


def main(folder: Path) -> None:
    kept: dict[str, np.ndarray] = {}
    for x64 in (True, False):
        with jax.enable_x64(x64):
            for name in CASES:
                found = compute(name)
                tasks = slice(min(found.sizes["task"], 2))
                for quantity in QUANTITIES:
                    kept[f"{name}|{'float64' if x64 else 'float32'}|{quantity}"] = (
                        found[quantity].isel(task=tasks).values
                    )
                print(name, x64, flush=True)
    np.savez_compressed(folder / "numbers.npz", **kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
