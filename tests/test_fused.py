"""The kernel from random bits to moments: against the plain program, interpreted."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import w2sjax as w2s
from tests.test_pair import FixedSample
from w2sjax.engine.randomness import pair_key
from w2sjax.worlds import fused
from w2sjax.worlds.mlp import PerturbedMLP

NAMES = ("weak", "target", "strong")
WORLDS = {
    "published": PerturbedMLP(),
    "odd sizes, tanh": PerturbedMLP(width=5, input_dim=20, depth=2, activation="tanh", input_scale=1.0),
    "sigmoid": PerturbedMLP(width=9, depth=3, activation="sigmoid", input_scale=2.0),
}


@pytest.mark.parametrize("names", [NAMES, NAMES[:2]], ids=len)
@pytest.mark.parametrize("fitted", [None, 0, -1], ids=str)
@pytest.mark.parametrize("case", WORLDS)
def test_moments_of_a_block_are_those_of_its_columns(
    case: str, fitted: int | None, names: tuple[str, ...]
) -> None:
    pair = WORLDS[case].draw(jax.random.key(1))
    key = jax.random.key(2)
    features = np.asarray(pair.columns(key, 500, names))
    width = len(features) // len(names)
    index = None if fitted is None else range(len(names))[fitted]
    mine = slice(None) if index is None else slice(index * width, (index + 1) * width)
    d = len(features[mine])
    centred = features - features.mean(1, keepdims=True)
    whiten = np.linalg.inv(np.linalg.cholesky(np.cov(features[mine]) + 1e-4 * np.eye(d)))
    full = np.eye(len(features))
    full[mine, mine] = whiten

    def moments(center: jax.Array, whiten: jax.Array, key: jax.Array) -> fused.BlockMoments:
        kernel = pair.moment_kernel(500, names, center, whiten, fitted=index)
        return kernel.unpack(kernel.run(key))

    run = jax.jit(moments)
    sums = jax.tree.map(np.asarray, run(jnp.asarray(features.mean(1)), jnp.asarray(whiten), key))
    coordinates = full @ centred
    size = np.abs(full) @ np.abs(features)
    assert sums.products.dtype == np.float32
    error = np.abs(sums.products - coordinates[mine] @ coordinates.T)
    np.testing.assert_array_less(error, 1e-5 * (size[mine] @ np.abs(coordinates).T + 1))
    np.testing.assert_array_less(np.abs(sums.coordinates - coordinates.sum(1)), 1e-5 * size.sum(1) + 1e-6)


def test_outcomes_are_those_of_float32_features(key: jax.Array) -> None:
    protocol = w2s.Protocol(n_weak=1234, n_strong=1500, n_eval=1000, tasks=30, feature_precision="float32")
    kernel = dataclasses.replace(protocol, feature_kernel="pallas")
    plain, ours = (w2s.run_pair(PerturbedMLP(), p, key) for p in (protocol, kernel))
    for name in ("gain", "misfit", "w2s_error", "ceiling_error"):
        error = np.abs(np.asarray(getattr(plain, name)) - np.asarray(getattr(ours, name))) / plain.weak_error
        assert error.max() < 1e-5, name
    assert int(plain.status.code) == int(ours.status.code)


@pytest.mark.parametrize("index", [126, 195, 226])
def test_float64_moments_know_that_the_kernel_sums_in_float32(index: int) -> None:
    """Units that are active in the pilot sample and nowhere else leave rounding of float32, which is no feature."""
    exact = w2s.Protocol(tasks=10, ridge=1e-8)
    kernel = dataclasses.replace(exact, feature_kernel="pallas")
    key = pair_key(jax.random.key(0), index)
    double, ours = (w2s.run_pair(PerturbedMLP(), protocol, key) for protocol in (exact, kernel))
    for name in ("gain", "misfit", "weak_error", "w2s_error", "ceiling_error"):
        error = (
            np.abs(np.asarray(getattr(double, name)) - np.asarray(getattr(ours, name))) / double.weak_error
        )
        assert error.max() < 2e-4, name


def test_a_tpu_is_refused(key: jax.Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    with pytest.raises(ValueError, match=r"for GPUs, but this process has a TPU: leave it at 'xla'"):
        w2s.run_pair(PerturbedMLP(), w2s.Protocol(tasks=2, feature_kernel="pallas"), key)


def test_what_the_kernel_cannot_draw_is_refused(key: jax.Array) -> None:
    protocol = w2s.Protocol(tasks=2, feature_kernel="pallas")
    with pytest.raises(ValueError, match=r"feature_kernel='pallas' is for perceptrons.*FixedSample"):
        w2s.run_pair(FixedSample(), protocol, key)
    with pytest.raises(ValueError, match=r"inputs='uniform'.*leave it at 'xla'"):
        w2s.run_pair(PerturbedMLP(inputs="uniform"), protocol, key)
    for fields in ({"label_noise": 0.1}, {"head": "trained"}):
        with pytest.raises(ValueError, match="feature_kernel='pallas' is for heads in closed form"):
            dataclasses.replace(protocol, **fields)
    with pytest.raises(ValueError, match="feature_kernel"):
        w2s.Protocol(feature_kernel="triton")
