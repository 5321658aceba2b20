"""Strict JAX for every test: float64, no implicit promotion of dtypes or ranks."""

from collections.abc import Iterator

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

SEED = 0


@pytest.fixture
def key() -> jax.Array:
    """A typed key, the same for every test."""
    return jax.random.key(SEED)


@pytest.fixture
def key_reuse_checked() -> Iterator[None]:
    """Refuse a second use of a key while the test runs.

    Not for every test: JAX's checker has no rule for a transposed array of keys, which a `vmap` over a `scan` over keys
    produces, and then reports a reuse that is none.
    """
    with jax.debug_key_reuse(True):
        yield
