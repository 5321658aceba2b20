"""One pair against NumPy on the same draws, across sizes, ridges, networks and degenerate features."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.oracle import errors, run_alone
from w2sjax.heads import Ball, Ridge
from w2sjax.heads.factor import dropped_effect, factorize
from w2sjax.random.keys import pair_key

WORLD = w2s.worlds.PerturbedMLP(weak_noise=0.05, strong_noise=0.01)
NAMES = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation")

CASES = {
    "published": (WORLD, w2s.Protocol(tasks=20)),
    "ridge": (WORLD, w2s.Protocol(tasks=5, head=Ridge(10.0), weak_head=Ridge(1e-3), n_weak=1234)),
    "few samples": (WORLD, w2s.Protocol(tasks=5, n_weak=60, n_strong=100, n_eval=30)),
    "fewer samples than units": (WORLD, w2s.Protocol(tasks=5, n_weak=12, n_strong=9, n_eval=700)),
    "reused inputs": (WORLD, w2s.Protocol(tasks=5, n_weak=800, n_strong=700, reuse_inputs=True)),
    "uniform tanh": (
        dataclasses.replace(WORLD, inputs="uniform", activation="tanh", input_scale=1.0, depth=2),
        w2s.Protocol(tasks=5, n_weak=600, n_strong=600, n_eval=600),
    ),
}


@pytest.mark.usefixtures("optimized")
@pytest.mark.parametrize("case", CASES)
def test_outcome_equals_numpy_on_the_same_draws(case: str) -> None:
    world, protocol = CASES[case]
    protocol = dataclasses.replace(protocol, standard_errors=True)
    for index in range(3):
        key = pair_key(jax.random.key(1), index)
        outcome = run_alone(world, protocol, key)
        expected = errors(world, protocol, key)
        scale = expected["weak_error"]
        for name in NAMES:
            error = np.abs(np.asarray(getattr(outcome, name)) - expected[name]) / scale
            assert error.max() < 1e-9, (name, index, error.max())
            computed = np.asarray(outcome.spread[name])
            error = np.abs(computed - expected[f"{name}_se"]) / scale
            assert error.max() < 1e-8, (name, index, error.max())


def test_float32_is_within_a_thousandth_of_float64() -> None:
    protocol = w2s.Protocol(tasks=100)
    for world in (WORLD, dataclasses.replace(WORLD, strong_noise=0.0)):
        for index in range(3):
            seed = jax.random.key(2)
            exact = w2s.run_pair(world, protocol, pair_key(seed, index))
            with jax.enable_x64(False):
                single = w2s.run_pair(world, protocol, pair_key(seed, index))
            assert single.gain.dtype == jnp.float32
            for name in ("gain", "misfit"):
                a, b = np.asarray(getattr(single, name), float), np.asarray(getattr(exact, name))
                assert np.abs(a / b - 1).max() < 1e-3, (name, index)


def test_label_noise_costs_its_textbook_variance() -> None:
    """Noise of variance s2 on n labels adds s2 (d + 1) / (n - d - 2) to the error of a d-dimensional linear fit."""
    world = w2s.worlds.PerturbedMLP(
        depth=1, activation="identity", input_scale=1.0, width=8, weak_noise=0.0, strong_noise=0.0
    )
    n, d, noise = 300, 8, 0.5
    protocol = w2s.Protocol(n_weak=n, n_strong=n, n_eval=2000, tasks=200, label_noise=noise)
    runs = [w2s.run_pair(world, protocol, pair_key(jax.random.key(3), i)) for i in range(20)]
    expected = noise**2 * (1 / n + d / (n - d - 2) * (1 + 1 / n))
    for name in ("weak_error", "ceiling_error"):
        means = np.array([float(getattr(run, name).mean()) for run in runs])
        standard_error = means.std(ddof=1) / len(runs) ** 0.5
        assert abs(means.mean() - expected) < 4 * standard_error, name
        assert standard_error < 0.05 * expected


@dataclasses.dataclass(frozen=True)
class FixedSample:
    """A user's own world, not a pytree: every split is one and the same sample, and the strong model is the truth."""

    width: int = 6

    def draw(self, key: jax.Array) -> "FixedSample":
        return self

    def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        rng = np.random.default_rng(0)
        target = rng.normal(size=(n, self.width))
        weak = target[:, :4] + 0.3 * rng.normal(size=(n, 4))
        return jnp.asarray(target), jnp.asarray(weak), jnp.asarray(target)


def test_gain_is_misfit_when_all_splits_are_one_sample(key: jax.Array) -> None:
    outcome = w2s.run_pair(FixedSample(), w2s.Protocol(n_weak=500, n_strong=500, n_eval=500, tasks=50), key)
    np.testing.assert_allclose(outcome.gain, outcome.misfit, rtol=1e-9)
    assert np.asarray(outcome.gain).min() > 0
    assert np.asarray(outcome.ceiling_error).max() < 1e-20


@dataclasses.dataclass(frozen=True)
class IllConditioned:
    """Random features of a given condition number, with a duplicated, a dead and a badly scaled column."""

    condition: float
    scales: float = 1.0

    def draw(self, key: jax.Array) -> "IllConditioned":
        return self

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        return jnp.asarray(np.random.default_rng(1).normal(size=(tasks, 6))), jnp.zeros(tasks)

    def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        rng = np.random.default_rng(2)
        mix = np.linalg.qr(rng.normal(size=(6, 6)))[0]
        shrink = jnp.asarray(np.geomspace(1, 1 / self.condition, 6)[:, None] * mix)
        target = jax.random.normal(key, (n, 6), jnp.float64)
        weak = (target + 0.1 * jnp.roll(target, 1, axis=1)) @ shrink
        scale = jnp.asarray(np.geomspace(self.scales, 1 / self.scales, 6))
        extra = jnp.stack([weak[:, 0], jnp.zeros(n)], axis=1)
        return target, jnp.concatenate([weak * scale[None, :], extra], axis=1), target[:, :4]


@pytest.mark.parametrize("scales", [1.0, 1e3])
def test_moments_keep_their_digits_to_condition_a_million(scales: float, key: jax.Array) -> None:
    """The weak features span the target's, so the weak error is zero in exact arithmetic and weak labels exact."""
    world = IllConditioned(condition=1e6 / scales**2, scales=scales)
    protocol = w2s.Protocol(n_weak=1000, n_strong=1000, n_eval=1000, tasks=4)
    outcome = w2s.run_pair(world, protocol, key)
    signal = np.sum(np.random.default_rng(1).normal(size=(4, 6)) ** 2, axis=1)
    assert np.all(np.asarray(outcome.weak_error) < 1e-18 * signal)
    np.testing.assert_allclose(outcome.w2s_error, outcome.ceiling_error, rtol=1e-9)
    assert int(outcome.status.weak_rank) == 6
    assert int(outcome.status.weak_dropped) == 2
    assert int(outcome.status.code) & int(w2s.Flag.WEAK_RANK_DEFICIENT)


def test_condition_beyond_rounding_is_reported_not_hidden(key: jax.Array) -> None:
    outcome = w2s.run_pair(IllConditioned(condition=1e20), w2s.Protocol(tasks=4), key)
    assert np.isfinite(np.asarray(outcome.gain)).all()
    assert int(outcome.status.weak_rank) < 6
    assert 0 < float(outcome.status.dropped_effect) <= 1
    assert int(outcome.status.code) & int(w2s.Flag.ILL_CONDITIONED)


@pytest.mark.parametrize(
    "settings",
    [{}, {"input_scale": 1.0}, {"input_scale": 1e-4}],
)
def test_errors_below_rounding_are_flagged(settings: dict[str, Any]) -> None:
    """Networks whose outputs hardly vary: float32 takes most of that for rounding, and says so."""
    world, protocol = w2s.worlds.PerturbedMLP(depth=20, width=8, **settings), w2s.Protocol(tasks=10)
    with jax.enable_x64(False):
        single = w2s.sweep(world, protocol, pairs=16)
    double = w2s.sweep(world, protocol, pairs=16)
    error = (abs(single["gain"] - double["gain"]) / double["weak_error"]).max("task").values
    assert np.mean(error > 0.01) > 0.8
    assert np.all(below_rounding(single)[error > 0.01])
    for tasks in (10, 100):  # by labels, and by moments
        mixed = dataclasses.replace(protocol, tasks=tasks, numerics=w2s.Numerics(feature_precision="float32"))
        assert np.all(below_rounding(w2s.sweep(world, mixed, pairs=4)))


@pytest.mark.parametrize("tasks", [10, 100])
def test_errors_of_few_noisy_samples_are_not_flagged(tasks: int) -> None:
    numerics = w2s.Numerics(feature_precision="float32")
    protocol = w2s.Protocol(tasks=tasks, numerics=numerics, n_weak=20, label_noise=0.1)
    assert not np.any(below_rounding(w2s.sweep(WORLD, protocol, pairs=16)))


def below_rounding(dataset: xr.Dataset) -> np.ndarray:
    """Return which pairs are flagged so, `[pair]`."""
    return (dataset["status_code"].values & int(w2s.Flag.ERROR_BELOW_ROUNDING)) != 0


def test_features_that_are_not_finite_are_a_status(key: jax.Array) -> None:
    class Broken(FixedSample):
        def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
            target, weak, strong = super().features(key, n)
            return target, weak.at[0, 0].set(jnp.nan), strong

    outcome = w2s.run_pair(Broken(), w2s.Protocol(tasks=2), key)
    assert int(outcome.status.code) & int(w2s.Flag.NOT_FINITE)


def test_refusals(key: jax.Array) -> None:
    protocol = w2s.Protocol(tasks=2)
    with pytest.raises(ValueError, match="key is not a typed key"):
        w2s.run_pair(WORLD, protocol, jax.random.PRNGKey(0))
    with pytest.raises(ValueError, match=r"n_weak=0 is too small"):
        w2s.Protocol(n_weak=0)
    with pytest.raises(ValueError, match=r"n_strong=20.5 is not an integer"):
        w2s.Protocol(n_strong=20.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"ridge=-1 is out of range"):
        Ridge(-1.0)
    with pytest.raises(ValueError, match=r"reuse_inputs=True needs n_strong <= n_weak"):
        w2s.Protocol(n_weak=10, n_strong=20, reuse_inputs=True)
    with pytest.raises(ValueError, match=r"weak_noise=nan is out of range"):
        w2s.worlds.PerturbedMLP(weak_noise=float("nan"))
    with pytest.raises(ValueError, match=r"activation='rleu' is not known: did you mean 'relu'"):
        w2s.worlds.PerturbedMLP(activation="rleu")

    class Wrong(FixedSample):
        def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
            target, weak, strong = super().features(key, n)
            return target, weak[:-1], strong

    class Nothing:
        def draw(self, key: jax.Array) -> None:
            return None

    class Flat(FixedSample):
        def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
            target, weak, strong = super().features(key, n)
            return target, weak[:, 0], strong

    for wrong, message in (
        (Wrong(), "features returned weak of shape"),
        (Flat(), "features returned weak of shape"),
        (Nothing(), "draw returned NoneType: return a pair"),
    ):
        with pytest.raises(ValueError, match=message):
            w2s.run_pair(wrong, protocol, key)
        with pytest.raises(ValueError, match=message):
            w2s.sweep(wrong, protocol, pairs=1)
    with pytest.raises(ValueError, match="is not a world: pass an object"):
        w2s.run_pair(w2s.worlds.PerturbedMLP, protocol, key)
    with pytest.raises(ValueError, match="ridge=.* is not a single number"):
        Ridge(jnp.array([0.1, 1.0]))
    several = jax.tree.map(lambda value: jnp.stack([jnp.asarray(value)] * 2), w2s.Protocol())
    with pytest.raises(ValueError, match="ridge=.* is not a single value"):
        w2s.run_pair(WORLD, several, key)
    with pytest.raises(ValueError, match="key holds 2 keys"):
        w2s.run_pair(WORLD, protocol, jax.random.split(key))
    with pytest.raises(ValueError, match="ridge=-1 is out of range"):
        Ridge(jnp.asarray(-1.0))
    with pytest.raises(ValueError, match="head='trained' is not a head: pass one of w2sjax.heads"):
        w2s.Protocol(head="trained")  # type: ignore[arg-type]


def test_dropped_effect_is_the_share_along_features_that_were_dropped() -> None:
    """Of what the features explain: whatever else is in the labels has nothing to do with it, nor have zero columns."""
    # The second column is the first but for rounding, along (1, -1, 0); the third is zero.
    rows = jnp.array([[1.0, 1.0, 0.0], [1.0, 1.0 + 4e-16, 0.0], [0.0, 0.0, 0.0]])
    factor = factorize(rows, 1e-14)
    labels = jnp.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 1.0]])
    assert int(factor.rank) == 1
    along = np.asarray(factor.discarded_left).T @ np.asarray(labels)
    np.testing.assert_allclose(np.sum(along**2, axis=0), [2, 0], atol=1e-14)
    assert float(dropped_effect(factor, labels)) == pytest.approx(2 / 3)


def test_units_that_a_small_sample_never_saw_are_no_dropped_signal() -> None:
    protocol = w2s.Protocol(n_weak=30, tasks=5)
    dataset = w2s.sweep(WORLD, protocol, pairs=32)
    missing = dataset["status_weak_rank"].values < 16
    assert missing.mean() > 0.5
    assert np.median(dataset["status_dropped_effect"].values[missing]) < 1e-12


@pytest.mark.parametrize("settings", [{}, {"tasks": 60}, {"head": Ball(), "label_noise": 0.1}])
def test_no_key_is_used_twice(settings: dict[str, Any], key: jax.Array, key_reuse_checked: None) -> None:
    """But for standard errors, which go over their sample a second time."""
    protocol = w2s.Protocol(**{"n_weak": 100, "n_strong": 100, "n_eval": 600, "tasks": 2} | settings)
    assert np.isfinite(np.asarray(w2s.run_pair(WORLD, protocol, key).gain)).all()


def test_one_evaluation_sample_has_no_standard_error(key: jax.Array) -> None:
    for tasks in (2, 60):  # by labels, and by moments
        protocol = w2s.Protocol(n_weak=100, n_strong=100, n_eval=1, tasks=tasks, standard_errors=True)
        spread = w2s.run_pair(WORLD, protocol, key).spread
        assert np.isnan(np.asarray(spread["weak_error"])).all()


def test_units_that_the_pilot_hardly_sees_keep_their_digits() -> None:
    """Rarely active units: constant, or collinear with others, on the pilot or the sample but not on both."""
    world = w2s.worlds.PerturbedMLP(weak_noise=0.02, strong_noise=0.01)
    protocol = w2s.Protocol(n_weak=500, n_strong=200, n_eval=500, tasks=3)
    for index in (27, 46, 91, *range(12)):
        key = pair_key(jax.random.key(0), index)
        outcome, expected = run_alone(world, protocol, key), errors(world, protocol, key)
        for name in NAMES:
            error = np.abs(np.asarray(getattr(outcome, name)) - expected[name]) / expected["weak_error"]
            assert error.max() < 1e-9, (name, index, error.max())
