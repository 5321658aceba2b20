"""The fused generator gives the numbers of `jax.random`, and normal numbers closer to the exact ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from w2sjax.random import draws
from w2sjax.random.keys import BLOCK, Role, block_keys
from w2sjax.random.normals import normal_of_bits


def test_normals_are_those_of_jax_but_for_rounding(key: jax.Array) -> None:
    expected = jax.random.normal(key, (70, 330), jnp.float32)
    actual = np.asarray(draws.normal(key, (70, 330)), np.float32)
    np.testing.assert_allclose(actual, expected, rtol=7e-6)  # 5.8e-6 of it in the tails of JAX's


def test_every_normal_is_the_quantile_of_its_bits() -> None:
    numbers = np.arange(2**23, dtype=np.uint32)
    actual = np.asarray(jax.jit(normal_of_bits)(numbers << 9), np.float64)
    least = np.nextafter(np.float32(-1), np.float32(0))
    unit = numbers.astype(np.float32) * np.float32(2**-23)
    u = np.maximum(least, unit * (np.float32(1) - least) + least).astype(np.float64)
    lower, upper = scipy.special.ndtri((1 + u) / 2), -scipy.special.ndtri((1 - u) / 2)
    exact = np.where(np.abs(u) < 0.5, scipy.special.erfinv(u) * 2**0.5, np.where(u < 0, lower, upper))
    np.testing.assert_allclose(actual, exact, rtol=5e-7)


def test_fold_in_is_that_of_jax(key: jax.Array) -> None:
    numbers = np.array([0, 1, 5, 2**32 - 1], np.uint32)
    folded = draws.fold_in(key, numbers)
    for i, number in enumerate(numbers):
        expected = jax.random.fold_in(key, number)
        np.testing.assert_array_equal(jax.random.key_data(folded[i]), jax.random.key_data(expected))


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg"])
def test_moments_of_the_draws(generator: str) -> None:
    key = jax.random.key(4, impl=generator)
    n = 200_000
    normal = np.asarray(draws.normal(key, (n,)))
    uniform = np.asarray(draws.uniform(draws.fold_in(key, np.array([1]))[0], (n,), 2.0))
    assert abs(normal.mean()) < 4 / n**0.5
    assert abs(normal.var() - 1) < 4 * (2 / n) ** 0.5
    assert np.abs(uniform).max() <= 2
    assert abs(uniform.var() - 4 / 3) < 4 * (16 / 5 - 16 / 9) ** 0.5 / n**0.5


def test_blocks_of_a_role_do_not_depend_on_how_many_are_drawn(key: jax.Array) -> None:
    few = block_keys(key, {(Role.WEAK, 0): 2, (Role.EVAL, 0): 1})
    many = block_keys(key, {(Role.EVAL, 0): 4, (Role.STRONG, 0): 3, (Role.WEAK, 0): 5, (Role.STRONG, 2): 1})
    for stream in few:
        n = few[stream].shape[0]
        np.testing.assert_array_equal(jax.random.key_data(few[stream]), jax.random.key_data(many[stream][:n]))
    data = np.concatenate([jax.random.key_data(keys) for keys in many.values()])
    assert len(np.unique(data, axis=0)) == len(data)
    assert BLOCK == 500
