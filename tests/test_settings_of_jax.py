"""Results do not depend on the user's settings of JAX; public types go through its transformations."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import w2sjax as w2s
from w2sjax.random import draws
from w2sjax.random.keys import cell_key, pair_key, run_pair_key
from w2sjax.random.threefry import as_threefry, seed_key
from w2sjax.sweeps.grid import make_grid
from w2sjax.worlds import PerturbedCandidates

WORLD = w2s.worlds.PerturbedMLP(width=4, depth=2, inputs="student_t")
PROTOCOL = w2s.Protocol(n_weak=40, n_strong=40, n_eval=40, tasks=2, label_noise=0.1)

PROGRAM = """
import json, sys, jax
jax.config.update("jax_enable_x64", True)
import w2sjax as w2s
from tests.test_settings_of_jax import PROTOCOL, WORLD
swept = w2s.sweep(WORLD, PROTOCOL, pairs=6, seed=1).weak_error.values.tolist()
print(json.dumps([swept, w2s.run_pair(WORLD, PROTOCOL, jax.random.key(5)).gain.tolist()]))
"""

SETTINGS = {
    "rbg, products in few bits": {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16"},
    "unsafe_rbg, seed offset": {"JAX_DEFAULT_PRNG_IMPL": "unsafe_rbg", "JAX_RANDOM_SEED_OFFSET": "77"},
    "not partitionable, strict, debugging": {
        "JAX_THREEFRY_PARTITIONABLE": "0",
        "JAX_NUMPY_DTYPE_PROMOTION": "strict",
        "JAX_NUMPY_RANK_PROMOTION": "raise",
        "JAX_DEBUG_NANS": "0",
        "JAX_CHECK_TRACER_LEAKS": "0",
        "JAX_LOG_COMPILES": "0",
    },
}


def numbers(settings: dict[str, str]) -> list[Any]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | settings,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    found: list[Any] = __import__("json").loads(run.stdout)
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_jax_change_no_number(name: str) -> None:
    swept, alone = numbers(SETTINGS[name])
    ours = w2s.sweep(WORLD, PROTOCOL, pairs=6, seed=1).weak_error.values
    np.testing.assert_allclose(swept, ours, rtol=1e-12)
    if name != "unsafe_rbg, seed offset":  # whose keys of a seed are other keys, which the user made
        np.testing.assert_allclose(alone, w2s.run_pair(WORLD, PROTOCOL, jax.random.key(5)).gain, rtol=1e-11)


def test_keys_of_other_generators_stand_for_threefry_keys() -> None:
    for seed in (0, 1, 2**31):
        ours, rbg = jax.random.key(seed, impl="threefry2x32"), jax.random.key(seed, impl="rbg")
        same = [as_threefry(key) for key in (rbg, *jax.random.split(rbg, 2), jax.random.fold_in(rbg, 7))]
        theirs = [ours, *jax.random.split(ours, 2), jax.random.fold_in(ours, 7)]
        for a, b in zip(same, theirs, strict=True):
            np.testing.assert_array_equal(jax.random.key_data(a), jax.random.key_data(b))
        np.testing.assert_array_equal(jax.random.key_data(seed_key(seed)), jax.random.key_data(ours))
        np.testing.assert_array_equal(draws.normal(rbg, (3, 4)), draws.normal(ours, (3, 4)))
    first = [jax.random.key(seed, impl="unsafe_rbg") for seed in range(3)]
    assert len({tuple(jax.random.key_data(as_threefry(key)).tolist()) for key in first}) == 3


def test_callers_share_no_key() -> None:
    seed = seed_key(0)
    words = {
        tuple(np.asarray(jax.random.key_data(key)).tolist())
        for key in (
            *(pair_key(seed, i) for i in range(2000)),
            *(cell_key(seed, f"{i}") for i in range(2000)),
            run_pair_key(seed),
            seed,
        )
    }
    assert len(words) == 4002
    outcome = w2s.run_pair(WORLD, PROTOCOL, jax.random.key(0))
    swept = w2s.sweep(WORLD, PROTOCOL, pairs=1, seed=0)
    assert (np.asarray(outcome.weak_error) != swept.weak_error.values[0]).all()


def test_every_cell_has_draws_of_its_own_whatever_the_axis() -> None:
    axes = {"weak_noise": np.arange(30) / 100, "strong_noise": np.arange(30) / 100}
    grid = make_grid(WORLD, PROTOCOL, axes, paired=False)
    cells = [grid.cell(position) for position in grid.positions()]
    assert len({cell.own_draws for cell in cells}) == 900
    short = w2s.sweep(WORLD, PROTOCOL, pairs=2, axes={"weak_noise": [0, 1]}, paired=False)
    long = w2s.sweep(WORLD, PROTOCOL, pairs=2, axes={"weak_noise": [0.5, 0.0, 1.0]}, paired=False)
    np.testing.assert_array_equal(short.sel(weak_noise=0).gain, long.sel(weak_noise=0).gain)
    assert (long.sel(weak_noise=0).gain.values != long.sel(weak_noise=1).gain.values).all()


PUBLIC = (
    w2s.Protocol(),
    w2s.Protocol(head=w2s.heads.Ball(0.5)),
    w2s.Protocol(head=w2s.heads.Trained(epochs=2), n_weak=20, n_strong=20, n_eval=20),
    WORLD,
    w2s.worlds.PretrainedMLP(),
    PerturbedCandidates(),
    w2s.worlds.PretrainedMLP().preparations()["weak"],
)


@pytest.mark.parametrize("value", PUBLIC, ids=lambda value: type(value).__name__)
def test_public_types_are_lawful_pytrees(value: Any) -> None:
    leaves, structure = jax.tree.flatten(value)
    assert jax.tree.unflatten(structure, leaves) == value
    assert jax.tree.leaves(jax.tree.map(lambda leaf: None, value)) == []
    for other in (object(), "text", jax.ShapeDtypeStruct((3,), jnp.float32)):
        rebuilt = jax.tree.map(lambda leaf, other=other: other, value)
        assert all(leaf is other for leaf in jax.tree.leaves(rebuilt)) and type(rebuilt) is type(value)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(value)]
    assert len(set(paths)) == len(leaves) and all(path.startswith(".") for path in paths)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tasks": 30, "head": w2s.heads.Ridge(0.1)},
        {"head": w2s.heads.Ball(0.5)},
        {"head": w2s.heads.Trained(epochs=2)},
    ],
    ids=str,
)
def test_run_pair_under_jit_and_vmap(fields: dict[str, Any], key: jax.Array) -> None:
    protocol = w2s.Protocol(**{"n_weak": 40, "n_strong": 40, "n_eval": 40, "tasks": 2} | fields)
    world = w2s.worlds.PerturbedMLP(width=4, depth=2)
    keys = jax.random.split(key, 3)
    plain = [w2s.run_pair(world, protocol, key) for key in keys]
    several = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf, float)] * 2), (world, protocol))
    over_settings = jax.vmap(w2s.run_pair, in_axes=(0, 0, None))
    at_once = jax.jit(jax.vmap(over_settings, in_axes=(None, None, 0)))(*several, keys)
    for i, j in np.ndindex(3, 2):
        np.testing.assert_allclose(at_once.gain[i, j], plain[i].gain, rtol=1e-8)
        np.testing.assert_allclose(at_once.misfit[i, j], plain[i].misfit, rtol=1e-8)
    if not fields:  # without jit, too
        many = jax.vmap(w2s.run_pair, in_axes=(None, None, 0))(world, protocol, keys)
        for i in range(3):
            np.testing.assert_allclose(many.gain[i], plain[i].gain, rtol=1e-8)
