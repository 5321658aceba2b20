"""Other generators: Threefry with 13 rounds against published answers, Sobol points against SciPy and as a net."""

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
from w2sjax import draws
from w2sjax.engine.randomness import BLOCK, Role, block_keys, pair_key, with_generators
from w2sjax.sobol import POINTS, _directions, sobol_bits, sobol_keys
from w2sjax.threefry import THREEFRY_13, threefry

SOBOL = w2s.Protocol(n_weak=600, n_strong=700, n_eval=1024, tasks=30, evaluation_points="sobol")


@pytest.mark.parametrize(
    ("rounds", "key", "counter", "expected"),
    [  # the known answers of the Random123 library
        (13, (0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
        (13, (0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0xFD36D048, 0x2D17272C)),
        (13, (0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xBA3E4725, 0xF27D669E)),
        (20, (0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        (20, (0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers(rounds: int, key: Any, counter: Any, expected: Any) -> None:
    words = [jnp.array(word, jnp.uint32) for word in (*key, *counter)]
    assert tuple(int(word) for word in threefry(*words, rounds)) == expected


def test_keys_of_13_rounds_serve_this_package_and_jax_alike(key: jax.Array) -> None:
    fast = jax.random.wrap_key_data(jax.random.key_data(key), impl=THREEFRY_13)
    mine = draws.random_bits(fast, (3, 50))
    first, second = threefry(
        *jax.random.key_data(key), jnp.zeros(150, jnp.uint32), jnp.arange(150, dtype=jnp.uint32), 13
    )
    np.testing.assert_array_equal(mine.reshape(-1), first ^ second)
    np.testing.assert_array_equal(mine, jax.random.bits(fast, (3, 50), jnp.uint32))
    np.testing.assert_allclose(
        draws.normal(fast, (7,)).astype(jnp.float32), jax.random.normal(fast, (7,), jnp.float32), rtol=7e-6
    )
    for child, parent in zip(jax.random.split(fast, 2), jax.random.split(key, 2), strict=True):
        np.testing.assert_array_equal(jax.random.key_data(child), jax.random.key_data(parent))
    np.testing.assert_array_equal(
        jax.random.key_data(draws.fold_in(fast, np.array([5], np.uint32))[0]),
        jax.random.key_data(jax.random.fold_in(key, 5)),
    )
    n = 200_000
    assert abs(float(jax.random.uniform(fast, (n,), jnp.float64).mean()) - 0.5) < 4 / (12 * n) ** 0.5
    assert abs(float(draws.normal(fast, (n,)).var()) - 1) < 4 * (2 / n) ** 0.5


def test_bytes_of_13_rounds_are_uniform_and_independent_of_their_neighbours(key: jax.Array) -> None:
    fast = jax.random.wrap_key_data(jax.random.key_data(key), impl=THREEFRY_13)
    words = np.asarray(draws.random_bits(fast, (2**18,)))
    for shift in (0, 8, 16, 24):
        byte = (words >> shift) & 255
        pairs = np.bincount(16 * (byte[:-1] >> 4) + (byte[1:] >> 4), minlength=256)
        for counts in (np.bincount(byte, minlength=256), pairs):
            statistic = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
            assert abs(statistic - 255) < 4.5 * (2 * 255) ** 0.5


def test_only_samples_are_drawn_by_another_generator(key: jax.Array) -> None:
    keys = block_keys(key, {Role.PAIR: 1, Role.TASKS: 1, Role.WEAK: 2, Role.EVAL: 3})
    changed = with_generators(keys, "threefry13", "sobol")
    assert changed[Role.PAIR] is keys[Role.PAIR] and changed[Role.TASKS] is keys[Role.TASKS]
    np.testing.assert_array_equal(
        jax.random.key_data(changed[Role.WEAK]), jax.random.key_data(keys[Role.WEAK])
    )
    np.testing.assert_array_equal(jax.random.key_data(changed[Role.EVAL])[:, 2], [0, BLOCK, 2 * BLOCK])
    assert with_generators(keys, "threefry", "random") is keys


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "fields",
    [
        {"generator": "threefry13"},
        {"evaluation_points": "sobol"},
        {"generator": "threefry13", "evaluation_points": "sobol"},
    ],
    ids=lambda fields: "-".join(fields.values()),
)
def test_outcomes_equal_numpy_on_the_same_draws(route: str, fields: dict[str, str]) -> None:
    protocol = w2s.Protocol(n_weak=900, n_strong=1100, n_eval=1300, tasks=5, ridge=1e-6, **fields)
    key = pair_key(jax.random.key(4), 0)
    outcome = run(route, WORLD, protocol, key)
    expected = errors(WORLD, protocol, key)
    for name in NAMES:
        error = np.abs(getattr(outcome, name) - expected[name]) / expected["weak_error"]
        assert error.max() < 1e-9, (name, error.max())
    other = run(
        route, WORLD, dataclasses.replace(protocol, generator="threefry", evaluation_points="random"), key
    )
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
    keys = sobol_keys(key, 3, 500)
    blocks = jax.vmap(lambda key: sobol_bits(key, 6, 500))(keys)
    together = sobol_bits(keys[0], 6, 1024)
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
    keys = jax.vmap(lambda key: sobol_keys(key, 1, 1)[0])(jax.random.split(key, n))
    points = np.asarray(jax.vmap(lambda key: sobol_bits(key, 3, 8))(keys)) / 2.0**32
    assert np.abs(points.mean(0) - 0.5).max() < 4.5 / (12 * n) ** 0.5
    assert np.abs((points**2).mean(0) - 1 / 3).max() < 4.5 * (4 / 45 / n) ** 0.5
    normal = np.asarray(jax.vmap(lambda key: draws.normal(key, (3, 8)))(keys))
    assert np.abs(normal.mean(0)).max() < 4.5 / n**0.5


def test_means_over_sobol_points_vary_less(key: jax.Array) -> None:
    def mean(key: jax.Array) -> jax.Array:
        x = draws.normal(key, (4, 1024))
        return jnp.mean(jnp.sum(x, axis=0) ** 2 + jnp.max(x, axis=0))

    keys = jax.random.split(key, 64)
    random = np.asarray(jax.vmap(mean)(keys))
    sobol = np.asarray(jax.vmap(lambda key: mean(sobol_keys(key, 1, 1024)[0]))(keys))
    assert abs(sobol.mean() - random.mean()) < 4 * random.std() / 8
    assert sobol.var() < random.var() / 5


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"fresh_misfit": True},
        {"label_noise": 0.5, "generator": "threefry13"},
        {"head": "trained", "head_epochs": 2, "fresh_misfit": True},
        {"head": "ball", "head_radius": 1.0},
        {"reuse_inputs": True, "n_strong": 600, "feature_precision": "float32"},
    ],
    ids=str,
)
def test_every_kind_of_experiment_takes_them(fields: dict[str, Any]) -> None:
    protocol = dataclasses.replace(SOBOL, **fields)
    outcome = w2s.run_pair(WORLD, protocol, pair_key(jax.random.key(2), 1))
    plain = dataclasses.replace(protocol, generator="threefry", evaluation_points="random")
    other = w2s.run_pair(WORLD, plain, pair_key(jax.random.key(2), 1))
    assert np.isfinite(outcome.weak_error).all() and (outcome.weak_error != other.weak_error).all()
    assert 0.5 < np.median(outcome.weak_error / other.weak_error) < 2
    if protocol.generator == "threefry" and protocol.head != "trained":
        np.testing.assert_array_equal(outcome.status.weak_rank, other.status.weak_rank)


def test_sizes_are_prefixes_and_both_can_be_axes() -> None:
    axes = {
        "n_eval": [512, 1024],
        "evaluation_points": ["random", "sobol"],
        "generator": ["threefry", "threefry13"],
    }
    ds = w2s.sweep(WORLD, dataclasses.replace(SOBOL, tasks=3), pairs=2, seed=2, axes=axes)
    assert ds.weak_error.dims == ("pair", "n_eval", "evaluation_points", "generator", "task")
    for n in (512, 1024):
        single = w2s.sweep(WORLD, dataclasses.replace(SOBOL, tasks=3, n_eval=n), pairs=2, seed=2)
        cell = ds.sel(n_eval=n, evaluation_points="sobol", generator="threefry")
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
        ValueError, match="evaluation_points='sobol' needs a world that draws its inputs by one call"
    ):
        w2s.run_pair(RowsByJax(), SOBOL, key)
    w2s.run_pair(RowsByJax(), w2s.Protocol(tasks=2, generator="threefry13"), key)
    with pytest.raises(ValueError, match="evaluation_points='sobol' needs a world"):
        w2s.run_pair(dataclasses.replace(WORLD, inputs="student_t"), SOBOL, key)
    with pytest.raises(ValueError, match="at most 1024 input dimensions, not 1025"):
        w2s.run_pair(dataclasses.replace(WORLD, input_dim=1025), SOBOL, key)
    with pytest.raises(ValueError, match=r"generator='threefry13'.*needs a threefry key"):
        w2s.run_pair(WORLD, w2s.Protocol(tasks=2, generator="threefry13"), jax.random.key(0, impl="rbg"))
    with pytest.raises(ValueError, match="standard_errors=True supposes independent inputs"):
        w2s.Protocol(standard_errors=True, evaluation_points="sobol")
    with pytest.raises(ValueError, match="n_eval=2000000 is more than the 1048576 points"):
        w2s.Protocol(n_eval=2_000_000, evaluation_points="sobol")
    with pytest.raises(ValueError, match="more than the 1048576 points"):
        w2s.sweep(
            WORLD,
            w2s.Protocol(tasks=1),
            pairs=1,
            axes={"n_eval": [2_000_000], "evaluation_points": ["sobol"]},
        )
    for fields in ({"generator": "threefry13"}, {"evaluation_points": "sobol"}):
        with pytest.raises(ValueError, match="feature_kernel='pallas' draws independent inputs"):
            w2s.Protocol(feature_kernel="pallas", **fields)
    with pytest.raises(ValueError, match="generator='philox'"):
        w2s.Protocol(generator="philox")
