"""Whole experiments lower for a GPU and a TPU, which needs neither: no operation is missing there."""

import functools
import warnings
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

import w2sjax as w2s
from w2sjax.engine.pair import run_grid
from w2sjax.random.keys import pair_key
from w2sjax.sweeps.grid import make_grid
from w2sjax.worlds import PerturbedMLP, PretrainedMLP
from w2sjax.worlds.layers import ACTIVATIONS
from w2sjax.worlds.tiles import columns_in_tiles

PROTOCOLS = {
    "few tasks": {"tasks": 1},
    "many tasks": {"tasks": 30, "label_noise": 0.1, "standard_errors": True},
    "small samples": {
        "tasks": 30,
        "n_weak": 50,
        "n_strong": 700,
        "numerics": w2s.Numerics(evaluation_points="sobol"),
    },
    "ball": {"tasks": 3, "head": w2s.heads.Ball(1.0)},
    "trained": {"tasks": 3, "head": w2s.heads.Trained(epochs=2, batch_size=32, width=4)},
}
BACKENDS = {"gpu": ("cuda", "NVIDIA H200"), "tpu": ("tpu", "TPU v5e")}
"""Platform to lower for, and kind of device."""


def lowered(backend: str, run: Any, *arguments: Any) -> str:
    """Lower a batch of a function for an accelerator, by the way that the program takes there."""
    platform, kind = BACKENDS[backend]
    device = AbstractDevice(device_kind=kind, num_cores=None, platform=backend)
    mesh = AbstractMesh((), (), abstract_device=device)
    with (
        warnings.catch_warnings(),
        use_abstract_mesh(mesh),
        mock.patch.object(jax, "default_backend", lambda: backend),
    ):
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = jax.jit(jax.vmap(run)).trace(*arguments)
        return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", PROTOCOLS)
def test_an_experiment_lowers(backend: str, name: str) -> None:
    with jax.enable_x64(backend == "gpu"):
        cell = make_grid(PerturbedMLP(), w2s.Protocol(**PROTOCOLS[name]), {}).cell({})

        def run(index: jax.Array) -> Any:
            return run_grid(cell.world, pair_key(jax.random.key(0), index), cell.design, cell.numbers)

        text = lowered(backend, run, np.arange(2, dtype=np.uint32))
    assert ("f64" in text) == (backend == "gpu")


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_of_representations_lowers(backend: str) -> None:
    for preparation in PretrainedMLP(epochs=2).preparations().values():
        lowered(backend, preparation, jax.random.split(jax.random.key(0), 2))


@pytest.mark.parametrize("double", [False, True])
def test_small_networks_are_one_kernel_on_a_gpu(double: bool) -> None:
    with jax.enable_x64(double):
        cell = make_grid(PerturbedMLP(), w2s.Protocol(tasks=2), {}).cell({})

        def run(index: jax.Array) -> Any:
            return run_grid(cell.world, pair_key(jax.random.key(0), index), cell.design, cell.numbers)

        assert "triton" in lowered("gpu", run, np.arange(2, dtype=np.uint32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_networks_in_tiles_are_networks_layer_by_layer(activation: str, dtype: str) -> None:
    """Sizes that fill neither a tile of samples nor a side; batched over networks; with derivatives."""
    numbers = np.random.default_rng(0)
    shapes = [(13, 8), (13,), (17, 13), (17,)]
    copies = [jnp.asarray(numbers.standard_normal((2, *shape)), dtype) for shape in shapes]
    columns = jnp.asarray(numbers.standard_normal((8, 70)), dtype)
    matmul = functools.partial(jnp.matmul, precision="highest")

    def in_tiles(first: Any, one: Any, second: Any, two: Any) -> Any:
        return columns_in_tiles([(first, one), (second, two)], columns, activation)

    def by_layer(first: Any, one: Any, second: Any, two: Any) -> Any:
        hidden = ACTIVATIONS[activation](matmul(first, columns) + one[:, None])
        return ACTIVATIONS[activation](matmul(second, hidden) + two[:, None])

    close = {"float32": 1e-5, "float64": 2e-14}[dtype]
    batches = (jax.vmap(run)(*copies) for run in (in_tiles, by_layer))
    np.testing.assert_allclose(*batches, rtol=close, atol=close)
    first = [each[0] for each in copies]
    slopes = [jax.grad(lambda *a, f=f: jnp.sum(jnp.sin(f(*a))))(*first) for f in (in_tiles, by_layer)]
    np.testing.assert_allclose(*slopes, rtol=10 * close, atol=10 * close)
