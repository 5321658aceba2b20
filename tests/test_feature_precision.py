"""Features in float32 under float64 moments: how near they are, and where the option does nothing or is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import w2sjax as w2s
from tests.oracle import run_alone
from w2sjax.engine.source import draw_columns

WORLD = w2s.worlds.PerturbedMLP()
FLOAT32 = w2s.Numerics(feature_precision="float32")
SINGLE = w2s.Protocol(tasks=10, standard_errors=True, numerics=FLOAT32)
DOUBLE = dataclasses.replace(SINGLE, numerics=w2s.Numerics())
ORDER = ("weak", "target", "strong")


def test_features_are_the_same_to_single_precision(key: jax.Array) -> None:
    pair = WORLD.draw(key)
    single = draw_columns(pair, key, 300, ORDER, "eval", single=True)
    double = draw_columns(pair, key, 300, ORDER, "eval")
    assert (single.dtype, double.dtype) == (jnp.float32, jnp.float64)
    np.testing.assert_allclose(single, double, rtol=0, atol=1e-6 * float(jnp.abs(double).max()))


def test_outcomes_are_near_those_of_float64_features() -> None:
    single, double = (w2s.sweep(WORLD, protocol, pairs=48, seed=1) for protocol in (SINGLE, DOUBLE))
    assert single["gain"].dtype == np.float64
    for name in ("gain", "misfit", "w2s_error", "ceiling_error"):
        error = (abs(single[name] - double[name]) / double["weak_error"]).values
        assert 0 < np.median(error) < 2e-7
        assert np.mean(error < 1e-6) > 0.95
        assert error.max() < 2e-3  # a unit that is active on a handful of training rows
    np.testing.assert_allclose(
        single["gain_standard_error"], double["gain_standard_error"], rtol=1e-2, atol=1e-12
    )


def test_float32_is_within_a_thousandth_on_the_published_settings() -> None:
    """Units that are active on few rows keep their digits: mixed with the others they lost all of them."""
    with jax.enable_x64(False):
        single = w2s.sweep(WORLD, DOUBLE, pairs=192, seed=0)
    double = w2s.sweep(WORLD, DOUBLE, pairs=192, seed=0)
    assert single["gain"].dtype == np.float32
    for name in ("gain", "misfit", "w2s_error", "ceiling_error"):
        error = (abs(single[name] - double[name]) / double["weak_error"]).values
        assert np.median(error) < 3e-6
        assert np.quantile(error, 0.99) < 1e-4
        assert error.max() < 1e-3


def test_nothing_changes_where_everything_is_float32(key: jax.Array) -> None:
    with jax.enable_x64(False):
        single, double = (w2s.run_pair(WORLD, protocol, key) for protocol in (SINGLE, DOUBLE))
    assert single.gain.dtype == jnp.float32
    # The basis is inverted once more, in float32 itself.
    np.testing.assert_allclose(single.gain, double.gain, rtol=1e-3)


@dataclasses.dataclass(frozen=True)
class Plain:
    """A world and its pair in one, no pytree, which draws without `w2sjax.random`."""

    mixing: tuple[float, ...] = (1.0, 0.5, 0.2)

    def draw(self, key: jax.Array) -> "Plain":
        return self

    def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        x = jax.random.normal(key, (n, 3))
        target = x * jnp.asarray(np.array(self.mixing))[None, :].astype(x.dtype)
        return target, target[:, :2], target


def test_a_users_world_takes_part(key: jax.Array) -> None:
    protocol = w2s.Protocol(tasks=3, n_weak=500, n_strong=500, n_eval=500, numerics=FLOAT32)
    outcome = run_alone(Plain(), protocol, key)
    assert outcome.gain.dtype == jnp.float64
    np.testing.assert_allclose(outcome.ceiling_error / outcome.weak_error, 0, atol=1e-10)


def test_trained_heads_refuse_it() -> None:
    with pytest.raises(ValueError, match="feature_precision='float32' is for heads in closed form only"):
        w2s.Protocol(head=w2s.heads.Trained(), numerics=FLOAT32)
