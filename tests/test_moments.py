"""Compressed samples against NumPy on the same rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from w2sjax.engine.basis import pilot_basis
from w2sjax.engine.moments import compress_splits
from w2sjax.random.keys import BLOCK

UNITS = 8
DEAD = 3


def draw(key: jax.Array, rows: int, *, dead: bool) -> jax.Array:
    """Draw correlated rectified features `[UNITS, rows]` of different sizes, one of them zero if `dead`."""
    mix = jnp.asarray(
        np.random.default_rng(0).normal(size=(UNITS, UNITS)) * np.geomspace(1, 1e3, UNITS)[:, None]
    )
    features = jax.nn.relu(mix @ jax.random.normal(key, (UNITS, rows), jnp.float64))
    return features.at[DEAD].set(0) if dead else features


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32], ids=str)
@pytest.mark.parametrize("n", [25, 70, 1700])
def test_a_unit_that_only_the_pilot_sees_is_zero_in_the_sample(
    n: int, dtype: jnp.dtype, key: jax.Array
) -> None:
    pilot, stream = jax.random.split(key)
    basis = pilot_basis(draw(pilot, 240, dead=False).astype(dtype))
    keys = jax.random.split(stream, -(-n // BLOCK))
    targets = jnp.asarray(np.random.default_rng(1).normal(size=(2, UNITS)))

    def draw_block(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        features = draw(key, BLOCK, dead=True).astype(dtype)
        return features, targets @ features.astype(jnp.float64)

    (sample,) = compress_splits(draw_block, [keys], [[n]], basis)
    rows = np.concatenate([np.asarray(draw_block(key)[0], np.float64) for key in keys], axis=1)[:, :n].T
    spread = rows.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    ours = np.asarray(sample.rows[0])
    assert not ours[:, DEAD].any()
    tolerance = 1e-12 if dtype == jnp.float64 else 1e-6
    assert abs(sample.mean[0, DEAD]) < tolerance
    np.testing.assert_allclose(sample.mean[0] / scale, rows.mean(axis=0) / scale, atol=tolerance)
    np.testing.assert_allclose(
        (ours / scale).T @ (ours / scale), np.cov((rows / scale).T, bias=True), atol=tolerance
    )
    size = np.abs(np.asarray(targets)) @ spread
    np.testing.assert_allclose(
        (ours / scale).T @ np.asarray(sample.label_rows[0]) / size,
        np.cov((rows / scale).T, bias=True) @ (np.asarray(targets) * spread).T / size,
        atol=tolerance,
    )
    labelled = np.asarray(targets) @ rows.mean(axis=0)
    np.testing.assert_allclose(sample.label_mean[0] / size, labelled / size, atol=tolerance)
