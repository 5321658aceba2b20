"""Threefry against published answers; Sobol points against SciPy, and as a net."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

import w2sjax as w2s
from tests.oracle import errors
from tests.test_few_tasks import ROUTES, run
from tests.test_pair import NAMES, WORLD
from w2sjax.engine.design import design_keys, design_of
from w2sjax.engine.source import Source
from w2sjax.heads import Ball, Ridge, Trained
from w2sjax.random import draws
from w2sjax.random.keys import BLOCK, Role, pair_key
from w2sjax.random.sobol import POINTS, _directions, sobol_bits
from w2sjax.random.threefry import threefry
from w2sjax.worlds.mlp import inputs_of_bits

SOBOL_POINTS = w2s.Numerics(evaluation_points="sobol")
SOBOL = w2s.Protocol(n_weak=600, n_strong=700, n_eval=1024, tasks=30, numerics=SOBOL_POINTS)
ZERO = jnp.zeros((), jnp.uint32)


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # the known answers of the Random123 library
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers(key: Any, counter: Any, expected: Any) -> None:
    words = [jnp.array(word, jnp.uint32) for word in (*key, *counter)]
    assert tuple(int(word) for word in threefry(*words)) == expected


def test_only_evaluation_samples_are_points(key: jax.Array) -> None:
    design = design_of(dataclasses.replace(SOBOL, fresh_misfit=True, label_noise=0.1))
    keys = design_keys(key, design)
    source = Source(WORLD.draw(key), design, {}, keys)
    for role in (Role.WEAK, Role.STRONG):
        assert source.entries((role, 0)) is keys[role, 0]
    for role in (Role.EVAL, Role.MISFIT):
        of_sequence, first = source.entries((role, 0))
        assert (of_sequence == keys[role, 0][0]).all()
        np.testing.assert_array_equal(first, [0, BLOCK, 2 * BLOCK])
    assert (keys[Role.EVAL, 0][0] != keys[Role.MISFIT, 0][0]).all()
    plain = source._replace(design=dataclasses.replace(design, evaluation_points="random"))
    assert plain.entries((Role.EVAL, 0)) is keys[Role.EVAL, 0]


@pytest.mark.parametrize("route", ROUTES)
def test_outcomes_equal_numpy_on_the_same_draws(route: str) -> None:
    protocol = w2s.Protocol(
        n_weak=900, n_strong=1100, n_eval=1300, tasks=5, head=Ridge(1e-6), numerics=SOBOL_POINTS
    )
    key = pair_key(jax.random.key(4), 0)
    outcome = run(route, WORLD, protocol, key)
    expected = errors(WORLD, protocol, key)
    for name in NAMES:
        error = np.abs(getattr(outcome, name) - expected[name]) / expected["weak_error"]
        assert error.max() < 1e-9, (name, error.max())
    if route == "labels":  # by moments below
        other = run(route, WORLD, dataclasses.replace(protocol, numerics=w2s.Numerics()), key)
        assert (other.weak_error != outcome.weak_error).all()
        np.testing.assert_allclose(other.weak_error, outcome.weak_error, rtol=0.5)


def test_directions_are_those_of_scipy() -> None:
    n, dimension = 1024, 9
    directions = _directions(dimension)
    points = np.zeros((n, dimension), np.uint32)
    for i in range(1, n):
        changed = (i ^ (i >> 1)) ^ ((i - 1) ^ ((i - 1) >> 1))
        points[i] = points[i - 1] ^ directions[:, changed.bit_length() - 1]
    expected = qmc.Sobol(dimension, scramble=False, bits=32).random(n)
    np.testing.assert_array_equal(points / 2.0**32, expected)
    last = qmc.Sobol(dimension, scramble=False, bits=32).fast_forward(POINTS // 2).random(1)[0]
    expected_last = directions[:, -1] ^ directions[:, -2]
    np.testing.assert_array_equal(expected_last / 2.0**32, last)


def test_scrambled_points_are_a_net_whose_blocks_follow_each_other(key: jax.Array) -> None:
    blocks = jax.vmap(lambda first: sobol_bits(key, first, 6, 500))(jnp.arange(0, 1500, 500, jnp.uint32))
    together = sobol_bits(key, ZERO, 6, 1024)
    np.testing.assert_array_equal(np.concatenate(list(blocks), axis=1)[:, :1024], together)
    unit = np.asarray(together) / 2.0**32
    assert (np.sort((unit * 1024).astype(int), axis=1) == np.arange(1024)).all()  # one in every interval
    for across in range(11):  # the first two coordinates have one point in every box of volume 1 / 1024
        boxes = (unit[0] * 2**across).astype(int) * 2 ** (10 - across) + (
            unit[1] * 2 ** (10 - across)
        ).astype(int)
        assert (np.sort(boxes) == np.arange(1024)).all()
    for i in range(6):  # scrambled otherwise: no coordinate is another, or SciPy's unscrambled one
        for j in range(i):
            assert abs(np.corrcoef(unit[i], unit[j])[0, 1]) < 0.1
    assert np.abs(unit - qmc.Sobol(6, scramble=False).random(1024).T).max() > 0.5


def test_every_point_is_uniform_over_scramblings(key: jax.Array) -> None:
    n = 4000
    bits = jax.vmap(lambda key: sobol_bits(key, ZERO, 3, 8))(jax.random.split(key, n))
    points = np.asarray(bits) / 2.0**32
    assert np.abs(points.mean(0) - 0.5).max() < 4.5 / (12 * n) ** 0.5
    assert np.abs((points**2).mean(0) - 1 / 3).max() < 4.5 * (4 / 45 / n) ** 0.5
    normal = np.asarray(inputs_of_bits("gaussian", bits, jnp.ones(())))
    assert np.abs(normal.mean(0)).max() < 4.5 / n**0.5


def test_means_over_sobol_points_vary_less(key: jax.Array) -> None:
    def mean(x: jax.Array) -> jax.Array:
        return jnp.mean(jnp.sum(x, axis=0) ** 2 + jnp.max(x, axis=0))

    keys = jax.random.split(key, 64)
    random = np.asarray(jax.vmap(lambda key: mean(draws.normal(key, (4, 1024))))(keys))
    bits = jax.vmap(lambda key: sobol_bits(key, ZERO, 4, 1024))(keys)
    sobol = np.asarray(jax.vmap(mean)(inputs_of_bits("gaussian", bits, jnp.ones(()))))
    assert abs(sobol.mean() - random.mean()) < 4 * random.std() / 8
    assert sobol.var() < random.var() / 5


FLOAT32 = dataclasses.replace(SOBOL_POINTS, feature_precision="float32")


@pytest.mark.parametrize(
    "fields",
    [
        {"head": Ball(1.0), "fresh_misfit": True, "label_noise": 0.5},
        {"head": Trained(epochs=2), "fresh_misfit": True},
        {"reuse_inputs": True, "n_strong": 600, "numerics": FLOAT32},
    ],
    ids=str,
)
def test_every_kind_of_experiment_takes_them(fields: dict[str, Any]) -> None:
    protocol = dataclasses.replace(SOBOL, **fields)
    outcome = w2s.run_pair(WORLD, protocol, pair_key(jax.random.key(2), 1))
    random = dataclasses.replace(protocol.numerics, evaluation_points="random")
    plain = dataclasses.replace(protocol, numerics=random)
    other = w2s.run_pair(WORLD, plain, pair_key(jax.random.key(2), 1))
    assert np.isfinite(outcome.weak_error).all() and (outcome.weak_error != other.weak_error).all()
    assert 0.5 < np.median(outcome.weak_error / other.weak_error) < 2
    if not isinstance(protocol.head, Trained):
        np.testing.assert_array_equal(outcome.status.weak_rank, other.status.weak_rank)


def test_sizes_are_prefixes_and_both_can_be_axes() -> None:
    axes = {
        "n_eval": [512, 1024],
        "evaluation_points": ["random", "sobol"],
    }
    ds = w2s.sweep(WORLD, dataclasses.replace(SOBOL, tasks=3), pairs=2, seed=2, axes=axes)
    assert ds.weak_error.dims == ("pair", "n_eval", "evaluation_points", "task")
    for n in (512, 1024):
        single = w2s.sweep(WORLD, dataclasses.replace(SOBOL, tasks=3, n_eval=n), pairs=2, seed=2)
        cell = ds.sel(n_eval=n, evaluation_points="sobol")
        np.testing.assert_allclose(cell.weak_error, single.weak_error, rtol=1e-9)


class RowsByJax:
    """A user's world, which draws its inputs by `jax.random`."""

    def draw(self, key: jax.Array) -> "RowsByJax":
        return self

    def features(self, key: jax.Array, n: int) -> Any:
        x = jax.random.normal(key, (n, 3))
        return x, jnp.tanh(x), x**2


def test_worlds_and_settings_that_cannot_have_them_are_refused() -> None:
    key = jax.random.key(0)
    with pytest.raises(
        ValueError,
        match="evaluation_points='sobol' needs a world whose pairs have input_dim and inputs_of_bits",
    ):
        w2s.run_pair(RowsByJax(), SOBOL, key)
    with pytest.raises(ValueError, match="needs inputs 'gaussian' or 'uniform', not 'student_t'"):
        w2s.run_pair(dataclasses.replace(WORLD, inputs="student_t"), SOBOL, key)
    with pytest.raises(ValueError, match="at most 1024 input dimensions, not 1025"):
        w2s.run_pair(dataclasses.replace(WORLD, input_dim=1025), SOBOL, key)
    with pytest.raises(ValueError, match="standard_errors=True supposes independent inputs"):
        w2s.Protocol(standard_errors=True, numerics=SOBOL_POINTS)
    with pytest.raises(ValueError, match="n_eval=2000000 is more than the 1048576 points"):
        w2s.Protocol(n_eval=2_000_000, numerics=SOBOL_POINTS)
    with pytest.raises(ValueError, match="more than the 1048576 points"):
        w2s.sweep(
            WORLD,
            w2s.Protocol(tasks=1),
            pairs=1,
            axes={"n_eval": [2_000_000], "evaluation_points": ["sobol"]},
        )
